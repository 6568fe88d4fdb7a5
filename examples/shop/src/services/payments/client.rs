//! The payments service, as its clients see it.

use std::time::Duration;

use otel_grpc::{GrpcClient, GrpcClientLayer};
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request, Status};
use tower::ServiceBuilder;

use super::proto::{Charge, Payment, PaymentsClient, Receipt};
use crate::Failure;
use crate::error::{Outcome, ShopError};

/// The payments service, which is called over gRPC.
pub(crate) struct PaymentsPeer {
    client: PaymentsClient<GrpcClient<Channel>>,
    timeout: Duration,
}

impl PaymentsPeer {
    /// `url` is where it listens. Nothing is connected before the first call.
    pub(crate) fn new(url: &str, timeout: Duration) -> Result<Self, Failure> {
        let endpoint = Endpoint::from_shared(url.trim_end_matches('/').to_owned())?;
        let layer = GrpcClientLayer::for_target(endpoint.uri());
        let channel = ServiceBuilder::new().layer(layer).service(endpoint.connect_lazy());
        Ok(Self { client: PaymentsClient::new(channel), timeout })
    }

    /// Charges a card, and follows what becomes of the payment.
    pub(crate) async fn charge(&self, charge: Charge) -> Result<(), ShopError> {
        let receipt = self.client.clone().charge(self.in_time(charge)).await.map_err(failed)?;
        // The card is charged: that its events are not told is no reason to give the goods back.
        if self.follow(receipt.into_inner()).await.is_err() {
            tracing::warn!("the events of a payment are not known");
        }
        Ok(())
    }

    /// Reads the stream of a payment's events to its end: a stream that is dropped before has been cancelled.
    async fn follow(&self, receipt: Receipt) -> Result<(), Status> {
        let payment = Payment { payment_id: receipt.payment_id };
        let mut events = self.client.clone().events(self.in_time(payment)).await?.into_inner();
        while let Some(event) = events.message().await? {
            tracing::debug!(shop.payment.event = event.name, "payment event");
        }
        Ok(())
    }

    /// The server learns when nobody will wait any longer.
    fn in_time<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        request.set_timeout(self.timeout);
        request
    }
}

/// What the service said of its error, or what is known of a call that did not get there.
fn failed(status: Status) -> ShopError {
    if let Some(error) = ShopError::in_status(&status) {
        return error;
    }
    let failed = match status.code() {
        // tonic's client says `Cancelled` when the time is up.
        Code::DeadlineExceeded | Code::Cancelled => {
            ShopError::new(Outcome::GatewayTimeout, "payments did not answer in time")
        }
        _ => ShopError::new(Outcome::ServiceUnavailable, "payments gave no usable answer"),
    };
    failed.because(status)
}
