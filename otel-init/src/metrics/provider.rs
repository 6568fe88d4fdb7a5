//! [`MeterProvider`]: where meters come from.
//!
//! Callbacks of instruments are called so that a panic of one is the end of nothing. The SDK holds a lock while it calls
//! them: a panic poisons it, and from then on nothing is collected in this process.

use std::sync::Arc;

use opentelemetry::InstrumentationScope;
use opentelemetry::metrics::{
    AsyncInstrument, AsyncInstrumentBuilder, Callback, Counter, Gauge, Histogram, HistogramBuilder,
    InstrumentBuilder, InstrumentProvider, Meter, ObservableCounter, ObservableGauge,
    ObservableUpDownCounter, UpDownCounter,
};
use opentelemetry_sdk::metrics::{InstrumentKind, SdkMeterProvider};

use super::exemplars::{Exemplars, WithExemplars, bounds_of};
use super::under_way::UnderWay;
use super::views::Facts;
use crate::panics::{Once, caught};
use crate::safety::Redactor;

/// Makes the meters of an installation; the global provider is one of these, unless `OTEL_SDK_DISABLED` is set.
///
/// Callbacks of its instruments may panic, which is told once, and its counters, gauges and histograms have
/// [exemplars](crate::ExemplarFilter). Whoever wants to have all sent that was measured calls
/// [`Telemetry::flush`](crate::Telemetry::flush).
///
/// ```
/// use opentelemetry::metrics::MeterProvider;
/// use otel_init::opentelemetry;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let telemetry = otel_init::Telemetry::builder()
///     .with_environment(|name| name.ends_with("_EXPORTER").then(|| "none".to_owned()))
///     .install()?;
/// let orders = telemetry.meter_provider().meter("shop").u64_counter("shop.orders").with_unit("{order}").build();
/// orders.add(1, &[]);
/// # telemetry.shutdown_blocking()?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct MeterProvider {
    sdk: SdkMeterProvider,
    /// What keeps exemplars, if somebody is sent them.
    exemplars: Option<Arc<Exemplars>>,
    /// For the attributes of scopes.
    redactor: Option<Arc<Redactor>>,
}

impl MeterProvider {
    pub(crate) fn new(
        sdk: SdkMeterProvider,
        exemplars: Option<Arc<Exemplars>>,
        redactor: Option<Arc<Redactor>>,
    ) -> Self {
        Self { sdk, exemplars, redactor }
    }
}

impl opentelemetry::metrics::MeterProvider for MeterProvider {
    fn meter_with_scope(&self, scope: InstrumentationScope) -> Meter {
        let protected = self.redactor.as_ref().and_then(|redactor| redactor.protected_scope(&scope));
        let scope = protected.unwrap_or(scope);
        let meter = self.sdk.meter_with_scope(scope.clone());
        Meter::new(Arc::new(Guarded { meter, scope, exemplars: self.exemplars.clone() }))
    }
}

struct Guarded {
    meter: Meter,
    scope: InstrumentationScope,
    exemplars: Option<Arc<Exemplars>>,
}

impl Guarded {
    /// What is behind the meter, which takes whole builders.
    fn provider(&self) -> &dyn InstrumentProvider {
        self.meter.u64_counter("").instrument_provider
    }
}

fn guarded<I, M: 'static>(mut builder: AsyncInstrumentBuilder<'_, I, M>) -> AsyncInstrumentBuilder<'_, I, M> {
    let told = Arc::new(Once::default());
    let (name, callbacks) = (builder.name.clone(), std::mem::take(&mut builder.callbacks));
    let guard = |callback: Callback<M>| {
        let (name, told) = (name.clone(), Arc::clone(&told));
        let guard = move |observer: &dyn AsyncInstrument<M>| {
            let _under_way = UnderWay::begin(&name);
            if caught(|| callback(observer)).is_err() {
                told.warn(&format!(
                    "a callback of the instrument {name} panicked; what it did not say is missing, and it is called again"
                ));
            }
        };
        Box::new(guard) as Callback<M>
    };
    builder.callbacks = callbacks.into_iter().map(guard).collect();
    builder
}

macro_rules! hand_on {
    (@ $self:ident $method:ident $builder:ident with $kind:ident) => {{
        let Some(exemplars) = &$self.exemplars else { return $self.provider().$method($builder) };
        let (name, unit) = ($builder.name.clone(), $builder.unit.clone().unwrap_or_default());
        let boundaries = bounds_of(&$builder).map(<[f64]>::to_vec);
        let instrument = $self.provider().$method($builder);
        let kind = InstrumentKind::$kind;
        let facts = Facts { name: &name, unit: &unit, kind, scope: &$self.scope };
        WithExemplars::around(instrument, exemplars, &facts, boundaries.as_deref())
            .map_or_else(|instrument| instrument, |instrument| $kind::new(Arc::new(instrument)))
    }};
    (@ $self:ident $method:ident $builder:ident) => { $self.provider().$method($builder) };
    ($($method:ident: $builder:ident<$instrument:ty $(, $number:ty)?> $(as $guard:ident)? $(with $kind:ident)?;)+) => {
        impl InstrumentProvider for Guarded {
            $(fn $method(&self, builder: $builder<'_, $instrument $(, $number)?>) -> $instrument {
                $(let builder = $guard(builder);)?
                hand_on!(@ self $method builder $(with $kind)?)
            })+
        }
    };
}

