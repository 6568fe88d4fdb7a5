//! `rpc.method`: `package.Service/Method`, or `_OTHER`.
//!
//! Anybody may call a method that does not exist, under any name. "If the method is not recognized, the instrumentation
//! MUST set the attribute to `_OTHER`", so that strangers make no series of metrics.
//! <https://opentelemetry.io/docs/specs/semconv/registry/attributes/rpc/>

use std::borrow::Cow;
use std::cell::Cell;
use std::collections::HashSet;
use std::sync::{LazyLock, Mutex, PoisonError};

use opentelemetry::Value;
use otel_core::{Attributes, bounded};
use tonic::Code;

use crate::text::slot_of;

/// What stands for all methods that are not known.
pub(crate) const OTHER: &str = "_OTHER";

/// The span's name when the method must not be in it: the system.
pub(crate) const SYSTEM: &str = "grpc";

/// More methods than any service has. When strangers have made up so many, further ones are `_OTHER` in metrics.
const MAX_PROVEN: usize = 1_000;

/// No method has a longer name.
const MAX_LENGTH: usize = 256;

/// The method of one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Method<'a> {
    /// Listed by the application, or compiled into its client.
    Listed(&'static str),
    /// There is no list, and a call of it has begun to answer, or has ended with another status than `UNIMPLEMENTED`.
    Proven(&'static str),
    /// There is no list, and no call of it has answered so yet.
    Unproven(&'a str),
    /// Not in the list, or no name of a method at all.
    Other(&'a str),
}

impl<'a> Method<'a> {
    /// The method of a call on a server, or of one that a client passes on.
    pub(crate) fn new(path: &'a str, listed: Option<&HashSet<&'static str>>) -> Self {
        if listed.is_none()
            && let Some(name) = THREAD_PROVEN.with(|kept| recall(kept, path))
        {
            return Self::Proven(name);
        }
        let Some(name) = name_in(path) else { return Self::Other(path) };
        match listed {
            Some(listed) => listed.get(name).map_or(Self::Other(name), |name| Self::Listed(name)),
            None => find(name).map_or(Self::Unproven(name), Self::Proven),
        }
    }

    /// The method of a call through a generated client, which has the name as a constant.
    pub(crate) fn compiled_in(path: &'a str) -> Self {
        if let Some(name) = THREAD_LISTED.with(|kept| recall(kept, path)) {
            return Self::Listed(name);
        }
        match name_in(path) {
            Some(name) => Self::Listed(listed(name)),
            None => Self::Other(path),
        }
    }

    pub(crate) fn span_name(self) -> Cow<'static, str> {
        match self {
            Self::Listed(name) | Self::Proven(name) => Cow::Borrowed(name),
            Self::Unproven(name) => Cow::Owned(name.to_owned()),
            Self::Other(_) => Cow::Borrowed(SYSTEM),
        }
    }

    /// What the span carries at the start. An unproven method may turn out to be no method.
    pub(crate) fn write(self, attributes: &mut Attributes<'_>) {
        attributes.span("rpc.method", self.value());
        if let Self::Other(original) = self {
            attributes.span("rpc.method_original", bounded(original).to_owned());
        }
    }

    pub(crate) fn value(self) -> Value {
        match self {
            Self::Listed(name) | Self::Proven(name) => Value::from(name),
            Self::Unproven(name) => Value::from(name.to_owned()),
            Self::Other(_) => Value::from(OTHER),
        }
    }

    /// What is to be learnt of the method from how the call ends.
    pub(crate) fn standing(self) -> Standing {
        match self {
            Self::Listed(name) => Standing::Settled(name),
            Self::Other(_) => Standing::Settled(OTHER),
            Self::Proven(name) => Standing::Proven(name),
            Self::Unproven(name) => Standing::Unproven(Box::from(name)),
        }
    }

    /// Whether a metric may say before the call has ended what it will say then.
    pub(crate) fn is_known(self) -> bool {
        !matches!(self, Self::Unproven(_))
    }

    /// What a metric may carry before the call has ended.
    pub(crate) fn bounded_name(self) -> &'static str {
        match self {
            Self::Listed(name) | Self::Proven(name) => name,
            Self::Unproven(_) | Self::Other(_) => OTHER,
        }
    }
}

/// What is known of the method until the call has ended.
#[derive(Debug)]
pub(crate) enum Standing {
    /// There is a list, and it has decided; or it is no name of a method.
    Settled(&'static str),
    /// There is no list. It was called before and was there, or has begun to answer.
    Proven(&'static str),
    /// There is no list, and nobody knows yet.
    Unproven(Box<str>),
}

impl Default for Standing {
    fn default() -> Self {
        Self::Settled(OTHER)
    }
}

impl Standing {
    /// The method answers.
    pub(crate) fn begin(&mut self) {
        if let Self::Unproven(name) = self
            && let Some(name) = prove(name)
        {
            *self = Self::Proven(name);
        }
    }

    /// The name for the metrics. Without a list of methods, a call that ends `UNIMPLEMENTED` was for none.
    pub(crate) fn settled(&self, code: Code) -> &'static str {
        match (self, code) {
            (Self::Settled(name), _) => name,
            (_, Code::Unimplemented) => OTHER,
            (Self::Proven(name), _) => name,
            (Self::Unproven(name), _) => prove(name).unwrap_or(OTHER),
        }
    }
}

/// Makes a name known for the process's life. `None` when too many are known.
fn prove(name: &str) -> Option<&'static str> {
    let mut methods = METHODS.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(name) = methods.proven.get(name) {
        return Some(name);
    }
    if methods.proven.len() >= MAX_PROVEN {
        return None;
    }
    let name = methods.listed.get(name).copied().unwrap_or_else(|| leak(name));
    methods.proven.insert(name);
    Some(name)
}

/// A name that the program itself has, as a constant.
pub(crate) fn listed(name: &str) -> &'static str {
    let name = METHODS.lock().unwrap_or_else(PoisonError::into_inner).list(name);
    THREAD_LISTED.with(|kept| keep(kept, name));
    name
}

