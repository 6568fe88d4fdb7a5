//! How many of something are expected.

#[derive(Clone, Copy, Debug)]
pub(super) enum Count {
    Exactly(usize),
    AtLeastOne,
}

impl Count {
    /// The headline of a failure; `None` if `found` is as expected.
    pub(super) fn mismatch(self, what: &str, found: usize) -> Option<String> {
        let expected = match self {
            Self::Exactly(count) if count == found => return None,
            Self::AtLeastOne if found > 0 => return None,
            Self::Exactly(0) => format!("no {what}"),
            Self::Exactly(1) | Self::AtLeastOne => format!("one {what}"),
            Self::Exactly(count) => format!("{count} {what}s"),
        };
        Some(match found {
            0 => format!("expected {expected} like this, there is none:"),
            1 => format!("expected {expected} like this, there is one:"),
            count => format!("expected {expected} like this, there are {count}:"),
        })
    }

    /// Whether one more would have helped: only then a closest one is of interest.
    pub(super) fn is_above(self, found: usize) -> bool {
        match self {
            Self::Exactly(count) => found < count,
            Self::AtLeastOne => found == 0,
        }
    }
}

impl From<Option<usize>> for Count {
    fn from(count: Option<usize>) -> Self {
        count.map_or(Self::AtLeastOne, Self::Exactly)
    }
}
