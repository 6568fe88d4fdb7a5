//! Bodies in the coding that is configured.

use std::io::{self, Write};
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use flate2::write::GzEncoder;
use zstd::bulk::Compressor;

use crate::config::Compression;

/// Spans take a fortieth more bytes than at the default level, 3, and less time.
const ZSTD_LEVEL: i32 = 1;

/// Compresses, or does not.
pub(super) struct Coding {
    compression: Option<Compression>,
    /// Kept, because it takes longer to make than to use.
    zstd: Mutex<Option<Compressor<'static>>>,
}

impl Coding {
    pub(super) fn new(compression: Option<Compression>) -> Self {
        Self { compression, zstd: Mutex::default() }
    }

    /// The name of the coding, if there is one.
    pub(super) fn name(&self) -> Option<&'static str> {
        self.compression.map(Compression::as_str)
    }

    pub(super) fn apply(&self, body: Bytes) -> io::Result<Bytes> {
        match self.compression {
            None => Ok(body),
            Some(Compression::Gzip) => {
                let mut encoder =
                    GzEncoder::new(Vec::with_capacity(body.len() / 4), flate2::Compression::fast());
                encoder.write_all(&body)?;
                encoder.finish().map(Bytes::from)
            }
            Some(Compression::Zstd) => {
                let mut kept = self.zstd.lock().unwrap_or_else(PoisonError::into_inner);
                let mut compressor = kept.take().map_or_else(|| Compressor::new(ZSTD_LEVEL), Ok)?;
                let compressed = compressor.compress(&body)?;
                *kept = Some(compressor);
                Ok(compressed.into())
            }
        }
    }
}

impl std::fmt::Debug for Coding {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_tuple("Coding").field(&self.compression).finish()
    }
}
