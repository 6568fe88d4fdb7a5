//! The instance of the service.

use opentelemetry_sdk::trace::{IdGenerator, RandomIdGenerator};

use super::{Attribute, known, some};
use crate::config::Variables;

pub(super) fn detect(_: &Variables) -> Vec<Attribute> {
    known([some("service.instance.id", Some(random_uuid()))])
}

/// A random UUID (version 4), as `service.instance.id` should be.
fn random_uuid() -> String {
    let mut bytes = RandomIdGenerator::default().new_trace_id().to_bytes();
    bytes[6] = (bytes[6] & 0x0f) | 0x40;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}

#[cfg(test)]
mod tests {
    use super::random_uuid;

    #[test]
    fn instance_ids_are_uuids_and_differ() {
        let id = random_uuid();
        assert_eq!(id.len(), 36);
        assert_eq!(id.as_bytes()[14], b'4');
        assert!(b"89ab".contains(&id.as_bytes()[19]));
        assert_ne!(id, random_uuid());
    }
}
