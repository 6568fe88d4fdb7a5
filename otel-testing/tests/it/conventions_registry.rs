//! The embedded registry is what the generator makes of its source.

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
