//! The page for Prometheus.

use opentelemetry::{KeyValue, global};
use otel_init::{Redact, Redaction, Signal, opentelemetry};

use crate::metrics::alone;
use crate::{PATIENCE, STALLED, patient};

#[test]
fn prometheus_fetches_what_was_measured() {
    use std::io::{Read, Write};
    let finished = alone("prometheus::prometheus_fetches_what_was_measured", || {
        let telemetry = patient()
            .with_environment(|name| match name {
                "OTEL_METRICS_EXPORTER" => Some("prometheus".to_owned()),
                "OTEL_EXPORTER_PROMETHEUS_PORT" => Some("0".to_owned()),
                "OTEL_TRACES_EXPORTER" | "OTEL_LOGS_EXPORTER" => Some("none".to_owned()),
                _ => None,
            })
            .with_service_name("shop")
            .install()
            .unwrap();
        let counter = global::meter("shop").u64_counter("orders").with_unit("{order}").build();
        counter.add(3, &[KeyValue::new("country", "de"), KeyValue::new("api.token", "hunter2")]);
        let address = telemetry.prometheus_address().unwrap();
        let port =
            telemetry.config().setting("meter_provider.readers[0].pull.exporter.prometheus.port").unwrap();
        assert_eq!(port.value(), address.port().to_string(), "of a port that the system gave");
        let ask = |request: &str| {
            let mut connection = std::net::TcpStream::connect(address).unwrap();
            connection.set_read_timeout(Some(PATIENCE)).unwrap();
            write!(connection, "{request} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").unwrap();
            let mut answer = String::new();
            connection.read_to_string(&mut answer).unwrap();
            answer
        };
        let page = ask("GET /metrics");
        assert!(page.starts_with("HTTP/1.1 200 OK"), "{page}");
        assert!(page.contains("content-type: text/plain; version=0.0.4"), "{page}");
        let line =
            page.lines().find(|line| line.starts_with("orders_total")).unwrap_or_else(|| panic!("{page}"));
        assert!(line.contains("country=\"de\"") && line.ends_with(" 3"), "{line}");
        assert!(page.contains("service_name=\"shop\""), "{page}");
        assert!(!page.contains("hunter2"), "{page}");
        assert!(ask("GET /admin").starts_with("HTTP/1.1 404"));
        assert!(ask("POST /metrics").starts_with("HTTP/1.1 405"));
        assert!(ask("garbage").starts_with("HTTP/1.1 400"));
        counter.add(1, &[KeyValue::new("country", "de")]);
        assert!(ask("GET /").contains("orders_total"));
        telemetry.control().set_exported(Signal::Metrics, false);
        let page = ask("GET /metrics");
        assert!(page.starts_with("HTTP/1.1 200 OK") && !page.contains("orders_total"), "{page}");
        telemetry.control().set_exported(Signal::Metrics, true);
        assert!(ask("GET /metrics").contains("orders_total"));
        telemetry.shutdown_blocking().unwrap();
        // Prometheus takes a page that is gone for the end of its series, and one that stands still for a service that does.
        let deadline = std::time::Instant::now() + PATIENCE;
        while std::net::TcpStream::connect(address).is_ok() {
            assert!(std::time::Instant::now() < deadline, "the page is still there");
            std::thread::yield_now();
        }
    });
    if let Some(finished) = finished {
        assert_eq!(finished.lines("WARN").len(), 0, "{}", finished.console);
    }
}

#[test]
fn rules_for_keys_hold_on_the_page_for_prometheus_where_keys_have_no_dots() {
    use std::io::{Read, Write};
    alone("prometheus::rules_for_keys_hold_on_the_page_for_prometheus_where_keys_have_no_dots", || {
        let redaction = Redaction::new()
            .with_key("shop.customer", Redact::Drop)
            .with_key("page.*-token", Redact::Keep)
            .with_personal_data()
            .with_allowed_keys(["shop.*", "user.id", "http.route", "page.*", "k8s.secret.name"]);
        let telemetry = patient()
            .with_exporters(Signal::Metrics, ["prometheus"])
            .with_exporters(Signal::Traces, ["none"])
            .with_exporters(Signal::Logs, ["none"])
            .with_environment(|name| (name == "OTEL_EXPORTER_PROMETHEUS_PORT").then(|| "0".to_owned()))
            .with_service_name("shop")
            .with_redaction(redaction)
            .with_cardinality_limit(1)
            .install()
            .unwrap();
        let attributes = [
            KeyValue::new("shop.customer", "Ada"),
            KeyValue::new("user.id", "ada-1815"),
            KeyValue::new("session.id", "not allowed"),
            KeyValue::new("http.route", "/orders"),
            KeyValue::new("page.next-token", "third"),
            KeyValue::new("k8s.secret.name", "tls"),
        ];
        let orders = global::meter("till").u64_counter("orders").build();
        orders.add(3, &attributes);
        orders.add(4, &[KeyValue::new("http.route", "/other")]);
        let mut connection = std::net::TcpStream::connect(telemetry.prometheus_address().unwrap()).unwrap();
        write!(connection, "GET /metrics HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").unwrap();
        let mut page = String::new();
        connection.read_to_string(&mut page).unwrap();
        for hidden in ["Ada", "ada-1815", "not allowed"] {
            assert!(!page.contains(hidden), "{hidden} is in {page}");
        }
        let line = page.lines().find(|line| line.contains("http_route")).unwrap_or_else(|| panic!("{page}"));
        for kept in ["http_route=\"/orders\"", "page_next_token=\"third\"", "k8s_secret_name=\"tls\""] {
            assert!(line.contains(kept), "{kept} is not in {line}");
        }
        assert!(page.contains("otel_metric_overflow=\"true\""), "{page}");
        // They say whose the metric is, and were protected before.
        assert!(line.contains("otel_scope_name=\"till\""), "{line}");
        assert!(page.contains("service_name=\"shop\""), "{page}");
        telemetry.shutdown_blocking().unwrap();
    });
}

