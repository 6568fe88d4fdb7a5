//! `instrumentation/development:`.

use super::FileConfig;
use super::error::FileError;
use super::fields::{Fields, Value};

/// Those of this family below `rust`. What is meant for other languages is for their SDKs.
pub(super) fn read(mut fields: Fields, config: &mut FileConfig) -> Result<(), FileError> {
    fields.unsupported("general", "instrumentations are set up where their layers are made")?;
    for language in ["cpp", "dotnet", "erlang", "go", "java", "js", "php", "python", "ruby", "swift"] {
        let _ = fields.optional(language);
    }
    if let Some(rust) = fields.fields("rust")? {
        for (name, value) in rust.all() {
            library(&name, value, config)?;
        }
    }
    fields.end()
}

/// "Each entry's key identifies a particular instrumentation library."
fn library(name: &str, value: Value, config: &mut FileConfig) -> Result<(), FileError> {
    let mut fields = value.fields()?;
    if fields.boolean("enabled")? == Some(false) {
        config.instrumentations.disabled.push(name.to_owned());
    }
    if let Some(paths) = fields.optional("excluded_paths") {
        let path = |text: &str| text.starts_with(['/', '*']).then(|| text.to_owned());
        let paths = paths.list()?.into_iter();
        let paths = paths.map(|value| value.choice("a path that begins with / or *", path));
        let paths = paths.collect::<Result<_, _>>()?;
        config.instrumentations.excluded_paths.push((name.to_owned(), paths));
    }
    fields.end()
}
