//! Which requests are calls of models.

use std::fmt;
use std::sync::Arc;

use crate::provider::{Api, Endpoint, OPENAI_PATHS, Provider};
use otel_core::call_hook;

type EndpointOf = Arc<dyn Fn(&Target<'_>) -> Option<Endpoint> + Send + Sync>;

/// Where a request goes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Target<'a> {
    /// The host, with the port if one was given.
    pub(crate) authority: &'a str,
    /// The scheme's own, which a URL leaves out.
    pub(crate) default_port: u16,
    pub(crate) path: &'a str,
}

/// What a layer was told, and what it recognises by itself.
#[derive(Clone, Default)]
pub(crate) struct Endpoints {
    told: Vec<EndpointOf>,
}

impl Endpoints {
    /// Requests to `host`, a name perhaps with a port, speak OpenAI's API.
    pub(super) fn add_openai_compatible(&mut self, host: String, provider: Provider) {
        self.told.push(Arc::new(move |target| {
            let api = is_host(&host, target).then(|| openai_api(target.path)).flatten()?;
            Some(Endpoint::new(provider.clone(), api))
        }));
    }

    /// By host, perhaps with a port, and path.
    pub(super) fn add(&mut self, endpoint: impl Fn(&str, &str) -> Option<Endpoint> + Send + Sync + 'static) {
        self.told.push(Arc::new(move |target| endpoint(target.authority, target.path)));
    }

    pub(crate) fn find(&self, target: &Target<'_>) -> Option<Endpoint> {
        let told = self.told.iter().find_map(|told| call_hook(|| told(target), None));
        told.or_else(|| Api::recognise(target.authority, target.path))
    }
}

/// A host that was named without a port is meant with any.
fn is_host(host: &str, target: &Target<'_>) -> bool {
    let (name, port) = match target.authority.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => (name, port.parse().ok()),
        _ => (target.authority, Some(target.default_port)),
    };
    let is_with_port = |(host, meant): (&str, &str)| {
        name.eq_ignore_ascii_case(host) && port.is_some() && meant.parse().ok() == port
    };
    name.eq_ignore_ascii_case(host) || host.rsplit_once(':').is_some_and(is_with_port)
}

/// Servers put the API below a path of their own.
fn openai_api(path: &str) -> Option<Api> {
    let path = path.trim_end_matches('/');
    OPENAI_PATHS.iter().find(|(end, _)| path.ends_with(end)).map(|(_, api)| *api)
}

impl fmt::Debug for Endpoints {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoints").field("told", &self.told.len()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_layer_was_told_of_hosts_and_paths() {
        let mut endpoints = Endpoints::default();
        endpoints.add_openai_compatible("LLM.internal".into(), Provider::Other("vllm".into()));
        endpoints.add_openai_compatible("localhost:8080".into(), Provider::OpenAi);
        endpoints.add(|host, path| {
            let is_gateway = host == "gateway:81" && path == "/claude";
            is_gateway.then(|| Endpoint::new(Provider::Anthropic, Api::AnthropicMessages))
        });
        for (authority, path, api) in [
            ("llm.internal", "/v1/chat/completions", Some(Api::OpenAiChat)),
            ("llm.internal:8000", "/base/v1/completions/", Some(Api::OpenAiCompletions)),
            ("localhost:8080", "/v1/embeddings", Some(Api::OpenAiEmbeddings)),
            ("localhost:8081", "/v1/embeddings", None),
            ("llm.internal", "/v1/models", None),
            ("evil-llm.internal", "/v1/responses", None),
            ("gateway:81", "/claude", Some(Api::AnthropicMessages)),
            ("gateway:81", "/v1/messages", None),
        ] {
            let target = Target { authority, default_port: 443, path };
            assert_eq!(endpoints.find(&target).map(|found| found.api()), api, "{authority}{path}");
        }
    }
}
