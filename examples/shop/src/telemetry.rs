//! Everything the shop does about telemetry apart from one layer per server, one wrapper per client (see
//! `services/server.rs` and `services/peer.rs`) and its business instruments (see `instruments.rs`).

use opentelemetry::baggage::BaggageExt;
use opentelemetry::context::FutureExt;
use opentelemetry::trace::TraceContextExt;
use opentelemetry::{Context, KeyValue};
use otel_init::Telemetry;
use serde::{Deserialize, Serialize};

use crate::Failure;
use crate::error::Outcome;

const TIER: &str = "customer.tier";

/// Sets up traces, metrics and logs for one service, in its runtime. Where they go is told by the `OTEL_*` variables.
pub(crate) fn install(service: &'static str) -> Result<Telemetry, Failure> {
    let telemetry = Telemetry::builder()
        .with_service_name(service)
        .with_service_version(env!("CARGO_PKG_VERSION"))
        .with_process_metrics()
        .with_tokio_metrics(tokio::runtime::Handle::current())
        .install()?;
    Ok(telemetry)
}

/// What a customer pays for. Every service may want to know, so it travels as baggage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Tier {
    Standard,
    Gold,
}

impl Tier {
    /// The tier in the current baggage. Anyone can send baggage: an unknown value is no tier.
    pub(crate) fn current() -> Option<Self> {
        match Context::current().baggage().get(TIER)?.as_str() {
            "standard" => Some(Self::Standard),
            "gold" => Some(Self::Gold),
            _ => None,
        }
    }

    /// Runs `work` with this tier in the baggage, so that every request it sends carries it.
    pub(crate) async fn scope<F: Future>(self, work: F) -> F::Output {
        let baggage = Context::current().with_baggage([KeyValue::new(TIER, self.as_str())]);
        record_tier(self);
        work.with_context(baggage).await
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Standard => "standard",
            Self::Gold => "gold",
        }
    }
}

/// The tier of the current baggage as an attribute, for metrics and spans.
pub(crate) fn tier_attribute() -> KeyValue {
    KeyValue::new(TIER, Tier::current().map_or("none", Tier::as_str))
}

/// Puts the tier that came as baggage on the current span.
pub(crate) fn record_current_tier() {
    if let Some(tier) = Tier::current() {
        record_tier(tier);
    }
}

fn record_tier(tier: Tier) {
    Context::current().span().set_attribute(KeyValue::new(TIER, tier.as_str()));
}

/// The outcome as an attribute of a metric.
pub(crate) fn outcome_attribute(outcome: Outcome) -> KeyValue {
    KeyValue::new("app.outcome", outcome.as_str())
}

/// Puts the outcome on the current span.
pub(crate) fn record_outcome(outcome: Outcome) {
    Context::current().span().set_attribute(outcome_attribute(outcome));
}

/// The current trace, as text.
pub(crate) fn trace_id() -> String {
    Context::current().span().span_context().trace_id().to_string()
}
