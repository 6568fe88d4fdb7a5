//! What tonic's generator makes of the protocol, written by hand so that no protoc is needed to build the shop:
//!
//! ```proto
//! package shop.payments.v1;
//!
//! message Charge { string card = 1; int64 cents = 2; }
//! message Receipt { string payment_id = 1; }
//! message Payment { string payment_id = 1; }
//! message PaymentEvent { string name = 1; }
//!
//! service Payments {
//!   rpc Charge(Charge) returns (Receipt);
//!   rpc Events(Payment) returns (stream PaymentEvent);
//! }
//! ```

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::http::uri::PathAndQuery;
use prost::Message;
use prost_types::field_descriptor_proto::{Label, Type};
use prost_types::{
    DescriptorProto, FieldDescriptorProto, FileDescriptorProto, FileDescriptorSet, MethodDescriptorProto,
    ServiceDescriptorProto,
};
use tonic::body::Body;
use tonic::client::{Grpc, GrpcService};
use tonic::codegen::{Bytes, Service, StdError, http};
use tonic::server::{NamedService, ServerStreamingService, UnaryService};
use tonic::{GrpcMethod, Request, Response, Status, Streaming};
use tonic_prost::ProstCodec;

use super::{Events, Payments};

/// What to charge. The card number goes no further than the payments service.
#[derive(Clone, PartialEq, Eq, Message)]
pub(crate) struct Charge {
    #[prost(string, tag = "1")]
    pub(crate) card: String,
    #[prost(int64, tag = "2")]
    pub(crate) cents: i64,
}

/// What was charged.
#[derive(Clone, PartialEq, Eq, Message)]
pub(crate) struct Receipt {
    #[prost(string, tag = "1")]
    pub(crate) payment_id: String,
}

/// Whose events are wanted.
#[derive(Clone, PartialEq, Eq, Message)]
pub(crate) struct Payment {
    #[prost(string, tag = "1")]
    pub(crate) payment_id: String,
}

/// A step of a payment.
#[derive(Clone, PartialEq, Eq, Message)]
pub(crate) struct PaymentEvent {
    #[prost(string, tag = "1")]
    pub(crate) name: String,
}

const PACKAGE: &str = "shop.payments.v1";
const SERVICE: &str = "shop.payments.v1.Payments";

/// The server.
#[derive(Clone)]
pub(crate) struct PaymentsServer(Arc<Payments>);

impl PaymentsServer {
    pub(crate) fn new(payments: Payments) -> Self {
        Self(Arc::new(payments))
    }
}

impl NamedService for PaymentsServer {
    const NAME: &'static str = SERVICE;
}

type Answer<T> = Pin<Box<dyn Future<Output = Result<Response<T>, Status>> + Send>>;

impl UnaryService<Charge> for PaymentsServer {
    type Response = Receipt;
    type Future = Answer<Receipt>;

    fn call(&mut self, request: Request<Charge>) -> Self::Future {
        let payments = Arc::clone(&self.0);
        Box::pin(async move { payments.charge(request).await })
    }
}

impl ServerStreamingService<Payment> for PaymentsServer {
    type Response = PaymentEvent;
    type ResponseStream = Events;
    type Future = Answer<Events>;

    fn call(&mut self, request: Request<Payment>) -> Self::Future {
        let payments = Arc::clone(&self.0);
        Box::pin(async move { payments.events(request).await })
    }
}

impl Service<http::Request<Body>> for PaymentsServer {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let service = self.clone();
        Box::pin(async move {
            Ok(match request.uri().path() {
                "/shop.payments.v1.Payments/Charge" => {
                    let codec = ProstCodec::<Receipt, Charge>::default();
                    tonic::server::Grpc::new(codec).unary(service, request).await
                }
                "/shop.payments.v1.Payments/Events" => {
                    let codec = ProstCodec::<PaymentEvent, Payment>::default();
                    tonic::server::Grpc::new(codec).server_streaming(service, request).await
                }
                _ => Status::unimplemented("").into_http(),
            })
        })
    }
}

/// The client.
#[derive(Clone)]
pub(crate) struct PaymentsClient<T>(Grpc<T>);

impl<T> PaymentsClient<T>
where
    T: GrpcService<Body>,
    T::Error: Into<StdError>,
    T::ResponseBody: axum::body::HttpBody<Data = Bytes> + Send + 'static,
    <T::ResponseBody as axum::body::HttpBody>::Error: Into<StdError> + Send,
{
    pub(crate) fn new(channel: T) -> Self {
        Self(Grpc::new(channel))
    }

    pub(crate) async fn charge(&mut self, mut request: Request<Charge>) -> Result<Response<Receipt>, Status> {
        self.ready().await?;
        request.extensions_mut().insert(GrpcMethod::new(SERVICE, "Charge"));
        let path = PathAndQuery::from_static("/shop.payments.v1.Payments/Charge");
        self.0.unary(request, path, ProstCodec::default()).await
    }

    pub(crate) async fn events(
        &mut self,
        mut request: Request<Payment>,
    ) -> Result<Response<Streaming<PaymentEvent>>, Status> {
        self.ready().await?;
        request.extensions_mut().insert(GrpcMethod::new(SERVICE, "Events"));
        let path = PathAndQuery::from_static("/shop.payments.v1.Payments/Events");
        self.0.server_streaming(request, path, ProstCodec::default()).await
    }

    async fn ready(&mut self) -> Result<(), Status> {
        let ready = self.0.ready().await;
        ready.map_err(|error| Status::unavailable(format!("the channel is not ready: {}", error.into())))
    }
}

/// The protocol as reflection serves it, and as the telemetry layer reads the methods from it.
pub(crate) fn descriptor_set() -> Vec<u8> {
    let text = |name: &str, number| field(name, number, Type::String);
    let messages = [
        ("Charge", vec![text("card", 1), field("cents", 2, Type::Int64)]),
        ("Receipt", vec![text("payment_id", 1)]),
        ("Payment", vec![text("payment_id", 1)]),
        ("PaymentEvent", vec![text("name", 1)]),
    ];
    let message = |(name, field): (&str, Vec<FieldDescriptorProto>)| DescriptorProto {
        name: Some(name.to_owned()),
        field,
        ..DescriptorProto::default()
    };
    let method = |name: &str, input: &str, output: &str, streams| MethodDescriptorProto {
        name: Some(name.to_owned()),
        input_type: Some(format!(".{PACKAGE}.{input}")),
        output_type: Some(format!(".{PACKAGE}.{output}")),
        server_streaming: Some(streams),
        ..MethodDescriptorProto::default()
    };
    let service = ServiceDescriptorProto {
        name: Some("Payments".to_owned()),
        method: vec![
            method("Charge", "Charge", "Receipt", false),
            method("Events", "Payment", "PaymentEvent", true),
        ],
        ..ServiceDescriptorProto::default()
    };
    let file = FileDescriptorProto {
        name: Some("shop/payments/v1/payments.proto".to_owned()),
        package: Some(PACKAGE.to_owned()),
        message_type: messages.into_iter().map(message).collect(),
        service: vec![service],
        syntax: Some("proto3".to_owned()),
        ..FileDescriptorProto::default()
    };
    FileDescriptorSet { file: vec![file] }.encode_to_vec()
}

fn field(name: &str, number: i32, kind: Type) -> FieldDescriptorProto {
    FieldDescriptorProto {
        name: Some(name.to_owned()),
        number: Some(number),
        label: Some(Label::Optional.into()),
        r#type: Some(kind.into()),
        json_name: None,
        ..FieldDescriptorProto::default()
    }
}
