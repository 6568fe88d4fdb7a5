//! Changes while the process runs.

use std::fs;
use std::sync::Arc;
use std::time::{Duration, Instant};

use opentelemetry::trace::{Span as _, Tracer, TracerProvider};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::trace::Sampler;

use super::super::live::{LiveChange, SamplerHandle};
use super::super::watched_file::WatchedFile;
use super::super::{AlwaysOff, RateLimit, Sampling, SamplingChange};
use super::{Exported, installed};

fn request(provider: &crate::TracerProvider, exported: &Exported, route: &'static str) -> Option<String> {
    let tracer = provider.tracer("test");
    let builder = tracer.span_builder("request").with_attributes([KeyValue::new("http.route", route)]);
    tracer.build_with_context(builder, &Context::new()).end();
    exported.take().pop().map(|span| span.span_context.trace_state().header())
}

#[test]
fn ratio_and_rules_hold_until_they_are_taken_back() {
    let (provider, exported, control) = installed(&Sampling::new(AlwaysOff));
    let handle = control.handle();
    assert_eq!(request(&provider, &exported, "/"), None);
    handle.set_ratio(1.0);
    assert_eq!(request(&provider, &exported, "/").as_deref(), Some("ot=th:0"));
    assert_eq!(handle.description(), "probability 100 %");
    handle.set(SamplingChange::new().with_route("/checkout", 1.0));
    assert_eq!(request(&provider, &exported, "/"), None);
    assert!(request(&provider, &exported, "/checkout").is_some());
    for no_share in [f64::NAN, -0.1, 1.1, f64::INFINITY] {
        handle.set_ratio(no_share);
        handle.set(SamplingChange::new().with_route("/", no_share));
    }
    assert!(request(&provider, &exported, "/checkout").is_some());
    handle.reset();
    assert_eq!(request(&provider, &exported, "/checkout"), None);
    assert_eq!(handle.description(), "always_off");
}

/// As by default: such a head has the only say as long as nothing else is said.
#[test]
fn a_change_holds_where_all_is_sampled_and_so_does_a_limit() {
    let all = |ratio| Sampling::sdk_named(Sampler::TraceIdRatioBased(ratio), "all".to_owned());
    let (provider, exported, control) = installed(&all(1.0));
    assert_eq!(request(&provider, &exported, "/").as_deref(), Some(""));
    control.handle().set_ratio(0.0);
    assert_eq!(request(&provider, &exported, "/"), None);
    control.handle().reset();
    assert!(request(&provider, &exported, "/").is_some());
    for (sampling, expected) in [(all(1.0).with_rate_limit(RateLimit::per_second(3.0)), 3), (all(0.0), 0)] {
        let (provider, exported, _control) = installed(&sampling);
        let sampled = (0..100).filter(|_| request(&provider, &exported, "/").is_some()).count();
        assert!((expected..=expected + 3).contains(&sampled), "{sampling}: {sampled}");
    }
}

#[test]
fn a_change_expires_with_the_first_decision_after_its_time() {
    let (provider, exported, control) = installed(&Sampling::new(AlwaysOff));
    let handle = control.handle();
    handle.set(SamplingChange::new().with_ratio(1.0).with_expiry(Duration::from_secs(3600)));
    assert!(request(&provider, &exported, "/").is_some());
    assert_eq!(handle.description(), "probability 100 %, for 3600 s");
    handle.set(SamplingChange::new().with_ratio(1.0).with_expiry(Duration::ZERO));
    assert_eq!(request(&provider, &exported, "/"), None);
    handle.set(SamplingChange::new().with_ratio(1.0).with_expiry(Duration::MAX));
    assert!(request(&provider, &exported, "/").is_some());
}

#[test]
fn a_file_does_the_same_and_the_handle_goes_before_it() {
    let path = std::env::temp_dir().join(format!("otel-init-sampler-{}.json", std::process::id()));
    let live = Arc::new(LiveChange::new("configured".to_owned(), false));
    let handle = SamplerHandle::new(Arc::clone(&live));
    let mut file = WatchedFile::new(path.clone(), live);
    file.look();
    assert_eq!(handle.description(), "configured");
    let mut write = |text: &str| {
        fs::write(&path, text).unwrap();
        file.look();
    };
    write(r#"{"ratio": 0.25, "rules": [{"route": "/a", "name": "GET *", "ratio": 1}]}"#);
    assert_eq!(
        handle.description(),
        "route /a and name GET *: probability 100 %; otherwise probability 25 %"
    );
    // One that cannot be used changes nothing.
    write("{");
    assert!(handle.description().ends_with("25 %"));
    handle.set_ratio(0.5);
    assert_eq!(handle.description(), "probability 50 %");
    handle.reset();
    assert!(handle.description().ends_with("25 %"));
    write(r#"{"ratio": 0.125, "expires_after_seconds": 100}"#);
    let description = handle.description();
    assert!(description.starts_with("probability 12.5 %, for "), "{description}");
    fs::remove_file(&path).unwrap();
    file.look();
    assert_eq!(handle.description(), "configured");
}

/// To open a pipe waits for somebody who writes; the installation must not.
#[cfg(unix)]
#[test]
fn what_is_no_file_is_not_opened() {
    let path = std::env::temp_dir().join(format!("otel-init-sampler-{}.pipe", std::process::id()));
    assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
    let live = Arc::new(LiveChange::new("configured".to_owned(), false));
    let mut file = WatchedFile::new(path.clone(), Arc::clone(&live));
    let (looked, has_looked) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        file.look();
        looked.send(()).unwrap();
    });
    let is_back = has_looked.recv_timeout(Duration::from_secs(60));
    fs::remove_file(&path).unwrap();
    assert_eq!(is_back, Ok(()));
    assert_eq!(SamplerHandle::new(live).description(), "configured");
}

#[test]
fn an_expired_change_is_forgotten_once() {
    let live = Arc::new(LiveChange::new("configured".to_owned(), false));
    let handle = SamplerHandle::new(Arc::clone(&live));
    let expiry = Duration::from_secs(3600);
    let before = Instant::now();
    handle.set(SamplingChange::new().with_ratio(0.5).with_expiry(expiry));
    live.expire(before + expiry - Duration::from_millis(1));
    assert!(handle.description().starts_with("probability 50 %, for "));
    live.expire(Instant::now() + expiry);
    assert_eq!(handle.description(), "configured");
}
