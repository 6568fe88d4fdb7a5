//! What is public fits into tasks, statics and structs of the user's: this file compiles, or does not.

use std::convert::Infallible;
use std::future::Ready;

use http::Response;
use otel_grpc::{
    ClientSide, GrpcAttempt, GrpcAttemptLayer, GrpcClient, GrpcClientLayer, GrpcClientLayerBuilder,
    GrpcResponseBody, GrpcResponseFuture, GrpcServer, GrpcServerLayer, GrpcServerLayerBuilder,
    GrpcTraceBinPropagator, RequestAttributes, ServerSide,
};

type Answer = Ready<Result<Response<String>, Infallible>>;

fn is_thread_safe<T: Send + Sync + std::fmt::Debug + 'static>() {}

#[test]
fn public_types_go_from_thread_to_thread() {
    is_thread_safe::<GrpcAttempt<()>>();
    is_thread_safe::<GrpcAttemptLayer>();
    is_thread_safe::<GrpcClient<()>>();
    is_thread_safe::<GrpcClientLayer>();
    is_thread_safe::<GrpcClientLayerBuilder>();
    is_thread_safe::<GrpcServer<()>>();
    is_thread_safe::<GrpcServerLayer>();
    is_thread_safe::<GrpcServerLayerBuilder>();
    is_thread_safe::<GrpcTraceBinPropagator>();
    is_thread_safe::<RequestAttributes>();
    is_thread_safe::<GrpcResponseBody<String, ServerSide>>();
    is_thread_safe::<GrpcResponseBody<String, ClientSide>>();
    is_thread_safe::<GrpcResponseFuture<Answer, ServerSide>>();
    is_thread_safe::<GrpcResponseFuture<Answer, ClientSide>>();
}
