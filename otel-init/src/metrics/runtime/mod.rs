//! What the process and its async runtime use.

mod process;
mod tokio;

pub(crate) use process::observe as observe_process;
pub(crate) use tokio::observe as observe_tokio;
