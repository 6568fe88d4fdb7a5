//! What is captured of content.
