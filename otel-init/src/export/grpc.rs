//! OTLP over gRPC.
//!
//! <https://opentelemetry.io/docs/specs/otlp/#otlpgrpc>

use std::error::Error;

use bytes::Bytes;
use http::uri::PathAndQuery;
use http::{HeaderMap, Uri};
use tonic::client::Grpc;
use tonic::codec::CompressionEncoding;
use tonic::metadata::MetadataMap;
use tonic::{Code, Request, Status};
use tonic_types::StatusExt;

use super::client::Client;
use super::codec::RawCodec;
use super::http::{EXPORTER, headers_of_now};
use super::transport::{Answer, Retry, SendError};
use crate::config::{Compression, HeaderProvider, OtlpConfig};

/// One host, and what goes with every request to it.
#[derive(Debug)]
pub(super) struct GrpcTransport {
    client: Client,
    origin: Uri,
    headers: HeaderMap,
    provider: Option<HeaderProvider>,
    compression: Option<CompressionEncoding>,
}

impl GrpcTransport {
    pub(super) fn new(config: &OtlpConfig, client: Client) -> Result<Self, http::uri::InvalidUri> {
        let mut headers = config.headers.clone();
        headers.entry(http::header::USER_AGENT).or_insert(http::HeaderValue::from_static(EXPORTER));
        Ok(Self {
            client,
            origin: config.endpoint.url().parse()?,
            headers,
            provider: config.header_provider.clone(),
            compression: config.compression.map(|compression| match compression {
                Compression::Gzip => CompressionEncoding::Gzip,
                Compression::Zstd => CompressionEncoding::Zstd,
            }),
        })
    }

    pub(super) async fn send(&self, body: Bytes, path: &'static str) -> Result<Answer, SendError> {
        let client = self.client.current().map_err(SendError::transient)?;
        let mut grpc = Grpc::with_origin(client, self.origin.clone());
        if let Some(compression) = self.compression {
            grpc = grpc.send_compressed(compression);
        }
        let mut request = Request::new(body);
        let headers = headers_of_now(&self.headers, self.provider.as_ref())?;
        *request.metadata_mut() = MetadataMap::from_headers(headers);
        let unreachable =
            |error| SendError::transient(self.client.explained(super::transport::causes(&error)));
        grpc.ready().await.map_err(unreachable)?;
        match grpc.unary(request, PathAndQuery::from_static(path), RawCodec).await {
            Ok(answer) => Ok(Answer { body: answer.into_inner(), is_json: false }),
            Err(status) => {
                let error = refusal(&status);
                Err(SendError { cause: self.client.explained(error.cause), ..error })
            }
        }
    }
}

fn refusal(status: &Status) -> SendError {
    let delay = status.get_details_retry_info().and_then(|info| info.retry_delay);
    // The table of the specification; "RESOURCE_EXHAUSTED: retryable only if the server provided RetryInfo".
    let retry = match status.code() {
        Code::ResourceExhausted => delay.map_or(Retry::Never, Retry::After),
        Code::Cancelled
        | Code::DeadlineExceeded
        | Code::Aborted
        | Code::OutOfRange
        | Code::Unavailable
        | Code::DataLoss => delay.map_or(Retry::BackOff, Retry::After),
        // A connection that broke has no status of the collector's.
        _ if status.source().is_some() => Retry::BackOff,
        _ => Retry::Never,
    };
    let causes: Vec<_> =
        std::iter::successors(status.source(), |&cause| cause.source()).map(ToString::to_string).collect();
    let message: String =
        status.message().chars().filter(|character| !character.is_control()).take(200).collect();
    let cause = match causes.last() {
        Some(last) => last.clone(),
        None => format!("gRPC status {:?}: {message}", status.code()),
    };
    SendError { cause, retry }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tonic::{Code, Status};
    use tonic_types::{ErrorDetails, StatusExt};

    use super::{Retry, refusal};

    #[test]
    fn the_table_of_the_specification_holds() {
        let retryable = [
            Code::Cancelled,
            Code::DeadlineExceeded,
            Code::Aborted,
            Code::OutOfRange,
            Code::Unavailable,
            Code::DataLoss,
        ];
        for number in 1..=16 {
            let code = Code::from(number);
            let expected = if retryable.contains(&code) { Retry::BackOff } else { Retry::Never };
            assert_eq!(refusal(&Status::new(code, "no")).retry, expected, "{code:?}");
        }
        let delay = Duration::from_secs(3);
        for code in [Code::ResourceExhausted, Code::Unavailable] {
            let details = ErrorDetails::with_retry_info(Some(delay));
            assert_eq!(
                refusal(&Status::with_error_details(code, "later", details)).retry,
                Retry::After(delay)
            );
        }
        assert_eq!(refusal(&Status::unavailable("no")).cause, "gRPC status Unavailable: no");
    }
}
