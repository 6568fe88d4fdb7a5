//! Writes `src/conventions/registry.txt` from the JSON form of the semantic conventions:
//! `cargo run -p otel-testing --example generate_registry -- semconv.json otel-testing/src/conventions/registry.txt`.

mod generator;

use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    let paths: Vec<String> = std::env::args().skip(1).collect();
    let [from, to] = paths.as_slice() else {
        return Err("two arguments are needed: the JSON to read and the text to write".into());
    };
    let document = serde_json::from_str(&std::fs::read_to_string(from)?)?;
    std::fs::write(to, generator::registry(&document)?)?;
    Ok(())
}
