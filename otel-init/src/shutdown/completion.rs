//! A result that many can wait for, blocking or asynchronous, with any executor or none.

use std::future::poll_fn;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

/// Set once; every waiter gets a clone.
#[derive(Debug)]
pub(crate) struct Completion<T> {
    state: Mutex<State<T>>,
    completed: Condvar,
}

#[derive(Debug)]
struct State<T> {
    result: Option<T>,
    wakers: Vec<Waker>,
}

impl<T: Clone> Completion<T> {
    pub(crate) fn new() -> Self {
        Self { state: Mutex::new(State { result: None, wakers: Vec::new() }), completed: Condvar::new() }
    }

    /// Sets the result. Later calls change nothing.
    pub(crate) fn complete(&self, result: T) {
        let mut state = self.lock();
        if state.result.is_some() {
            return;
        }
        state.result = Some(result);
        let wakers = std::mem::take(&mut state.wakers);
        drop(state);
        self.completed.notify_all();
        wakers.into_iter().for_each(Waker::wake);
    }

    pub(crate) fn is_complete(&self) -> bool {
        self.lock().result.is_some()
    }

    /// Blocks this thread until the result is there.
    pub(crate) fn wait(&self) -> T {
        let mut state = self.lock();
        loop {
            if let Some(result) = &state.result {
                return result.clone();
            }
            state = self.completed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Resolves when the result is there.
    pub(crate) async fn completed(&self) -> T {
        poll_fn(|context| self.poll(context)).await
    }

    fn poll(&self, context: &mut Context<'_>) -> Poll<T> {
        let mut state = self.lock();
        if let Some(result) = &state.result {
            return Poll::Ready(result.clone());
        }
        if !state.wakers.iter().any(|waker| waker.will_wake(context.waker())) {
            state.wakers.push(context.waker().clone());
        }
        Poll::Pending
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::Completion;

    #[test]
    fn every_waiter_gets_the_first_result() {
        let completion = Arc::new(Completion::new());
        let waiters: Vec<_> = (0..4)
            .map(|index| {
                let completion = Arc::clone(&completion);
                std::thread::spawn(move || match index % 2 {
                    0 => completion.wait(),
                    _ => futures_executor::block_on(completion.completed()),
                })
            })
            .collect();
        completion.complete(1);
        completion.complete(2);
        for waiter in waiters {
            assert_eq!(waiter.join().unwrap(), 1);
        }
        assert_eq!(completion.wait(), 1);
    }
}
