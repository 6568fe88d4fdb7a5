//! One JSON array whose elements are the events, as Gemini streams without `alt=sse`; also a single object, which is one
//! event, as an error is.

use super::Events;

#[derive(Debug)]
pub(in super::super) struct Array {
    /// Of brackets within an element.
    depth: usize,
    in_string: bool,
    escaped: bool,
}

impl Array {
    pub(in super::super) const fn new() -> Self {
        Self { depth: 0, in_string: false, escaped: false }
    }

    pub(in super::super) fn read(&mut self, bytes: &[u8], events: &mut impl Events) {
        let mut start = 0;
        for (index, byte) in bytes.iter().enumerate() {
            let was_inside = self.depth > 0;
            let ended = self.step(*byte);
            if !was_inside {
                // The outer brackets, commas and space between the elements.
                start = if self.depth > 0 { index } else { index + 1 };
            }
            if ended {
                events.bytes(bytes.get(start..=index).unwrap_or_default());
                events.end_event();
                start = index + 1;
            }
        }
        if self.depth > 0 {
            events.bytes(bytes.get(start..).unwrap_or_default());
        }
    }

    fn step(&mut self, byte: u8) -> bool {
        if self.in_string {
            match byte {
                _ if self.escaped => self.escaped = false,
                b'\\' => self.escaped = true,
                b'"' => self.in_string = false,
                _ => {}
            }
            return false;
        }
        match byte {
            b'"' if self.depth > 0 => self.in_string = true,
            b'{' => self.depth = self.depth.saturating_add(1),
            b'[' if self.depth > 0 => self.depth = self.depth.saturating_add(1),
            b'}' | b']' if self.depth > 0 => {
                self.depth -= 1;
                return self.depth == 0;
            }
            _ => {}
        }
        false
    }
}
