//! Texts that come again and again, made once.
//!
//! A span's name, its route and the host that clients ask for take few values, yet each request would allocate them
//! anew. Each cache belongs to a thread, so that no lock is shared, and is bounded, because clients choose some of the
//! texts: what does not fit is allocated as ever.

use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, OnceLock, PoisonError};

use opentelemetry::{StringValue, Value};
use otel_core::bounded;

use crate::HttpRoute;
use crate::method::{MethodName, method_names};
use crate::url::host_and_port;

/// More routes than any service has; a "route" that is made of user input stops being cached here.
const MAX_ROUTES: usize = 2_000;

/// Slots for texts that clients choose.
const TEXT_SLOTS: usize = 32;

/// The longest text that is kept, of a route too.
const MAX_TEXT_LENGTH: usize = 256;

/// Slots for routes; those that share a slot are found in a map.
const ROUTE_SLOTS: usize = 256;

/// A route's template and the span names that begin with a method.
#[derive(Debug)]
pub(crate) struct CachedRoute {
    pub(crate) template: &'static str,
    /// By the index of the method.
    names: Box<[OnceLock<&'static str>]>,
}

/// All routes of the process. They are never freed, which is bounded by [`MAX_ROUTES`] and lets spans borrow them.
static ROUTES: LazyLock<Mutex<HashMap<&'static str, &'static CachedRoute>>> = LazyLock::new(Mutex::default);

/// What a client chose, and what was found in it.
struct CachedHost {
    text: Box<str>,
    host: Arc<str>,
    port: Option<u16>,
}

thread_local! {
    static ROUTE_SLOT: [Cell<Option<&'static CachedRoute>>; ROUTE_SLOTS] =
        const { [const { Cell::new(None) }; ROUTE_SLOTS] };
    static THREAD_ROUTES: RefCell<HashMap<&'static str, &'static CachedRoute>> = RefCell::default();
    static THREAD_TEXTS: RefCell<[Option<Arc<str>>; TEXT_SLOTS]> = const { RefCell::new([const { None }; TEXT_SLOTS]) };
    static THREAD_HOSTS: RefCell<[Option<CachedHost>; TEXT_SLOTS]> = const { RefCell::new([const { None }; TEXT_SLOTS]) };
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
        ROUTE_SLOT.with(|slots| {
            let slot = &slots[hash_of(template) % ROUTE_SLOTS];
            match slot.get() {
                Some(route) if route.template == template => Self::Cached(route),
                _ => Self::find(template, slot),
            }
        })
    }

    #[cold]
    fn find(template: &str, slot: &Cell<Option<&'static CachedRoute>>) -> Self {
        // A thread that is ending keeps nothing any more.
        let cached = THREAD_ROUTES.try_with(|routes| {
            let mut routes = routes.borrow_mut();
            routes.get(template).copied().or_else(|| {
                let route = cached_route(template)?;
                routes.insert(route.template, route);
                Some(route)
            })
        });
        let cached = cached.unwrap_or_else(|_| cached_route(template));
        slot.set(cached.or(slot.get()));
        cached.map_or_else(|| Self::Own(template.to_owned()), Self::Cached)
    }

    /// The route as a layer further out reads it from the response.
    pub(crate) fn into_http_route(self) -> HttpRoute {
        match self {
            Self::Cached(route) => HttpRoute::new(route.template),
            Self::Own(template) => HttpRoute::new(template),
        }
    }

    pub(crate) fn cached(&self) -> Option<&'static CachedRoute> {
        match self {
            Self::Cached(route) => Some(route),
            Self::Own(_) => None,
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
    pub(crate) fn span_name(&self, method: MethodName) -> Cow<'static, str> {
        match self {
            Self::Cached(route) => Cow::Borrowed(route.name(method)),
            Self::Own(template) => Cow::Owned(format!("{} {template}", method.in_name())),
        }
    }
}

impl CachedRoute {
    /// The methods are few, and so are a route's names.
    fn name(&self, method: MethodName) -> &'static str {
        match self.names.get(method.index) {
            Some(name) => name.get_or_init(|| leak(format!("{} {}", method.in_name(), self.template))),
            None => self.template,
        }
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
    let names = (0..method_names()).map(|_| OnceLock::new()).collect();
    let route: &'static CachedRoute = Box::leak(Box::new(CachedRoute { template, names }));
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
    let kept = THREAD_TEXTS.try_with(|texts| {
        let slot = &mut texts.borrow_mut()[hash_of(text) % TEXT_SLOTS];
        match slot {
            Some(kept) if **kept == *text => Arc::clone(kept),
            _ => Arc::clone(slot.insert(Arc::from(text))),
        }
    });
    Value::String(StringValue::from(kept.unwrap_or_else(|_| Arc::from(text))))
}

/// The host and the port of a text that a client chose and that probably comes again: a `Host` header, an authority.
pub(crate) fn repeated_host(text: &str) -> Option<(Value, Option<u16>)> {
    let not_kept = || host_and_port(text).map(|(host, port)| (Value::from(bounded(host).to_owned()), port));
    if text.len() > MAX_TEXT_LENGTH {
        return not_kept();
    }
    let kept = THREAD_HOSTS.try_with(|hosts| {
        let slot = &mut hosts.borrow_mut()[hash_of(text) % TEXT_SLOTS];
        let known = match slot {
            Some(known) if *known.text == *text => known,
            _ => {
                let (host, port) = host_and_port(text)?;
                slot.insert(CachedHost { text: text.into(), host: Arc::from(host), port })
            }
        };
        Some((Value::String(StringValue::from(Arc::clone(&known.host))), known.port))
    });
    kept.unwrap_or_else(|_| not_kept())
}

/// Length and ends tell usual routes, hosts and user agents apart, and take no time.
fn hash_of(text: &str) -> usize {
    let bytes = text.as_bytes();
    let word = |part: Option<&[u8; 8]>| part.map_or(0, |part| u64::from_ne_bytes(*part));
    let (first, last) = match bytes.len() {
        0..8 => (bytes.iter().fold(0, |all, byte| (all << 8) | u64::from(*byte)), 0),
        _ => (word(bytes.first_chunk()), word(bytes.last_chunk())),
    };
    let middle = u64::from(bytes.get(bytes.len() / 2).copied().unwrap_or(0));
    let mixed = (first ^ last.rotate_left(29) ^ (middle << 17) ^ bytes.len() as u64)
        .wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed >> 48) as usize
}

#[cfg(test)]
mod tests {
    use http::Method;

    use super::*;

    #[test]
    fn a_route_is_made_once_and_names_its_spans() {
        let (first, second) = (Route::new("/users/{id}"), Route::new("/users/{id}"));
        match (&first, &second) {
            (Route::Cached(one), Route::Cached(other)) => assert!(std::ptr::eq(*one, *other)),
            other => panic!("{other:?}"),
        }
        let [get, post] = [Method::GET, Method::POST].map(|method| MethodName::of(&method));
        assert_eq!(first.span_name(get), "GET /users/{id}");
        assert_eq!(second.span_name(post), "POST /users/{id}");
        assert_eq!(second.span_name(get), "GET /users/{id}");
        for number in 0..1_000 {
            let template = format!("/users/{number}/{{id}}");
            assert_eq!(Route::new(&template).value(), Value::from(template));
        }
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
