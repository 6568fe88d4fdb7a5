//! What a browser does: asks whether it may send `traceparent` to another origin, and then sends it.

use std::time::Duration;

use crate::fleet::Fleet;

#[tokio::test]
async fn a_page_of_another_origin_hands_over_its_trace() {
    let mut fleet = Fleet::start(Duration::ZERO).await;
    let events = format!("{}/events", fleet.gateway);
    let preflight = fleet
        .http
        .request(reqwest::Method::OPTIONS, &events)
        .header("origin", "https://shop.example")
        .header("access-control-request-method", "POST")
        .header("access-control-request-headers", "baggage,content-type,traceparent,tracestate")
        .send()
        .await
        .unwrap();
    assert_eq!(preflight.status(), 200);
    assert_eq!(preflight.headers()["access-control-allow-origin"], "*");
    let allowed = preflight.headers()["access-control-allow-headers"].to_str().unwrap().to_ascii_lowercase();
    for header in ["traceparent", "tracestate", "baggage", "content-type"] {
        assert!(allowed.split(',').any(|name| name.trim() == header), "{allowed}");
    }

    let trace_id = "0af7651916cd43dd8448eb211c80319c";
    let sent = fleet
        .http
        .post(&events)
        .header("origin", "https://shop.example")
        .header("traceparent", format!("00-{trace_id}-b7ad6b7169203331-01"))
        .json(&serde_json::json!({"page": "product"}))
        .send()
        .await
        .unwrap();
    assert_eq!(sent.status(), 204);
    assert_eq!(sent.headers()["access-control-allow-origin"], "*");
    assert!(sent.headers().contains_key("x-request-id"));
    fleet.stop();

    let trace = fleet.receiver.trace(trace_id).expect("the gateway continues the browser's trace");
    let [span] = &trace.spans[..] else { panic!("{}", trace.tree()) };
    assert_eq!(span.parent_span_id.as_deref(), Some("b7ad6b7169203331"));
    assert_eq!(span.name, "POST /events");
}

#[tokio::test]
async fn words_that_the_shop_does_not_know_are_refused_and_reach_no_metric() {
    let mut fleet = Fleet::start(Duration::ZERO).await;
    let event = fleet.http.post(format!("{}/events", fleet.gateway));
    let refused = event.json(&serde_json::json!({"page": "of-my-own-making"})).send().await.unwrap();
    assert_eq!(refused.status(), 422);
    fleet.stop();
    assert!(!fleet.receiver.to_otlp_json().unwrap().contains("of-my-own-making"));
}

#[tokio::test]
async fn the_page_is_there_and_compressed_for_those_who_ask() {
    let fleet = Fleet::start(Duration::ZERO).await;
    let page = fleet.http.get(&fleet.gateway).header("accept-encoding", "gzip").send().await.unwrap();
    assert_eq!(page.headers()["content-encoding"], "gzip");
    let page = fleet.http.get(&fleet.gateway).send().await.unwrap().text().await.unwrap();
    assert!(page.contains("traceparent"), "{page}");
}
