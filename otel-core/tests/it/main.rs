//! The life of an operation, seen from outside.

mod body;
mod carry;
mod convention;
mod inert;
mod install;
mod link;
mod operation;
