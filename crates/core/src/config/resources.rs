//! `Resources`: which platforms can run what.

use std::collections::BTreeSet;

use indexmap::IndexMap;
use serde_json::Value;

use super::{
    read::{Read, Reader},
    section::section,
};

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

impl OsCompatibility {
    /// The platforms of the configuration and what each of them runs.
    pub fn platforms(&self) -> impl Iterator<Item = (&str, &BTreeSet<String>)> {
        self.0.iter().map(|(platform, compatible)| (platform.as_str(), compatible))
    }
}
