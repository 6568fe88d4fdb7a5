//! Links to the spans that messages and jobs come from.

use opentelemetry::Context;
use opentelemetry::propagation::Extractor;
use opentelemetry::trace::{Link, TraceContextExt};

use crate::Providers;

/// A link to the span whose context the carrier holds; `None` when it holds none.
///
/// A consumer that works after its producer has answered is not that producer's child: it starts a trace of its own
/// and links back.
///
/// ```
/// # use std::collections::HashMap;
/// # use otel_core::{link_from, Providers};
/// let message_headers: HashMap<String, String> = HashMap::new();
/// assert!(link_from(&Providers::global(), &message_headers).is_none());
/// ```
#[must_use]
pub fn link_from(providers: &Providers, carrier: &dyn Extractor) -> Option<Link> {
    // An empty context, not the current one: the consumer's own span is no origin of the message.
    let origin = providers.extract(&Context::new(), carrier);
    let span_context = origin.span().span_context().clone();
    span_context.is_valid().then(|| Link::with_context(span_context))
}

/// The links of a batch: one for each carrier that holds a span context.
#[must_use]
pub fn links_from<'a, E: Extractor + 'a>(
    providers: &Providers,
    carriers: impl IntoIterator<Item = &'a E>,
) -> Vec<Link> {
    carriers.into_iter().filter_map(|carrier| link_from(providers, carrier)).collect()
}
