//! How a request ended, told to the caller, to the logs and to the metrics in the same words.

use std::error::Error;

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use tonic::metadata::MetadataValue;
use tonic::{Code, Status};

use crate::telemetry;

/// The ends a request of the shop can have: few enough to be an attribute of a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Outcome {
    Success,
    ValidationError,
    WrongPassword,
    NotLoggedIn,
    UnknownProduct,
    OutOfStock,
    CardDeclined,
    DatabaseError,
    ServiceUnavailable,
    GatewayTimeout,
}

impl Outcome {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::ValidationError => "validation_error",
            Self::WrongPassword => "wrong_password",
            Self::NotLoggedIn => "not_logged_in",
            Self::UnknownProduct => "unknown_product",
            Self::OutOfStock => "out_of_stock",
            Self::CardDeclined => "card_declined",
            Self::DatabaseError => "database_error",
            Self::ServiceUnavailable => "service_unavailable",
            Self::GatewayTimeout => "gateway_timeout",
        }
    }

    fn status(self) -> StatusCode {
        match self {
            Self::Success => StatusCode::OK,
            Self::ValidationError => StatusCode::UNPROCESSABLE_ENTITY,
            Self::WrongPassword | Self::NotLoggedIn => StatusCode::UNAUTHORIZED,
            Self::UnknownProduct => StatusCode::NOT_FOUND,
            Self::OutOfStock => StatusCode::CONFLICT,
            Self::CardDeclined => StatusCode::PAYMENT_REQUIRED,
            Self::DatabaseError => StatusCode::INTERNAL_SERVER_ERROR,
            Self::ServiceUnavailable => StatusCode::BAD_GATEWAY,
            Self::GatewayTimeout => StatusCode::GATEWAY_TIMEOUT,
        }
    }

    /// The same for gRPC.
    fn code(self) -> Code {
        match self {
            Self::Success => Code::Ok,
            Self::ValidationError => Code::InvalidArgument,
            Self::WrongPassword | Self::NotLoggedIn => Code::Unauthenticated,
            Self::UnknownProduct => Code::NotFound,
            Self::OutOfStock | Self::CardDeclined => Code::FailedPrecondition,
            Self::DatabaseError => Code::Internal,
            Self::ServiceUnavailable => Code::Unavailable,
            Self::GatewayTimeout => Code::DeadlineExceeded,
        }
    }
}

/// A request that did not end as hoped.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub(crate) struct ShopError {
    outcome: Outcome,
    message: String,
    /// May the same request succeed a moment later?
    retryable: bool,
    /// Another service met it first, and has logged it.
    passed_on: bool,
    /// What it came of. It is for the logs: our caller need not know.
    #[source]
    cause: Option<Box<dyn Error + Send + Sync>>,
}

/// A `ShopError` on its way between services, and to the browser.
#[derive(Serialize, Deserialize)]
pub(crate) struct ErrorBody {
    pub(crate) outcome: Outcome,
    pub(crate) message: String,
    pub(crate) retryable: bool,
    /// What a customer tells the support, and the support types into the trace search.
    pub(crate) trace_id: String,
}

impl ShopError {
    /// An error that arose in this service.
    pub(crate) fn new(outcome: Outcome, message: impl Into<String>) -> Self {
        let retryable = matches!(outcome, Outcome::ServiceUnavailable | Outcome::GatewayTimeout);
        Self { outcome, message: message.into(), retryable, passed_on: false, cause: None }
    }

    /// With what it came of.
    pub(crate) fn because(self, cause: impl Error + Send + Sync + 'static) -> Self {
        Self { cause: Some(Box::new(cause)), ..self }
    }

    /// An error that a called service answered with: handed to our caller as it is.
    pub(crate) fn passed_on(body: ErrorBody) -> Self {
        let ErrorBody { outcome, message, retryable, .. } = body;
        Self { retryable, passed_on: true, ..Self::new(outcome, message) }
    }

    pub(crate) fn outcome(&self) -> Outcome {
        self.outcome
    }

    /// The error that a gRPC service answered with.
    pub(crate) fn in_status(status: &Status) -> Option<Self> {
        let body = status.metadata().get_bin(ERROR_KEY)?.to_bytes().ok()?;
        serde_json::from_slice(&body).ok().map(Self::passed_on)
    }

    fn into_body(self) -> ErrorBody {
        ErrorBody {
            outcome: self.outcome,
            message: self.message,
            retryable: self.retryable,
            trace_id: telemetry::trace_id(),
        }
    }

    /// One log record per error, in the service where it arose and inside its span.
    fn log(&self) {
        let (kind, retryable, message) = (self.outcome.as_str(), self.retryable, self.message.as_str());
        // As an error, with all that caused it: in `exception.message` and `exception.stacktrace` of the record.
        let error = self.cause.as_deref().map(|cause| cause as &(dyn Error + 'static));
        if self.passed_on || self.outcome.status() == StatusCode::UNAUTHORIZED {
            // People mistype passwords: that is counted, not logged.
        } else if self.outcome.status().is_server_error() {
            tracing::error!(error.type = kind, app.error.retryable = retryable, error, "{message}");
        } else {
            tracing::warn!(error.type = kind, app.error.retryable = retryable, error, "{message}");
        }
    }
}

impl From<sqlx::Error> for ShopError {
    fn from(error: sqlx::Error) -> Self {
        // A violated constraint stays violated; a busy or lost database may come back.
        let permanent = error.as_database_error().is_some_and(|error| {
            error.is_check_violation() || error.is_unique_violation() || error.is_foreign_key_violation()
        });
        Self { retryable: !permanent, ..Self::new(Outcome::DatabaseError, error.to_string()) }
    }
}

impl IntoResponse for ShopError {
    fn into_response(self) -> Response {
        self.log();
        telemetry::record_outcome(self.outcome);
        // The extension is for the gateway, which counts the calls by outcome.
        let outcome = self.outcome;
        (outcome.status(), Extension(outcome), Json(self.into_body())).into_response()
    }
}

/// The metadata that carries an error between services that speak gRPC.
const ERROR_KEY: &str = "shop-error-bin";

impl From<ShopError> for Status {
    fn from(error: ShopError) -> Self {
        error.log();
        telemetry::record_outcome(error.outcome);
        let mut status = Self::new(error.outcome.code(), error.message.clone());
        // A body of two texts and a flag is JSON in any case.
        let body = serde_json::to_vec(&error.into_body()).unwrap_or_default();
        status.metadata_mut().insert_bin(ERROR_KEY, MetadataValue::from_bytes(&body));
        status
    }
}
