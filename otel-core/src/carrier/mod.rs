//! Where the context of another process is read from and written to: headers, string maps, process environments.

mod environment;
mod header;
mod map;

pub use environment::{EnvironmentExtractor, EnvironmentInjector};
pub use header::{HeaderExtractor, HeaderInjector};
pub use map::{MapExtractor, MapInjector};
