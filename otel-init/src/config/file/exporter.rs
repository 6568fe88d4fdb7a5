//! `exporter:` of the three signals.

use std::time::Duration;

use http::HeaderMap;

use super::Reader;
use super::error::FileError;
use super::fields::{Fields, Value};
use crate::config::batch::{HISTOGRAMS, is_exponential, temporality_named};
use crate::config::otlp::{TIMEOUT, holds_pem, parse_headers, sensitive_header};
use crate::config::percent::PAIRS;
use crate::config::{Compression, Endpoint, ExporterConfig, LONGEST_WAIT, OtlpConfig, TlsConfig};
use crate::{Protocol, Signal};

/// What stands beside the exporter of metrics.
#[derive(Default)]
pub(super) struct MetricPreferences {
    pub(super) temporality: Option<opentelemetry_sdk::metrics::Temporality>,
    pub(super) is_exponential: Option<bool>,
}

impl Reader<'_> {
    /// The exporter of spans or log records, or of metrics with `preferences`.
    pub(super) fn exporter(
        &self,
        signal: Signal,
        exporter: Value,
        preferences: Option<&mut MetricPreferences>,
    ) -> Result<ExporterConfig, FileError> {
        let (name, value) = exporter.fields()?.only()?;
        if let Some(named) = self.settings.registry.exporter(signal, &name) {
            value.nothing()?;
            return Ok(ExporterConfig::Named(named));
        }
        match name.as_str() {
            "otlp_http" | "otlp_grpc" => {
                let mut fields = value.fields()?;
                if let Some(preferences) = preferences {
                    preferences.read(&mut fields)?;
                }
                let is_grpc = name == "otlp_grpc";
                self.otlp(signal, is_grpc, fields).map(|otlp| ExporterConfig::Otlp(Box::new(otlp)))
            }
            "console" | "otlp_file" => {
                let mut fields = value.fields()?;
                if let Some(preferences) = preferences {
                    preferences.read(&mut fields)?;
                }
                if name == "console" {
                    fields.end()?;
                    return Ok(ExporterConfig::Console);
                }
                if let Some(stream) = fields.optional("output_stream") {
                    let expected = "stdout: files are for a collector to write";
                    stream.choice(expected, |stream| (stream == "stdout").then_some(()))?;
                }
                fields.end()?;
                Ok(ExporterConfig::OtlpStdout)
            }
            // <https://github.com/open-telemetry/opentelemetry-configuration/pull/453>
            "zipkin" => Err(value.error(
                "not supported: it is deprecated, and the schema 1.0 has it no more; write otlp_http, which Zipkin takes too",
            )),
            _ => Err(value.error(
                "no exporter has this name: otlp_http, otlp_grpc, otlp_file/development, console, or one that the code has added",
            )),
        }
    }

    fn otlp(&self, signal: Signal, is_grpc: bool, mut fields: Fields) -> Result<OtlpConfig, FileError> {
        let encoding = |value: &str| match value {
            "protobuf" => Some(Protocol::HttpProtobuf),
            "json" => Some(Protocol::HttpJson),
            _ => None,
        };
        let mut protocol = if is_grpc { Protocol::Grpc } else { Protocol::HttpProtobuf };
        if !is_grpc && let Some(value) = fields.optional("encoding") {
            protocol = value.choice("protobuf or json", encoding)?;
        }
        let endpoint = fields.optional("endpoint");
        let (tls, is_insecure) = tls(&mut fields, is_grpc)?;
        let endpoint = match endpoint {
            Some(value) => Endpoint::exact(&value.text()?, protocol, is_insecure)
                .map_err(|reason| value.error(reason))?,
            None => Endpoint::default_for(signal, protocol),
        };
        let headers = self.headers(&mut fields)?;
        let compression = match fields.optional("compression") {
            Some(value) => value.choice(Compression::EXPECTED, Compression::parse)?,
            None => None,
        };
        let timeout = milliseconds(&mut fields, "timeout")?.unwrap_or(TIMEOUT);
        fields.end()?;
        Ok(OtlpConfig {
            signal,
            protocol,
            endpoint,
            is_insecure,
            headers,
            header_provider: self.settings.header_provider.clone(),
            timeout,
            compression,
            tls,
            unused_proxy: None,
            is_added: false,
        })
    }
}

impl Reader<'_> {
    /// "Entries have higher priority than entries from .headers_list."
    fn headers(&self, fields: &mut Fields) -> Result<HeaderMap, FileError> {
        let mut headers = HeaderMap::new();
        if let Some(list) = fields.optional("headers_list") {
            let unread = |place| list.error(format!("expected {PAIRS}, which its entry {place} is not"));
            headers = parse_headers(&list.text()?).map_err(unread)?;
        }
        let pairs = fields.optional("headers").map(Value::list).transpose()?;
        for pair in pairs.unwrap_or_default() {
            let mut pair = pair.fields()?;
            let name = pair.required("name")?;
            // "If an entry's .value is null, the entry is ignored."
            let value = pair.optional("value").map(|value| value.text()).transpose()?;
            if value.as_ref().is_none_or(String::is_empty) {
                self.warnings.borrow_mut().push(format!(
                    "line {}: the header {} has no value: a variable that should be there is not set, most likely",
                    name.line(),
                    name.text()?
                ));
            }
            if let Some(value) = value {
                let header = sensitive_header(&name.text()?, &value);
                let (key, value) =
                    header.ok_or_else(|| name.error("HTTP does not allow this name, or its value"))?;
                headers.insert(key, value);
            }
            pair.end()?;
        }
        Ok(headers)
    }
}

/// Milliseconds: "A value of 0 indicates no limit (infinity)."
pub(super) fn milliseconds(fields: &mut Fields, key: &str) -> Result<Option<Duration>, FileError> {
    let given = fields.count(key)?;
    Ok(given.map(|given| if given == 0 { LONGEST_WAIT } else { Duration::from_millis(u64::from(given)) }))
}

fn tls(fields: &mut Fields, is_grpc: bool) -> Result<(TlsConfig, bool), FileError> {
    let Some(mut tls) = fields.fields("tls")? else {
        return Ok((TlsConfig::default(), false));
    };
    let mut file = |key| {
        let Some(value) = tls.optional(key) else { return Ok(None) };
        let path = value.text()?;
        match holds_pem(&path) {
            true => Err(value.error("expected the path of a file, found what is to be in it")),
            false => Ok(Some(std::path::PathBuf::from(path))),
        }
    };
    let config = TlsConfig {
        authority: file("ca_file")?,
        client_key: file("key_file")?,
        client_certificate: file("cert_file")?,
    };
    let is_insecure = if is_grpc { tls.boolean("insecure")?.unwrap_or(false) } else { false };
    if config.client_key.is_some() != config.client_certificate.is_some() {
        return Err(tls.error("key_file and cert_file are needed together"));
    }
    tls.end()?;
    Ok((config, is_insecure))
}

impl MetricPreferences {
    fn read(&mut self, fields: &mut Fields) -> Result<(), FileError> {
        if let Some(value) = fields.optional("temporality_preference") {
            self.temporality = Some(value.choice("cumulative, delta or low_memory", temporality_named)?);
        }
        if let Some(value) = fields.optional("default_histogram_aggregation") {
            self.is_exponential = Some(value.choice(HISTOGRAMS, is_exponential)?);
        }
        Ok(())
    }
}
