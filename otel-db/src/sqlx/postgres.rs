//! What only PostgreSQL has: [`PgListener`] for `LISTEN`, [`PgCopyIn`] and [`PgCopyOut`] for `COPY`.

mod copy;
mod listener;

pub use copy::{PgCopyIn, PgCopyOut};
pub use listener::PgListener;
