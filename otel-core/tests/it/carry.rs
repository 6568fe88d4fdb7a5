//! The context reaches work that moves elsewhere.

use opentelemetry::Context;
use otel_core::carry;

#[derive(Debug, PartialEq)]
struct Order(u32);

fn order() -> Option<u32> {
    Context::current().get::<Order>().map(|order| order.0)
}

#[cfg(feature = "tokio")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_tasks_and_blocking_work() {
    let (task, lost, blocking) = {
        let _attached = Context::current_with_value(Order(7)).attach();
        (
            carry::spawn(async {
                tokio::task::yield_now().await; // other polls, maybe on another thread
                order()
            }),
            tokio::spawn(async { order() }),
            carry::spawn_blocking(order),
        )
    };
    assert_eq!(task.await.unwrap(), Some(7));
    assert_eq!(blocking.await.unwrap(), Some(7));
    assert_eq!(lost.await.unwrap(), None, "tokio::spawn alone loses it, or this test shows nothing");
}

#[tokio::test(start_paused = true)]
async fn over_timers() {
    let future = {
        let _attached = Context::current_with_value(Order(7)).attach();
        carry::future(async {
            tokio::time::sleep(std::time::Duration::from_secs(60)).await;
            order()
        })
    };
    assert_eq!(future.await, Some(7));
}

#[test]
fn over_threads_and_callbacks() {
    let attached = Context::current_with_value(Order(7)).attach();
    let once = carry::closure(order);
    let mut often = carry::callback(order);
    drop(attached);
    assert_eq!(std::thread::spawn(once).join().unwrap(), Some(7));
    assert_eq!((often(), often(), order()), (Some(7), Some(7), None));
}

#[test]
fn over_channels() {
    let (sender, receiver) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let _attached = Context::current_with_value(Order(7)).attach();
        sender.send(carry::Message::new("order")).unwrap();
    });
    let (value, context) = receiver.recv().unwrap().into_parts();
    let _attached = context.attach();
    assert_eq!((value, order()), ("order", Some(7)));
}
