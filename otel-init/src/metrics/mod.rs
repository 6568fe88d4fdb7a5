//! How measurements become metrics.

mod callbacks;
mod cardinality;
mod exemplars;
mod guard;
mod view;

pub use exemplars::ExemplarFilter;
pub use view::View;

pub(crate) use callbacks::GuardedMeterProvider;
pub(crate) use cardinality::CardinalityLimits;
pub(crate) use exemplars::{ExemplarReader, Exemplars};
pub(crate) use guard::{AttributeGuard, OVERFLOW};
pub(crate) use view::Views;
