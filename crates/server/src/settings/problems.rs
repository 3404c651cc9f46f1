//! Everything that is wrong with the settings, collected.

use std::{fmt, str::FromStr};

use serde::de::DeserializeOwned;

/// Collects problems while values are given their meaning. Every method notes what it finds wrong and
/// gives `None`; the caller goes on, so that one start shows all problems.
#[derive(Debug, Default)]
pub struct Problems {
    found: Vec<String>,
}

impl Problems {
    /// Notes a problem of a setting, named by its variable.
    pub fn note(&mut self, name: &str, problem: impl fmt::Display) {
        self.found.push(format!("{name}: {problem}"));
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// All of them, in the order they were found.
    pub fn all(&self) -> &[String] {
        &self.found
    }

    /// Takes over those that another part found.
    pub fn absorb(&mut self, other: Self) {
        self.found.extend(other.found);
    }

    /// What a fallible step gave, noting its error with its causes.
    pub fn check<T, E: std::error::Error>(&mut self, name: &str, result: Result<T, E>) -> Option<T> {
        result.map_err(|error| self.note(name, crate::status::chain(&error))).ok()
    }

    /// A value by its [`FromStr`]. Not for secrets: the value is repeated in the problem.
    pub fn parse<T>(&mut self, name: &str, raw: &str) -> Option<T>
    where
        T: FromStr,
        T::Err: fmt::Display,
    {
        raw.trim().parse().map_err(|error| self.note(name, format_args!("{error} (it is {raw:?})"))).ok()
    }

    /// A value that may be absent; `Some(None)` if it is absent or empty.
    pub fn parse_optional<T>(&mut self, name: &str, raw: Option<&str>) -> Option<Option<T>>
    where
        T: FromStr,
        T::Err: fmt::Display,
    {
        match raw.map(str::trim) {
            None | Some("") => Some(None),
            Some(raw) => self.parse(name, raw).map(Some),
        }
    }

    /// A value that must be there and not empty.
    pub fn required<T>(&mut self, name: &str, value: Option<T>) -> Option<T> {
        if value.is_none() {
            self.note(name, "is required");
        }
        value
    }

    /// Yes or no, in all spellings that DiracX takes.
    pub fn boolean(&mut self, name: &str, raw: &str) -> Option<bool> {
        boolean(raw).map_err(|error| self.note(name, error)).ok()
    }

    /// JSON, as DiracX writes lists and maps. The value is not repeated: it may hold secrets.
    pub fn json<T: DeserializeOwned>(&mut self, name: &str, raw: &str) -> Option<T> {
        serde_json::from_str(raw).map_err(|error| self.note(name, format_args!("bad JSON: {error}"))).ok()
    }

    /// A duration in seconds, fractions allowed.
    pub fn seconds(&mut self, name: &str, raw: &str) -> Option<std::time::Duration> {
        let seconds: f64 = self.parse(name, raw)?;
        let duration = std::time::Duration::try_from_secs_f64(seconds).ok();
        if duration.is_none() {
            self.note(name, "must be a number of seconds, not negative");
        }
        duration
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for problem in &self.found {
            writeln!(f, "  {problem}")?;
        }
        Ok(())
    }
}

/// Yes or no, in all spellings that DiracX takes.
pub fn boolean(raw: &str) -> Result<bool, String> {
    match raw.trim().to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "on" | "t" | "y" => Ok(true),
        "false" | "0" | "no" | "off" | "f" | "n" => Ok(false),
        _ => Err(format!("must be true or false, not {raw:?}")),
    }
}
