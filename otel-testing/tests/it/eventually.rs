use std::future::Future;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use otel_testing::{eventually, eventually_blocking};

use crate::spans::panic_message;

const LONG: Duration = Duration::from_secs(30);

/// Without tokio's clock, as a bare executor would be.
fn block_on<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

#[test]
fn returns_the_value_that_another_thread_makes() {
    let (sender, receiver) = mpsc::channel();
    let start = Instant::now();
    let thread = thread::spawn(move || sender.send(7));
    assert_eq!(block_on(eventually(LONG, || receiver.try_recv().ok())), 7);
    thread.join().unwrap().unwrap();
    assert!(start.elapsed() < LONG);

    let (sender, receiver) = mpsc::channel();
    let thread = thread::spawn(move || sender.send(8));
    assert_eq!(eventually_blocking(Duration::MAX, || receiver.try_recv().ok()), 8);
    thread.join().unwrap().unwrap();
}

#[test]
fn lets_other_tasks_of_a_single_threaded_runtime_run() {
    block_on(async {
        let task = tokio::spawn(async { 7 });
        eventually(LONG, || task.is_finished()).await;
        assert_eq!(task.await.unwrap(), 7);
    });
}

#[test]
fn looks_again_until_it_holds() {
    let mut looks = 0;
    eventually_blocking(LONG, || {
        looks += 1;
        looks == 3
    });
    let mut looks = 0;
    block_on(eventually(LONG, || {
        looks += 1;
        looks == 3
    }));
    assert_eq!(looks, 3);
}

#[test]
fn gives_up_at_the_bound_and_names_the_line() {
    let short = Duration::from_millis(20);
    let line = line!() + 1;
    let message = panic_message(|| eventually_blocking(short, || false));
    assert_eq!(message, format!("the condition at {}:{line}:{} did not hold within 20ms", file!(), 36));
    let line = line!() + 1;
    let message = panic_message(|| block_on(eventually(short, || false)));
    assert_eq!(message, format!("the condition at {}:{line}:{} did not hold within 20ms", file!(), 45));
}

#[test]
fn the_last_reason_why_not_is_told() {
    let mut looks = 0;
    let counting = || {
        looks += 1;
        if looks < 3 { Err(format!("looked {looks} times")) } else { Ok(looks) }
    };
    assert_eq!(eventually_blocking(LONG, counting), 3);
    let message =
        panic_message(|| eventually_blocking(Duration::ZERO, || Err::<(), _>("no span has ended\n")));
    assert!(message.ends_with(" did not hold within 0ns: no span has ended\n"), "{message}");
    let never = || eventually(Duration::ZERO, || Err::<(), _>("not yet"));
    assert!(panic_message(|| block_on(never())).ends_with(" did not hold within 0ns: not yet"));
}
