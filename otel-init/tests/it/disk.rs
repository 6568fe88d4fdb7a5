//! Telemetry on disk: through an outage, a shutdown, and the death of the process.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use opentelemetry::global;
use opentelemetry::trace::{Span, Tracer};
use otel_init::{DiskBuffer, OtlpDestination, Signal, SignalHealth, Telemetry, opentelemetry};
use otel_testing::{OtlpReceiver, Reply, eventually_blocking};

use crate::child;
use crate::counts::health_of;
use crate::scripted::{Reaction, Scripted};
use crate::{PATIENCE, patient};

const FOLDER: &str = "OTEL_INIT_DISK_BUFFER_DIRECTORY";
const SPANS: u64 = 1000;

/// A folder that is gone when the test is.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("otel-init-{}-{name}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        Self(path)
    }

    fn path(&self) -> &str {
        self.0.to_str().unwrap()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn work() {
    let tracer = global::tracer("disk");
    for index in 0..SPANS {
        let mut span = tracer.start("span");
        span.set_attribute(opentelemetry::KeyValue::new("index", i64::try_from(index).unwrap()));
        span.end();
    }
    (0..10).for_each(|index| tracing::info!(target: "disk", index, "record"));
    global::meter("disk").u64_counter("orders").build().add(3, &[]);
}

#[test]
fn what_was_for_another_url_is_told() {
    let test = "disk::what_was_for_another_url_is_told";
    if child::is_child() {
        let telemetry = patient()
            .with_exporters(Signal::Metrics, ["none"])
            .with_exporters(Signal::Logs, ["none"])
            .install()
            .unwrap();
        global::tracer("disk").start("span").end();
        let _ = telemetry.shutdown_blocking();
        return;
    }
    let folder = Folder::new("another-url");
    let receiver = OtlpReceiver::start().unwrap();
    receiver.respond_with(Reply::Unavailable);
    let run = |query: &str| {
        let endpoint = format!("{}{query}", receiver.http_endpoint());
        let variables = [
            ("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.as_str()),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "300"),
            (FOLDER, folder.path()),
        ];
        child::run(test, &variables).lines("that another process left in the disk buffer are not sent").len()
    };
    assert_eq!((run("?tenant=1"), run("?tenant=1")), (0, 0), "the same");
    assert_eq!((run(""), run("")), (1, 1), "another, until somebody exports there");
}

#[cfg(target_os = "linux")]
#[test]
fn after_the_shutdown_nobody_looks_after_the_disk() {
    fn has_keeper() -> bool {
        let threads = std::fs::read_dir("/proc/self/task").unwrap().flatten();
        let mut names = threads.filter_map(|thread| std::fs::read_to_string(thread.path().join("comm")).ok());
        names.any(|name| name.trim() == "otel-init-disk")
    }
    let test = "disk::after_the_shutdown_nobody_looks_after_the_disk";
    if child::is_child() {
        let receiver = OtlpReceiver::start().unwrap();
        receiver.respond_with(Reply::Unavailable);
        let telemetry = patient()
            .with_endpoint(receiver.http_endpoint())
            .with_shutdown_timeout(Duration::from_millis(500))
            .install()
            .unwrap();
        work();
        assert!(has_keeper());
        telemetry.shutdown_blocking().unwrap_err();
        assert!(health_of(&telemetry, Signal::Metrics).stored > 0);
        // The guard is there, and the global providers.
        eventually_blocking(PATIENCE, || !has_keeper());
        return;
    }
    let folder = Folder::new("no-keeper");
    child::run(test, &[(FOLDER, folder.path())]);
}

#[test]
fn killed_during_an_outage_everything_on_disk_arrives_once() {
    let test = "disk::killed_during_an_outage_everything_on_disk_arrives_once";
    const PHASE: &str = "TEST_PHASE";
    if child::is_child() {
        // One that is gone is none.
        drop(tracing::subscriber::set_default(tracing_subscriber::registry()));
        let telemetry = patient().install().unwrap();
        if std::env::var(PHASE).unwrap() == "outage" {
            work();
            // A flush that fails: everything has left the queues then.
            telemetry.flush_blocking().unwrap_err();
            let stored = [Signal::Traces, Signal::Metrics, Signal::Logs]
                .map(|signal| health_of(&telemetry, signal).stored);
            assert_eq!((stored[0], stored[2]), (SPANS, 10));
            assert!(stored[1] > 0);
            // The parent kills this process now.
            eprintln!("stored {}", stored[1]);
            loop {
                std::thread::park();
            }
        }
        let created = health_of(&telemetry, Signal::Traces).created;
        telemetry.flush_blocking().unwrap();
        let traces = health_of(&telemetry, Signal::Traces);
        assert_eq!((created, traces.exported, traces.stored), (SPANS, SPANS, 0));
        telemetry.shutdown_blocking().unwrap();
        return;
    }
    let folder = Folder::new("kill");
    let receiver = OtlpReceiver::start().unwrap();
    receiver.respond_with(Reply::Unavailable);
    let endpoint = receiver.http_endpoint();
    let variables = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.as_str()),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "500"),
        ("OTEL_BSP_SCHEDULE_DELAY", "600000"),
        ("OTEL_BLRP_SCHEDULE_DELAY", "600000"),
        (FOLDER, folder.path()),
        ("RUST_LOG", "off"),
    ];
    let mut process = child::command(test, &variables);
    let mut process =
        process.env(PHASE, "outage").stderr(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    let mut lines = BufReader::new(process.stderr.take().unwrap()).lines().map_while(Result::ok);
    let points =
        lines.find_map(|line| line.strip_prefix("stored ").map(str::to_owned)).expect("the child fails");
    process.kill().unwrap();
    process.wait().unwrap();
    assert_eq!(receiver.spans().len(), 0);

    // Another collector in its place: the old one may still read what the process sent last, and is not to take that now.
    let address = endpoint.trim_start_matches("http://").parse().unwrap();
    drop(receiver);
    let receiver = OtlpReceiver::builder().with_http_address(address).start().unwrap();
    // An answer that comes after the timeout makes a second delivery, so there is time here.
    let recovery = [(PHASE, "recovery"), ("OTEL_EXPORTER_OTLP_TIMEOUT", "30000"), ("RUST_LOG", "info")];
    let variables: Vec<_> = variables.into_iter().chain(recovery).collect();
    let next = child::run(test, &variables);
    let told = next.lines(&format!("{SPANS} items of traces that another process left on disk are sent to "));
    assert_eq!(told.len(), 1, "{}", next.console);
    let mut indexes: Vec<_> =
        receiver.spans().iter().map(|span| span.attribute("index").unwrap().to_string()).collect();
    assert_eq!(indexes.len() as u64, SPANS);
    indexes.sort();
    indexes.dedup();
    assert_eq!(indexes.len() as u64, SPANS, "each once");
    assert_eq!(receiver.logs().iter().filter(|log| log.message() == "record").count(), 10);
    let orders = receiver.metrics().iter().filter(|metric| metric.name() == "orders").count();
    assert!(orders > 0, "{points} points were stored");
    assert_eq!(requests_in(&folder.0), 0, "nothing is left");
}

