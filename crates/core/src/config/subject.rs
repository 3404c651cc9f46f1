//! Whom a VO knows: a large installation has hundreds of thousands, and each is named in several places.

use std::{borrow::Borrow, fmt, ops::Deref, sync::Arc};

use serde::{Serialize, Serializer};
use serde_json::Value;

use super::read::{Read, Reader};

/// The subject that an identity provider gives a user. Clones are the same in memory.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Subject(Arc<str>);

impl From<String> for Subject {
    fn from(text: String) -> Self {
        Self(text.into())
    }
}

impl Deref for Subject {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for Subject {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for Subject {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl Read for Subject {
    fn read(reader: &mut Reader, value: Value) -> Option<Self> {
        String::read(reader, value).map(Self::from)
    }
}

/// A set of subjects, in their order.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[serde(transparent)]
pub struct Subjects(Box<[Subject]>);

impl Subjects {
    /// Whether the subject is one of them.
    pub fn contains(&self, subject: &str) -> bool {
        self.0.binary_search_by(|member| (**member).cmp(subject)).is_ok()
    }

    /// Each of them.
    pub fn iter(&self) -> std::slice::Iter<'_, Subject> {
        self.0.iter()
    }

    /// Replaces each by what `known` has for it, which is the same.
    pub(super) fn share(&mut self, known: impl Fn(&str) -> Option<Subject>) {
        for subject in &mut self.0 {
            if let Some(known) = known(subject) {
                *subject = known;
            }
        }
    }
}

impl<'a> IntoIterator for &'a Subjects {
    type Item = &'a Subject;
    type IntoIter = std::slice::Iter<'a, Subject>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl Read for Subjects {
    fn read(reader: &mut Reader, value: Value) -> Option<Self> {
        let mut subjects: Vec<Subject> = reader.set(value)?;
        subjects.sort_unstable();
        subjects.dedup();
        Some(Self(subjects.into()))
    }
}
