//! `meter_provider:`.

use std::time::Duration;

use opentelemetry_sdk::metrics::InstrumentKind;

use super::error::FileError;
use super::exporter::{MetricPreferences, milliseconds};
use super::fields::{Fields, Value};
use super::resource::include_exclude;
use super::{Config, Reader};
use crate::Signal;
use crate::config::batch::metric_interval;
use crate::config::destination::MetricDestination;
use crate::config::environment::Environment;
use crate::config::prometheus::PrometheusConfig;
use crate::metrics::{CardinalityLimits, ExemplarFilter, View};

/// The types of instruments, as the file calls them.
const KINDS: &[(&str, InstrumentKind)] = &[
    ("counter", InstrumentKind::Counter),
    ("gauge", InstrumentKind::Gauge),
    ("histogram", InstrumentKind::Histogram),
    ("observable_counter", InstrumentKind::ObservableCounter),
    ("observable_gauge", InstrumentKind::ObservableGauge),
    ("observable_up_down_counter", InstrumentKind::ObservableUpDownCounter),
    ("up_down_counter", InstrumentKind::UpDownCounter),
];

/// What the SDK can have once only, for all readers.
#[derive(Default)]
struct Shared {
    is_exponential: Option<bool>,
    limits: Option<CardinalityLimits>,
}

impl Reader<'_> {
    pub(super) fn meter_provider(&self, mut fields: Fields, config: &mut Config) -> Result<(), FileError> {
        let mut shared = Shared::default();
        for reader in fields.required("readers")?.some()? {
            let (name, value) = reader.fields()?.only()?;
            match name.as_str() {
                "periodic" => self.periodic(value, config, &mut shared)?,
                "pull" => pull(value, config, &mut shared)?,
                _ => return Err(value.error("no reader has this name: periodic, pull")),
            }
        }
        config.metrics.exponential_histograms |= shared.is_exponential.unwrap_or(false);
        if config.metrics.cardinality == CardinalityLimits::default() {
            config.metrics.cardinality = shared.limits.unwrap_or_default();
        }
        if let Some(views) = fields.optional("views") {
            for value in views.list()? {
                config.metrics.views.push(view(value)?);
            }
        }
        if let Some(filter) = fields.optional("exemplar_filter") {
            let filter = filter.choice(ExemplarFilter::EXPECTED, ExemplarFilter::parse)?;
            config.metrics.exemplar_filter.get_or_insert(filter);
        }
        fields.unsupported("meter_configurator", "a view with the aggregation drop leaves a meter out")?;
        fields.end()
    }

    fn periodic(&self, value: Value, config: &mut Config, shared: &mut Shared) -> Result<(), FileError> {
        let line = value.error("");
        let mut fields = value.fields()?;
        let interval = fields.count("interval")?;
        let unsaid = || metric_interval(self.settings, &Environment::new(&self.preset(config)));
        let interval =
            interval.map_or_else(unsaid, |interval| Duration::from_millis(u64::from(interval.max(1))));
        let export_timeout = milliseconds(&mut fields, "timeout")?;
        let mut preferences = MetricPreferences::default();
        let exporter =
            self.exporter(Signal::Metrics, fields.required("exporter")?, Some(&mut preferences))?;
        fields.unsupported("producers", "")?;
        shared.limits(&mut fields, &line)?;
        fields.end()?;
        let is_exponential = preferences.is_exponential.unwrap_or(false);
        if shared.is_exponential.replace(is_exponential).is_some_and(|other| other != is_exponential) {
            let reason = "default_histogram_aggregation must be the same for all readers";
            return Err(FileError { reason: reason.to_owned(), ..line });
        }
        config.destinations.metrics.push(MetricDestination {
            exporter,
            interval,
            export_timeout,
            temporality: preferences.temporality.unwrap_or_default(),
        });
        Ok(())
    }
}

impl Shared {
    fn limits(&mut self, fields: &mut Fields, reader: &FileError) -> Result<(), FileError> {
        let mut limits = CardinalityLimits::default();
        if let Some(mut given) = fields.fields("cardinality_limits")? {
            if let Some(limit) = given.optional("default") {
                limits.set_default(positive(&limit)?);
            }
            for (key, kind) in KINDS {
                if let Some(limit) = given.optional(key) {
                    limits.set(*kind, positive(&limit)?);
                }
            }
            given.end()?;
        }
        if self.limits.replace(limits.clone()).is_some_and(|other| other != limits) {
            let reason = "cardinality_limits must be the same for all readers";
            return Err(FileError { reason: reason.to_owned(), ..reader.clone() });
        }
        Ok(())
    }
}

fn positive(value: &Value) -> Result<usize, FileError> {
    match value.count()? {
        0 => Err(value.expected("a whole number above 0")),
        limit => Ok(usize::try_from(limit).unwrap_or(usize::MAX - 1)),
    }
}