fn requests_in(folder: &Path) -> usize {
    let entries = std::fs::read_dir(folder).unwrap().flatten().map(|entry| entry.path());
    entries
        .map(|path| {
            let is_request = path.extension().is_some_and(|extension| extension == "otlp");
            if path.is_dir() { requests_in(&path) } else { usize::from(is_request) }
        })
        .sum()
}

#[test]
fn an_outage_loses_nothing_and_ends_by_itself() {
    let test = "disk::an_outage_loses_nothing_and_ends_by_itself";
    if !child::is_child() {
        let run = |protocol: &str| {
            let folder = Folder::new(&protocol.replace('/', "-"));
            let variables = [
                ("TEST_FOLDER", folder.path()),
                ("OTEL_EXPORTER_OTLP_PROTOCOL", protocol),
                ("RUST_LOG", "error"),
            ];
            child::run(test, &variables);
        };
        // Each waits for the end of a pause.
        std::thread::scope(|scope| {
            for protocol in ["http/protobuf", "http/json", "grpc"] {
                scope.spawn(move || run(protocol));
            }
        });
        return;
    }
    let receiver = OtlpReceiver::start().unwrap();
    receiver.respond_with(Reply::Unavailable);
    let is_grpc = std::env::var("OTEL_EXPORTER_OTLP_PROTOCOL").unwrap() == "grpc";
    let endpoint = if is_grpc { receiver.grpc_endpoint() } else { receiver.http_endpoint() };
    let telemetry = patient()
        .with_endpoint(endpoint)
        .with_exporters(Signal::Metrics, ["none"])
        .with_exporters(Signal::Logs, ["none"])
        .with_disk_buffer(DiskBuffer::new(std::env::var("TEST_FOLDER").unwrap()))
        .install()
        .unwrap();
    work();
    telemetry.flush_blocking().unwrap_err();
    assert_eq!(health_of(&telemetry, Signal::Traces).stored, SPANS);
    receiver.respond_with(Reply::Accept);
    // Nobody makes anything new.
    eventually_blocking(PATIENCE, || of_loose(&telemetry).stored == 0);
    eventually_blocking(PATIENCE, || of_loose(&telemetry).exported == SPANS);
    assert_eq!(receiver.spans().len() as u64, SPANS);
    assert!(telemetry.flush_blocking().is_ok());
    telemetry.shutdown_blocking().unwrap();
}

