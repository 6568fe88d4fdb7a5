//! Panics: of the user's functions that this crate calls, and of the application.

mod caught;
mod hook;
mod log;

pub(crate) use caught::{CaughtPropagator, Once, Panicked, caught, caught_while};
pub(crate) use hook::install as install_hook;
