//! What a thread keeps for itself is dropped when it ends, and may hold requests that are being answered, or make others.
//! A panic there ends the process, so a test that fails takes all others along.

use std::cell::RefCell;
use std::future::pending;

use axum::Router;
use axum::body::Body;
use axum::routing::get as on_get;
use futures_util::FutureExt;
use http::Request;
use otel_testing::TestTelemetry;
use tower::ServiceExt;

use crate::support::server_layer;

struct AtEnd(Option<Box<dyn FnOnce()>>);

impl Drop for AtEnd {
    fn drop(&mut self) {
        if let Some(action) = self.0.take() {
            action();
        }
    }
}

thread_local! {
    // The first that a thread has is the last that it drops: what the layers keep for the thread is gone by then.
    static FIRST: RefCell<AtEnd> = const { RefCell::new(AtEnd(None)) };
}

fn request(path: &'static str) -> Request<Body> {
    let request = Request::get(path).header("host", "shop.example:80").header("user-agent", "a test");
    request.body(Body::empty()).unwrap()
}

#[test]
fn a_request_is_dropped_and_another_one_answered_when_the_thread_ends() {
    let telemetry = TestTelemetry::new();
    let app: Router = Router::new()
        .route("/slow", on_get(pending::<String>))
        .route("/fast/{id}", on_get(async || "fast"))
        .layer(server_layer(&telemetry).for_axum().build());
    let thread = std::thread::spawn(move || {
        FIRST.with_borrow(|_| ());
        let mut slow = Box::pin(app.clone().oneshot(request("/slow")));
        assert!(slow.as_mut().now_or_never().is_none());
        FIRST.with_borrow_mut(|first| {
            first.0 = Some(Box::new(move || {
                drop(slow);
                let answer = app.oneshot(request("/fast/1")).now_or_never();
                drop(answer.unwrap().unwrap());
            }));
        });
    });
    thread.join().unwrap();
    let mut names: Vec<_> = telemetry.spans().iter().map(|span| span.name.to_string()).collect();
    names.sort_unstable();
    assert_eq!(names, ["GET /fast/{id}", "GET /slow"]);
}
