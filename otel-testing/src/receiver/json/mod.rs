//! OTLP/JSON: how it is read, how it is written, and what stands in a document.

mod document;
mod documents;
mod lines;
mod path;
mod reading;
mod writing;

pub(super) use document::Document;
pub(crate) use documents::Documents;
pub use documents::OtlpJsonError;
pub(super) use lines::JsonLines;
pub(super) use reading::from_slice;
pub(super) use writing::to_vec;