#[test]
fn what_comes_while_a_delivery_is_tried_gets_to_the_disk() {
    let test = "disk::what_comes_while_a_delivery_is_tried_gets_to_the_disk";
    if !child::is_child() {
        for protocol in ["http/protobuf", "http/json", "grpc"] {
            let folder = Folder::new(&format!("silent-{}", protocol.replace('/', "-")));
            let variables = [
                (FOLDER, folder.path()),
                ("OTEL_EXPORTER_OTLP_PROTOCOL", protocol),
                // Much longer than the test takes.
                ("OTEL_EXPORTER_OTLP_TIMEOUT", "600000"),
                ("OTEL_BSP_EXPORT_TIMEOUT", "600000"),
                ("OTEL_BSP_SCHEDULE_DELAY", "10"),
                ("RUST_LOG", "error"),
            ];
            child::run(test, &variables);
        }
        return;
    }
    let collector = Scripted::start(&[Reaction::Silence]);
    let telemetry = patient()
        .with_endpoint(collector.http())
        .with_exporters(Signal::Metrics, ["none"])
        .with_exporters(Signal::Logs, ["none"])
        .with_shutdown_timeout(Duration::from_millis(100))
        .install()
        .unwrap();
    for round in 1..=3 {
        work();
        eventually_blocking(PATIENCE, || of_loose(&telemetry).stored == round * SPANS);
        eventually_blocking(PATIENCE, || collector.requests() > 0);
    }
    assert_eq!(collector.requests(), 1);
    telemetry.shutdown_blocking().unwrap_err();
}