hand_on! {
    u64_counter: InstrumentBuilder<Counter<u64>> with Counter;
    f64_counter: InstrumentBuilder<Counter<f64>> with Counter;
    i64_up_down_counter: InstrumentBuilder<UpDownCounter<i64>>;
    f64_up_down_counter: InstrumentBuilder<UpDownCounter<f64>>;
    u64_gauge: InstrumentBuilder<Gauge<u64>> with Gauge;
    f64_gauge: InstrumentBuilder<Gauge<f64>> with Gauge;
    i64_gauge: InstrumentBuilder<Gauge<i64>> with Gauge;
    f64_histogram: HistogramBuilder<Histogram<f64>> with Histogram;
    u64_histogram: HistogramBuilder<Histogram<u64>> with Histogram;
    u64_observable_counter: AsyncInstrumentBuilder<ObservableCounter<u64>, u64> as guarded;
    f64_observable_counter: AsyncInstrumentBuilder<ObservableCounter<f64>, f64> as guarded;
    i64_observable_up_down_counter: AsyncInstrumentBuilder<ObservableUpDownCounter<i64>, i64> as guarded;
    f64_observable_up_down_counter: AsyncInstrumentBuilder<ObservableUpDownCounter<f64>, f64> as guarded;
    u64_observable_gauge: AsyncInstrumentBuilder<ObservableGauge<u64>, u64> as guarded;
    i64_observable_gauge: AsyncInstrumentBuilder<ObservableGauge<i64>, i64> as guarded;
    f64_observable_gauge: AsyncInstrumentBuilder<ObservableGauge<f64>, f64> as guarded;
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use opentelemetry::metrics::MeterProvider as _;
    use opentelemetry_sdk::metrics::data::{AggregatedMetrics, MetricData};
    use opentelemetry_sdk::metrics::{InMemoryMetricExporter, PeriodicReader, SdkMeterProvider};

    use super::MeterProvider;
    use crate::metrics::{CardinalityLimits, ExemplarFilter, Exemplars, Views};

    /// One that the API has and this does not hand on would record nothing, without a word.
    #[test]
    fn every_kind_of_instrument_is_handed_on_with_all_that_was_said() {
        let views = Arc::new(Views::new(&[], false, CardinalityLimits::default()).unwrap());
        let exemplars = Arc::new(Exemplars::new(ExemplarFilter::AlwaysOn, views, None));
        for exemplars in [None, Some(exemplars)] {
            hands_on_every_kind(exemplars);
        }
    }

    fn hands_on_every_kind(exemplars: Option<Arc<Exemplars>>) {
        let exporter = InMemoryMetricExporter::default();
        let reader = PeriodicReader::builder(exporter.clone()).build();
        let sdk = SdkMeterProvider::builder().with_reader(reader).build();
        let meter = MeterProvider::new(sdk.clone(), exemplars, None).meter("all");
        macro_rules! record {
            ($($kind:ident $record:ident $value:literal),+) => {
                $(meter.$kind(stringify!($kind)).with_unit("s").with_description("d").build().$record($value, &[]);)+
            };
        }
        record!(u64_counter add 1, f64_counter add 1.0, i64_up_down_counter add 1, f64_up_down_counter add 1.0);
        record!(u64_gauge record 1, f64_gauge record 1.0, i64_gauge record 1);
        record!(f64_histogram record 1.0, u64_histogram record 1);
        macro_rules! observe {
            ($($kind:ident $value:literal),+) => {
                $(let builder = meter.$kind(stringify!($kind)).with_unit("s").with_description("d");
                let _observed = builder.with_callback(|observer| observer.observe($value, &[])).build();)+
            };
        }
        observe!(u64_observable_counter 1, f64_observable_counter 1.0, i64_observable_up_down_counter 1);
        observe!(f64_observable_up_down_counter 1.0, u64_observable_gauge 1, i64_observable_gauge 1);
        observe!(f64_observable_gauge 1.0);
        meter.f64_histogram("buckets").with_boundaries(vec![7.0]).build().record(1.0, &[]);
        sdk.force_flush().unwrap();
        let collected = exporter.get_finished_metrics().unwrap();
        let scope = collected[0].scope_metrics().next().unwrap();
        assert_eq!(scope.scope().name(), "all");
        let metrics: BTreeMap<_, _> = scope.metrics().map(|metric| (metric.name(), metric)).collect();
        assert_eq!(metrics.len(), 17, "{:?}", metrics.keys());
        let said = |metric: &&&_| -> bool {
            let metric: &opentelemetry_sdk::metrics::data::Metric = metric;
            metric.unit() == "s" && metric.description() == "d"
        };
        assert_eq!(metrics.values().filter(said).count(), 16);
        let AggregatedMetrics::F64(MetricData::Histogram(histogram)) = metrics["buckets"].data() else {
            panic!("{:?}", metrics["buckets"]);
        };
        let bounds: Vec<_> = histogram.data_points().flat_map(|point| point.bounds()).collect();
        assert_eq!(bounds, [7.0]);
        sdk.shutdown().unwrap();
    }
}
