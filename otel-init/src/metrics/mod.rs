//! How measurements become metrics.

mod cardinality;
mod exemplars;
mod guard;
mod provider;
mod runtime;
mod settings;
mod under_way;
mod view;
mod views;

pub use exemplars::ExemplarFilter;
pub use provider::MeterProvider;
pub use view::View;

pub(crate) use cardinality::CardinalityLimits;
pub(crate) use exemplars::{ExemplarReader, Exemplars};
pub(crate) use guard::{AttributeGuard, OVERFLOW};
pub(crate) use runtime::{observe_process, observe_tokio};
pub(crate) use settings::MetricSettings;
pub(crate) use under_way::callback_under_way;
pub(crate) use views::Views;
