//! Identifiers as hexadecimal digits.

/// Values of the digits; `BAD` for all other bytes.
type Table = [u8; 256];

const BAD: u8 = 0xf0;
const LOWER_CASE: Table = table(false);
const ANY_CASE: Table = table(true);
const DIGITS: &[u8; 16] = b"0123456789abcdef";

const fn table(upper: bool) -> Table {
    let mut table = [BAD; 256];
    let mut value = 0;
    while value < 16 {
        let digit = b"0123456789abcdef"[value];
        table[digit as usize] = value as u8;
        if upper {
            table[digit.to_ascii_uppercase() as usize] = value as u8;
        }
        value += 1;
    }
    table
}

/// One byte of exactly two lower-case digits.
pub(super) fn lower_u8(digits: &[u8]) -> Option<u8> {
    if digits.len() != 2 {
        return None;
    }
    number(digits, &LOWER_CASE).map(|value| value as u8)
}

/// A span id of exactly 16 lower-case digits.
pub(super) fn lower_u64(digits: &[u8]) -> Option<u64> {
    if digits.len() != 16 {
        return None;
    }
    number(digits, &LOWER_CASE)
}

/// A trace id of exactly 32 lower-case digits.
pub(super) fn lower_u128(digits: &[u8]) -> Option<u128> {
    if digits.len() != 32 {
        return None;
    }
    let (high, low) = digits.split_at(16);
    Some(join(number(high, &LOWER_CASE)?, number(low, &LOWER_CASE)?))
}

/// A number of 1 to 16 digits in any case; leading zeros may be absent.
pub(super) fn any_u64(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || digits.len() > 16 {
        return None;
    }
    number(digits, &ANY_CASE)
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

/// At most 16 digits, so that nothing overflows. Without a branch per digit: a bad one shows in the upper bits of `seen`.
fn number(digits: &[u8], table: &Table) -> Option<u64> {
    let (mut number, mut seen) = (0, 0);
    for digit in digits {
        let value = table[usize::from(*digit)];
        seen |= value;
        number = (number << 4) | u64::from(value & 0x0f);
    }
    (seen & BAD == 0).then_some(number)
}

/// Writes `number` with leading zeros into the whole of `out`, 16 digits at most.
pub(super) fn write_u64(out: &mut [u8], number: u64) {
    let mut rest = number;
    for digit in out.iter_mut().rev() {
        *digit = DIGITS[(rest & 0x0f) as usize];
        rest >>= 4;
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
    fn what_is_written_reads_the_same() {
        let id = 0x00c0_ffee_0000_0000_0000_0000_0000_0042;
        assert_eq!(text_u128(id), format!("{id:032x}"));
        assert_eq!(lower_u128(text_u128(id).as_bytes()), Some(id));
        assert_eq!(text_u64(0x42), "0000000000000042");
    }
}
