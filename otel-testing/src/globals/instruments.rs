//! Instruments of the global meter provider: each measurement goes to the test of its context.

use std::any::Any;
use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use opentelemetry::metrics::{
    BoundSyncInstrument, Counter, Gauge, Histogram, HistogramBuilder, InstrumentBuilder, InstrumentProvider,
    Meter, MeterProvider, SyncInstrument, UpDownCounter,
};
use opentelemetry::{Context, InstrumentationScope, KeyValue};

use super::routed;
use crate::lock::lock;

#[derive(Debug)]
pub(super) struct RoutingMeterProvider;

impl MeterProvider for RoutingMeterProvider {
    fn meter_with_scope(&self, scope: InstrumentationScope) -> Meter {
        Meter::new(Arc::new(RoutingMeter { scope }))
    }
}

struct RoutingMeter {
    scope: InstrumentationScope,
}

/// What an instrument was built with, to build it again for each test.
#[derive(Clone)]
struct Recipe {
    scope: InstrumentationScope,
    name: Cow<'static, str>,
    description: Option<Cow<'static, str>>,
    unit: Option<Cow<'static, str>>,
    boundaries: Option<Vec<f64>>,
}

/// One instrument of the application; each test gets its own, which is kept with the test and goes with it.
struct Routed<I> {
    number: usize,
    recipe: Recipe,
    build: fn(&Meter, &Recipe) -> I,
}

impl<I: Any + Send + Sync + Clone> Routed<I> {
    fn new(recipe: Recipe, build: fn(&Meter, &Recipe) -> I) -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        Self { number: NEXT.fetch_add(1, Ordering::Relaxed), recipe, build }
    }

    fn of_this_test(&self) -> Option<I> {
        let test = routed(&Context::current())?;
        let mut instruments = lock(&test.instruments);
        let instrument = instruments.entry(self.number).or_insert_with(|| {
            let meter = test.meter_provider.meter_with_scope(self.recipe.scope.clone());
            Box::new((self.build)(&meter, &self.recipe))
        });
        instrument.downcast_ref::<I>().cloned()
    }
}

/// Measures with the instrument of the test at the time of each measurement.
struct Bound<T> {
    instrument: Arc<dyn SyncInstrument<T> + Send + Sync>,
    attributes: Vec<KeyValue>,
}

impl<T> BoundSyncInstrument<T> for Bound<T> {
    fn measure(&self, measurement: T) {
        self.instrument.measure(measurement, &self.attributes);
    }
}

macro_rules! instruments {
    ($($kind:ident<$number:ty> $method:ident $record:ident;)*) => {
        $(
            impl SyncInstrument<$number> for Routed<$kind<$number>> {
                fn measure(&self, measurement: $number, attributes: &[KeyValue]) {
                    if let Some(instrument) = self.of_this_test() {
                        instrument.$record(measurement, attributes);
                    }
                }

                fn bind(&self, attributes: &[KeyValue]) -> Box<dyn BoundSyncInstrument<$number> + Send + Sync> {
                    let same = Self { number: self.number, recipe: self.recipe.clone(), build: self.build };
                    Box::new(Bound { instrument: Arc::new(same), attributes: attributes.to_vec() })
                }
            }
        )*

        impl InstrumentProvider for RoutingMeter {
            $(instruments!(@method $kind<$number> $method);)*
        }
    };
    (@method Histogram<$number:ty> $method:ident) => {
        fn $method(&self, builder: HistogramBuilder<'_, Histogram<$number>>) -> Histogram<$number> {
            let recipe = Recipe {
                scope: self.scope.clone(),
                name: builder.name,
                description: builder.description,
                unit: builder.unit,
                boundaries: builder.boundaries,
            };
            Histogram::new(Arc::new(Routed::<Histogram<$number>>::new(recipe, |meter, recipe| {
                let mut builder = meter.$method(recipe.name.clone());
                builder.description = recipe.description.clone();
                builder.unit = recipe.unit.clone();
                builder.boundaries = recipe.boundaries.clone();
                builder.build()
            })))
        }
    };
    (@method $kind:ident<$number:ty> $method:ident) => {
        fn $method(&self, builder: InstrumentBuilder<'_, $kind<$number>>) -> $kind<$number> {
            let recipe = Recipe {
                scope: self.scope.clone(),
                name: builder.name,
                description: builder.description,
                unit: builder.unit,
                boundaries: None,
            };
            $kind::new(Arc::new(Routed::<$kind<$number>>::new(recipe, |meter, recipe| {
                let mut builder = meter.$method(recipe.name.clone());
                builder.description = recipe.description.clone();
                builder.unit = recipe.unit.clone();
                builder.build()
            })))
        }
    };
}

instruments! {
    Counter<u64> u64_counter add;
    Counter<f64> f64_counter add;
    UpDownCounter<i64> i64_up_down_counter add;
    UpDownCounter<f64> f64_up_down_counter add;
    Gauge<u64> u64_gauge record;
    Gauge<i64> i64_gauge record;
    Gauge<f64> f64_gauge record;
    Histogram<u64> u64_histogram record;
    Histogram<f64> f64_histogram record;
}
