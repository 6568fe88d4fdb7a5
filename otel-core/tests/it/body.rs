//! What becomes of a body, each end seen once.

use std::cell::RefCell;
use std::convert::Infallible;
use std::rc::Rc;

use bytes::{Buf, Bytes};
use http::{HeaderMap, HeaderValue};
use http_body::{Body, Frame};
use http_body_util::{BodyExt, Empty, Full, StreamBody};
use otel_core::{BodyObserver, ObservedBody};

type Log = Rc<RefCell<Vec<String>>>;

/// Writes down what it is told; the log's last strong reference tells a drop.
#[derive(Debug)]
struct Observer(Log);

impl<E: std::fmt::Display> BodyObserver<E> for Observer {
    fn chunk(&mut self, chunk: &impl Buf) {
        self.0.borrow_mut().push(format!("{} bytes", chunk.remaining()));
    }
    fn trailers(&mut self, trailers: &HeaderMap) {
        self.0.borrow_mut().push(format!("{} trailers", trailers.len()));
    }
    fn end(self) {
        self.0.borrow_mut().push("end".into());
    }
    fn error(self, error: &E) {
        self.0.borrow_mut().push(format!("error: {error}"));
    }
}

fn observed<B: Body>(body: B) -> (ObservedBody<B, Observer>, Log)
where
    B::Error: std::fmt::Display,
{
    let log = Log::default();
    (ObservedBody::new(body, Observer(Rc::clone(&log))), log)
}

fn frames(frames: Vec<Result<Frame<Bytes>, String>>) -> impl Body<Data = Bytes, Error = String> + Unpin {
    StreamBody::new(futures_util::stream::iter(frames))
}

fn data(text: &'static str) -> Result<Frame<Bytes>, String> {
    Ok(Frame::data(Bytes::from_static(text.as_bytes())))
}

#[tokio::test]
async fn read_whole() {
    let (body, log) = observed(frames(vec![data("abc"), data("de")]));
    assert_eq!(body.collect().await.unwrap().to_bytes(), "abcde");
    assert_eq!(*log.borrow(), ["3 bytes", "2 bytes", "end"]);
}

#[test]
fn empty_ends_at_once() {
    let (_body, log) = observed(Empty::<Bytes>::new());
    assert_eq!(*log.borrow(), ["end"]);
}

#[tokio::test]
async fn nothing_more_to_come_is_the_end_without_another_poll() {
    let (mut body, log) = observed(Full::new(Bytes::from_static(b"abc")));
    body.frame().await.unwrap().unwrap();
    assert_eq!(*log.borrow(), ["3 bytes", "end"]);
    assert!(body.is_end_stream());
}

#[tokio::test]
async fn what_the_headers_announce_is_the_end_if_the_body_is_dropped_then() {
    for (announced, expected) in [(Some(5), &["end"][..]), (Some(6), &[]), (None, &[])] {
        let (body, log) = observed(frames(vec![data("abc"), data("de")]));
        let mut body = body.with_announced_length(announced);
        body.frame().await.unwrap().unwrap();
        body.frame().await.unwrap().unwrap();
        drop(body);
        assert_eq!(log.borrow()[2..], *expected, "{announced:?}");
    }
}

#[tokio::test]
async fn trailers_are_seen() {
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from_static("0"));
    let (body, log) = observed(frames(vec![data("abc"), Ok(Frame::trailers(trailers))]));
    body.collect().await.unwrap();
    assert_eq!(*log.borrow(), ["3 bytes", "1 trailers", "end"]);
}

#[tokio::test]
async fn an_error_is_the_end() {
    let (mut body, log) = observed(frames(vec![data("abc"), Err("reset".into())]));
    body.frame().await.unwrap().unwrap();
    assert_eq!(body.frame().await.unwrap().unwrap_err(), "reset");
    drop(body);
    assert_eq!(*log.borrow(), ["3 bytes", "error: reset"]);
}

#[tokio::test]
async fn dropped_before_and_between() {
    for read in 0..2 {
        let (mut body, log) = observed(frames(vec![data("abc"), data("de")]));
        for _ in 0..read {
            body.frame().await.unwrap().unwrap();
        }
        assert_eq!(Rc::strong_count(&log), 2);
        drop(body);
        assert_eq!(Rc::strong_count(&log), 1, "the observer is dropped with the body");
        assert!(!log.borrow().contains(&"end".to_owned()));
    }
}

#[tokio::test]
async fn dropped_after_its_announced_length_has_passed_is_the_end() {
    /// A body that knows its length and not that it is finished, as a handler's stream with Content-Length.
    struct Sized(Option<Bytes>);
    impl Body for Sized {
        type Data = Bytes;
        type Error = Infallible;
        fn poll_frame(
            mut self: std::pin::Pin<&mut Self>,
            _: &mut std::task::Context<'_>,
        ) -> std::task::Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            std::task::Poll::Ready(self.0.take().map(|bytes| Ok(Frame::data(bytes))))
        }
        fn size_hint(&self) -> http_body::SizeHint {
            http_body::SizeHint::with_exact(self.0.as_ref().map_or(0, |bytes| bytes.len() as u64))
        }
    }
    let (mut body, log) = observed(Sized(Some(Bytes::from_static(b"abc"))));
    body.frame().await.unwrap().unwrap();
    drop(body);
    assert_eq!(*log.borrow(), ["3 bytes", "end"]);
}
