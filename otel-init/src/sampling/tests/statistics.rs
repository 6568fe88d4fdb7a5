//! What holds for many traces: fixed seeds, and the bounds that theory gives.

use opentelemetry::trace::{TraceContextExt, TraceFlags, TraceId, TraceState};
use opentelemetry::{Context, trace};
use opentelemetry_sdk::trace::{SamplingDecision, ShouldSample};
use proptest::prelude::*;

use super::super::ot_state::{OtState, with_threshold};
use super::super::{
    Equalizing, ParentThreshold, Probability, Proportional, Randomness, Sampling, SamplingControl, Threshold,
};
use super::{Random, composite};

const MANY: usize = 100_000;

fn decide(sampler: &dyn ShouldSample, context: &Context, trace_id: TraceId) -> (bool, Option<Threshold>) {
    let kind = trace::SpanKind::Server;
    let result = sampler.should_sample(Some(context), trace_id, "span", &kind, &[], &[]);
    (result.decision == SamplingDecision::RecordAndSample, OtState::of(&result.trace_state).threshold)
}

/// "Consistent: sampled at p1 implies sampled at every p2 >= p1 for the same trace id."
#[test]
fn a_lower_probability_keeps_a_subset_of_what_a_higher_one_keeps() {
    let probabilities = [0.0001, 0.001, 0.01, 0.05, 0.1, 0.3, 0.5, 0.9, 1.0];
    let samplers = probabilities.map(|ratio| composite(Probability::new(ratio)));
    let mut random = Random::new(11);
    let mut sampled = [0_usize; 9];
    for _ in 0..MANY {
        let trace_id = random.trace_id();
        let mut was_sampled = false;
        for (sampler, sampled) in samplers.iter().zip(&mut sampled) {
            let (is_sampled, _) = decide(sampler, &Context::new(), trace_id);
            assert!(is_sampled || !was_sampled, "{trace_id}");
            was_sampled = is_sampled;
            *sampled += usize::from(is_sampled);
        }
    }
    for (ratio, sampled) in probabilities.into_iter().zip(sampled) {
        // Five standard deviations of the binomial distribution.
        let expected = ratio * MANY as f64;
        let bound = 5.0 * (expected * (1.0 - ratio)).sqrt() + 1.0;
        assert!((sampled as f64 - expected).abs() <= bound, "{sampled} at {ratio}");
    }
}

/// The sum of adjusted counts has the variance n (1 - p) / p.
#[test]
fn adjusted_counts_sum_to_the_number_of_traces() {
    for (seed, ratio) in [(21, 0.001), (22, 0.01), (23, 0.05), (24, 0.3), (25, 0.99)] {
        let sampler = SamplingControl::new(&Sampling::probability(ratio), None).sampler();
        let mut random = Random::new(seed);
        let mut sum = 0.0;
        for _ in 0..MANY {
            if let (true, threshold) = decide(&sampler, &Context::new(), random.trace_id()) {
                sum += threshold.unwrap().adjusted_count();
            }
        }
        let bound = 5.0 * (MANY as f64 * (1.0 - ratio) / ratio).sqrt();
        assert!((sum - MANY as f64).abs() <= bound, "{sum} at {ratio}");
    }
}

/// Two services, the second of which samples less: the counts of both are right.
#[test]
fn counts_stay_right_when_a_service_in_the_middle_samples_less() {
    let first = composite(ParentThreshold::new(Probability::new(0.5)));
    let seconds: [(&str, Box<dyn ShouldSample>); 2] = [
        ("equalizing", Box::new(composite(Equalizing::new(0.1)))),
        ("proportional", Box::new(composite(Proportional::new(0.2)))),
    ];
    for (name, second) in seconds {
        let mut random = Random::new(31);
        let mut sums = (0.0, 0.0);
        for _ in 0..MANY {
            let trace_id = random.trace_id();
            let (is_sampled, threshold) = decide(&first, &Context::new(), trace_id);
            let flags = TraceFlags::NOT_SAMPLED.with_sampled(is_sampled);
            let state = with_threshold(&TraceState::NONE, threshold);
            let parent = trace::SpanContext::new(trace_id, trace::SpanId::from(1), flags, true, state);
            sums.0 += if is_sampled { threshold.unwrap().adjusted_count() } else { 0.0 };
            let context = Context::new().with_remote_span_context(parent);
            if let (true, threshold) = decide(&*second, &context, trace_id) {
                sums.1 += threshold.unwrap().adjusted_count();
                assert!((threshold.unwrap().probability() - 0.1).abs() < 1e-4, "{name}");
            }
        }
        let bound = |ratio: f64| 5.0 * (MANY as f64 * (1.0 - ratio) / ratio).sqrt();
        assert!((sums.0 - MANY as f64).abs() <= bound(0.5), "{name}: {}", sums.0);
        assert!((sums.1 - MANY as f64).abs() <= bound(0.1), "{name}: {}", sums.1);
    }
}

