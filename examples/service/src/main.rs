//! A service as most are: it is asked over HTTP, looks into a database, and asks another service.
//!
//! Telemetry is four lines of it: `install` and `shutdown` in `main`, the layer in `app`, the wrappers around the pool and the
//! client. What it records of a request is in the test below.

use std::error::Error;
use std::time::Duration;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use otel_db::sqlx::Pool;
use otel_http::HttpServerLayer;
use otel_http::reqwest::Client;
use serde_json::{Value, json};
use sqlx::Sqlite;
use sqlx::sqlite::SqlitePoolOptions;
use tokio::net::TcpListener;

type Failure = Box<dyn Error + Send + Sync>;

#[derive(Clone)]
struct Orders {
    database: Pool<Sqlite>,
    client: Client,
    shipping_url: String,
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let telemetry = otel_init::Telemetry::builder().with_service_name("orders").install()?;
    // Told before the telemetry ends, so that it is known elsewhere than on this console.
    let served =
        serve().await.inspect_err(|error| tracing::error!(error = &**error, "the service has failed"));
    let delivered = telemetry.shutdown().await;
    served?;
    delivered?; // or log it, where a collector that is away must not decide how the process ends
    Ok(())
}

async fn serve() -> Result<(), Failure> {
    let variable = |name, default: &str| std::env::var(name).unwrap_or_else(|_| default.to_owned());
    let file = std::env::temp_dir().join("orders.sqlite");
    let database = open(&variable("DATABASE_URL", &format!("sqlite://{}?mode=rwc", file.display()))).await?;
    let app = app(database.clone(), variable("SHIPPING_URL", "http://127.0.0.1:3001"));

    let listener = TcpListener::bind(variable("LISTEN", "127.0.0.1:3000")).await?;
    tracing::info!("listening on http://{}", listener.local_addr()?);
    axum::serve(listener, app).with_graceful_shutdown(otel_init::shutdown_signal()).await?;
    database.close().await; // its threads hold the spans of the last statements
    Ok(())
}

async fn open(url: &str) -> Result<Pool<Sqlite>, sqlx::Error> {
    // Less than callers wait for an answer: a database that is gone is an error here, not a timeout of theirs.
    let options = SqlitePoolOptions::new().max_connections(4).acquire_timeout(Duration::from_secs(1));
    let pool = options.connect(url).await?;
    let schema = "CREATE TABLE IF NOT EXISTS orders (id INTEGER PRIMARY KEY, item TEXT NOT NULL);
                  INSERT OR IGNORE INTO orders VALUES (7, 'mug')";
    sqlx::raw_sql(schema).execute(&pool).await?;
    Ok(Pool::instrument(pool).with_pool_metrics(true).build())
}

fn app(database: Pool<Sqlite>, shipping_url: String) -> Router {
    let client = Client::instrument(reqwest::Client::new()).with_url_templates(["/parcels/{id}"]).build();
    Router::new()
        .route("/orders/{id}", get(order))
        .with_state(Orders { database, client, shipping_url })
        .layer(HttpServerLayer::for_axum())
}

async fn order(State(orders): State<Orders>, Path(id): Path<i64>) -> Result<Json<Value>, StatusCode> {
    let item: Option<String> = sqlx::query_scalar("SELECT item FROM orders WHERE id = $1")
        .bind(id)
        .fetch_optional(&orders.database)
        .await
        .map_err(|error| unavailable("the order cannot be read", &error))?;
    let item = item.ok_or(StatusCode::NOT_FOUND)?;
    let parcel = orders.parcel(id).await.map_err(|error| unavailable("shipping gives no answer", &error))?;
    tracing::info!(order.id = id, "order shown");
    Ok(Json(json!({ "id": id, "item": item, "parcel": parcel })))
}

impl Orders {
    async fn parcel(&self, id: i64) -> Result<Value, reqwest::Error> {
        let url = format!("{}/parcels/{id}", self.shipping_url);
        let request = self.client.get(url).timeout(Duration::from_secs(2));
        request.send().await?.error_for_status()?.json().await
    }
}

/// The log record is part of the trace, and has the error with all that caused it. The caller learns the status alone.
fn unavailable(message: &str, error: &(dyn Error + 'static)) -> StatusCode {
    tracing::error!(error, "{message}");
    StatusCode::SERVICE_UNAVAILABLE
}

#[cfg(test)]
mod tests {
    use axum::body::{Body, to_bytes};
    use axum::http::Request;
    use otel_testing::{AssertTelemetry, TestTelemetry, assert_trace, span};
    use tower::ServiceExt;

    use super::*;

    async fn ask(app: Router, path: &str) -> StatusCode {
        let response = app.oneshot(Request::get(path).body(Body::empty()).unwrap()).await.unwrap();
        let status = response.status();
        to_bytes(response.into_body(), 1024).await.unwrap(); // the span ends with the body
        status
    }

    /// A shipping service, at a port of its own.
    async fn shipping() -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let routes = Router::new().route("/parcels/{id}", get(|| async { Json("on its way") }));
        tokio::spawn(async { axum::serve(listener, routes).await });
        url
    }

    #[tokio::test]
    async fn an_order_is_one_trace_through_the_database_and_the_other_service() {
        let telemetry = TestTelemetry::new();
        let _attached = telemetry.attach(); // to the global providers, which `app` uses
        let app = app(open("sqlite::memory:").await.unwrap(), shipping().await);

        assert_eq!(ask(app, "/orders/7").await, StatusCode::OK);
        assert_trace!(telemetry, span("GET /orders/{id}").server().not_failed() => [
            span("SELECT orders").client(),
            span("GET /parcels/{id}").client().has("http.response.status_code", 200),
        ]);
        assert_eq!(telemetry.histogram_count("http.server.request.duration"), 1);
        telemetry.assert_clean();
    }

    #[tokio::test]
    async fn a_service_that_is_away_is_an_error_of_the_request_with_its_reason() {
        let telemetry = TestTelemetry::new();
        let _attached = telemetry.attach();
        // Nothing listens at port 1.
        let app = app(open("sqlite::memory:").await.unwrap(), "http://127.0.0.1:1".to_owned());

        assert_eq!(ask(app, "/orders/7").await, StatusCode::SERVICE_UNAVAILABLE);
        telemetry.assert_span(span("GET /orders/{id}").failed().has("error.type", "503"));
        telemetry.assert_span(span("GET /parcels/{id}").failed().has("error.type", "connect"));
    }

    #[tokio::test]
    async fn an_order_that_is_not_there_is_no_error() {
        let telemetry = TestTelemetry::new();
        let _attached = telemetry.attach();
        let app = app(open("sqlite::memory:").await.unwrap(), "http://127.0.0.1:1".to_owned());

        assert_eq!(ask(app, "/orders/8").await, StatusCode::NOT_FOUND);
        telemetry.assert_span(span("GET /orders/{id}").not_failed().has("http.response.status_code", 404));
    }
}
