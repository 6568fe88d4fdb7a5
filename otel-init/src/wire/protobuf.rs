//! Fields of protobuf messages, written straight into a buffer.
//!
//! Fields of value zero are left out, as in every protobuf 3 encoding, unless a `oneof` gives them a meaning.
//! <https://protobuf.dev/programming-guides/encoding/>

const VARINT: u32 = 0;
const FIXED64: u32 = 1;
const LENGTH_DELIMITED: u32 = 2;
const FIXED32: u32 = 5;

pub(super) fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// How many bytes [`varint`] writes.
pub(super) const fn varint_len(value: u64) -> usize {
    // Seven bits a byte, and one byte for zero.
    ((value | 1).ilog2() as usize) / 7 + 1
}

fn key(out: &mut Vec<u8>, field: u32, wire_type: u32) {
    varint(out, u64::from(field << 3 | wire_type));
}

pub(super) fn uint(out: &mut Vec<u8>, field: u32, value: u64) {
    if value != 0 {
        present_uint(out, field, value);
    }
}

/// Written even if it is zero.
pub(super) fn present_uint(out: &mut Vec<u8>, field: u32, value: u64) {
    key(out, field, VARINT);
    varint(out, value);
}

pub(super) fn fixed64(out: &mut Vec<u8>, field: u32, value: u64) {
    if value != 0 {
        present_fixed64(out, field, value);
    }
}

/// Written even if it is zero.
pub(super) fn present_fixed64(out: &mut Vec<u8>, field: u32, value: u64) {
    key(out, field, FIXED64);
    out.extend_from_slice(&value.to_le_bytes());
}

pub(super) fn fixed32(out: &mut Vec<u8>, field: u32, value: u32) {
    if value != 0 {
        key(out, field, FIXED32);
        out.extend_from_slice(&value.to_le_bytes());
    }
}

pub(super) fn bytes(out: &mut Vec<u8>, field: u32, value: &[u8]) {
    if !value.is_empty() {
        present_bytes(out, field, value);
    }
}

/// Written even if it is empty.
pub(super) fn present_bytes(out: &mut Vec<u8>, field: u32, value: &[u8]) {
    key(out, field, LENGTH_DELIMITED);
    varint(out, value.len() as u64);
    out.extend_from_slice(value);
}

/// A message inside of a message. It is written first and moved afterwards if its length takes more than one byte, which
/// costs less than measuring it first: most are short.
pub(super) fn message(out: &mut Vec<u8>, field: u32, write: impl FnOnce(&mut Vec<u8>)) {
    sized_message(out, field, 1, write);
}

/// A message whose length likely takes two bytes.
pub(super) fn long_message(out: &mut Vec<u8>, field: u32, write: impl FnOnce(&mut Vec<u8>)) {
    sized_message(out, field, 2, write);
}

fn sized_message(out: &mut Vec<u8>, field: u32, expected: usize, write: impl FnOnce(&mut Vec<u8>)) {
    key(out, field, LENGTH_DELIMITED);
    let start = out.len();
    let body = start + expected;
    out.resize(body, 0);
    write(out);
    let len = out.len() - body;
    let needed = varint_len(len as u64);
    if needed != expected {
        move_body(out, start, expected, needed);
    }
    let mut rest = len as u64;
    for byte in &mut out[start..start + needed] {
        *byte = rest as u8 | 0x80;
        rest >>= 7;
    }
    out[start + needed - 1] &= 0x7f;
}

#[cold]
fn move_body(out: &mut Vec<u8>, start: usize, expected: usize, needed: usize) {
    let (from, end) = (start + expected, out.len());
    if needed > expected {
        out.resize(end + needed - expected, 0);
    }
    out.copy_within(from..end, start + needed);
    out.truncate(end - expected + needed);
}

#[cfg(test)]
mod tests {
    use super::{present_bytes, sized_message, varint, varint_len};

    #[test]
    fn varints_are_as_long_as_they_say() {
        for shift in 0..64 {
            for value in [1_u64 << shift, (1_u64 << shift) - 1, u64::MAX >> shift] {
                let mut out = Vec::new();
                varint(&mut out, value);
                assert_eq!(out.len(), varint_len(value), "{value}");
                assert_eq!(prost::encoding::decode_varint(&mut &*out).unwrap(), value);
            }
        }
    }

    #[test]
    fn messages_of_every_length_are_what_prost_writes() {
        for len in [0, 1, 125, 126, 127, 128, 129, 16_380, 16_384, 2_097_152] {
            let content = vec![7_u8; len];
            for expected_size in [1, 2] {
                let mut out = vec![1, 2, 3];
                sized_message(&mut out, 3, expected_size, |out| present_bytes(out, 1, &content));
                let mut expected = vec![1, 2, 3];
                let mut inner = Vec::new();
                prost::encoding::bytes::encode(1, &content, &mut inner);
                prost::encoding::bytes::encode(3, &inner, &mut expected);
                assert_eq!(out, expected, "{len}");
            }
        }
    }
}
