//! Functions of the user's, as layers keep them.

use std::borrow::Cow;
use std::net::SocketAddr;
use std::sync::Arc;

use otel_core::Attributes;

use crate::{HttpRequest, HttpResponse};

pub(crate) type Filter = Arc<dyn Fn(&HttpRequest<'_>) -> bool + Send + Sync>;
pub(crate) type SpanNameOf = Arc<dyn Fn(&HttpRequest<'_>) -> Option<Cow<'static, str>> + Send + Sync>;
pub(crate) type AddFromRequest = Arc<dyn Fn(&HttpRequest<'_>, &mut Attributes<'_>) + Send + Sync>;
pub(crate) type AddFromResponse = Arc<dyn Fn(&HttpResponse<'_>, &mut Attributes<'_>) + Send + Sync>;
pub(crate) type RouteOf = Arc<dyn for<'a> Fn(&HttpRequest<'a>) -> Option<Cow<'a, str>> + Send + Sync>;
pub(crate) type PeerOf = Arc<dyn Fn(&HttpRequest<'_>) -> Option<SocketAddr> + Send + Sync>;
