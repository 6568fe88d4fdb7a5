//! Texts that come again and again, made once.
//!
//! A span's name, its route and the host that clients ask for take few values, yet each request would allocate them
//! anew. Each cache belongs to a thread, so that no lock is shared, and is bounded, because clients choose some of the
//! texts: what does not fit is allocated as ever.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use opentelemetry::{StringValue, Value};

use crate::HttpRoute;
use crate::url::bounded;

/// More routes than any service has; a "route" that is made of user input stops being cached here.
const MAX_ROUTES: usize = 2_000;

/// Slots for texts that clients choose.
const TEXT_SLOTS: usize = 32;

/// The longest text that is kept, of a route too.
const MAX_TEXT_LENGTH: usize = 256;

/// A route's template and the span names that begin with a method.
#[derive(Debug)]
pub(crate) struct CachedRoute {
    pub(crate) template: &'static str,
    names: Mutex<HashMap<&'static str, &'static str>>,
}

/// All routes of the process. They are never freed, which is bounded by [`MAX_ROUTES`] and lets spans borrow them.
static ROUTES: LazyLock<Mutex<HashMap<&'static str, &'static CachedRoute>>> = LazyLock::new(Mutex::default);

type Names = HashMap<(&'static str, &'static str), &'static str>;

thread_local! {
    static THREAD_ROUTES: RefCell<HashMap<&'static str, &'static CachedRoute>> = RefCell::default();
    static THREAD_NAMES: RefCell<Names> = RefCell::default();
    static THREAD_TEXTS: RefCell<[Option<Arc<str>>; TEXT_SLOTS]> = const { RefCell::new([const { None }; TEXT_SLOTS]) };
}

/// A route that is known for the process's life, or a text of this request.
#[derive(Clone, Debug)]
pub(crate) enum Route {
    Cached(&'static CachedRoute),
    Own(String),
}

impl Route {
    pub(crate) fn new(template: &str) -> Self {
        if template.len() > MAX_TEXT_LENGTH {
            return Self::Own(template.to_owned());
        }
        let cached = THREAD_ROUTES.with_borrow_mut(|routes| {
            routes.get(template).copied().or_else(|| {
                let route = cached_route(template)?;
                routes.insert(route.template, route);
                Some(route)
            })
        });
        cached.map_or_else(|| Self::Own(template.to_owned()), Self::Cached)
    }

    /// The route as a layer further out reads it from the response.
    pub(crate) fn into_http_route(self) -> HttpRoute {
        match self {
            Self::Cached(route) => HttpRoute::new(route.template),
            Self::Own(template) => HttpRoute::new(template),
        }
    }

    /// The template as an attribute's value.
    pub(crate) fn value(&self) -> Value {
        match self {
            Self::Cached(route) => Value::from(route.template),
            Self::Own(template) => Value::from(template.clone()),
        }
    }

    /// The span's name: method and template.
    pub(crate) fn span_name(&self, method: &'static str) -> Cow<'static, str> {
        match self {
            Self::Cached(route) => Cow::Borrowed(THREAD_NAMES.with_borrow_mut(|names| {
                *names.entry((method, route.template)).or_insert_with(|| route.name(method))
            })),
            Self::Own(template) => Cow::Owned(format!("{method} {template}")),
        }
    }
}

impl CachedRoute {
    /// `method` is a known one, so a route has few names.
    fn name(&self, method: &'static str) -> &'static str {
        let mut names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        names.entry(method).or_insert_with(|| leak(format!("{method} {}", self.template)))
    }
}

fn cached_route(template: &str) -> Option<&'static CachedRoute> {
    let mut routes = ROUTES.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(route) = routes.get(template) {
        return Some(route);
    }
    if routes.len() == MAX_ROUTES {
        return None;
    }
    let template = leak(template.to_owned());
    let route: &'static CachedRoute = Box::leak(Box::new(CachedRoute { template, names: Mutex::default() }));
    routes.insert(template, route);
    Some(route)
}

fn leak(text: String) -> &'static str {
    Box::leak(text.into_boxed_str())
}

/// A text that a client chose and that probably comes again: a host, a user agent.
pub(crate) fn repeated_text(text: &str) -> Value {
    if text.len() > MAX_TEXT_LENGTH {
        return Value::from(bounded(text).to_owned());
    }
    THREAD_TEXTS.with_borrow_mut(|texts| {
        let slot = &mut texts[slot_of(text)];
        let kept = match slot {
            Some(kept) if **kept == *text => Arc::clone(kept),
            _ => Arc::clone(slot.insert(Arc::from(text))),
        };
        Value::String(StringValue::from(kept))
    })
}

/// Length and ends tell usual hosts and user agents apart, and take no time.
fn slot_of(text: &str) -> usize {
    let bytes = text.as_bytes();
    let [first, last] = [bytes.first(), bytes.last()].map(|byte| usize::from(byte.copied().unwrap_or(0)));
    let middle = usize::from(bytes.get(bytes.len() / 2).copied().unwrap_or(0));
    (bytes.len() + 7 * first + 13 * last + 31 * middle) % TEXT_SLOTS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_route_is_made_once_and_names_its_spans() {
        let (first, second) = (Route::new("/users/{id}"), Route::new("/users/{id}"));
        match (&first, &second) {
            (Route::Cached(one), Route::Cached(other)) => assert!(std::ptr::eq(*one, *other)),
            other => panic!("{other:?}"),
        }
        assert_eq!(first.span_name("GET"), "GET /users/{id}");
        assert_eq!(second.span_name("POST"), "POST /users/{id}");
        assert_eq!(second.span_name("GET"), "GET /users/{id}");
    }

    #[test]
    fn a_route_made_of_a_long_path_is_not_kept() {
        assert!(matches!(Route::new(&"/a".repeat(1_000)), Route::Own(_)));
    }

    #[test]
    fn texts_that_share_a_slot_do_not_mix() {
        for round in 0..2 {
            for number in 0..1_000 {
                let text = format!("host-{number}.example");
                assert_eq!(repeated_text(&text), Value::from(text), "round {round}");
            }
        }
        let long = "a".repeat(1_000);
        assert_eq!(repeated_text(&long), Value::from(long));
    }
}
