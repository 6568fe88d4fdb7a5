//! The embedded registry is what the generator makes of its source.

use std::collections::HashSet;

#[path = "../../examples/generate_registry/generator.rs"]
mod generator;

#[test]
fn the_embedded_registry_is_up_to_date() {
    let Some(source) = otel_testing::shared_file!("reference/semconv.json") else { return };
    let document = serde_json::from_str(&std::fs::read_to_string(source).unwrap()).unwrap();
    let embedded = include_str!("../../src/conventions/registry.txt");
    assert!(
        generator::registry(&document).unwrap() == embedded,
        "src/conventions/registry.txt is not what the generator makes: run the example generate_registry"
    );
    // What comes with every build of every user's tests.
    assert!(embedded.len() < 100_000, "{} bytes", embedded.len());
}

/// A registry with a gap calls an attribute unknown that a metric of its own requires.
#[test]
fn the_registry_defines_every_attribute_that_it_requires() {
    let lines = include_str!("../../src/conventions/registry.txt").lines();
    let lines: Vec<Vec<&str>> = lines.map(|line| line.split('\t').collect()).collect();
    let defined: HashSet<&str> =
        lines.iter().filter(|fields| fields[0] == "a").map(|fields| fields[1]).collect();
    let required = lines.iter().filter_map(|fields| match fields.as_slice() {
        ["m", _, _, _, _, required, _] | ["s", _, _, required] | ["e", _, required, _] => Some(*required),
        _ => None,
    });
    let names: HashSet<&str> =
        required.flat_map(|names| names.split(',')).filter(|name| !name.is_empty()).collect();
    let missing: Vec<&&str> = names.difference(&defined).collect();
    assert!(names.contains("cpu.mode") && missing.is_empty(), "{missing:?}");
    for name in ["cpu.mode", "disk.io.direction", "system.paging.fault.type"] {
        assert!(defined.contains(name), "{name}: otel-init's metrics of the process have it");
    }
}
