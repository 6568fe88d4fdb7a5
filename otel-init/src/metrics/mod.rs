//! How measurements become metrics.

mod callbacks;
mod cardinality;
mod guard;
mod view;

pub use view::View;

pub(crate) use callbacks::GuardedMeterProvider;
pub(crate) use cardinality::CardinalityLimits;
pub(crate) use guard::{AttributeGuard, OVERFLOW};
pub(crate) use view::Views;
