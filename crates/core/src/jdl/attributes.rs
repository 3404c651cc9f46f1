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

    /// The attributes as JDL, sorted by name.
    pub(super) fn print(&self) -> Result<String, Problem> {
        let sorted: BTreeMap<_, _> = self.iter().collect();
        let mut lines = Vec::with_capacity(sorted.len());
        let mut length = 0;
        for (name, value) in sorted {
            let line = match value {
                Attribute::Text(written) if written.starts_with('{') => print_list(name, written),
                Attribute::Text(written) => format!("    {name} = {written};"),
                Attribute::Record(inner) => {
                    let inner = inner.print()?.replace('\n', "\n        ");
                    format!("    {name} = \n        {inner};")
                }
            };
            length += line.len();
            if length > MAX_TEXT_BYTES {
                return Err(Problem::TooLong);
            }
            lines.push(line);
        }
        Ok(format!("[ \n{}\n]", lines.join("\n")))
    }
}

fn print_list(name: &str, written: &str) -> String {
    let inside = written.strip_prefix('{').unwrap_or(written);
    let inside = inside.strip_suffix(|_: char| true).unwrap_or(inside);
    let items: Vec<&str> = inside.split(',').map(number::strip).collect();
    format!("    {name} = \n        {{\n            {}\n        }};", items.join(",\n            "))
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