#[test]
fn who_asks_for_the_page_and_does_not_read_it_takes_it_from_nobody_for_long() {
    use std::io::{Read, Write};
    alone("prometheus::who_asks_for_the_page_and_does_not_read_it_takes_it_from_nobody_for_long", || {
        let telemetry = patient()
            .with_exporters(Signal::Metrics, ["prometheus"])
            .with_exporters(Signal::Traces, ["none"])
            .with_exporters(Signal::Logs, ["none"])
            .with_environment(|name| (name == "OTEL_EXPORTER_PROMETHEUS_PORT").then(|| "0".to_owned()))
            .install()
            .unwrap();
        // More than the system takes for who does not read: Linux keeps 4 MiB and a little.
        const PARTS: usize = 800;
        let orders = global::meter("till").u64_counter("orders").build();
        for number in 0..PARTS {
            orders.add(1, &[KeyValue::new("note", format!("{number:08192}x"))]);
        }
        let address = telemetry.prometheus_address().unwrap();
        let ask = || {
            let mut connection = std::net::TcpStream::connect(address).unwrap();
            connection.set_read_timeout(Some(PATIENCE)).unwrap();
            write!(connection, "GET /metrics HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").unwrap();
            connection
        };
        // One after the other: of many at once, a busy machine does not make the last page in its time.
        let idle = || {
            let mut connection = ask();
            connection.read_exact(&mut [0]).unwrap();
            connection
        };
        let _idle: Vec<_> = (0..16).map(|_| idle()).collect();
        let mut page = Vec::new();
        ask().read_to_end(&mut page).unwrap();
        assert!(page.starts_with(b"HTTP/1.1 200 OK") && page.len() > PARTS * 8192, "{}", page.len());
        telemetry.shutdown_blocking().unwrap();
    });
}

#[test]
fn connections_without_a_word_keep_nobody_out() {
    use std::io::{Read, Write};
    alone("prometheus::connections_without_a_word_keep_nobody_out", || {
        let telemetry = patient()
            .with_exporters(Signal::Metrics, ["prometheus"])
            .with_exporters(Signal::Traces, ["none"])
            .with_exporters(Signal::Logs, ["none"])
            .with_environment(|name| (name == "OTEL_EXPORTER_PROMETHEUS_PORT").then(|| "0".to_owned()))
            .install()
            .unwrap();
        let address = telemetry.prometheus_address().unwrap();
        // Sixteen are served at a time, each for ten seconds if it says nothing: these would take a minute.
        let _silent: Vec<_> = (0..100).map(|_| std::net::TcpStream::connect(address).unwrap()).collect();
        let mut connection = std::net::TcpStream::connect(address).unwrap();
        connection.set_read_timeout(Some(STALLED)).unwrap();
        write!(connection, "GET /metrics HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
        let mut page = String::new();
        connection.read_to_string(&mut page).unwrap();
        assert!(page.starts_with("HTTP/1.1 200 OK"), "{page}");
        telemetry.shutdown_blocking().unwrap();
    });
}

#[test]
fn an_address_that_is_taken_is_a_warning() {
    let finished = alone("prometheus::an_address_that_is_taken_is_a_warning", || {
        let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = taken.local_addr().unwrap().port();
        let telemetry = patient()
            .with_exporters(Signal::Metrics, ["prometheus"])
            .with_exporters(Signal::Traces, ["none"])
            .with_exporters(Signal::Logs, ["none"])
            .with_environment(move |name| match name {
                "OTEL_EXPORTER_PROMETHEUS_PORT" => Some(port.to_string()),
                "OTEL_EXPORTER_PROMETHEUS_HOST" => Some("127.0.0.1".to_owned()),
                _ => None,
            })
            .install()
            .unwrap();
        assert_eq!(telemetry.prometheus_address(), None);
        assert!(!telemetry.config().to_string().contains("exporter.prometheus"), "{}", telemetry.config());
        telemetry.shutdown_blocking().unwrap();
    });
    if let Some(finished) = finished {
        let lines = finished.lines("metrics cannot be fetched by Prometheus from 127.0.0.1:");
        assert_eq!(lines.len(), 1, "{}", finished.console);
        assert!(lines[0].contains("the service runs without: "), "{lines:?}");
        assert!(lines[0].contains("OTEL_EXPORTER_PROMETHEUS_PORT"), "{lines:?}");
        assert_eq!(finished.lines("exporting nothing; ").len(), 1, "{}", finished.console);
    }
}