#[test]
fn two_tenants_of_one_collector_get_each_what_is_theirs() {
    let test = "disk::two_tenants_of_one_collector_get_each_what_is_theirs";
    if !child::is_child() {
        let folder = Folder::new("tenants");
        child::run(test, &[("TEST_FOLDER", folder.path()), ("RUST_LOG", "error")]);
        return;
    }
    let receiver = OtlpReceiver::start().unwrap();
    receiver.respond_with(Reply::Unavailable);
    let tenant = |name| {
        let url = receiver.http_endpoint();
        OtlpDestination::new(url).with_signals([Signal::Traces]).with_header("x-tenant", name)
    };
    let telemetry = [Signal::Traces, Signal::Metrics, Signal::Logs]
        .into_iter()
        .fold(patient(), |builder, signal| builder.with_exporters(signal, ["none"]))
        .with_destination(tenant("one"))
        .with_destination(tenant("two"))
        .with_disk_buffer(DiskBuffer::new(std::env::var("TEST_FOLDER").unwrap()))
        .install()
        .unwrap();
    work();
    telemetry.flush_blocking().unwrap_err();
    receiver.respond_with(Reply::Accept);
    let of_each = |count: fn(&SignalHealth) -> u64| -> Vec<u64> {
        telemetry.health().signals.iter().map(count).collect()
    };
    eventually_blocking(PATIENCE, || of_each(|health| health.stored) == [0, 0]);
    eventually_blocking(PATIENCE, || of_each(|health| health.exported) == [SPANS, SPANS]);
    assert_eq!(receiver.spans().len() as u64, 2 * SPANS, "each once");
    let accepted: Vec<_> = receiver.requests().into_iter().filter(|request| request.accepted).collect();
    let got = |name| accepted.iter().any(|request| request.header("x-tenant") == Some(name));
    assert!(got("one") && got("two"), "{accepted:?}");
    telemetry.shutdown_blocking().unwrap();
}

#[test]
fn a_request_that_always_fails_keeps_nothing_from_being_sent() {
    keeps_nothing_from_being_sent(
        "disk::a_request_that_always_fails_keeps_nothing_from_being_sent",
        "poison",
        "",
    );
}

#[test]
fn a_request_that_always_gets_a_pause_keeps_nothing_from_being_sent() {
    let test = "disk::a_request_that_always_gets_a_pause_keeps_nothing_from_being_sent";
    keeps_nothing_from_being_sent(test, "pauses", "retry-after: 3600\r\n");
}

fn keeps_nothing_from_being_sent(test: &str, folder: &str, refusal: &'static str) {
    if !child::is_child() {
        let folder = Folder::new(folder);
        child::run(test, &[(FOLDER, folder.path()), ("RUST_LOG", "error")]);
        return;
    }
    let collector = Scripted::start(&[Reaction::UpTo(10_000, refusal)]);
    let telemetry = patient()
        .with_endpoint(collector.http())
        .with_exporters(Signal::Metrics, ["none"])
        .with_exporters(Signal::Logs, ["none"])
        .install()
        .unwrap();
    work();
    telemetry.flush_blocking().unwrap_err();
    // What was made after a batch had left may be a small one.
    let early = health_of(&telemetry, Signal::Traces).exported;
    assert!(early < SPANS && health_of(&telemetry, Signal::Traces).stored == SPANS - early, "{early}");
    let mut small = 0;
    eventually_blocking(PATIENCE, || {
        global::tracer("disk").start("small").end();
        small += 1;
        // The large ones may fail in it, or be gone by now.
        let _ = telemetry.flush_blocking();
        of_loose(&telemetry).failed == SPANS - early
    });
    telemetry.shutdown_blocking().unwrap();
    let traces = health_of(&telemetry, Signal::Traces);
    assert_eq!((traces.exported, traces.stored), (early + small, 0), "{traces:?}");
}

/// While something moves, the counts do not add up.
fn of_loose(telemetry: &Telemetry) -> SignalHealth {
    telemetry.health().signal(Signal::Traces).unwrap().clone()
}

