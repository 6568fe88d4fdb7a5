#![doc = include_str!("README.md")]

mod b3;
mod baggage;
mod broken;
mod hex;
mod inbound;
mod jaeger;
mod ottrace;
mod percent;
mod prefixed;
mod registry;
mod remote;
mod trace_context;
mod tracestate;
mod xray;

pub use b3::B3Propagator;
pub use baggage::BaggagePropagator;
pub use broken::{TRACE_CONTEXT_HEADERS, why_not_continued};
pub(crate) use inbound::hands_on;
pub use inbound::{InboundTrust, has_local_span, receive};
pub use jaeger::JaegerPropagator;
pub use ottrace::OtTracePropagator;
pub use registry::{BoxedPropagator, PropagatorRegistry};
pub use remote::{
    RemoteDecision, has_random_trace_id, is_sampling_forced, remote_decision, with_deferred_decision,
    with_forced_sampling, with_remote_parent,
};
pub use trace_context::TraceContextPropagator;
pub use xray::XRayPropagator;

use opentelemetry::trace::TraceFlags;

/// The bit of `trace-flags` that says that at least the right-most 7 bytes of the trace id are random.
///
/// <https://www.w3.org/TR/trace-context-2/#random-trace-id-flag>
const RANDOM: TraceFlags = TraceFlags::new(0x02);

/// Optional whitespace of HTTP fields: space and horizontal tab.
const OWS: [char; 2] = [' ', '\t'];
