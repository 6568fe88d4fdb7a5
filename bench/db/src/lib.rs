//! otel-db next to what else a service could use: `cargo bench -p bench-db`. `SELECT 1`, prepared, on SQLite in memory.
