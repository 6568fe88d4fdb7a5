//! `axum::Json`, but a body that cannot be read is answered in the shop's own words.

use axum::extract::rejection::JsonRejection;
use axum::extract::{FromRequest, Request};
use serde::de::DeserializeOwned;

use crate::error::{Outcome, ShopError};

/// The body of a request.
pub(crate) struct Body<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Body<T> {
    type Rejection = ShopError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ShopError> {
        let body: Result<axum::Json<T>, JsonRejection> = axum::Json::from_request(request, state).await;
        // The parser's own message may quote the body, which holds passwords and card numbers: it goes nowhere.
        body.map(|axum::Json(body)| Self(body)).map_err(|_| {
            ShopError::new(Outcome::ValidationError, "the body is not the JSON that this route expects")
        })
    }
}
