//! `Resources`: which platforms can run what.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
};

use indexmap::IndexMap;
use serde_json::Value;

use super::{
    read::{Read, Reader},
    section::section,
};
use crate::explain::{Explain, Explanation, Reason};

section! {
    /// `Resources`. Other keys are allowed and not kept.
    pub struct Resources [ignores unknown] {
        /// Of computing elements.
        "Computing" computing: Computing = Computing::default();
    }
}

section! {
    /// `Resources.Computing`. Other keys are allowed and not kept.
    pub struct Computing [ignores unknown] {
        /// Platform by platform.
        "OSCompatibility" os_compatibility: OsCompatibility = OsCompatibility::default();
    }
}

/// For each platform those whose jobs it can run; always itself too.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize)]
#[serde(transparent)]
pub struct OsCompatibility(IndexMap<String, BTreeSet<String>>);

impl Read for OsCompatibility {
    fn read(reader: &mut Reader, value: Value) -> Option<Self> {
        let mut platforms: IndexMap<String, BTreeSet<String>> = Read::read(reader, value)?;
        for (platform, compatible) in &mut platforms {
            compatible.insert(platform.clone());
        }
        Some(Self(platforms))
    }
}

/// Why no platform was found.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlatformError {
    /// The configuration names no platform at all.
    #[error("OS compatibility info not found")]
    NoCompatibilityInfo,
    /// No platform of the configuration runs any of these.
    #[error("No compatible DIRAC platform found for {}", .0.join(","))]
    NoCompatiblePlatform(Vec<String>),
}

impl Explain for PlatformError {
    fn explain(&self) -> Explanation {
        match self {
            Self::NoCompatibilityInfo => Explanation::failed_precondition(Reason::ConfigurationUnavailable),
            Self::NoCompatiblePlatform(asked) => {
                Explanation::invalid_argument(Reason::InvalidField).with("platforms", asked.join(","))
            }
        }
    }
}

impl OsCompatibility {
    /// The platforms of the configuration and what each of them runs.
    pub fn platforms(&self) -> impl Iterator<Item = (&str, &BTreeSet<String>)> {
        self.0.iter().map(|(platform, compatible)| (platform.as_str(), compatible))
    }

    /// The platforms that run jobs of at least one of the `asked` platforms, the newest first.
    pub fn compatible_with(&self, asked: &[String]) -> Result<Vec<String>, PlatformError> {
        if self.0.is_empty() {
            return Err(PlatformError::NoCompatibilityInfo);
        }
        let mut found: Vec<&String> = self
            .0
            .iter()
            .filter(|(_, compatible)| asked.iter().any(|platform| compatible.contains(platform)))
            .map(|(platform, _)| platform)
            .collect();
        if found.is_empty() {
            return Err(PlatformError::NoCompatiblePlatform(asked.to_vec()));
        }
        let keys: BTreeMap<_, _> = found.iter().map(|platform| (*platform, version_key(platform))).collect();
        found.sort_by_key(|platform| Reverse(&keys[platform]));
        Ok(found.into_iter().cloned().collect())
    }
}

/// Sorts names with numbers in them as people would: `slc7` before `slc10`.
///
/// Runs of digits are padded to eight places; zeros before letters or at the end, as in `1.0.0`, count
/// for nothing.
fn version_key(name: &str) -> Vec<String> {
    let mut key: Vec<String> = Vec::new();
    for part in parts(&name.to_lowercase()).into_iter().chain(["final".to_owned()]) {
        if part.starts_with(|c: char| c.is_ascii_digit()) {
            key.push(format!("{part:0>8}"));
        } else {
            while key.last().is_some_and(|last| last.bytes().all(|byte| byte == b'0')) {
                key.pop();
            }
            key.push(format!("*{part}"));
        }
    }
    key
}

/// The runs of digits and the runs of letters; dots, dashes and the like only separate.
fn parts(name: &str) -> Vec<String> {
    let mut parts: Vec<String> = Vec::new();
    let mut previous = None;
    for c in name.chars() {
        let class = if c.is_ascii_digit() {
            Some('0')
        } else if c.is_alphabetic() {
            Some('a')
        } else {
            None
        };
        if class.is_some() {
            match parts.last_mut() {
                Some(part) if class == previous => part.push(c),
                _ => parts.push(c.to_string()),
            }
        }
        previous = class;
    }
    parts
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn asking(asked: &[&str]) -> Result<Vec<String>, String> {
        let platforms = json!({
            "slc6": ["slc5"],
            "slc7": ["slc5", "slc6"],
            "debian10": ["slc7", "slc6"],
            "ubuntu20": ["debian10", "ubuntu18"],
        });
        let known: OsCompatibility = Reader::document(platforms).expect("a map of lists");
        let asked: Vec<_> = asked.iter().map(|platform| (*platform).to_owned()).collect();
        known.compatible_with(&asked).map_err(|error| error.to_string())
    }

    #[test]
    fn platforms_that_run_any_of_the_asked_come_newest_first() {
        assert_eq!(asking(&["slc7", "ubuntu20"]).unwrap(), ["ubuntu20", "slc7", "debian10"]);
        assert_eq!(asking(&["slc5"]).unwrap(), ["slc7", "slc6"]);
        assert_eq!(asking(&["slc6"]).unwrap(), ["slc7", "slc6", "debian10"]);
    }

    #[test]
    fn without_a_match_the_asked_platforms_are_named() {
        assert_eq!(
            asking(&["windows11", "beos"]).unwrap_err(),
            "No compatible DIRAC platform found for windows11,beos"
        );
        assert_eq!(asking(&[]).unwrap_err(), "No compatible DIRAC platform found for ");
        assert_eq!(
            OsCompatibility::default().compatible_with(&["slc7".to_owned()]),
            Err(PlatformError::NoCompatibilityInfo)
        );
    }

    #[test]
    fn numbers_in_names_sort_as_numbers() {
        assert!(version_key("slc10") > version_key("slc7"));
        assert!(version_key("el9.4") > version_key("el9.3"));
        assert!(version_key("el9") > version_key("el8.10"));
    }
}
