//! What the fuzz targets do with their input, as plain functions.
//!
//! Of the propagators the input is a request's headers: lines of `name: value`, in any bytes. Each function extracts them, checks that
//! what was accepted reads the same after it was injected, and panics where it does not.

mod config_file;
mod genai;
mod messages;

pub mod query_text;
mod sampling;

use std::borrow::Cow;

use opentelemetry::Context;
use opentelemetry::baggage::BaggageExt;
use opentelemetry::propagation::{Extractor, Injector, TextMapPropagator};
use opentelemetry::trace::TraceContextExt;
use otel_core::propagation::{
    B3Propagator, BaggagePropagator, JaegerPropagator, OtTracePropagator, PropagatorRegistry,
    TraceContextPropagator, XRayPropagator, remote_decision,
};

pub use config_file::config_file;
pub use genai::{genai_endpoint, genai_request, genai_response};
pub use messages::{grpc_call, http_request, mcp_message, otlp_json};
pub use sampling::{debug_header, ot_entry, sampler_file};

/// `traceparent` and `tracestate`.
pub fn trace_context(data: &[u8]) {
    check(&TraceContextPropagator::new(), data);
}

/// `baggage`.
pub fn baggage(data: &[u8]) {
    check(&BaggagePropagator::new(), data);
}

/// `b3` and `x-b3-*`.
pub fn b3(data: &[u8]) {
    check(&B3Propagator::single(), data);
    check(&B3Propagator::multi(), data);
}

/// `uber-trace-id`, `uberctx-*` and `jaeger-baggage`.
pub fn jaeger(data: &[u8]) {
    check(&JaegerPropagator::new(), data);
}

/// `x-amzn-trace-id`.
pub fn xray(data: &[u8]) {
    check(&XRayPropagator::new(), data);
}

/// `ot-tracer-*` and `ot-baggage-*`.
pub fn ottrace(data: &[u8]) {
    check(&OtTracePropagator::new(), data);
}

/// All formats at once; the names of the propagators, in their order, are the first line.
pub fn composite(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let (names, headers) = text.split_once('\n').unwrap_or_default();
    let (propagator, _) = PropagatorRegistry::new().compose(names.split(','));
    let context = extract(&propagator, &Headers::parse(headers));
    inject(&propagator, &context);
}

/// Extraction never panics; from the second time on nothing is lost. The first time may shorten: a trace id to the 64
/// bits of a format, a `tracestate` to 512 characters.
fn check(propagator: &dyn TextMapPropagator, data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let first = extract(propagator, &Headers::parse(&text));
    let second = extract(propagator, &inject(propagator, &first));
    let third = extract(propagator, &inject(propagator, &second));
    assert_eq!(said(&second), said(&third));
    assert!(first.baggage().len() <= 64, "{first:?}");
}

fn extract(propagator: &dyn TextMapPropagator, headers: &Headers<'_>) -> Context {
    propagator.extract_with_context(&Context::new(), headers)
}

fn inject(propagator: &dyn TextMapPropagator, context: &Context) -> Headers<'static> {
    let mut headers = Headers::default();
    propagator.inject_context(context, &mut headers);
    headers
}

/// All that a context says, in a form that can be compared.
fn said(context: &Context) -> String {
    let mut entries: Vec<_> = context.baggage().iter().collect();
    entries.sort_by(|one, other| one.0.cmp(other.0));
    format!("{:?} {:?} {entries:?}", context.span().span_context(), remote_decision(context))
}

#[derive(Debug, Default)]
struct Headers<'a>(Vec<(Cow<'a, str>, Cow<'a, str>)>);

impl<'a> Headers<'a> {
    fn parse(text: &'a str) -> Self {
        let pairs = text.split('\n').filter_map(|line| line.split_once(':'));
        Self(pairs.map(|(name, value)| (name.into(), value.trim_matches([' ', '\t']).into())).collect())
    }
}

impl Extractor for Headers<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.iter().find(|(name, _)| name.eq_ignore_ascii_case(key)).map(|(_, value)| value.as_ref())
    }

    fn keys(&self) -> Vec<&str> {
        self.0.iter().map(|(name, _)| name.as_ref()).collect()
    }

    fn get_all(&self, key: &str) -> Option<Vec<&str>> {
        let all = self.0.iter().filter(|(name, _)| name.eq_ignore_ascii_case(key));
        let all: Vec<_> = all.map(|(_, value)| value.as_ref()).collect();
        (!all.is_empty()).then_some(all)
    }
}