fn pull(value: Value, config: &mut Config, shared: &mut Shared) -> Result<(), FileError> {
    let line = value.error("");
    let mut fields = value.fields()?;
    let (name, exporter) = fields.required("exporter")?.fields()?.only()?;
    if name != "prometheus" {
        return Err(exporter.error("no exporter has this name here: prometheus/development"));
    }
    if !cfg!(feature = "prometheus") {
        return Err(exporter.error("build otel-init with its feature `prometheus`"));
    }
    if config.destinations.prometheus.is_some() {
        return Err(exporter.error("not supported: a second address for Prometheus"));
    }
    let mut address = PrometheusConfig::default();
    let mut options = exporter.fields()?;
    if let Some(host) = options.text("host")? {
        address.host = host;
    }
    if let Some(port) = options.optional("port") {
        let expected = |_| port.expected("a port, 0 to 65535");
        address.port = u16::try_from(port.integer()?).map_err(expected)?;
    }
    address.has_scope_labels = !options.boolean("without_scope_info")?.unwrap_or(false);
    address.has_target_info = !options.boolean("without_target_info")?.unwrap_or(false);
    options.unsupported("with_resource_constant_labels", "the resource is in target_info")?;
    if let Some(strategy) = options.optional("translation_strategy") {
        let name = strategy.text()?;
        // The second spelling is that of later versions of the schema.
        if !["UnderscoreEscapingWithSuffixes", "underscore_escaping_with_suffixes"].contains(&&*name) {
            return Err(strategy.error("not supported: names are escaped and have suffixes"));
        }
    }
    options.end()?;
    fields.unsupported("producers", "")?;
    shared.limits(&mut fields, &line)?;
    fields.end()?;
    config.destinations.prometheus = Some(address);
    Ok(())
}

fn view(value: Value) -> Result<View, FileError> {
    let mut fields = value.fields()?;
    let mut selector = fields.required("selector")?.fields()?;
    let mut view = View::new(selector.text("instrument_name")?.unwrap_or_else(|| "*".to_owned()));
    if let Some(kind) = selector.optional("instrument_type") {
        let expected: Vec<_> = KINDS.iter().map(|(name, _)| *name).collect();
        let parse = |text: &str| KINDS.iter().find(|(name, _)| *name == text).map(|(_, kind)| *kind);
        view = view.of_kind(kind.choice(&expected.join(", "), parse)?);
    }
    if let Some(unit) = selector.text("unit")? {
        view = view.with_unit(unit);
    }
    if let Some(name) = selector.text("meter_name")? {
        view = view.in_meter(name);
    }
    if let Some(version) = selector.text("meter_version")? {
        view = view.in_meter_version(version);
    }
    if let Some(url) = selector.text("meter_schema_url")? {
        view = view.in_meter_schema(url);
    }
    selector.end()?;
    let stream = fields.required("stream")?;
    let view = stream_of(view, stream)?;
    fields.end()?;
    Ok(view)
}

fn stream_of(mut view: View, value: Value) -> Result<View, FileError> {
    let mut stream = value.fields()?;
    if let Some(name) = stream.text("name")? {
        view = view.renamed(name);
    }
    if let Some(description) = stream.text("description")? {
        view = view.described(description);
    }
    if let Some(limit) = stream.optional("aggregation_cardinality_limit") {
        view = view.with_cardinality_limit(positive(&limit)?);
    }
    if let Some(keys) = stream.optional("attribute_keys") {
        let patterns = keys.error("not supported: patterns, the SDK takes keys");
        let mut fields = keys.fields()?;
        let filter = include_exclude(&mut fields)?;
        fields.end()?;
        if !filter.excluded.is_empty() {
            return Err(FileError {
                reason: "not supported: excluded, the SDK takes included keys alone".to_owned(),
                ..patterns
            });
        }
        let included = filter.included.unwrap_or_default();
        if included.iter().any(|key| key.contains(['*', '?'])) {
            return Err(patterns);
        }
        view = view.with_attributes(included);
    }
    if let Some(aggregation) = stream.optional("aggregation") {
        view = aggregated(view, aggregation)?;
    }
    stream.end()?;
    Ok(view)
}

fn aggregated(view: View, value: Value) -> Result<View, FileError> {
    let (name, options) = value.fields()?.only()?;
    match name.as_str() {
        "default" => options.nothing().map(|()| view),
        "drop" => options.nothing().map(|()| view.dropped()),
        "sum" => options.nothing().map(|()| view.summed()),
        "last_value" => options.nothing().map(|()| view.last_value()),
        "explicit_bucket_histogram" => {
            let mut fields = options.fields()?;
            let boundaries = match fields.optional("boundaries") {
                Some(list) => Some(list.list()?.iter().map(Value::number).collect::<Result<Vec<_>, _>>()?),
                None => None,
            };
            let has_min_max = fields.boolean("record_min_max")?.unwrap_or(true);
            let view = view.with_explicit_buckets(boundaries, has_min_max);
            if let Some(problem) = view.problem() {
                return Err(fields.error(problem));
            }
            fields.end()?;
            Ok(view)
        }
        "base2_exponential_bucket_histogram" => {
            let mut fields = options.fields()?;
            let (mut max_scale, mut max_size) = (20, 160);
            if let Some(scale) = fields.optional("max_scale") {
                let parsed = i8::try_from(scale.integer()?).ok().filter(|scale| (-10..=20).contains(scale));
                max_scale = parsed.ok_or_else(|| scale.expected("a whole number from -10 to 20"))?;
            }
            if let Some(size) = fields.optional("max_size") {
                max_size = size.count()?;
                if max_size < 2 {
                    return Err(size.expected("a whole number from 2"));
                }
            }
            let has_min_max = fields.boolean("record_min_max")?.unwrap_or(true);
            fields.end()?;
            Ok(view.with_exponential_buckets(max_size, max_scale, has_min_max))
        }
        _ => Err(options.error(
            "no aggregation has this name: default, drop, sum, last_value, explicit_bucket_histogram, \
             base2_exponential_bucket_histogram",
        )),
    }
}
