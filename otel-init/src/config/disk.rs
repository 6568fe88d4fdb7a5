//! `OTEL_INIT_DISK_BUFFER_*`.

use super::environment::Environment;
use crate::DiskBuffer;

const DIRECTORY: &str = "OTEL_INIT_DISK_BUFFER_DIRECTORY";

pub(super) fn resolve(environment: &Environment<'_>) -> Option<DiskBuffer> {
    // Both are read, so that a size without a folder is checked too.
    let name = "OTEL_INIT_DISK_BUFFER_MAX_SIZE";
    let size =
        environment.parsed(&[name], "a whole number of bytes, 1 at least", DiskBuffer::MAX_SIZE, |value| {
            value.parse().ok().filter(|bytes| *bytes > 0)
        });
    let directory = environment.text(DIRECTORY);
    environment.instead(DIRECTORY, "nothing is kept on disk");
    let buffer = DiskBuffer::new(directory?);
    Some(size.map_or(buffer.clone(), |size| buffer.with_max_size(size)))
}
