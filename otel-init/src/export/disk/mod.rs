//! The buffer on disk.
//!
//! Each process has a folder of its own that it keeps locked, and takes over those of processes that are gone (`folder`).
//! Each destination has its files in there (`shelf`), one for each request (`file`). A sender writes what it is given there
//! first; a thread sends it from the oldest, and removes what was taken or refused for good (`buffered`). When there is no
//! room, the oldest go, and count as lost. So do files that somebody else deletes, which is why each process remembers what
//! it wrote.

mod buffered;
mod file;
mod folder;
mod shelf;

pub(super) use buffered::watch;
pub(super) use folder::Disk;
pub(super) use shelf::Shelf;
