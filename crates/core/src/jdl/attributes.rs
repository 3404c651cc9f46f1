//! The attributes of a record with their values as written: what parametric expansion works on
//! and what the stored JDL consists of. Printed, they are sorted by name.

use std::collections::BTreeMap;

use super::{
    MAX_TEXT_BYTES,
    error::Problem,
    number,
    record::{Entry, OrderedMap, Value},
    value::{is_list, list_items},
};

/// The value of an attribute.
#[derive(Debug, Clone)]
pub(super) enum Attribute {
    /// As written, on one line.
    Text(String),
    /// Attributes of its own.
    Record(Attributes),
}

/// Attributes by name, in order of first appearance.
#[derive(Debug, Clone, Default)]
pub(super) struct Attributes(OrderedMap<Attribute>);

impl Attributes {
    /// The attributes of `entries`; of several with one name, the last.
    pub(super) fn from_record(entries: &[Entry]) -> Self {
        let mut attributes = Self::default();
        for entry in entries {
            let value = match &entry.value {
                Value::Text(written) => Attribute::Text(written.replace('\n', "")),
                Value::Record(entries) => Attribute::Record(Self::from_record(entries)),
            };
            attributes.0.set(&entry.key, value);
        }
        attributes
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &Attribute)> {
        self.0.iter()
    }

    pub(super) fn contains(&self, name: &str) -> bool {
        self.0.contains(name)
    }

    pub(super) fn set(&mut self, name: &str, value: Attribute) {
        self.0.set(name, value);
    }

    /// Sets a value as it is to be written.
    pub(super) fn set_written(&mut self, name: &str, written: impl Into<String>) {
        self.0.set(name, Attribute::Text(written.into()));
    }

    /// Sets a text, which is written in quotes.
    pub(super) fn set_quoted(&mut self, name: &str, text: &str) {
        self.set_written(name, format!("\"{text}\""));
    }

    /// The attributes as JDL, sorted by name, and where in it the value of `marked` begins.
    pub(super) fn print(&self, marked: &str) -> Result<(String, Option<usize>), Problem> {
        let sorted: BTreeMap<_, _> = self.iter().collect();
        let mut out = String::from("[ \n");
        let mut mark = None;
        for (i, (name, value)) in sorted.into_iter().enumerate() {
            for part in [if i == 0 { "    " } else { "\n    " }, name, " = "] {
                out.push_str(part);
            }
            if name == marked {
                mark = Some(out.len());
            }
            match value {
                Attribute::Text(written) if written.starts_with('{') => print_list(&mut out, written),
                Attribute::Text(written) => out.push_str(written),
                Attribute::Record(inner) => {
                    out.push_str("\n        ");
                    out.push_str(&inner.print("")?.0.replace('\n', "\n        "));
                }
            }
            out.push(';');
            if out.len() > MAX_TEXT_BYTES {
                return Err(Problem::TooLong);
            }
        }
        out.push_str("\n]");
        Ok((out, mark))
    }
}

fn print_list(out: &mut String, written: &str) {
    let inside = written.strip_prefix('{').unwrap_or(written);
    let inside = inside.strip_suffix(|_: char| true).unwrap_or(inside);
    out.push_str("\n        {");
    for (i, item) in inside.split(',').map(number::strip).enumerate() {
        out.push_str(if i == 0 { "\n            " } else { ",\n            " });
        out.push_str(item);
    }
    out.push_str("\n        }");
}

impl Attribute {
    /// The whole number it holds.
    pub(super) fn int(&self) -> Option<String> {
        number::int(&self.text()?.replace('"', ""))
    }

    /// The number it holds.
    pub(super) fn float(&self) -> Option<f64> {
        number::float(&self.text()?.replace('"', ""))
    }

    /// Its items, if it is a list in braces.
    pub(super) fn list(&self) -> Option<Vec<String>> {
        self.text().filter(|written| is_list(written)).map(list_items)
    }

    /// As written, unless it is a record.
    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(written) => Some(written),
            Self::Record(_) => None,
        }
    }
}
