//! The life of an operation, seen from outside.

mod body;
mod carry;
mod convention;
mod install;
mod link;
mod operation;
