//! Changing what is exported while the process runs.

mod handle;
mod live;

pub use handle::Control;

pub(crate) use live::Live;
