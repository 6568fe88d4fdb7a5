//! The `tracestate` header: <https://www.w3.org/TR/trace-context-2/#tracestate-header>.

use std::slice;

use opentelemetry::trace::TraceState;

/// "There can be a maximum of 32 list-members in a list."
const MAX_MEMBERS: usize = 32;
/// "Vendors SHOULD propagate at least 512 characters of a combined header."
const MAX_LENGTH: usize = 512;
/// "Entries larger than 128 characters long SHOULD be removed first."
const LARGE_MEMBER: usize = 128;

/// A `tracestate` as it was received.
#[derive(Debug)]
pub(super) struct Received {
    /// The members that the API's type can hold.
    pub(super) state: TraceState,
    /// The whole list, when the API's type cannot hold it: [`TraceState`] follows the key grammar of level 1, which has
    /// one `@` at most and a short name behind it; level 2 allows `@` anywhere but in front.
    pub(super) whole: Option<Box<str>>,
}

impl Received {
    pub(super) const NOTHING: Self = Self { state: TraceState::NONE, whole: None };
}

/// Reads the values of all `tracestate` headers, in their order.
///
/// A list with one bad member, or with more than 32, counts as absent: "failure to parse tracestate MUST NOT affect the
/// parsing of traceparent". Keys that come twice are passed on as they came.
pub(super) fn read(headers: &[&str]) -> Received {
    let mut members = Members::new(headers);
    // Takes 32 members at most, so one that is left is one too many.
    match TraceState::from_key_value(&mut members) {
        Ok(state) if members.next().is_none() && !members.invalid => Received { state, whole: None },
        Ok(_) => Received::NOTHING,
        Err(_) => {
            let mut members = Members::new(headers);
            let list: Vec<_> = members.by_ref().take(MAX_MEMBERS + 1).collect();
            if members.invalid || list.len() > MAX_MEMBERS { Received::NOTHING } else { read_partly(list) }
        }
    }
}

/// The value of the `tracestate` header to send; `None` when there is nothing to send.
///
/// `received` is the list of the remote parent that `state` may have lost members of.
pub(super) fn write(state: &TraceState, received: Option<&str>) -> Option<String> {
    let list = match received {
        Some(received) => merged(state, received),
        None => match length_of(state.into_iter()) {
            0 => return None,
            length if length <= MAX_LENGTH => return Some(text(state, length)),
            _ => state.into_iter().collect(),
        },
    };
    let list = shortened(list);
    let length = length_of(list.iter().copied());
    (length > 0).then(|| text(list, length))
}

/// What a byte may be part of.
const FIRST_OF_KEY: u8 = 1;
const KEY: u8 = 2;
const VALUE: u8 = 4;

/// "key = ( lcalpha / DIGIT ) 0*255 ( keychar ); keychar = lcalpha / DIGIT / "_" / "-" / "*" / "/" / "@""
///
/// "value = 0*255(chr) nblk-chr; nblk-chr = %x21-2B / %x2D-3C / %x3E-7E; chr = %x20 / nblk-chr"
const CLASSES: [u8; 256] = {
    let mut classes = [0; 256];
    let mut byte = b' ';
    while byte <= b'~' {
        classes[byte as usize] = match byte {
            b'a'..=b'z' | b'0'..=b'9' => FIRST_OF_KEY | KEY | VALUE,
            b'_' | b'-' | b'*' | b'/' | b'@' => KEY | VALUE,
            b',' | b'=' => 0,
            _ => VALUE,
        };
        byte += 1;
    }
    classes
};
const MAX_KEY: usize = 256;
const MAX_VALUE: usize = 256;

/// The members of all headers, each looked at once. Ends at the first one that is not valid.
struct Members<'a> {
    headers: slice::Iter<'a, &'a str>,
    rest: &'a str,
    invalid: bool,
}

impl<'a> Members<'a> {
    fn new(headers: &'a [&'a str]) -> Self {
        Self { headers: headers.iter(), rest: "", invalid: false }
    }

    /// The member at the start of `rest`, which is not empty; `None` when it is not valid.
    fn take_member(&mut self) -> Option<(&'a str, &'a str)> {
        let bytes = self.rest.as_bytes();
        let key_end = end_of(bytes, 0, KEY);
        let value_end = end_of(bytes, key_end + 1, VALUE);
        let after = value_end + bytes.get(value_end..)?.iter().take_while(|byte| is_ows(**byte)).count();
        let (key, value) = (self.rest.get(..key_end)?, self.rest.get(key_end + 1..value_end)?);
        let value = value.trim_end_matches(' ');
        let valid = bytes[key_end] == b'='
            && matches!(bytes.get(after), None | Some(b','))
            && CLASSES[usize::from(bytes[0])] & FIRST_OF_KEY != 0
            && key.len() <= MAX_KEY
            && (1..=MAX_VALUE).contains(&value.len());
        self.rest = self.rest.get(after..)?;
        valid.then_some((key, value))
    }
}