#[test]
fn what_the_collector_refuses_is_not_kept_and_the_size_is_bounded() {
    let test = "disk::what_the_collector_refuses_is_not_kept_and_the_size_is_bounded";
    if !child::is_child() {
        let folder = Folder::new("bounded");
        child::run(test, &[("TEST_FOLDER", folder.path()), ("RUST_LOG", "error")]);
        return;
    }
    let receiver = OtlpReceiver::start().unwrap();
    receiver.respond_with(Reply::InvalidArgument);
    let telemetry = patient()
        .with_endpoint(receiver.http_endpoint())
        .with_exporters(Signal::Metrics, ["none"])
        .with_exporters(Signal::Logs, ["none"])
        .with_disk_buffer(DiskBuffer::new(std::env::var("TEST_FOLDER").unwrap()).with_max_size(150_000))
        .install()
        .unwrap();
    work();
    telemetry.flush_blocking().unwrap_err();
    let traces = health_of(&telemetry, Signal::Traces);
    assert_eq!((traces.failed, traces.stored), (SPANS, 0), "{traces:?}");
    receiver.respond_with(Reply::Unavailable);
    for _ in 0..3 {
        work();
        telemetry.flush_blocking().unwrap_err();
    }
    // As long as the circuit is open, what comes waits in memory.
    eventually_blocking(PATIENCE, || {
        telemetry.flush_blocking().unwrap_err();
        let traces = of_loose(&telemetry);
        traces.dropped > 0 && traces.stored > 0
    });
    let size: u64 = walk(&PathBuf::from(std::env::var("TEST_FOLDER").unwrap()));
    assert!(size <= 150_000, "{size}");
    let error = telemetry.shutdown_blocking().unwrap_err();
    assert!(error.to_string().contains("kept on disk") && error.to_string().contains("on disk"), "{error}");
    assert!(!error.to_string().contains("was lost"), "{error}");
}

#[test]
fn what_somebody_deletes_during_an_outage_is_dropped_and_told() {
    let test = "disk::what_somebody_deletes_during_an_outage_is_dropped_and_told";
    if !child::is_child() {
        let folder = Folder::new("deleted");
        let finished = child::run(test, &[("TEST_FOLDER", folder.path())]);
        // More than one line, if somebody looked while the files were being deleted.
        let told = finished
            .lines(" items of traces that were kept on disk are lost: their files are gone or damaged, in ");
        let items = |line: &&str| line.split(" items").next()?.rsplit(' ').next()?.parse::<u64>().ok();
        assert_eq!(told.iter().filter_map(items).sum::<u64>(), SPANS, "{}", finished.console);
        assert!(told.iter().all(|line| line.contains("Let nobody but this service")), "{told:?}");
        let refused = finished.lines("does not take traces: No such file or directory");
        assert_eq!(refused.len(), 1, "{}", finished.console);
        assert!(refused[0].contains("whoever deleted the folder should not"), "{refused:?}");
        return;
    }
    let receiver = OtlpReceiver::start().unwrap();
    receiver.respond_with(Reply::Unavailable);
    let folder = std::env::var("TEST_FOLDER").unwrap();
    let telemetry = patient()
        .with_endpoint(receiver.http_endpoint())
        .with_exporters(Signal::Metrics, ["none"])
        .with_exporters(Signal::Logs, ["none"])
        .with_disk_buffer(DiskBuffer::new(&folder))
        .install()
        .unwrap();
    work();
    telemetry.flush_blocking().unwrap_err();
    assert_eq!(health_of(&telemetry, Signal::Traces).stored, SPANS);
    std::fs::remove_dir_all(&folder).unwrap();
    eventually_blocking(PATIENCE, || of_loose(&telemetry).dropped == SPANS);
    // What comes now is sent from memory.
    receiver.respond_with(Reply::Accept);
    work();
    eventually_blocking(PATIENCE, || telemetry.flush_blocking().is_ok());
    let traces = health_of(&telemetry, Signal::Traces);
    assert_eq!((traces.stored, traces.dropped, traces.exported), (0, SPANS, SPANS), "{traces:?}");
    telemetry.shutdown_blocking().unwrap();
}

fn walk(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).unwrap().flatten();
    entries
        .map(|entry| {
            let metadata = entry.metadata().unwrap();
            if metadata.is_dir() { walk(&entry.path()) } else { metadata.len() }
        })
        .sum()
}

