//! The life of an operation, seen from outside.

mod body;
mod carry;
mod convention;
mod fail_span;
mod inert;
mod install;
mod link;
mod operation;
