//! A function, as a platform calls it: it is frozen between two calls, so each ends with a flush. A line of standard input
//! stands for a call.
//!
//! ```sh
//! printf 'cat.png\ndog.jpeg\n' | OTEL_TRACES_EXPORTER=console cargo run -p otel-init --example function
//! ```

use std::error::Error;
use std::io;

use otel_init::Telemetry;

fn main() -> Result<(), Box<dyn Error>> {
    let telemetry = Telemetry::builder().with_service_name("thumbnails").install()?;
    let called = serve(&telemetry, io::stdin().lines());
    let delivered = telemetry.shutdown_blocking();
    called?;
    delivered?;
    Ok(())
}

fn serve(telemetry: &Telemetry, calls: impl Iterator<Item = io::Result<String>>) -> io::Result<()> {
    for call in calls {
        thumbnail(&call?);
        if let Err(error) = telemetry.flush_blocking() {
            tracing::warn!("{error}"); // what is kept goes with the next flush
        }
    }
    Ok(())
}

#[tracing::instrument]
fn thumbnail(image: &str) {
    tracing::info!("made");
}

#[cfg(test)]
mod tests {
    use otel_testing::OtlpReceiver;

    use super::*;

    #[test]
    fn each_call_is_delivered_before_the_next_one_begins() {
        let receiver = OtlpReceiver::start().unwrap();
        let builder = Telemetry::builder().with_endpoint(receiver.http_endpoint());
        let telemetry = builder.with_environment(|_| None).install().unwrap();
        let calls = (0..3).map(|count| {
            assert_eq!((receiver.spans().len(), receiver.logs().len()), (count, count));
            Ok(format!("{count}.png"))
        });
        serve(&telemetry, calls).unwrap();
        assert_eq!(receiver.spans().len(), 3);
        telemetry.shutdown_blocking().unwrap();
    }
}
