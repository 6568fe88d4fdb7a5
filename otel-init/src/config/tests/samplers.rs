//! Samplers by name, and the argument of the one that was chosen.

use std::sync::Arc;

use super::super::Settings;
use super::{resolve, resolve_with};
use crate::sampling::{Sampling, SamplingControl};

#[test]
fn samplers_are_named_by_two_variables() {
    for (name, argument, sampler) in [
        ("always_on", "", "always_on"),
        ("always_off", "", "always_off"),
        ("traceidratio", "0.25", "traceidratio 0.25"),
        ("parentbased_always_on", "", "parentbased_always_on"),
        ("parentbased_always_off", "", "parentbased_always_off"),
        ("parentbased_traceidratio", "0.1", "parentbased_traceidratio 0.1"),
        ("ParentBased_TraceIdRatio", "", "parentbased_traceidratio 1"),
    ] {
        let config = resolve(&[("OTEL_TRACES_SAMPLER", name), ("OTEL_TRACES_SAMPLER_ARG", argument)]);
        assert_eq!(config.sampler.to_string(), sampler);
        assert_eq!(config.warnings, Vec::<String>::new());
    }
}

#[test]
fn whoever_wants_a_remote_sampler_is_told_of_the_file() {
    for (name, is_told) in [
        ("jaeger_remote", true),
        ("ParentBased_Jaeger_Remote", true),
        ("xray", true),
        ("traceidratoi", false),
    ] {
        let argument = "endpoint=http://localhost:14250,initialSamplingRate=0.25";
        let config = resolve(&[("OTEL_TRACES_SAMPLER", name), ("OTEL_TRACES_SAMPLER_ARG", argument)]);
        assert_eq!(config.warnings.len(), 1, "{:?}", config.warnings);
        assert_eq!(config.warnings[0].contains("OTEL_INIT_SAMPLER_FILE"), is_told, "{:?}", config.warnings);
    }
}

#[test]
fn in_development_telemetry_comes_soon_unless_somebody_says_otherwise() {
    let waits = |variables: &[(&str, &str)]| {
        let config = resolve(variables);
        assert_eq!(config.warnings, Vec::<String>::new());
        let destinations = &config.destinations;
        let delay = destinations.traces[0].batch.schedule_delay;
        (delay.as_millis(), destinations.metrics[0].interval.as_millis())
    };
    let development = ("OTEL_TRACES_SAMPLER", "development");
    assert_eq!(waits(&[]), (5000, 60_000));
    assert_eq!(waits(&[development]), (500, 5000));
    let own = [("OTEL_BSP_SCHEDULE_DELAY", "7000"), ("OTEL_METRIC_EXPORT_INTERVAL", "8000")];
    assert_eq!(waits(&[development, own[0], own[1]]), (7000, 8000));
}

/// A limit inside of the head would refuse without counting.
#[test]
fn what_a_limit_refuses_is_counted() {
    for name in ["rate_limiting", "parentbased_rate_limiting", "production", "emergency"] {
        let config = resolve(&[("OTEL_TRACES_SAMPLER", name)]);
        assert!(SamplingControl::new(&config.sampler.sampling, None).has_limits(), "{name}");
    }
}

#[test]
fn a_bad_ratio_samples_everything_and_a_batch_fits_its_queue() {
    let config = resolve(&[("OTEL_TRACES_SAMPLER", "traceidratio"), ("OTEL_TRACES_SAMPLER_ARG", "7.0")]);
    assert_eq!(config.sampler.to_string(), "traceidratio 1");
    assert!(config.warnings[0].starts_with("OTEL_TRACES_SAMPLER_ARG is \"7.0\""));

    let config = resolve(&[("OTEL_BSP_MAX_QUEUE_SIZE", "10"), ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "20")]);
    assert_eq!(config.destinations.traces[0].batch.max_export_batch_size, 10);
    assert!(config.warnings[0].starts_with("OTEL_BSP_MAX_EXPORT_BATCH_SIZE is \"20\", "));
}

#[test]
fn the_argument_of_the_sampler_belongs_to_whoever_was_chosen() {
    let production = || Settings { sampling: Some(Sampling::production()), ..Settings::default() };
    let in_code = || Settings { sampling: Some(Sampling::probability(0.5)), ..Settings::default() };
    let mut added = Settings::default();
    let make = |argument: Option<&str>| {
        Sampling::probability(argument.and_then(|argument| argument.parse().ok()).unwrap_or(0.75))
    };
    added.registry.add_sampler("mine", Arc::new(make));
    let (name, argument) = ("OTEL_TRACES_SAMPLER", "OTEL_TRACES_SAMPLER_ARG");
    for (settings, variables, expected, warning) in [
        (production(), &[(argument, "0.2")][..], "production: probability 5 %", Some("it needs a sampler")),
        (production(), &[(name, "staging"), (argument, "0.2")], "staging: probability 20 %", None),
        (production(), &[(name, "production"), (argument, "0.2")], "production: probability 20 %, at", None),
        (in_code(), &[(argument, "0.2")], "probability 50 %", Some("the code says what is sampled")),
        (Settings::default(), &[(argument, "0.2")], "parentbased_always_on", Some("it needs a sampler")),
        (Settings::default(), &[(name, "always_off"), (argument, "0.2")], "always_off", Some("takes none")),
        (added.clone(), &[(name, "MINE")], "probability 75 %", None),
        (added.clone(), &[(name, "mine"), (argument, "0.2")], "probability 20 %", None),
        (added, &[(name, "yours")], "parentbased_always_on", Some("production or emergency, mine")),
    ] {
        let config = resolve_with(&settings, variables);
        assert!(config.sampler.to_string().starts_with(expected), "{variables:?}: {}", config.sampler);
        assert_eq!(
            config.warnings.len(),
            usize::from(warning.is_some()),
            "{variables:?}: {:?}",
            config.warnings
        );
        for (said, expected) in config.warnings.iter().zip(warning) {
            assert!(said.starts_with("OTEL_TRACES_SAMPLER") && said.contains(expected), "{said}");
        }
    }
}

/// The argument of a sampler that is misspelt is no mistake of its own.
#[test]
fn one_warning_says_which_sampler_is_used_instead() {
    let production = || Settings { sampling: Some(Sampling::production()), ..Settings::default() };
    let misspelt = [("OTEL_TRACES_SAMPLER", "always"), ("OTEL_TRACES_SAMPLER_ARG", "0.2")];
    for (settings, used) in [
        (Settings::default(), "parentbased_always_on is used"),
        (production(), "production: probability 5 %, "),
    ] {
        let config = resolve_with(&settings, &misspelt);
        let [warning] = &config.warnings[..] else { panic!("{:?}", config.warnings) };
        assert!(warning.starts_with("OTEL_TRACES_SAMPLER is \"always\", expected always_on, "), "{warning}");
        assert!(warning.contains(&format!("; {used}")) && warning.ends_with(" is used"), "{warning}");
        let shown = config.effective().to_string();
        assert!(!shown.contains("  # OTEL_TRACES_SAMPLER"), "{shown}");
    }
    for (name, used) in [("traceidratio", "1"), ("staging", "0.5"), ("rate_limiting", "100")] {
        let config = resolve(&[("OTEL_TRACES_SAMPLER", name), ("OTEL_TRACES_SAMPLER_ARG", "x")]);
        let [warning] = &config.warnings[..] else { panic!("{:?}", config.warnings) };
        assert!(warning.ends_with(&format!("; {used} is used")), "{warning}");
    }
}
