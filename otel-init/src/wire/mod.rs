//! From ended spans and emitted log records to the bytes of OTLP, at once.
//!
//! What ends is encoded (`span`, `log`) into the buffer of its thread (`buffers`), grouped by instrumentation scope; a task
//! (`worker`) takes the buffers, frames them as requests (`request`, `envelope`) and hands them to the sender, once more if they
//! failed for the moment (`delivery`). Nothing is cloned, queued as objects, grouped or converted on the way, so a busy service
//! pays for the encoding alone, and the memory that waits is known to the byte.

mod buffers;
mod delivery;
mod envelope;
mod log;
mod overtaken;
mod processor;
mod protobuf;
mod request;
mod room;
mod span;
#[cfg(test)]
mod tests;
mod value;
mod worker;

pub(crate) use delivery::{Destination, Failure};
pub(crate) use overtaken::Overtaken;
pub(crate) use processor::{Lost, Refused, WireLogProcessor, WireSpanProcessor};
pub(crate) use worker::{Batch, Schedule};
