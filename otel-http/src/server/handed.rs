//! What a layer inside of another one hands to the outer one, which has the span: through the response's extensions.

use std::sync::Arc;

use http::Extensions;
use otel_core::{Operation, RequestAttributes};

use super::HttpUpgrade;
use super::convention::ServerConvention;
use super::route::HttpRoute;
use super::settings::add_at_end;

/// What is known further in.
#[derive(Debug)]
pub(super) struct ForOuterLayer {
    pub(super) route: Option<HttpRoute>,
    pub(super) handed: Handed,
}

/// What the handler was given to tell of its request; in the extensions of the response.
#[derive(Clone, Debug, Default)]
pub(super) struct Handed {
    pub(super) attributes: Option<RequestAttributes>,
    pub(super) upgrade: Option<HttpUpgrade>,
}

impl ForOuterLayer {
    pub(super) fn if_any(self) -> Option<Self> {
        let is_any = self.route.is_some() || self.handed.is_any();
        is_any.then_some(self)
    }

    /// A layer still further in has the first word.
    pub(super) fn write(self, extensions: &mut Extensions) {
        if let Some(route) = self.route {
            extensions.get_or_insert_with(|| route);
        }
        if self.handed.is_any() {
            let there: &mut Handed = extensions.get_or_insert_default();
            there.attributes = there.attributes.take().or(self.handed.attributes);
            there.upgrade = there.upgrade.take().or(self.handed.upgrade);
        }
    }
}

impl Handed {
    fn is_any(&self) -> bool {
        self.attributes.is_some() || self.upgrade.is_some()
    }

    /// Takes what layers further in have put into the response.
    pub(super) fn take(operation: &mut Operation<ServerConvention>, extensions: &mut Extensions) {
        let Some(Self { attributes, upgrade }) = extensions.remove() else { return };
        let tally = operation.tally();
        tally.upgrade = tally.upgrade.take().or(upgrade);
        if attributes.is_some() {
            let (names, bodies) = (Arc::clone(tally.names.get_or_insert_default()), tally.bodies.clone());
            // In place of what the layer has said at the start: a layer that gives attributes itself has the same ones.
            add_at_end(operation, attributes, bodies, Some(names));
        }
    }
}
