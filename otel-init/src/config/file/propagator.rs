//! `propagator:`.

use super::error::FileError;
use super::fields::{Fields, Value};
use super::{Config, Reader};

impl Reader<'_> {
    /// "Entries from .composite_list are appended to the list here with duplicates filtered out."
    pub(super) fn propagator(&self, mut fields: Fields, config: &mut Config) -> Result<(), FileError> {
        if let Some(value) = fields.optional("composite") {
            for item in value.list()? {
                let (name, propagator) = item.fields()?.only()?;
                self.add(&name, &propagator, config)?;
                propagator.nothing()?;
            }
        }
        if let Some(value) = fields.optional("composite_list") {
            for name in value.text()?.split(',').map(str::trim).filter(|name| !name.is_empty()) {
                self.add(name, &value, config)?;
            }
        }
        fields.end()
    }

    fn add(&self, name: &str, value: &Value, config: &mut Config) -> Result<(), FileError> {
        let (registry, name) = (&self.settings.propagators, &name.to_ascii_lowercase());
        if name == "none" || config.propagators.names.contains(name) {
            return Ok(());
        }
        if !registry.names().any(|known| known == name) {
            let known: Vec<_> = registry.names().collect();
            return Err(value.error(format!("no propagator has the name {name}: {}", known.join(", "))));
        }
        config.propagators.names.push(name.clone());
        Ok(())
    }
}
