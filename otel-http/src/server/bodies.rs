//! The beginnings of a request's and a response's body, where they are recorded.

use std::sync::{Arc, OnceLock};

use http::HeaderMap;
use otel_core::Attributes;

use super::options::ServerOptions;
use crate::capture::{BodyCapture, Captured};

/// The beginnings of both bodies.
#[derive(Clone, Debug)]
pub(super) struct Bodies {
    request: Option<(Arc<BodyCapture>, Captured)>,
    response: Option<Arc<BodyCapture>>,
    /// Known when the response's head is there.
    response_place: Arc<OnceLock<Captured>>,
}

impl Bodies {
    /// Places for the bodies, if any may be recorded.
    pub(super) fn begin(options: &ServerOptions, headers: &HeaderMap) -> Option<Self> {
        let request = options.request_body.as_ref();
        let request = request.and_then(|capture| Some((Arc::clone(capture), capture.begin(headers)?)));
        let response = options.response_body.clone();
        let is_wanted = request.is_some() || response.is_some();
        is_wanted.then(|| Self { request, response, response_place: Arc::default() })
    }

    #[cfg(feature = "axum")]
    pub(super) fn request(&self) -> Option<&Captured> {
        self.request.as_ref().map(|(_, place)| place)
    }

    /// A place for the response's body, once its head is there.
    pub(super) fn begin_response(&self, headers: &HeaderMap) -> Option<Captured> {
        let place = self.response.as_ref()?.begin(headers)?;
        Some(self.response_place.get_or_init(|| place).clone())
    }

    pub(super) fn write(&self, attributes: &mut Attributes<'_>) {
        if let Some((capture, place)) = &self.request {
            place.write("http.request.body.content", capture, attributes);
        }
        if let (Some(capture), Some(place)) = (&self.response, self.response_place.get()) {
            place.write("http.response.body.content", capture, attributes);
        }
    }
}
