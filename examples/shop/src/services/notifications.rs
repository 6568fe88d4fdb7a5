//! Reads the outbox and tells customers: the asynchronous hop, where traces usually end.

use std::collections::HashMap;
use std::time::Duration;

use opentelemetry::context::FutureExt;
use opentelemetry::trace::{SpanKind, Status, TraceContextExt, Tracer};
use opentelemetry::{Context, KeyValue, global};
use otel_core::carrier::MapExtractor;
use otel_core::{Providers, link_from};

use super::database::{self, Database, OutboxRow};
use super::server::{StopOptions, deliver, say};
use crate::error::Outcome;
use crate::instruments::NotificationsInstruments;
use crate::telemetry::{self, Tier};
use crate::{Failure, services::LISTENING};

/// How often the outbox is looked at when it was empty.
const PAUSE: Duration = Duration::from_millis(100);

#[derive(clap::Args)]
pub(crate) struct Options {
    /// The database of the orders service.
    #[arg(long, env = "DATABASE_URL", hide_env_values = true)]
    database_url: String,
    #[command(flatten)]
    stop: StopOptions,
}

pub(crate) async fn run(options: Options) -> Result<(), Failure> {
    let telemetry = telemetry::install("notifications")?;
    let instruments = NotificationsInstruments::new();
    let database = database::open(&options.database_url, "notifications").await?;
    let stop = options.stop.listen();
    say(&format!("{LISTENING}the outbox"));

    loop {
        // Asked before the last look, so that nothing slips in between the two.
        let stopping = stop.is_requested();
        if send_waiting(&database, &instruments).await {
            continue;
        }
        if stopping {
            break;
        }
        tokio::select! {
            () = tokio::time::sleep(PAUSE) => {}
            () = stop.clone().requested() => {}
        }
    }
    // Its threads hold the spans of the last queries until then.
    database.close().await;
    deliver(telemetry).await;
    Ok(())
}

/// Sends what waits. Was there anything, and did it all go out?
async fn send_waiting(database: &Database, instruments: &NotificationsInstruments) -> bool {
    let rows = match database::waiting_events(database).await {
        Ok(rows) => rows,
        Err(error) => {
            tracing::error!(error.type = "database_error", app.error.retryable = true, "{error}");
            return false;
        }
    };
    let mut sent = !rows.is_empty();
    for row in rows {
        sent &= process(&row, database, instruments).await;
    }
    sent
}

/// Handles one event in a trace of its own, which links back to the order's trace: the order was answered long ago,
/// so this is no part of it. Its baggage still holds, so the tier is known here as well.
async fn process(row: &OutboxRow, database: &Database, instruments: &NotificationsInstruments) -> bool {
    let carrier: HashMap<String, String> = serde_json::from_str(&row.trace_context).unwrap_or_default();
    let carrier = MapExtractor::new(&carrier);
    let providers = Providers::global();
    let tracer = global::tracer("shop");
    let span = tracer
        .span_builder(format!("process {}", row.event))
        .with_kind(SpanKind::Consumer)
        .with_links(link_from(&providers, &carrier).into_iter().collect())
        .start_with_context(&tracer, &Context::new());
    // The origin's baggage, with the new span in place of the origin's.
    let context = providers.extract(&Context::new(), &carrier).with_span(span);

    let told = tell(row, database, instruments).with_context(context.clone()).await;
    if let Err(error) = &told {
        context.span().set_attribute(KeyValue::new("error.type", Outcome::DatabaseError.as_str()));
        context.span().set_status(Status::error(error.to_string()));
    }
    context.span().end();
    told.is_ok()
}

async fn tell(
    row: &OutboxRow,
    database: &Database,
    instruments: &NotificationsInstruments,
) -> Result<(), sqlx::Error> {
    telemetry::record_current_tier();
    let channel = if Tier::current() == Some(Tier::Gold) { "phone" } else { "email" };
    database::mark_delivered(database, row.id).await?;
    instruments.sent.add(1, &[KeyValue::new("shop.channel", channel), telemetry::tier_attribute()]);
    tracing::info!(shop.order.id = row.order_id, shop.channel = channel, "customer told");
    Ok(())
}
