//! The parameters behind the question mark.

use std::borrow::Cow;

use serde_json::Value;

use super::{Loc, Problems};

/// Names and values in their order, decoded.
#[derive(Debug, Default)]
pub(crate) struct Pairs(Vec<(String, String)>);

impl Pairs {
    /// Reads `a=1&b=2`. Nothing is an error: what cannot be decoded stays as it is.
    pub(crate) fn parse(text: &str) -> Self {
        let pairs = text.split('&').filter(|pair| !pair.is_empty());
        Self(
            pairs
                .map(|pair| {
                    let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
                    (decode(name), decode(value))
                })
                .collect(),
        )
    }

    /// From names and values that are decoded already.
    pub(crate) fn from_pairs(pairs: Vec<(String, String)>) -> Self {
        Self(pairs)
    }

    /// The value of a parameter; of several the last.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// As [`get`](Self::get), for the functions that check values.
    pub(crate) fn value(&self, name: &str) -> Option<Value> {
        self.get(name).map(|text| Value::String(text.to_owned()))
    }

    /// A text that must be there.
    pub(crate) fn required(&self, problems: &mut Problems, name: &str) -> Option<String> {
        let found = self.get(name);
        if found.is_none() {
            problems.missing(&Loc::QUERY.field(name), &Value::Null);
        }
        found.map(str::to_owned)
    }

    /// A text that must be this one.
    pub(crate) fn literal(&self, problems: &mut Problems, name: &str, only: &str) -> Option<String> {
        let text = self.required(problems, name)?;
        if text == only {
            return Some(text);
        }
        problems.not_one_of("literal_error", &Loc::QUERY.field(name), &[only], &Value::String(text));
        None
    }

    /// A value that has a default, read by one of the functions for types.
    pub(crate) fn or<T>(
        &self,
        problems: &mut Problems,
        name: &str,
        default: T,
        read: impl FnOnce(&mut Problems, &Loc<'_>, &Value) -> Option<T>,
    ) -> Option<T> {
        match self.value(name) {
            None => Some(default),
            Some(value) => read(problems, &Loc::QUERY.field(name), &value),
        }
    }
}

/// `+` is a blank, `%41` is a byte; bytes that are no UTF-8 become the replacement character.
fn decode(text: &str) -> String {
    if !text.contains(['+', '%']) {
        return text.to_owned();
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        match first {
            b'+' => bytes.push(b' '),
            b'%' => match after {
                [high, low, after @ ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                    bytes.push(hex(*high) << 4 | hex(*low));
                    rest = after;
                }
                _ => bytes.push(b'%'),
            },
            other => bytes.push(*other),
        }
    }
    match String::from_utf8_lossy(&bytes) {
        Cow::Borrowed(text) => text.to_owned(),
        Cow::Owned(text) => text,
    }
}

fn hex(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        b'a'..=b'f' => digit - b'a' + 10,
        _ => digit.to_ascii_uppercase().wrapping_sub(b'A').wrapping_add(10),
    }
}
