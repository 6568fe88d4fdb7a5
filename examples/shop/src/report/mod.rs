//! What the shop reports, for people: traces as trees, and a summary.

mod figure;
mod paint;
mod received;
mod summary;
mod trace;
mod tree;

pub(crate) use paint::Paint;
pub(crate) use received::{figures, traces};
pub(crate) use summary::summary;
pub(crate) use trace::{Kind, Span, Trace};
pub(crate) use tree::tree;
