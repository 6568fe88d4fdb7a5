//! Spans on their way to the queue.

use std::sync::Arc;

use opentelemetry::Context;
use opentelemetry::trace::Status;
use opentelemetry_sdk::trace::SpanData;

use super::attributes::protect;
use super::chain::Safety;
use super::intake::{Admitted, Lanes};
use crate::Signal;
use crate::traces::ProcessSpans;

/// Protects spans and hands them on, to each destination.
#[derive(Debug)]
pub(crate) struct SafeSpanProcessor<P> {
    safety: Arc<Safety>,
    lanes: Lanes<P>,
}

impl<P> SafeSpanProcessor<P> {
    pub(crate) fn new(safety: Arc<Safety>, lanes: Lanes<P>) -> Self {
        Self { safety, lanes }
    }
}

impl<P: ProcessSpans> ProcessSpans for SafeSpanProcessor<P> {
    fn on_start(&self, span: &mut SpanData, parent: &Context) {
        span.attributes.extend(self.safety.baggage.of(parent));
    }

    fn on_end(&self, mut span: Box<SpanData>) {
        if !span.span_context.is_sampled() {
            return;
        }
        let live = &self.safety.live;
        let is_dropped_now = !live.is_untouched()
            && (live.is_off(Signal::Traces) || live.is_dropped(|rules| rules.drops_span(&span)));
        if is_dropped_now || self.safety.drop_rules.drops_span(&span) {
            self.lanes.filter();
            return;
        }
        let admitted = self.lanes.admit();
        if admitted.is_empty() {
            return;
        }
        if live.leaves_attributes_off() {
            span.attributes.retain(|attribute| !live.leaves_off(attribute.key.as_str()));
        }
        self.safety.protect_span(&mut span);
        self.safety.audits.iter().for_each(|audit| audit.see(&span));
        match admitted {
            Admitted::One(Some(lane)) => lane.processor.on_end(span),
            Admitted::One(None) => {}
            Admitted::Some(lanes) => lanes.iter().for_each(|lane| lane.processor.on_end(span.clone())),
        }
    }
}

impl Safety {
    pub(crate) fn protect_span(&self, span: &mut SpanData) {
        let (redactor, limits) = (&*self.redactor, &self.limits);
        if let Some(name) = redactor.name(&span.name) {
            span.name = name.into();
        }
        if let Some(scope) = redactor.protected_scope(&span.instrumentation_scope) {
            span.instrumentation_scope = scope;
        }
        if let Status::Error { description } = &span.status
            && let Some(redacted) = redactor.text(description)
        {
            span.status = Status::error(redacted);
        }
        span.dropped_attributes_count += protect(&mut span.attributes, redactor, limits.span);
        for event in &mut span.events.events {
            if let Some(name) = redactor.name(&event.name) {
                event.name = name.into();
            }
            let dropped = protect(&mut event.attributes, redactor, limits.event);
            event.dropped_attributes_count = event.dropped_attributes_count.saturating_add(dropped);
        }
        for link in &mut span.links.links {
            let dropped = protect(&mut link.attributes, redactor, limits.link);
            link.dropped_attributes_count = link.dropped_attributes_count.saturating_add(dropped);
        }
    }
}
