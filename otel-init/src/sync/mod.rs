//! What threads share and wait with. The model of `tests/model` has the same names for its own, and the rest of the code is
//! the same there.

mod shards;

pub(crate) use std::sync::{Arc, Mutex, MutexGuard, PoisonError, atomic, mpsc};
pub(crate) use std::thread_local;

pub(crate) use shards::Shards;
pub(crate) use tokio::time::{Sleep, sleep};
