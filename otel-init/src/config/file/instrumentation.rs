//! `instrumentation/development:`.

use super::Config;
use super::error::FileError;
use super::fields::{Fields, Value};
use crate::config::instrumentation::is_header_pattern;

/// Those of this family below `rust`. What is meant for other languages is for their SDKs.
pub(super) fn read(mut fields: Fields, config: &mut Config) -> Result<(), FileError> {
    if let Some(fields) = fields.fields("general")? {
        general(fields, config)?;
    }
    for language in ["cpp", "dotnet", "erlang", "go", "java", "js", "php", "python", "ruby", "swift"] {
        let _ = fields.optional(language);
    }
    if let Some(rust) = fields.fields("rust")? {
        for (name, value) in rust.all() {
            library(&name, value, config)?;
        }
    }
    fields.end()
}

/// What is there for all languages: of it, the headers that spans of HTTP record, and the conventions that are emitted anyway.
fn general(mut fields: Fields, config: &mut Config) -> Result<(), FileError> {
    if let Some(mut http) = fields.fields("http")? {
        let [server_request, server_response, client_request, client_response] =
            &mut config.instrumentations.captured_headers;
        let server = [server_request, server_response];
        for (side, captured) in [("server", server), ("client", [client_request, client_response])] {
            let Some(mut side) = http.fields(side)? else { continue };
            for (key, names) in ["request_captured_headers", "response_captured_headers"].iter().zip(captured)
            {
                if let Some(listed) = side.optional(key) {
                    *names = header_names(listed)?;
                }
            }
            side.unsupported("known_methods", &format!("set {KNOWN_METHODS}, which is read beside a file"))?;
            nothing_else(side)?;
        }
        conventions(&mut http)?;
        nothing_else(http)?;
    }
    for domain in ["code", "db", "gen_ai", "messaging", "rpc"] {
        let Some(mut domain) = fields.fields(domain)? else { continue };
        conventions(&mut domain)?;
        nothing_else(domain)?;
    }
    if let Some(list) = fields.optional("stability_opt_in_list").filter(|list| !list.is_blank()) {
        list.choice(STABLE, |names| names.split(',').all(|name| is_stable(name.trim())).then_some(()))?;
    }
    nothing_else(fields)
}

const KNOWN_METHODS: &str = "OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS";

/// What may be asked of the conventions: it is what is emitted.
const STABLE: &str = "stable conventions, without /dup or older names; those of GenAI are chosen by \
                      OTEL_SEMCONV_STABILITY_OPT_IN, which is read beside a file";

/// Names of what is not here stand for nothing.
fn is_stable(name: &str) -> bool {
    !name.ends_with("/dup") && !name.ends_with("/old") && name != "gen_ai_latest_experimental"
}

/// A file for several languages may say that the stable conventions are to be emitted.
fn conventions(domain: &mut Fields) -> Result<(), FileError> {
    let Some(mut semconv) = domain.fields("semconv")? else { return Ok(()) };
    for (key, emitted) in [("version", "1"), ("experimental", "false"), ("dual_emit", "false")] {
        if let Some(value) = semconv.optional(key).filter(|value| !value.is_blank()) {
            let is_emitted = match key {
                "version" => value.integer()? == 1,
                _ => !value.boolean()?,
            };
            if !is_emitted {
                return Err(value.error(format!("expected {emitted}: {STABLE}")));
            }
        }
    }
    semconv.end()
}

fn header_names(listed: Value) -> Result<Vec<String>, FileError> {
    let name = |text: &str| is_header_pattern(text).then(|| text.to_owned());
    listed
        .list()?
        .into_iter()
        .map(|value| value.choice("a header's name like x-tenant or x-shop-*", name))
        .collect()
}

fn nothing_else(fields: Fields) -> Result<(), FileError> {
    for (_, value) in fields.all() {
        if !value.is_blank() {
            return Err(value.error("not supported: instrumentations are set up where their layers are made"));
        }
    }
    Ok(())
}

/// "Each entry's key identifies a particular instrumentation library."
fn library(name: &str, value: Value, config: &mut Config) -> Result<(), FileError> {
    let mut fields = value.fields()?;
    if fields.boolean("enabled")? == Some(false) {
        config.instrumentations.disabled.push(name.to_owned());
    }
    if let Some(paths) = fields.optional("excluded_paths") {
        let path = |text: &str| text.starts_with(['/', '*']).then(|| text.to_owned());
        let paths = paths.list()?.into_iter();
        let paths = paths.map(|value| value.choice("a path that begins with / or *", path));
        let paths = paths.collect::<Result<_, _>>()?;
        config.instrumentations.excluded_paths.push((name.to_owned(), paths));
    }
    fields.end()
}