impl Injector for Headers<'_> {
    fn set(&mut self, key: &str, value: String) {
        self.0.push((key.to_owned().into(), value.into()));
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::time::{Duration, Instant};

    /// The targets on the stable toolchain: random lines of headers, and small changes to good ones, for a bounded time
    /// from a fixed seed. `FUZZ_SECONDS` changes the time of each target, 2 by default.
    pub(crate) fn drive(target: fn(&[u8]), seeds: &[&str]) {
        let seconds =
            std::env::var("FUZZ_SECONDS").ok().and_then(|seconds| seconds.parse().ok()).unwrap_or(2);
        let end = Instant::now() + Duration::from_secs(seconds);
        let mut random = Random(0x9e37_79b9_7f4a_7c15);
        let mut runs = 0_u64;
        while runs < 1000 || Instant::now() < end {
            let input = random.mutated(seeds);
            if catch_unwind(AssertUnwindSafe(|| target(&input))).is_err() {
                panic!("the input was {:?}", String::from_utf8_lossy(&input));
            }
            runs += 1;
        }
        println!("{runs} runs");
    }

    /// xorshift64*: a test needs no better one, and the same inputs each time.
    struct Random(u64);

    impl Random {
        fn below(&mut self, bound: usize) -> usize {
            self.0 ^= self.0 >> 12;
            self.0 ^= self.0 << 25;
            self.0 ^= self.0 >> 27;
            (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % bound.max(1)
        }

        /// A seed, or two, with bytes replaced, inserted, removed, doubled or cut off.
        fn mutated(&mut self, seeds: &[&str]) -> Vec<u8> {
            let mut bytes = seeds[self.below(seeds.len())].as_bytes().to_vec();
            if self.below(3) == 0 {
                bytes.push(b'\n');
                bytes.extend_from_slice(seeds[self.below(seeds.len())].as_bytes());
            }
            for _ in 0..self.below(8) {
                let (at, byte) = (self.below(bytes.len() + 1), self.byte());
                match self.below(5) {
                    0 if at < bytes.len() => bytes[at] = byte,
                    1 => bytes.insert(at, byte),
                    2 if at < bytes.len() => drop(bytes.remove(at)),
                    3 => {
                        let again = bytes[at..].repeat(1 + self.below(40));
                        bytes.extend_from_slice(&again[..again.len().min(9000)]);
                    }
                    _ if self.below(4) == 0 => bytes.truncate(at),
                    _ => {}
                }
            }
            bytes
        }

        /// Any byte, and more often one that means something to a parser.
        fn byte(&mut self) -> u8 {
            const TELLING: &[u8] = b"-:;,=%@ \t\n01dfFA?\xff";
            if self.below(2) == 0 { TELLING[self.below(TELLING.len())] } else { self.below(256) as u8 }
        }
    }

    const W3C: &[&str] = &[
        "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-03",
        "tracestate: rojo=00f067aa0ba902b7,congo=t61rcWkgMzE,foo@@bar=1,ot=th:8",
    ];
    const BAGGAGE: &[&str] = &["baggage: a=1,b = caf%C3%A9 ; p=1;q", "baggage:k=%FF,,x=y=z"];
    const B3: &[&str] = &[
        "b3: 80f198ee56343ba864fe8b2a57d3eff7-e457b5a2e4d86bd1-1-05e3ac9a4f6e3b90",
        "b3:0",
        "x-b3-traceid: 80f198ee56343ba8\nx-b3-spanid: e457b5a2e4d86bd1\nx-b3-sampled: 1\nx-b3-flags: 1",
    ];
    const JAEGER: &[&str] =
        &["uber-trace-id: 4d0000000000000016%3A17c29:0:3\nuberctx-key: v%20w", "jaeger-baggage: a=1, b=2"];
    const XRAY: &[&str] = &[
        "x-amzn-trace-id: Root=1-8a3c60f7-d188f8fa79d48a391a778fa6;Parent=53995c3f42cd8ad8;Sampled=?;Lineage=1:e65a2c4d:2",
    ];
    const OTTRACE: &[&str] = &[
        "ot-tracer-traceid: ff000000000000000000000000000041\not-tracer-spanid: 41\not-tracer-sampled: true\not-baggage-K: v",
    ];

    #[test]
    fn trace_context() {
        drive(super::trace_context, W3C);
    }

    #[test]
    fn baggage() {
        drive(super::baggage, BAGGAGE);
    }

    #[test]
    fn b3() {
        drive(super::b3, B3);
    }

    #[test]
    fn jaeger() {
        drive(super::jaeger, JAEGER);
    }

    #[test]
    fn xray() {
        drive(super::xray, XRAY);
    }

    #[test]
    fn ottrace() {
        drive(super::ottrace, OTTRACE);
    }

    #[test]
    fn composite() {
        let names = "tracecontext,baggage,b3,b3multi,jaeger,xray,ottrace";
        let all: Vec<_> = [W3C, BAGGAGE, B3, JAEGER, XRAY, OTTRACE].concat();
        let seeds: Vec<_> = all.iter().map(|headers| format!("{names}\n{headers}")).collect();
        drive(super::composite, &seeds.iter().map(String::as_str).collect::<Vec<_>>());
    }
}
