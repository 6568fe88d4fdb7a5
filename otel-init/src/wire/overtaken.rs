//! When a request has failed too often.

/// A request that fails so often while others get through would be tried for ever.
const MOST: u32 = 3;

/// How often a request failed again though another one had got through.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Overtaken {
    /// How many had been delivered when it failed last.
    failed_after: Option<u64>,
    times: u32,
}

impl Overtaken {
    /// Whether it failed before.
    pub(crate) fn has_failed(self) -> bool {
        self.failed_after.is_some()
    }

    /// Counts a failure, when so many others have been delivered. Whether it is this request that the collector fails of.
    pub(crate) fn fails(&mut self, delivered: u64) -> bool {
        let before = self.failed_after.replace(delivered);
        if before.is_some_and(|before| before != delivered) {
            self.times += 1;
        }
        self.times >= MOST
    }
}