impl<'a> Iterator for Members<'a> {
    type Item = (&'a str, &'a str);

    fn next(&mut self) -> Option<Self::Item> {
        while !self.invalid {
            // "Empty and whitespace-only list members are allowed."
            let blank = self.rest.bytes().take_while(|byte| is_ows(*byte) || *byte == b',').count();
            self.rest = &self.rest[blank..];
            if self.rest.is_empty() {
                self.rest = self.headers.next()?;
                continue;
            }
            let member = self.take_member();
            self.invalid = member.is_none();
            return member;
        }
        None
    }
}

/// Where the bytes of `class` end that begin at `start`.
fn end_of(bytes: &[u8], start: usize, class: u8) -> usize {
    let rest = bytes.get(start..).unwrap_or_default();
    start + rest.iter().take_while(|byte| CLASSES[usize::from(**byte)] & class != 0).count()
}

fn is_ows(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

/// For a valid list that the API's type does not take as a whole.
fn read_partly(list: Vec<(&str, &str)>) -> Received {
    let taken = list.iter().copied().filter(|member| representable(*member));
    let state = TraceState::from_key_value(taken).unwrap_or_default();
    let length = length_of(list.iter().copied());
    Received { state, whole: Some(text(list, length).into()) }
}

fn representable(member: (&str, &str)) -> bool {
    TraceState::from_key_value([member]).is_ok()
}

/// `state`, with the members of `received` that it could not hold in the places where they stood.
///
/// What changed since stands in front, "modified keys MUST be moved to the beginning (left) of the list"; what `state`
/// could have held and no longer has was removed.
fn merged<'a>(state: &'a TraceState, received: &'a str) -> Vec<(&'a str, &'a str)> {
    let received: Vec<_> = received.split(',').filter_map(|member| member.split_once('=')).collect();
    let changed = state.into_iter().filter(|member| !received.contains(member));
    let kept = received.iter().copied().filter(|(key, value)| {
        if representable((key, value)) { state.into_iter().any(|held| held == (*key, *value)) } else { true }
    });
    changed.chain(kept).take(MAX_MEMBERS).collect()
}

/// Large members go first, then the last ones, whole members always.
fn shortened<'a>(mut list: Vec<(&'a str, &'a str)>) -> Vec<(&'a str, &'a str)> {
    let mut length = length_of(list.iter().copied());
    while length > MAX_LENGTH {
        let large = list.iter().rposition(|(key, value)| key.len() + 1 + value.len() > LARGE_MEMBER);
        let (key, value) = list.remove(large.unwrap_or(list.len() - 1));
        length = length.saturating_sub(key.len() + 1 + value.len() + 1);
    }
    list
}

/// With the commas between the members.
fn length_of<'a>(members: impl Iterator<Item = (&'a str, &'a str)>) -> usize {
    members.map(|(key, value)| key.len() + 1 + value.len() + 1).sum::<usize>().saturating_sub(1)
}

