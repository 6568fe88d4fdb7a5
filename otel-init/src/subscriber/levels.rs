//! How verbose what is exported of `tracing` is: in general, and for some targets.

use std::fmt;
use std::str::FromStr;

use tracing::Level;
use tracing_subscriber::filter::LevelFilter;

/// A general level, and those of targets. Of the targets that fit, the longest counts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Levels {
    pub(crate) general: Option<LevelFilter>,
    targets: Vec<(String, LevelFilter)>,
}

impl Levels {
    /// Nothing is exported.
    pub(crate) fn off() -> Self {
        Self { general: Some(LevelFilter::OFF), targets: Vec::new() }
    }

    pub(crate) fn general(&self) -> LevelFilter {
        self.general.unwrap_or(LevelFilter::INFO)
    }

    /// The last word on a target counts.
    pub(crate) fn set(&mut self, target: String, level: LevelFilter) {
        self.targets.retain(|(known, _)| *known != target);
        self.targets.push((target, level));
        self.targets.sort_by(|(one, _), (other, _)| other.len().cmp(&one.len()).then_with(|| other.cmp(one)));
    }

    /// What is said here, and `others` where nothing is said.
    pub(crate) fn over(&self, others: Self) -> Self {
        let mut levels = Self { general: self.general.or(others.general), targets: others.targets };
        self.targets.iter().for_each(|(target, level)| levels.set(target.clone(), *level));
        levels
    }

    pub(crate) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether this is exported while `general` is the general level.
    pub(crate) fn admit(&self, general: LevelFilter, level: Level, target: &str) -> bool {
        level <= self.targets.iter().find(|(of, _)| is_below(target, of)).map_or(general, |(_, level)| *level)
    }

    /// The most verbose level that any target has while `general` is the general level.
    pub(crate) fn most(&self, general: LevelFilter) -> LevelFilter {
        self.targets.iter().map(|(_, level)| *level).fold(general, LevelFilter::max)
    }
}

/// A crate is not another one whose name begins with its own: `tower` is not `tower_http`.
fn is_below(target: &str, of: &str) -> bool {
    target.strip_prefix(of).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

impl FromStr for Levels {
    type Err = ();

    /// `info,sqlx=warn`: the general level has no target.
    fn from_str(text: &str) -> Result<Self, ()> {
        let mut levels = Self::default();
        for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            match part.split_once('=') {
                Some((target, level)) if !target.trim().is_empty() => {
                    levels.set(target.trim().to_owned(), level_of(level.trim()).ok_or(())?);
                }
                Some(_) => return Err(()),
                None => levels.general = Some(level_of(part).ok_or(())?),
            }
        }
        Ok(levels)
    }
}

/// The word of a variable or a file.
pub(crate) fn level_of(name: &str) -> Option<LevelFilter> {
    let name = name.to_ascii_lowercase();
    match name.trim_end_matches(|character: char| character.is_ascii_digit()) {
        "none" | "off" => Some(LevelFilter::OFF),
        "fatal" | "error" => Some(LevelFilter::ERROR),
        "warn" => Some(LevelFilter::WARN),
        "info" => Some(LevelFilter::INFO),
        "debug" => Some(LevelFilter::DEBUG),
        "trace" => Some(LevelFilter::TRACE),
        _ => None,
    }
}

impl fmt::Display for Levels {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.general())?;
        self.targets.iter().rev().try_for_each(|(target, level)| write!(formatter, ",{target}={level}"))
    }
}

#[cfg(test)]
mod tests {
    use tracing::Level;
    use tracing_subscriber::filter::LevelFilter;

    use super::Levels;

    #[test]
    fn the_longest_target_that_fits_counts() {
        let levels: Levels = "warn, shop=debug,shop::orders=off, sqlx=INFO,".parse().unwrap();
        let most = |target| {
            let levels_of = [Level::TRACE, Level::DEBUG, Level::INFO, Level::WARN, Level::ERROR].into_iter();
            levels_of.filter(|level| levels.admit(levels.general(), *level, target)).max()
        };
        for (target, expected) in [
            ("shop", Some(Level::DEBUG)),
            ("shop::users", Some(Level::DEBUG)),
            ("shop::orders", None),
            ("shop::orders::place", None),
            ("shop::orders_old", Some(Level::DEBUG)),
            ("shopping", Some(Level::WARN)),
            ("sqlx::query", Some(Level::INFO)),
            ("", Some(Level::WARN)),
        ] {
            assert_eq!(most(target), expected, "{target}");
        }
        assert_eq!(levels.most(levels.general()), LevelFilter::DEBUG);
        assert_eq!(levels.to_string(), "warn,shop=debug,sqlx=info,shop::orders=off");
        assert_eq!(levels.to_string().parse(), Ok(levels));
    }

    #[test]
    fn what_is_no_level_is_refused() {
        for text in ["loud", "sqlx=loud", "=info", "sqlx", "sqlx="] {
            assert_eq!(text.parse::<Levels>(), Err(()), "{text}");
        }
        assert_eq!("".parse(), Ok(Levels::default()));
    }

    #[test]
    fn what_is_said_last_counts_for_each_target() {
        let code: Levels = "sqlx=warn,shop=debug".parse().unwrap();
        let levels = code.over("error,sqlx=off,hyper_util=info".parse().unwrap());
        assert_eq!(levels.to_string(), "error,shop=debug,sqlx=warn,hyper_util=info");
        assert_eq!(Levels::default().over(levels.clone()), levels);
    }
}
