//! Variables that list names, with commas.

use super::environment::Environment;

/// What a variable lists. [`Self::tell`] says what was wrong with it.
#[must_use]
pub(crate) struct List<'a, T> {
    variable: &'a str,
    environment: &'a Environment<'a>,
    /// The names that are known, each once, with what they stand for. `None` if the default holds: nothing is listed, or
    /// nothing that is known.
    pub(crate) known: Option<Vec<(String, T)>>,
    /// The names that are not, and what is expected.
    unknown: Vec<(String, String)>,
    /// The value, if it has only commas.
    blank: Option<String>,
}

impl<'a, T> List<'a, T> {
    /// In lower case. `parse` says what a name stands for, or what is expected; `none` stands for nothing if nobody knows it.
    pub(crate) fn read<E: Into<String>>(
        variable: &'a str,
        environment: &'a Environment<'a>,
        parse: impl Fn(&str) -> Result<T, E>,
    ) -> Self {
        let mut list = Self { variable, environment, known: None, unknown: Vec::new(), blank: None };
        let Some(text) = environment.text(variable) else { return list };
        let (mut known, mut is_none) = (Vec::new(), false);
        let names = distinct(text.split(','));
        list.blank = names.is_empty().then_some(text);
        for name in names {
            match parse(&name) {
                Ok(value) => known.push((name, value)),
                Err(_) if name == "none" => is_none = true,
                Err(expected) => list.unknown.push((name, expected.into())),
            }
        }
        if known.is_empty() && !is_none {
            environment.refuse(variable);
        } else {
            list.known = Some(known);
        }
        list
    }

    /// One warning for each name that is not known. `used` is what holds of the list, or in its place.
    pub(crate) fn tell(self, used: &[String]) {
        let (variable, environment) = (self.variable, self.environment);
        let used = listed(used);
        environment.instead(variable, format!("{used} is used"));
        if let Some(value) = self.blank {
            environment.warn(format!("{variable} is {value:?}, which names nothing; {used} is used"));
        }
        for (name, expected) in self.unknown {
            environment.misnamed(variable, &name, &expected, format!("{used} is used"));
        }
    }
}

/// In lower case, without blanks, each once.
pub(crate) fn distinct<'a>(names: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut distinct: Vec<String> = Vec::new();
    for name in names.map(|name| name.trim().to_ascii_lowercase()).filter(|name| !name.is_empty()) {
        if !distinct.contains(&name) {
            distinct.push(name);
        }
    }
    distinct
}

/// As a variable has it.
pub(crate) fn listed(names: &[String]) -> String {
    if names.is_empty() { "none".to_owned() } else { names.join(",") }
}
