//! A tokio runtime. The semantic conventions have no names for it yet, so these are our own.

use opentelemetry::KeyValue;
use opentelemetry::metrics::MeterProvider;
use opentelemetry_sdk::metrics::SdkMeterProvider;
use tokio::runtime::Handle;

/// Registers what is read from the runtime whenever metrics are collected.
pub(crate) fn observe(provider: &SdkMeterProvider, runtime: &Handle) {
    let meter = provider.meter("otel-init.tokio");
    let of_gauge =
        |name: &'static str, unit: &'static str, description: &'static str, read: fn(&Handle) -> usize| {
            let runtime = runtime.clone();
            // Registered with the meter; the handle is of no use.
            let _ = meter
                .i64_observable_up_down_counter(name)
                .with_unit(unit)
                .with_description(description)
                .with_callback(move |observer| {
                    observer.observe(i64::try_from(read(&runtime)).unwrap_or(i64::MAX), &[]);
                })
                .build();
        };
    of_gauge("tokio.worker.count", "{worker}", "Worker threads of the runtime.", |runtime| {
        runtime.metrics().num_workers()
    });
    of_gauge("tokio.task.alive", "{task}", "Tasks that were spawned and are not done.", |runtime| {
        runtime.metrics().num_alive_tasks()
    });
    of_gauge(
        "tokio.global_queue.size",
        "{task}",
        "Tasks that wait for a worker in the shared queue.",
        |runtime| runtime.metrics().global_queue_depth(),
    );
    let runtime = runtime.clone();
    let _ = meter
        .f64_observable_counter("tokio.worker.busy.time")
        .with_unit("s")
        .with_description("Time that a worker was busy.")
        .with_callback(move |observer| {
            let metrics = runtime.metrics();
            for worker in 0..metrics.num_workers() {
                let busy = metrics.worker_total_busy_duration(worker).as_secs_f64();
                let worker = i64::try_from(worker).unwrap_or(i64::MAX);
                observer.observe(busy, &[KeyValue::new("tokio.worker.index", worker)]);
            }
        })
        .build();
}
