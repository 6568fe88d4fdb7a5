//! What threads share and wait with. The model of `tests/model` has the same names for its own, and the rest of the code is
//! the same there.

pub(crate) use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, atomic, mpsc};
pub(crate) use std::{thread, thread_local};