/// "Over 2^k evenly spaced R values exactly the fraction (2^56 - T)/2^56 is kept."
#[test]
fn evenly_spaced_randomness_is_kept_in_the_exact_share() {
    for digits in ["0", "8", "c", "4", "f", "e6", "fd7", "001", "fff"] {
        let threshold = Threshold::parse(digits).unwrap();
        let kept = (0..4096_u64)
            .filter(|step| threshold.samples(Randomness::parse(&format!("{:014x}", step << 44)).unwrap()))
            .count();
        assert_eq!(kept as f64, threshold.probability() * 4096.0, "{digits}");
    }
}

proptest! {
    /// "The 9 leftmost bytes of the trace id never change the decision"; "with rv present the trace id is not used".
    #[test]
    fn only_the_randomness_decides(high in any::<u128>(), low in 0_u64..1 << 56, other in 1_u128.., ratio in 0.0..1.0) {
        let sampler = composite(Probability::new(ratio));
        let plain = decide(&sampler, &Context::new(), TraceId::from(u128::from(low)));
        let trace_id = TraceId::from((high << 56) | u128::from(low));
        prop_assert_eq!(decide(&sampler, &Context::new(), trace_id), plain);
        let state = TraceState::from_key_value([("ot", format!("rv:{low:014x}"))]).unwrap();
        let flags = TraceFlags::SAMPLED;
        let parent = trace::SpanContext::new(TraceId::from(other), trace::SpanId::from(1), flags, true, state);
        let context = Context::new().with_remote_span_context(parent);
        prop_assert_eq!(decide(&sampler, &context, TraceId::from(other)), plain);
    }

    /// "On keep, tracestate ot carries th:T (trailing zeros removed); on drop no th remains; rv and unknown ot keys
    /// survive both."
    #[test]
    fn what_others_wrote_survives(low in 0_u64..1 << 56, ratio in 0.0..1.0, th in "[0-9a-f]{1,14}", value in "[a-z0-9]{1,20}") {
        let ot = format!("th:{th};x:{value};rv:{low:014x}");
        let state = TraceState::from_key_value([("vendor", "1"), ("ot", &ot)]).unwrap();
        let parent = trace::SpanContext::new(TraceId::from(1), trace::SpanId::from(1), TraceFlags::SAMPLED, true, state);
        let context = Context::new().with_remote_span_context(parent);
        let sampler = composite(Probability::new(ratio));
        let kind = trace::SpanKind::Server;
        let result = sampler.should_sample(Some(&context), TraceId::from(1), "span", &kind, &[], &[]);
        let written = result.trace_state.get("ot").unwrap();
        let threshold = Threshold::from_probability(ratio);
        if result.decision == SamplingDecision::RecordAndSample {
            prop_assert_eq!(written, format!("th:{threshold};rv:{low:014x};x:{value}"));
            prop_assert!(!threshold.to_string().ends_with('0') || threshold == Threshold::ALWAYS);
        } else {
            prop_assert_eq!(written, format!("rv:{low:014x};x:{value}"));
        }
        prop_assert_eq!(result.trace_state.get("vendor"), Some("1"));
    }

    /// Reading what was written gives the same, and nothing panics on what others write.
    #[test]
    fn thresholds_read_as_they_were_written(probability in any::<f64>(), digits in 0_u32..20, text in ".{0,20}") {
        let threshold = Threshold::with_precision(probability, digits);
        if threshold != Threshold::NEVER {
            prop_assert_eq!(Threshold::parse(&threshold.to_string()), Some(threshold));
        }
        if (1e-6..=1.0).contains(&probability) && digits >= 4 {
            prop_assert!((threshold.probability() / probability - 1.0).abs() < 1e-3);
        }
        let _ = (Threshold::parse(&text), Randomness::parse(&text));
        if let Ok(state) = TraceState::from_key_value([("ot", &text)]) {
            let again = with_threshold(&state, Some(Threshold::ALWAYS));
            prop_assert_eq!(OtState::of(&again).threshold, Some(Threshold::ALWAYS));
            prop_assert!(again.get("ot").unwrap().len() <= 256);
        }
    }
}