#[test]
fn a_folder_that_cannot_be_used_is_a_warning() {
    let test = "disk::a_folder_that_cannot_be_used_is_a_warning";
    if child::is_child() {
        let receiver = OtlpReceiver::start().unwrap();
        let telemetry = patient().with_endpoint(receiver.http_endpoint()).install().unwrap();
        work();
        telemetry.shutdown_blocking().unwrap();
        assert_eq!(receiver.spans().len() as u64, SPANS);
        return;
    }
    let file = Folder::new("file");
    std::fs::write(&file.0, "a file").unwrap();
    let finished = child::run(test, &[(FOLDER, &format!("{}/below", file.path()))]);
    std::fs::remove_file(&file.0).unwrap();
    let told = finished.lines("is not used, telemetry waits in memory alone: ");
    assert_eq!(told.len(), 1, "{}", finished.console);
    assert!(told[0].contains("; let this service write there, or name another folder"), "{told:?}");
}

/// A command that root runs as somebody else: nothing is read-only to root.
#[cfg(unix)]
fn as_no_root(mut command: std::process::Command, writable: &Path) -> std::process::Command {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    use std::os::unix::process::CommandExt;
    if std::fs::metadata(writable).unwrap().uid() == 0 {
        std::fs::set_permissions(writable, std::fs::Permissions::from_mode(0o777)).unwrap();
        command.uid(65534).gid(65534);
    }
    command
}

#[cfg(unix)]
#[test]
fn what_cannot_be_removed_is_sent_once() {
    use std::os::unix::fs::PermissionsExt;
    let test = "disk::what_cannot_be_removed_is_sent_once";
    if !child::is_child() {
        let folder = Folder::new("read-only");
        std::fs::create_dir(&folder.0).unwrap();
        let base = format!("{}/base", folder.path());
        let command = child::command(test, &[("TEST_FOLDER", base.as_str())]);
        let output = match as_no_root(command, &folder.0).output() {
            Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {
                return println!("skipped: nobody else may run this program");
            }
            output => output.unwrap(),
        };
        let console = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{console}");
        for told in ["does not let go of traces that were sent: ", "does not take traces: "] {
            let told: Vec<_> = console.lines().filter(|line| line.contains(told)).collect();
            assert!(
                told.len() == 1 && told[0].to_lowercase().contains("let this service write there"),
                "{console}"
            );
        }
        return;
    }
    let receiver = OtlpReceiver::start().unwrap();
    receiver.respond_with(Reply::Unavailable);
    let base = PathBuf::from(std::env::var("TEST_FOLDER").unwrap());
    let telemetry = patient()
        .with_endpoint(receiver.http_endpoint())
        .with_exporters(Signal::Metrics, ["none"])
        .with_exporters(Signal::Logs, ["none"])
        .with_disk_buffer(DiskBuffer::new(&base))
        .install()
        .unwrap();
    work();
    telemetry.flush_blocking().unwrap_err();
    let own = std::fs::read_dir(&base).unwrap().next().unwrap().unwrap().path();
    let allow = |mode| std::fs::set_permissions(&own, std::fs::Permissions::from_mode(mode)).unwrap();
    allow(0o500);
    receiver.respond_with(Reply::Accept);
    let counts = || {
        let traces = of_loose(&telemetry);
        (traces.exported, traces.stored)
    };
    eventually_blocking(PATIENCE, || counts() == (SPANS, 0));
    // Each flush looks at what is on disk again.
    for _ in 0..3 {
        work();
        telemetry.flush_blocking().unwrap();
    }
    assert_eq!(receiver.spans().len() as u64, 4 * SPANS, "each once");
    assert!(requests_in(&base) > 0);
    allow(0o700);
    telemetry.flush_blocking().unwrap();
    let traces = health_of(&telemetry, Signal::Traces);
    assert_eq!((traces.exported, traces.dropped, traces.stored), (4 * SPANS, 0, 0), "{traces:?}");
    assert_eq!(requests_in(&base), 0, "nothing is left for the next process");
    telemetry.shutdown_blocking().unwrap();
}
