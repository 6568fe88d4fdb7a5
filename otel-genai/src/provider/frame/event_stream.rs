//! `application/vnd.amazon.eventstream`:
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/RESTSelectObjectAppendix.html>
//!
//! The check sums are not checked: whoever uses the response does that, and a wrong fact in telemetry harms nobody.

/// Lengths and their check sum.
const PRELUDE: usize = 12;
const CHECKSUM: usize = 4;
/// The protocol's limits are 128 KiB of headers and 16 MiB of payload; headers beyond this are not looked at.
const HEADERS_KEPT: usize = 4096;
const MESSAGE: usize = 24 * 1024 * 1024;

/// Where the messages go.
pub(in super::super) trait Message {
    /// A message begins. What is `None` was not said.
    fn begin(&mut self, headers: Headers<'_>);
    /// The next bytes of the payload.
    fn payload(&mut self, bytes: &[u8]);
    /// The message has ended.
    fn end_message(&mut self);
}

/// The headers that mean something here.
#[derive(Clone, Copy, Debug, Default)]
pub(in super::super) struct Headers<'a> {
    pub(in super::super) event_type: Option<&'a str>,
    pub(in super::super) exception_type: Option<&'a str>,
    pub(in super::super) error_code: Option<&'a str>,
    pub(in super::super) error_message: Option<&'a str>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum State {
    Prelude,
    Headers,
    Payload,
    Checksum,
    /// Not an event stream: the rest cannot be found any more.
    Broken,
}

#[derive(Debug)]
pub(in super::super) struct EventStream {
    state: State,
    /// Bytes of this part that are still to come.
    left: usize,
    payload: usize,
    buffer: Vec<u8>,
}

impl EventStream {
    pub(in super::super) const fn new() -> Self {
        Self { state: State::Prelude, left: PRELUDE, payload: 0, buffer: Vec::new() }
    }

    pub(in super::super) fn read(&mut self, mut bytes: &[u8], message: &mut impl Message) {
        while self.state != State::Broken {
            if self.left == 0 {
                self.next(message);
                continue;
            }
            let (part, rest) = bytes.split_at(self.left.min(bytes.len()));
            if part.is_empty() {
                return;
            }
            self.left -= part.len();
            bytes = rest;
            match self.state {
                State::Payload => message.payload(part),
                State::Prelude | State::Headers => {
                    let room = HEADERS_KEPT.saturating_sub(self.buffer.len());
                    self.buffer.extend_from_slice(part.get(..room).unwrap_or(part));
                }
                _ => {}
            }
        }
    }

    fn next(&mut self, message: &mut impl Message) {
        (self.state, self.left) = match self.state {
            State::Prelude => self.prelude(),
            State::Headers => {
                // Headers that were not kept whole are read as far as they go.
                message.begin(headers(&self.buffer));
                (State::Payload, self.payload)
            }
            State::Payload => (State::Checksum, CHECKSUM),
            State::Checksum => {
                message.end_message();
                (State::Prelude, PRELUDE)
            }
            State::Broken => (State::Broken, 0),
        };
        self.buffer.clear();
    }

    fn prelude(&mut self) -> (State, usize) {
        let number = |range: std::ops::Range<usize>| {
            let bytes = self.buffer.get(range).and_then(|bytes| bytes.try_into().ok()).unwrap_or_default();
            u32::from_be_bytes(bytes) as usize
        };
        let (total, headers) = (number(0..4), number(4..8));
        match total.checked_sub(headers).and_then(|rest| rest.checked_sub(PRELUDE + CHECKSUM)) {
            Some(payload) if total <= MESSAGE => {
                self.payload = payload;
                (State::Headers, headers)
            }
            _ => (State::Broken, 0),
        }
    }
}

fn headers(mut bytes: &[u8]) -> Headers<'_> {
    let mut headers = Headers::default();
    while let Some((name, value, rest)) = header(bytes) {
        let value = std::str::from_utf8(value).ok().filter(|value| !value.is_empty());
        match name {
            b":event-type" => headers.event_type = value,
            b":exception-type" => headers.exception_type = value,
            b":error-code" => headers.error_code = value,
            b":error-message" => headers.error_message = value,
            _ => {}
        }
        bytes = rest;
    }
    headers
}

/// The name, the value and what follows.
fn header(bytes: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let (&length, bytes) = bytes.split_first()?;
    let (name, bytes) = bytes.split_at_checked(usize::from(length))?;
    let (&kind, bytes) = bytes.split_first()?;
    let (length, bytes) = match kind {
        // True and false are in the type.
        0 | 1 => (0, bytes),
        2 => (1, bytes),
        3 => (2, bytes),
        4 => (4, bytes),
        5 | 8 => (8, bytes),
        9 => (16, bytes),
        6 | 7 => {
            let (length, bytes) = bytes.split_first_chunk::<2>()?;
            (usize::from(u16::from_be_bytes(*length)), bytes)
        }
        _ => return None,
    };
    let (value, rest) = bytes.split_at_checked(length)?;
    Some((name, value, rest))
}
