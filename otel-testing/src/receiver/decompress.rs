//! Bodies without their compression.

use std::borrow::Cow;
use std::io::Read;

use axum::http::StatusCode;
use flate2::read::MultiGzDecoder;

use super::http::Refusal;

#[cfg(feature = "zstd")]
const SUPPORTED: &str = "gzip, zstd or none";
#[cfg(not(feature = "zstd"))]
const SUPPORTED: &str = "gzip or none";

/// The body without its `Content-Encoding`, up to a bound: a small body may hold a very large one.
pub(super) fn decompress<'a>(
    encoding: Option<&str>,
    body: &'a [u8],
    max_body_bytes: usize,
) -> Result<Cow<'a, [u8]>, Refusal> {
    // "All content codings are case-insensitive" (RFC 9110, section 8.4.1).
    match encoding.map(str::to_ascii_lowercase).as_deref() {
        None | Some("identity") => Ok(Cow::Borrowed(body)),
        // "A gzip file consists of a series of "members"" (RFC 1952, section 2.2): to stop after the first one loses data.
        Some("gzip") => read("gzip", MultiGzDecoder::new(body), max_body_bytes),
        #[cfg(feature = "zstd")]
        Some("zstd") => {
            let decoder = zstd::Decoder::new(body);
            let decoder = decoder.map_err(|error| Refusal::malformed(format!("zstd: {error}")))?;
            read("zstd", decoder, max_body_bytes)
        }
        Some(other) => Err(Refusal {
            status: StatusCode::UNSUPPORTED_MEDIA_TYPE,
            grpc_code: tonic::Code::InvalidArgument,
            message: format!("content-encoding {other:?} is not supported: use {SUPPORTED}").into(),
        }),
    }
}

fn read(encoding: &str, from: impl Read, max_body_bytes: usize) -> Result<Cow<'static, [u8]>, Refusal> {
    let mut plain = Vec::new();
    let limit = max_body_bytes as u64 + 1;
    match from.take(limit).read_to_end(&mut plain) {
        Ok(_) if plain.len() > max_body_bytes => Err(Refusal::too_large(max_body_bytes)),
        Ok(_) => Ok(Cow::Owned(plain)),
        Err(error) => Err(Refusal::malformed(format!("{encoding}: {error}"))),
    }
}
