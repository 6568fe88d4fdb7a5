//! The seven services, and what they have in common.

pub(crate) mod assistant;
pub(crate) mod gateway;
pub(crate) mod inventory;
pub(crate) mod notifications;
pub(crate) mod orders;
pub(crate) mod payments;
pub(crate) mod users;

mod database;
mod grpc_server;
mod json;
mod peer;
mod server;
mod stop;

pub(crate) use server::{LISTENING, TELEMETRY_LOST, say};
pub(crate) use stop::Stop;
