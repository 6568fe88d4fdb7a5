//! Identifiers as hexadecimal digits.

/// One in each byte of a word.
const EACH: u64 = 0x0101_0101_0101_0101;

/// One byte of exactly two lower-case digits.
pub(super) fn lower_u8(digits: &[u8]) -> Option<u8> {
    let digits: [u8; 2] = digits.try_into().ok()?;
    let mut padded = [b'0'; 8];
    padded[6..].copy_from_slice(&digits);
    eight(padded).map(|value| value as u8)
}

/// A span id of exactly 16 lower-case digits.
pub(super) fn lower_u64(digits: &[u8]) -> Option<u64> {
    sixteen(digits.try_into().ok()?)
}

/// A trace id of exactly 32 lower-case digits.
pub(super) fn lower_u128(digits: &[u8]) -> Option<u128> {
    let (high, low) = digits.split_at_checked(16)?;
    Some(join(lower_u64(high)?, lower_u64(low)?))
}

/// A number of 1 to 16 digits in any case; leading zeros may be absent.
pub(super) fn any_u64(digits: &[u8]) -> Option<u64> {
    let zeros = 16_usize.checked_sub(digits.len()).filter(|zeros| *zeros < 16)?;
    let mut padded = [b'0'; 16];
    padded[zeros..].copy_from_slice(digits);
    padded.make_ascii_lowercase();
    sixteen(padded)
}

/// A number of 1 to 32 digits in any case; leading zeros may be absent.
pub(super) fn any_u128(digits: &[u8]) -> Option<u128> {
    if digits.len() <= 16 {
        return any_u64(digits).map(u128::from);
    }
    let (high, low) = digits.split_at(digits.len() - 16);
    Some(join(any_u64(high)?, any_u64(low)?))
}

fn join(high: u64, low: u64) -> u128 {
    (u128::from(high) << 64) | u128::from(low)
}

fn sixteen(digits: [u8; 16]) -> Option<u64> {
    let (mut high, mut low) = ([0; 8], [0; 8]);
    high.copy_from_slice(&digits[..8]);
    low.copy_from_slice(&digits[8..]);
    Some((eight(high)? << 32) | eight(low)?)
}

/// Eight lower-case digits at once, one in each byte of a word.
fn eight(digits: [u8; 8]) -> Option<u64> {
    let text = u64::from_be_bytes(digits);
    // Letters have bit 6: `a` is 0x61 and means 1 + 9.
    let values = (text & (EACH * 0x0f)) + ((text >> 6) & EACH) * 9;
    // What is no digit does not come out again when the values are written back.
    if values & (EACH * 0xf0) != 0 || written(values) != text {
        return None;
    }
    let pairs = (values | (values >> 4)) & 0x00ff_00ff_00ff_00ff;
    let quads = (pairs | (pairs >> 8)) & 0x0000_ffff_0000_ffff;
    Some((quads | (quads >> 16)) & 0xffff_ffff)
}

/// The digits of eight values, one in each byte of a word.
fn written(values: u64) -> u64 {
    let letters = ((values + EACH * 6) >> 4) & EACH;
    values + EACH * 0x30 + letters * 0x27
}

/// The digits of a number, eight at once.
fn digits(number: u32) -> [u8; 8] {
    let quads = (u64::from(number) | (u64::from(number) << 16)) & 0x0000_ffff_0000_ffff;
    let pairs = (quads | (quads << 8)) & 0x00ff_00ff_00ff_00ff;
    written((pairs | (pairs << 4)) & (EACH * 0x0f)).to_be_bytes()
}

/// Writes `number` with leading zeros into the whole of `out`, 16 digits at most.
#[inline]
pub(super) fn write_u64(out: &mut [u8], number: u64) {
    let mut all = [0; 16];
    all[..8].copy_from_slice(&digits((number >> 32) as u32));
    all[8..].copy_from_slice(&digits(number as u32));
    if let Some(wanted) = all.len().checked_sub(out.len()) {
        out.copy_from_slice(&all[wanted..]);
    }
}

/// Writes `number` with leading zeros into `out`, which has room for 32 digits.
pub(super) fn write_u128(out: &mut [u8], number: u128) {
    let (high, low) = out.split_at_mut(16);
    write_u64(high, (number >> 64) as u64);
    write_u64(low, number as u64);
}

/// Text made of the digits and separators written here.
pub(super) fn text(ascii: &[u8]) -> String {
    std::str::from_utf8(ascii).unwrap_or_default().to_owned()
}

/// `number` as 16 digits.
pub(super) fn text_u64(number: u64) -> String {
    let mut digits = [0; 16];
    write_u64(&mut digits, number);
    text(&digits)
}

/// `number` as 32 digits.
pub(super) fn text_u128(number: u128) -> String {
    let mut digits = [0; 32];
    write_u128(&mut digits, number);
    text(&digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_exact_where_a_format_says_so() {
        assert_eq!(lower_u8(b"a0"), Some(0xa0));
        assert_eq!(lower_u8(b"A0"), None);
        assert_eq!(lower_u8(b"0a0"), None);
        assert_eq!(lower_u64(b"00f067aa0ba902b7"), Some(0x00f0_67aa_0ba9_02b7));
        assert_eq!(lower_u64(b"0f067aa0ba902b7"), None);
        assert_eq!(lower_u64(b"+0f067aa0ba902b7"), None);
        assert_eq!(
            lower_u128(b"4bf92f3577b34da6a3ce929d0e0e4736"),
            Some(0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736)
        );
        assert_eq!(lower_u128(b"4bf92f3577b34da6a3ce929d0e0e473"), None);
    }

    #[test]
    fn leading_zeros_may_be_absent_elsewhere() {
        assert_eq!(any_u64(b"17C29"), Some(0x17c29));
        assert_eq!(any_u64(b""), None);
        assert_eq!(any_u64(b"00000000000000001"), None);
        assert_eq!(any_u128(b"4d0000000000000016"), Some(0x4d_0000_0000_0000_0016));
        assert_eq!(any_u128(b"000000000000000000000000000000001"), None);
        assert_eq!(any_u128(b"g000000000000000000000000000000"), None);
    }

    #[test]
    fn every_byte_is_a_digit_or_it_is_not() {
        for byte in 0..=u8::MAX {
            let value = char::from(byte).to_digit(16).map(u64::from);
            let lower = value.filter(|_| !byte.is_ascii_uppercase());
            for place in 0..16 {
                let mut digits = [b'0'; 16];
                digits[place] = byte;
                let shifted = |value: u64| value << (4 * (15 - place));
                assert_eq!(lower_u64(&digits), lower.map(shifted), "{byte:#x} at {place}");
                assert_eq!(any_u64(&digits), value.map(shifted), "{byte:#x} at {place}");
            }
        }
    }

    #[test]
    fn what_is_written_reads_the_same() {
        let id = 0x00c0_ffee_0000_0000_0000_0000_0000_0042;
        assert_eq!(text_u128(id), format!("{id:032x}"));
        assert_eq!(lower_u128(text_u128(id).as_bytes()), Some(id));
        assert_eq!(text_u64(0x42), "0000000000000042");
    }
}
