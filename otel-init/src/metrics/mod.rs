//! How measurements become metrics.

mod cardinality;
mod exemplars;
mod guard;
mod provider;
mod view;

pub use exemplars::ExemplarFilter;
pub use provider::MeterProvider;
pub use view::View;

pub(crate) use cardinality::CardinalityLimits;
pub(crate) use exemplars::{ExemplarReader, Exemplars};
pub(crate) use guard::{AttributeGuard, OVERFLOW};
pub(crate) use view::Views;
