//! `OTEL_INSTRUMENTATION_<NAME>_..`: what instrumentations are told.

use std::collections::BTreeSet;

use otel_core::HttpHeaders;

use super::environment::Environment;

const PREFIX: &str = "OTEL_INSTRUMENTATION_";
const ENABLED: &str = "_ENABLED";
/// Of another language, for all at once: it is told as not supported.
const ALL: &str = "OTEL_INSTRUMENTATION_COMMON_DEFAULT_ENABLED";
const EXCLUDED: &str = "_EXCLUDED_PATHS";
/// Other languages have variables of this name, with regular expressions for whole URLs.
const OTHERS: &str = "_EXCLUDED_URLS";

/// Java's names: Python's hold regular expressions.
pub(crate) const CAPTURED: [(HttpHeaders, &str); 4] = [
    (HttpHeaders::ServerRequest, "OTEL_INSTRUMENTATION_HTTP_SERVER_CAPTURE_REQUEST_HEADERS"),
    (HttpHeaders::ServerResponse, "OTEL_INSTRUMENTATION_HTTP_SERVER_CAPTURE_RESPONSE_HEADERS"),
    (HttpHeaders::ClientRequest, "OTEL_INSTRUMENTATION_HTTP_CLIENT_CAPTURE_REQUEST_HEADERS"),
    (HttpHeaders::ClientResponse, "OTEL_INSTRUMENTATION_HTTP_CLIENT_CAPTURE_RESPONSE_HEADERS"),
];

/// Those of this family, for a lookup that cannot tell the names of its variables.
const FAMILY: [&str; 4] = ["HTTP", "GRPC", "DB", "GENAI"];

/// Which instrumentations are off, and which requests others pass.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Instrumentations {
    pub(crate) disabled: Vec<String>,
    /// Globs for the paths of requests, by instrumentation.
    pub(crate) excluded_paths: Vec<(String, Vec<String>)>,
    /// In the order of [`CAPTURED`].
    pub(crate) captured_headers: [Vec<String>; 4],
}

/// `OTEL_INSTRUMENTATION_<NAME>_ENABLED=false` switches an instrumentation off, `.._EXCLUDED_PATHS` is a list of globs.
pub(super) fn resolve(names: &[String], environment: &Environment<'_>) -> Instrumentations {
    let mut found = Instrumentations::default();
    let of_family = |name: &&str| [ENABLED, EXCLUDED].map(|suffix| format!("{PREFIX}{name}{suffix}"));
    let all: BTreeSet<String> = names.iter().cloned().chain(FAMILY.iter().flat_map(of_family)).collect();
    for variable in all.iter().filter(|variable| *variable != ALL) {
        if let Some(name) = name_in(variable, ENABLED) {
            // Anything but `false` leaves it on: a typing error must not take data away.
            if environment.true_or_false(variable, true) == Some(false) {
                found.disabled.push(name);
            }
        } else if let Some(name) = name_in(variable, EXCLUDED) {
            let Some(list) = environment.text(variable) else {
                environment.instead(variable, "it leaves out no request");
                continue;
            };
            let paths = list.split(',').map(str::trim).filter(|path| !path.is_empty());
            let (paths, others): (Vec<_>, Vec<_>) = paths.partition(|path| path.starts_with(['/', '*']));
            for path in others {
                let expected = "a path that begins with / or *, as in /health*";
                environment.misnamed(variable, path, expected, "it leaves out no request");
            }
            found.excluded_paths.push((name, paths.into_iter().map(str::to_owned).collect()));
        } else if let Some(name) = name_in(variable, OTHERS)
            && environment.is_set(variable)
        {
            let instead = format!("{PREFIX}{}{EXCLUDED}", name.to_ascii_uppercase());
            environment.warn(format!(
                "{variable} is set but not supported, it has no effect; set {instead} instead, to paths such as /health*"
            ));
        }
    }
    found.captured_headers = CAPTURED.map(|(_, variable)| header_names(variable, environment));
    found
}

/// Names with `*` and `?`, those to leave out with a `!`.
fn header_names(variable: &str, environment: &Environment<'_>) -> Vec<String> {
    let Some(list) = environment.text(variable) else {
        environment.instead(variable, "it records no header");
        return Vec::new();
    };
    let names = list.split(',').map(str::trim).filter(|name| !name.is_empty());
    let (names, others): (Vec<_>, Vec<_>) = names.partition(|name| is_header_pattern(name));
    for other in others {
        environment.misnamed(
            variable,
            other,
            "a header's name like x-tenant or x-shop-*",
            "it records no header",
        );
    }
    names.into_iter().map(str::to_owned).collect()
}

/// "any VCHAR, except delimiters", <https://www.rfc-editor.org/rfc/rfc9110#name-tokens>, and our `?`.
pub(super) fn is_header_pattern(name: &str) -> bool {
    let name = name.strip_prefix('!').unwrap_or(name);
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~?".contains(&byte);
    !name.is_empty() && name.bytes().all(fits)
}

fn name_in(variable: &str, suffix: &str) -> Option<String> {
    let name = variable.strip_prefix(PREFIX)?.strip_suffix(suffix)?;
    (!name.is_empty()).then(|| name.to_ascii_lowercase())
}
