//! The propagators, seen from outside.

mod cases;
mod composition;
mod properties;
mod random_flag;
mod support;
mod vectors;
