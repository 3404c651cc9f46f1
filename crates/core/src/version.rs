//! Client versions, as PEP 440 has them: how they are written, which is newer, which are served.
//!
//! Python clients send the version of their distribution, so the order must be exactly the one that
//! Python's packaging tools use: `1.0.dev1 < 1.0a1.dev1 < 1.0a1 < 1.0rc1 < 1.0 < 1.0+local < 1.0.post1`.

use std::{cmp::Ordering, fmt, str::FromStr};

use crate::explain::{Explain, Explanation, Reason};

/// Longer texts are no versions: whoever sends one wants something else.
pub const MAX_LENGTH: usize = 256;

/// A version after PEP 440. Equal versions may be written differently: `1.0` is `v1.0.0`.
#[derive(Debug, Clone)]
pub struct Version {
    epoch: Number,
    release: Vec<Number>,
    pre: Option<(PreKind, Number)>,
    post: Option<Number>,
    dev: Option<Number>,
    local: Vec<LocalPart>,
}

/// A whole number of any size, as its digits without leading zeros.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Number(String);

/// Ordered as alphas, betas and candidates follow each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum PreKind {
    Alpha,
    Beta,
    Candidate,
}

/// A piece of the text after `+`; words come before numbers.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum LocalPart {
    Word(String),
    Number(Number),
}

impl Number {
    fn new(digits: &str) -> Self {
        let significant = digits.trim_start_matches('0');
        Self(if significant.is_empty() { "0" } else { significant }.to_owned())
    }

    fn is_zero(&self) -> bool {
        self.0 == "0"
    }
}

impl Ord for Number {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.len().cmp(&other.0.len()).then_with(|| self.0.cmp(&other.0))
    }
}

impl PartialOrd for Number {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Where the absence of a part sorts, relative to every value of it.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Bound<T> {
    Below,
    At(T),
    Above,
}

impl Version {
    /// The release without the zeros that say nothing at its end.
    fn significant_release(&self) -> &[Number] {
        let end = self.release.iter().rposition(|number| !number.is_zero()).map_or(0, |last| last + 1);
        &self.release[..end]
    }

    fn key(&self) -> impl Ord + '_ {
        let pre = match (&self.pre, &self.post, &self.dev) {
            (Some(pre), _, _) => Bound::At(pre),
            // 1.0.dev1 comes before 1.0a1, which comes before 1.0
            (None, None, Some(_)) => Bound::Below,
            (None, _, _) => Bound::Above,
        };
        let post = self.post.as_ref().map_or(Bound::Below, Bound::At);
        let dev = self.dev.as_ref().map_or(Bound::Above, Bound::At);
        // an absent local part is an empty list, which sorts first
        (&self.epoch, self.significant_release(), pre, post, dev, &self.local)
    }
}

impl Ord for Version {
    fn cmp(&self, other: &Self) -> Ordering {
        self.key().cmp(&other.key())
    }
}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Version {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Version {}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.epoch.is_zero() {
            write!(f, "{}!", self.epoch.0)?;
        }
        for (position, number) in self.release.iter().enumerate() {
            let dot = if position == 0 { "" } else { "." };
            write!(f, "{dot}{}", number.0)?;
        }
        if let Some((kind, number)) = &self.pre {
            let letter = match kind {
                PreKind::Alpha => "a",
                PreKind::Beta => "b",
                PreKind::Candidate => "rc",
            };
            write!(f, "{letter}{}", number.0)?;
        }
        if let Some(number) = &self.post {
            write!(f, ".post{}", number.0)?;
        }
        if let Some(number) = &self.dev {
            write!(f, ".dev{}", number.0)?;
        }
        for (position, part) in self.local.iter().enumerate() {
            let mark = if position == 0 { "+" } else { "." };
            match part {
                LocalPart::Word(text) | LocalPart::Number(Number(text)) => write!(f, "{mark}{text}")?,
            }
        }
        Ok(())
    }
}

impl FromStr for Version {
    type Err = VersionError;

    fn from_str(text: &str) -> Result<Self, VersionError> {
        if text.len() > MAX_LENGTH {
            return Err(VersionError::invalid(text));
        }
        let lower = text.trim().to_ascii_lowercase();
        Reader { rest: &lower }.version().ok_or_else(|| VersionError::invalid(text))
    }
}

/// Reads a lower-case version from left to right.
struct Reader<'a> {
    rest: &'a str,
}

