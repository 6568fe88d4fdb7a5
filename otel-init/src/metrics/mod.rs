//! How measurements become metrics.

mod cardinality;
mod guard;
mod view;

pub use view::View;

pub(crate) use cardinality::CardinalityLimits;
pub(crate) use guard::{AttributeGuard, OVERFLOW};
pub(crate) use view::Views;