fn text<'a>(members: impl IntoIterator<Item = (&'a str, &'a str)>, length: usize) -> String {
    let mut text = String::with_capacity(length);
    for (key, value) in members {
        if !text.is_empty() {
            text.push(',');
        }
        text.push_str(key);
        text.push('=');
        text.push_str(value);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn again(header: &str) -> Option<String> {
        let received = read(&[header]);
        write(&received.state, received.whole.as_deref())
    }

    #[test]
    fn keys_of_level_2_survive_where_the_api_refuses_them() {
        let tenant = format!("{}@{}=1,b=2", "t".repeat(241), "v".repeat(14));
        for header in ["a=1,foo@@bar=2,c=3", "foo@-bar=1", &tenant] {
            let received = read(&[header]);
            assert!(received.whole.is_some(), "{header}");
            assert_eq!(again(header).as_deref(), Some(header));
        }
    }

    #[test]
    fn one_bad_member_takes_the_whole_list_with_it() {
        for good in ["a=1", "foo@@bar=1"] {
            for bad in ["Upper=1", "a", "=1", "a=", "a=b=c", "a=\u{e9}", "@a=1"] {
                for list in [format!("{good},{bad}"), format!("{bad},{good}"), format!("{good},{bad},{good}")]
                {
                    assert_eq!(again(&list), None, "{list}");
                }
            }
        }
    }

    #[test]
    fn changes_come_first_and_removed_members_stay_away() {
        let received = read(&["a=1,foo@@bar=2,c=3"]);
        let state = received.state.insert("ot", "th:8").unwrap().delete("a").unwrap();
        assert_eq!(write(&state, received.whole.as_deref()).as_deref(), Some("ot=th:8,foo@@bar=2,c=3"));
        let state = received.state.insert("c", "4").unwrap();
        assert_eq!(write(&state, received.whole.as_deref()).as_deref(), Some("c=4,a=1,foo@@bar=2"));
    }

    #[test]
    fn thirty_two_members_are_the_limit_for_all_keys() {
        let list = |count: usize| {
            let members: Vec<_> = (0..count).map(|index| format!("k@@{index}=1")).collect();
            members.join(",")
        };
        assert_eq!(again(&list(32)), Some(list(32)));
        assert_eq!(again(&list(33)), None);
        let received = read(&[&list(32)]);
        let state = received.state.insert("ot", "th:8").unwrap();
        let sent = write(&state, received.whole.as_deref());
        assert_eq!(sent, Some(format!("ot=th:8,{}", list(31))));
    }

    #[test]
    fn five_hundred_and_twelve_characters_are_sent_whole() {
        let list = |last: usize| format!("a={},b={}", "x".repeat(250), "y".repeat(last));
        assert_eq!(list(257 - 1).len(), 511);
        assert_eq!(again(&list(256)), Some(list(256)));
        let exact = |more: &str| format!("{}{more}", list(251));
        assert_eq!(exact(",c=12").len(), 511);
        assert_eq!(again(&exact(",c=12")), Some(exact(",c=12")));
        assert_eq!(exact(",c=123").len(), 512);
        assert_eq!(again(&exact(",c=123")), Some(exact(",c=123")));
        assert_eq!(again(&exact(",c=1234")), Some(format!("a={},c=1234", "x".repeat(250))));
    }

    #[test]
    fn keys_and_values_of_256_characters_are_the_longest() {
        for (key, value, is_valid) in [(256, 1, true), (257, 1, false), (1, 256, true), (1, 257, false)] {
            let member = format!("{}={}", "k".repeat(key), "v".repeat(value));
            assert_eq!(again(&member), is_valid.then_some(member), "{key} and {value}");
        }
    }

    #[test]
    fn a_member_is_large_from_129_characters_on() {
        let member = |key: &str, length: usize| format!("{key}={}", "v".repeat(length - key.len() - 1));
        for (length, left) in [(128, ["a", "b", "c", "d"]), (129, ["b", "c", "d", "e"])] {
            let others = ["b", "c", "d", "e"].map(|key| member(key, 127));
            // Without a large one the last one goes.
            let sent = again(&format!("{},{}", member("a", length), others.join(","))).unwrap();
            let keys: Vec<_> = sent.split(',').map(|member| &member[..1]).collect();
            assert_eq!(keys, left);
        }
    }

    #[test]
    fn large_members_go_first_then_the_last_ones() {
        let large = "x".repeat(127);
        let list = format!("first={large},small=1,second={large},third={large},fourth={large},last=2");
        let sent = again(&list).unwrap();
        assert!(sent.len() <= 512, "{}", sent.len());
        assert_eq!(sent, format!("first={large},small=1,second={large},third={large},last=2"));

        let small: Vec<_> = (0..32).map(|index| format!("key-{index:02}={}", "v".repeat(20))).collect();
        let sent = again(&small.join(",")).unwrap();
        assert!(sent.len() <= 512 && sent.len() > 512 - 28, "{}", sent.len());
        assert!(small.join(",").starts_with(&sent));
    }

    #[test]
    fn a_member_longer_than_the_limit_leaves_nothing() {
        let huge = format!("{}={}", "k".repeat(256), "v".repeat(256));
        assert_eq!(again(&huge), None);
        assert_eq!(again(&format!("{huge},a=1")).as_deref(), Some("a=1"));
    }
}