impl<'a> Reader<'a> {
    fn version(mut self) -> Option<Version> {
        self.take("v");
        let mut first = self.number()?;
        let mut epoch = Number::new("0");
        if self.take("!") {
            epoch = first;
            first = self.number()?;
        }
        let mut release = vec![first];
        while let Some(number) = self.attempt(|reader| reader.take(".").then(|| reader.number())?) {
            release.push(number);
        }
        let pre = self.attempt(Self::pre);
        let post = self.attempt(Self::post);
        let dev = self.attempt(|reader| reader.labelled(&[("dev", ())])).map(|((), number)| number);
        let local = if self.take("+") { self.local()? } else { Vec::new() };
        self.rest.is_empty().then_some(Version { epoch, release, pre, post, dev, local })
    }

    fn pre(&mut self) -> Option<(PreKind, Number)> {
        use PreKind::{Alpha, Beta, Candidate};
        self.labelled(&[
            ("alpha", Alpha),
            ("a", Alpha),
            ("beta", Beta),
            ("b", Beta),
            ("preview", Candidate),
            ("pre", Candidate),
            ("c", Candidate),
            ("rc", Candidate),
        ])
    }

    fn post(&mut self) -> Option<Number> {
        self.attempt(|reader| reader.take("-").then(|| reader.number())?)
            .or_else(|| self.labelled(&[("post", ()), ("rev", ()), ("r", ())]).map(|((), number)| number))
    }

    /// `[separator] label [separator] [number]`; the number is 0 unless written. Longer labels come first.
    fn labelled<T: Copy>(&mut self, labels: &[(&str, T)]) -> Option<(T, Number)> {
        self.separator();
        let (_, kind) = *labels.iter().find(|(label, _)| self.take(label))?;
        self.separator();
        Some((kind, self.number().unwrap_or_else(|| Number::new("0"))))
    }

    fn local(&mut self) -> Option<Vec<LocalPart>> {
        let mut parts = Vec::new();
        loop {
            let end = self.rest.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(self.rest.len());
            let (part, rest) = self.rest.split_at(end);
            self.rest = rest;
            parts.push(match part {
                "" => return None,
                digits if digits.bytes().all(|b| b.is_ascii_digit()) => {
                    LocalPart::Number(Number::new(digits))
                }
                word => LocalPart::Word(word.to_owned()),
            });
            if !self.separator() {
                return Some(parts);
            }
        }
    }

    fn number(&mut self) -> Option<Number> {
        let end = self.rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(self.rest.len());
        let (digits, rest) = self.rest.split_at(end);
        self.rest = rest;
        (!digits.is_empty()).then(|| Number::new(digits))
    }

    fn separator(&mut self) -> bool {
        ["-", "_", "."].iter().any(|separator| self.take(separator))
    }

    fn take(&mut self, prefix: &str) -> bool {
        let rest = self.rest.strip_prefix(prefix);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    /// What `read` reads, or nothing consumed at all.
    fn attempt<T>(&mut self, read: impl FnOnce(&mut Self) -> Option<T>) -> Option<T> {
        let before: &'a str = self.rest;
        let found = read(self);
        if found.is_none() {
            self.rest = before;
        }
        found
    }
}

/// A version that is none, or one that is not served.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VersionError {
    /// The text is no version. Holds the text, shortened if very long.
    #[error("Invalid version string: '{0}'")]
    Invalid(String),
    /// The client is too old.
    #[error("Client version {version} is not compatible with the server. Upgrade to a version >= {minimum}.")]
    Unsupported {
        /// The client's, as it wrote it.
        version: String,
        /// The oldest that is served.
        minimum: Box<Version>,
    },
}

impl VersionError {
    fn invalid(text: &str) -> Self {
        Self::Invalid(text.chars().take(MAX_LENGTH).collect())
    }
}

impl Explain for VersionError {
    fn explain(&self) -> Explanation {
        match self {
            Self::Invalid(text) => {
                Explanation::failed_precondition(Reason::ClientVersionInvalid).with("version", text)
            }
            Self::Unsupported { version, minimum } => {
                Explanation::failed_precondition(Reason::ClientVersionUnsupported)
                    .with("version", version)
                    .with("minimum", minimum)
                    .with("remedy", format!("upgrade the client to version {minimum} or newer"))
            }
        }
    }
}

/// Whether a client that calls itself `text` is served. An empty text is no claim, and is served.
///
/// # Source
/// DiracX `routers/factory.py`, the client-version middleware.
pub fn check_client_version(text: &str, minimum: &Version) -> Result<(), VersionError> {
    if text.is_empty() {
        return Ok(());
    }
    let version: Version = text.parse()?;
    if version < *minimum {
        return Err(VersionError::Unsupported {
            version: text.to_owned(),
            minimum: Box::new(minimum.clone()),
        });
    }
    Ok(())
}

#[cfg(test)]
#[path = "version_tests.rs"]
mod tests;
