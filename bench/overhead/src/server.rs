//! The service: one route, whose handler does nothing. What telemetry adds to it is therefore the worst case.

use std::io::{Read, Write};
use std::net::TcpListener;

use axum::Router;
use axum::routing::get;
use opentelemetry::global;
use opentelemetry::trace::TracerProvider;
use opentelemetry_otlp::{MetricExporter, SpanExporter};
use opentelemetry_sdk::metrics::{PeriodicReader, SdkMeterProvider};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::SdkTracerProvider;
use otel_http::HttpServerLayer;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::SubscriberExt;

use crate::Failure;

/// What a server is called, on the command line of its process and in the table.
pub const BARE: &str = "bare";
/// What differs from the first is chance.
pub const BARE_AGAIN: &str = "bare, again";
pub const OURS: &str = "otel-http + otel-init";
pub const CONTRIB: &str = "contrib tower + SDK batch";
pub const TOWER_OTEL: &str = "tower-otel + SDK batch";

pub fn is_bare(variant: &str) -> bool {
    [BARE, BARE_AGAIN].contains(&variant)
}

/// Sends what is left.
type Shutdown = Box<dyn FnOnce() -> Result<(), Failure>>;

/// Prints the address and serves until the standard input ends. The telemetry is configured by the `OTEL_*` variables.
pub fn run(variant: &str) -> Result<(), Failure> {
    // The process has one core, and connections stay where they are.
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let _entered = runtime.enter();
    let (app, shutdown) = app(variant)?;
    let listener = TcpListener::bind("127.0.0.1:0")?;
    listener.set_nonblocking(true)?;
    println!("{}", listener.local_addr()?);
    std::io::stdout().flush()?;
    let listener = tokio::net::TcpListener::from_std(listener)?;
    runtime.spawn(async move { axum::serve(listener, app).await });
    std::io::stdin().read_to_end(&mut Vec::new())?;
    shutdown()
}

fn app(variant: &str) -> Result<(Router, Shutdown), Failure> {
    let bare = Router::new().route("/users/{id}", get(|| async { "Ada" }));
    match variant {
        BARE | BARE_AGAIN => Ok((bare, Box::new(|| Ok(())))),
        OURS => {
            let telemetry = otel_init::Telemetry::builder().install()?;
            let shutdown = move || Ok(telemetry.shutdown_blocking().map(drop)?);
            Ok((bare.layer(HttpServerLayer::for_axum()), Box::new(shutdown)))
        }
        CONTRIB => {
            let (_, shutdown) = sdk()?;
            Ok((bare.layer(opentelemetry_instrumentation_tower::http::server::Layer::new()), shutdown))
        }
        TOWER_OTEL => {
            let (traces, shutdown) = sdk()?;
            // Its spans are those of `tracing`. Without a level, those of the exporter's client would be exported too.
            let layer = tracing_opentelemetry::layer().with_tracer(traces.tracer("bench"));
            let subscriber = tracing_subscriber::registry().with(LevelFilter::INFO).with(layer);
            tracing::subscriber::set_global_default(subscriber)?;
            let app = bare
                .layer(tower_otel::trace::HttpLayer::server(tracing::Level::INFO))
                .layer(tower_otel::metrics::HttpLayer::server(&global::meter("bench")));
            Ok((app, shutdown))
        }
        other => Err(format!("there is no server {other:?}").into()),
    }
}

/// The SDK and opentelemetry-otlp as their documentation sets them up.
fn sdk() -> Result<(SdkTracerProvider, Shutdown), Failure> {
    let exporter = SpanExporter::builder().with_tonic().build()?;
    let traces = SdkTracerProvider::builder().with_batch_exporter(exporter).build();
    let reader = PeriodicReader::builder(MetricExporter::builder().with_tonic().build()?).build();
    let metrics = SdkMeterProvider::builder().with_reader(reader).build();
    global::set_tracer_provider(traces.clone());
    global::set_meter_provider(metrics.clone());
    global::set_text_map_propagator(TraceContextPropagator::new());
    let ending = traces.clone();
    let shutdown = move || {
        ending.shutdown()?;
        Ok(metrics.shutdown()?)
    };
    Ok((traces, Box::new(shutdown)))
}
