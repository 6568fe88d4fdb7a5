//! What the text of a query costs. Placeholder body follows.
fn main() {}