/// `package.Service/Method` of `/package.Service/Method`.
pub(crate) fn name_in(path: &str) -> Option<&str> {
    let name = path.strip_prefix('/')?;
    let (service, method) = name.rsplit_once('/')?;
    let is_name = !service.is_empty() && !method.is_empty() && name.len() <= MAX_LENGTH;
    is_name.then_some(name)
}

/// All methods of the process. They are never freed, which is bounded by the program and by [`MAX_PROVEN`], and lets
/// spans and metrics borrow them.
#[derive(Default)]
struct Methods {
    listed: HashSet<&'static str>,
    proven: HashSet<&'static str>,
}

static METHODS: LazyLock<Mutex<Methods>> = LazyLock::new(Mutex::default);

thread_local! {
    static THREAD_LISTED: Kept = const { [const { Cell::new("") }; SLOTS] };
    static THREAD_PROVEN: Kept = const { [const { Cell::new("") }; SLOTS] };
}

/// The names that a thread has last seen, so that no lock is shared.
type Kept = [Cell<&'static str>; SLOTS];

const SLOTS: usize = 64;

/// The name in a path, if it is among the kept. What is kept is a method's name, and need not be checked again.
fn recall(kept: &Kept, path: &str) -> Option<&'static str> {
    let name = path.strip_prefix('/').filter(|name| !name.is_empty())?;
    let kept = kept[slot_of(name.as_bytes()) % SLOTS].get();
    (kept == name).then_some(kept)
}

fn keep(kept: &Kept, name: &'static str) {
    kept[slot_of(name.as_bytes()) % SLOTS].set(name);
}

impl Methods {
    fn list(&mut self, name: &str) -> &'static str {
        if let Some(name) = self.listed.get(name) {
            return name;
        }
        let name = self.proven.get(name).copied().unwrap_or_else(|| leak(name));
        self.listed.insert(name);
        name
    }
}

fn find(name: &str) -> Option<&'static str> {
    let name = METHODS.lock().unwrap_or_else(PoisonError::into_inner).proven.get(name).copied()?;
    THREAD_PROVEN.with(|kept| keep(kept, name));
    Some(name)
}

fn leak(name: &str) -> &'static str {
    Box::leak(Box::from(name))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_a_method_s_name() {
        for (path, expected) in [
            ("/shop.v1.Orders/Place", Some("shop.v1.Orders/Place")),
            ("/Orders/Place", Some("Orders/Place")),
            ("/prefix/Orders/Place", Some("prefix/Orders/Place")),
            ("", None),
            ("/", None),
            ("//", None),
            ("*", None),
            ("/Orders", None),
            ("/Orders/", None),
            ("//Place", None),
            ("Orders/Place", None),
        ] {
            assert_eq!(name_in(path), expected, "{path:?}");
        }
        assert_eq!(name_in(&format!("/a/{}", "b".repeat(300))), None);
    }

    #[test]
    fn a_list_knows_all_and_without_one_a_method_must_prove_itself() {
        let list = HashSet::from([listed("shop.Method/Listed")]);
        assert_eq!(Method::new("/shop.Method/Listed", Some(&list)), Method::Listed("shop.Method/Listed"));
        assert_eq!(Method::new("/shop.Method/Not", Some(&list)), Method::Other("shop.Method/Not"));
        assert_eq!(Method::new("/x", Some(&list)), Method::Other("/x"));

        assert_eq!(Method::new("/shop.Method/New", None), Method::Unproven("shop.Method/New"));
        assert_eq!(prove("shop.Method/New"), Some("shop.Method/New"));
        assert_eq!(Method::new("/shop.Method/New", None), Method::Proven("shop.Method/New"));
        assert_eq!(Method::new("/x", None), Method::Other("/x"));
    }

    proptest! {
        #[test]
        fn any_path_is_read_without_a_panic(path: String) {
            if let Some(name) = name_in(&path) {
                prop_assert_eq!(format!("/{name}"), path);
            }
        }
    }
}
