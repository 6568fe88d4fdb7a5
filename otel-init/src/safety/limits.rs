//! How many attributes, and how long.

/// The limits of one kind of attributes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct AttributeLimits {
    pub(crate) count: usize,
    /// In characters; no limit by default.
    pub(crate) value_length: Option<usize>,
}

impl Default for AttributeLimits {
    /// Those of the specification.
    fn default() -> Self {
        Self { count: 128, value_length: None }
    }
}

/// The limits of everything that has attributes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Limits {
    pub(crate) span: AttributeLimits,
    pub(crate) event: AttributeLimits,
    pub(crate) link: AttributeLimits,
    pub(crate) log: AttributeLimits,
}
