//! The effective configuration as users read it: each setting with its value and who said so.

use std::fmt;

/// Where a setting comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum SettingSource {
    /// The builder.
    Code,
    /// A variable of the environment.
    Variable(String),
    /// A line of the configuration file.
    File {
        /// From 1.
        line: usize,
    },
    /// A detector found it.
    Detected,
    /// Nobody: the default of the specification, or of this crate.
    Default,
}

impl fmt::Display for SettingSource {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code => formatter.write_str("code"),
            Self::Variable(name) => formatter.write_str(name),
            Self::File { line } => write!(formatter, "line {line}"),
            Self::Detected => formatter.write_str("detected"),
            Self::Default => formatter.write_str("default"),
        }
    }
}

/// One setting that is in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EffectiveSetting {
    pub(crate) name: String,
    pub(crate) value: String,
    pub(crate) source: SettingSource,
}

impl EffectiveSetting {
    /// What it is called: as in a configuration file, with dots between the keys.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its value, as text. Secrets are `REDACTED`: the values of headers, credentials in URLs, and what the redaction finds
    /// in resource attributes.
    #[must_use]
    pub fn value(&self) -> &str {
        &self.value
    }

    /// Who said so.
    #[must_use]
    pub fn source(&self) -> &SettingSource {
        &self.source
    }
}

/// The configuration that is in force: [`Telemetry::config`](crate::Telemetry::config). It can be shown as a text with a
/// line for each setting.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EffectiveConfig {
    pub(crate) file: Option<String>,
    pub(crate) settings: Vec<EffectiveSetting>,
    pub(crate) warnings: Vec<String>,
}

impl EffectiveConfig {
    /// The configuration file, if there is one.
    #[must_use]
    pub fn file(&self) -> Option<&str> {
        self.file.as_deref()
    }

    /// All settings, in the order of the file's format.
    #[must_use]
    pub fn settings(&self) -> &[EffectiveSetting] {
        &self.settings
    }

    /// What was wrong, or has no effect, one sentence each: they are on the console, too.
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// The setting of this name.
    #[must_use]
    pub fn setting(&self, name: &str) -> Option<&EffectiveSetting> {
        self.settings.iter().find(|setting| setting.name == name)
    }
}

impl fmt::Display for EffectiveConfig {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(file) = &self.file {
            writeln!(formatter, "# from {file}")?;
        }
        for EffectiveSetting { name, value, source } in &self.settings {
            // A line stays a line.
            match value.contains(char::is_control) {
                true => writeln!(formatter, "{name} = {value:?}  # {source}")?,
                false => writeln!(formatter, "{name} = {value}  # {source}")?,
            }
        }
        Ok(())
    }
}
