//! Server-sent events: <https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation>

use std::ops::Range;

use memchr::memchr2;

use super::Events;

/// What ends a stream of OpenAI's kind.
const DONE: &[u8] = b"[DONE]";

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum State {
    /// Within a field's name, of which this many bytes are those of `data`.
    Name(u8),
    /// After the colon: one space is not part of the value.
    Colon,
    Data,
    /// A comment, or a field of another name.
    Other,
}

/// Passes the data on as it comes; only a line's first few bytes are ever waited for.
#[derive(Debug)]
pub(in super::super) struct Sse {
    state: State,
    /// The last byte was a carriage return: a line feed now is part of the same line end.
    after_return: bool,
    /// A byte of the line has been read.
    in_line: bool,
    /// Bytes of data of this event, at most one more than [`DONE`] has.
    length: usize,
    /// How many of them are those of [`DONE`].
    done: usize,
}

impl Sse {
    pub(in super::super) const fn new() -> Self {
        Self { state: State::Name(0), after_return: false, in_line: false, length: 0, done: 0 }
    }

    /// Whether the stream said that it is done.
    pub(in super::super) fn read(&mut self, mut bytes: &[u8], events: &mut impl Events) -> bool {
        let mut done = false;
        while let Some(&first) = bytes.first() {
            if self.is_between() {
                if let Some(rest) = events.repeat(bytes) {
                    self.after_return = false;
                    bytes = rest;
                    continue;
                }
                if let Some((length, data)) = whole_event(bytes) {
                    let (event, rest) = bytes.split_at(length);
                    done |= self.event(event, data, events);
                    bytes = rest;
                    continue;
                }
            }
            match self.state {
                State::Data | State::Other => {
                    let end = memchr2(b'\n', b'\r', bytes).unwrap_or(bytes.len());
                    let (line, rest) = bytes.split_at(end);
                    if self.state == State::Data && !line.is_empty() {
                        self.data(line, events);
                    }
                    let Some((&end, rest)) = rest.split_first() else { break };
                    done |= self.byte(end, events);
                    bytes = rest;
                }
                // Nearly all lines that matter begin like this.
                State::Name(0) if bytes.starts_with(b"data:") => {
                    (self.state, self.in_line, self.after_return) = (State::Colon, true, false);
                    bytes = bytes.get(5..).unwrap_or_default();
                }
                // The value begins at once.
                State::Colon if first != b' ' => self.state = State::Data,
                _ => {
                    done |= self.byte(first, events);
                    bytes = bytes.get(1..).unwrap_or_default();
                }
            }
        }
        done
    }

    /// The data so far says that the stream is done: servers close the connection without the empty line that should follow.
    pub(in super::super) fn is_done(&self) -> bool {
        self.done == DONE.len() && self.length == DONE.len()
    }

    /// Nothing of an event has been read.
    fn is_between(&self) -> bool {
        self.state == State::Name(0) && !self.in_line && self.length == 0
    }

    /// Whether this is no event, but says that the stream is done.
    fn event(&mut self, event: &[u8], data: Range<usize>, events: &mut impl Events) -> bool {
        self.after_return = false;
        let done = event.get(data.clone()) == Some(DONE);
        if done {
            events.bytes(DONE);
        } else {
            events.framed(event, data);
            events.end_event();
        }
        done
    }

    fn byte(&mut self, byte: u8, events: &mut impl Events) -> bool {
        let after_return = std::mem::replace(&mut self.after_return, byte == b'\r');
        match (byte, self.state) {
            (b'\n', _) if after_return => {}
            (b'\n' | b'\r', _) => return self.end_line(events),
            (b':', State::Name(4)) => self.state = State::Colon,
            (_, State::Name(matched)) => {
                self.state = match b"data".get(usize::from(matched)) {
                    Some(&expected) if expected == byte => State::Name(matched + 1),
                    // A byte order mark before the first field.
                    _ if !self.in_line && matches!(byte, 0xEF) => State::Name(0),
                    _ if matched == 0 && matches!(byte, 0xBB | 0xBF) => State::Name(0),
                    _ => State::Other,
                };
            }
            (_, State::Colon) => self.state = State::Data,
            (_, State::Data | State::Other) => {}
        }
        self.in_line = !matches!(byte, b'\n' | b'\r');
        false
    }

    fn data(&mut self, data: &[u8], events: &mut impl Events) {
        for byte in data {
            if self.done < self.length {
                break;
            }
            self.done += usize::from(DONE.get(self.length) == Some(byte));
            self.length += 1;
        }
        events.bytes(data);
    }

    fn end_line(&mut self, events: &mut impl Events) -> bool {
        let was_empty = !self.in_line;
        self.in_line = false;
        self.state = State::Name(0);
        if !was_empty || self.length == 0 {
            return false;
        }
        let done = self.is_done();
        self.length = 0;
        self.done = 0;
        if !done {
            events.end_event();
        }
        done
    }
}

/// Nearly all events come like this: in one piece, perhaps with a name, one line of data and the empty line. The length of
/// all that, and where the data is.
fn whole_event(bytes: &[u8]) -> Option<(usize, Range<usize>)> {
    const DATA: &[u8] = b"data: ";
    let mut rest = bytes;
    if bytes.starts_with(b"event:") {
        (_, rest) = line(bytes)?;
    }
    let start = bytes.len() - rest.len() + DATA.len();
    let (data, rest) = line(rest.strip_prefix(DATA)?)?;
    let (empty, rest) = line(rest)?;
    let is_event = empty.is_empty() && !data.is_empty();
    is_event.then(|| (bytes.len() - rest.len(), start..start + data.len()))
}

/// A line whose end is there for certain, and what follows.
fn line(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (line, rest) = bytes.split_at_checked(memchr2(b'\n', b'\r', bytes)?)?;
    let rest = rest.strip_prefix(b"\n").or_else(|| rest.strip_prefix(b"\r\n"))?;
    Some((line, rest))
}
