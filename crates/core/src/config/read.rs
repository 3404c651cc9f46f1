//! Reading values of a configuration: which type, which leniency, and where the problem is.
//!
//! DIRAC's configurations come from a time when every value was text, so a number may be written as
//! `"12"` and a truth as `yes`. Text, on the other hand, must be text.

use std::{collections::BTreeSet, hash::Hash};

use indexmap::IndexMap;
use serde_json::{Map, Value};

use super::{
    error::{ConfigError, Problem},
    legacy::items,
};

/// Problems beyond this many are not recorded, so that a hostile document costs no more than its size.
const RECORDED: usize = 1000;

/// A type that a configuration can hold.
pub(super) trait Read: Sized {
    /// Reads a value; `None` means that the reader has noted a problem.
    fn read(reader: &mut Reader, value: Value) -> Option<Self>;
}

/// Walks through a document, knows where it is, and notes what is wrong.
#[derive(Default)]
pub(super) struct Reader {
    path: Vec<Step>,
    problems: Vec<Problem>,
    /// Every leaf is a text, as DIRAC writes it: lists with commas, nothing as `None`.
    legacy: bool,
}

/// One step from the top of the document towards where the reader is. Nothing is copied for it: most values are fine.
pub(super) enum Step {
    /// To a key of the schema.
    Name(&'static str),
    /// To an entry that has its own name, such as a VO or a user.
    Key(String),
    /// To an item of a list.
    Item(usize),
}

impl Step {
    fn text(&self) -> String {
        match self {
            Self::Name(name) => (*name).to_owned(),
            Self::Key(key) => key.clone(),
            Self::Item(position) => position.to_string(),
        }
    }
}

/// The keys of a section that nobody has asked for yet.
pub(super) struct Keys(Map<String, Value>);

impl Reader {
    /// Reads a whole document.
    pub(super) fn document<T: Read>(value: Value) -> Result<T, ConfigError> {
        Self::default().read(value)
    }

    /// Reads a whole document whose every leaf is a text.
    pub(super) fn legacy<T: Read>(value: Value) -> Result<T, ConfigError> {
        Self { legacy: true, ..Self::default() }.read(value)
    }

    fn read<T: Read>(mut self, value: Value) -> Result<T, ConfigError> {
        let document = T::read(&mut self, value);
        self.end(document)
    }

    /// What was read, unless there are problems.
    pub(super) fn end<T>(self, document: Option<T>) -> Result<T, ConfigError> {
        match document {
            Some(document) if self.problems.is_empty() => Ok(document),
            _ if self.problems.is_empty() => Err(ConfigError::whole("cannot be read")),
            _ => Err(ConfigError { problems: self.problems }),
        }
    }

    /// Notes a problem at the present place.
    pub(super) fn problem<T>(&mut self, message: impl Into<String>) -> Option<T> {
        if self.problems.len() < RECORDED {
            let path = self.path.iter().map(Step::text).collect();
            self.problems.push(Problem { path, place: None, message: message.into() });
        }
        None
    }

    /// Drops the problems below a place, which counts no more.
    pub(super) fn forget(&mut self, place: &[&str]) {
        self.problems.retain(|problem| {
            let below = problem.path.get(..place.len()).is_some_and(|path| path == place);
            !below
        });
    }

    pub(super) fn mismatch<T>(&mut self, expected: &str, found: &Value) -> Option<T> {
        self.problem(format!("must be {expected}, not {}", describe(found)))
    }

    /// Does something one level deeper.
    pub(super) fn at<T>(&mut self, step: Step, read: impl FnOnce(&mut Self) -> T) -> T {
        self.path.push(step);
        let result = read(self);
        self.path.pop();
        result
    }

    /// Reads an entry that has its own name, and gives the name back.
    pub(super) fn entry<T: Read>(&mut self, name: String, value: Value) -> (String, Option<T>) {
        self.path.push(Step::Key(name));
        let item = T::read(self, value);
        match self.path.pop() {
            Some(Step::Key(name)) => (name, item),
            _ => (String::new(), item),
        }
    }

    /// Opens a section.
    pub(super) fn section(&mut self, value: Value) -> Option<Keys> {
        match value {
            Value::Object(map) => Some(Keys(map)),
            other => self.mismatch("a section of keys and values", &other),
        }
    }

    /// Takes one key out of a section, by DIRAC's name or by its `snake_case` name.
    pub(super) fn key<T: Read>(
        &mut self,
        keys: &mut Keys,
        name: &'static str,
        snake: &'static str,
        default: Option<fn() -> T>,
    ) -> Option<T> {
        let by_name = keys.0.shift_remove(name);
        let by_snake = if snake == name { None } else { keys.0.shift_remove(snake) };
        match (by_name, by_snake, default) {
            (Some(_), Some(_), _) => {
                self.at(Step::Name(name), |reader| reader.problem(format!("is given twice, also as {snake}")))
            }
            (Some(value), None, _) | (None, Some(value), _) => {
                self.at(Step::Name(name), |reader| T::read(reader, value))
            }
            (None, None, Some(default)) => Some(default()),
            (None, None, None) => self.at(Step::Name(name), |reader| reader.problem("is required")),
        }
    }

    /// Closes a section whose every key must be known.
    pub(super) fn refuse_rest(&mut self, keys: Keys) {
        for (key, _) in keys.0 {
            self.at(Step::Key(key), |reader| reader.problem::<()>("is not a known key here"));
        }
    }

    /// Reads every entry of a map; all of them, so that all problems are noted.
    fn entries<T: Read>(&mut self, map: Map<String, Value>) -> Option<Vec<(String, T)>> {
        let mut entries = Vec::with_capacity(map.len());
        let mut complete = true;
        for (key, value) in map {
            let (key, item) = self.entry(key, value);
            complete &= item.is_some();
            entries.extend(item.map(|item| (key, item)));
        }
        complete.then_some(entries)
    }

    /// The items of a set, in any order and perhaps repeated.
    pub(super) fn set<T: Read>(&mut self, value: Value) -> Option<Vec<T>> {
        match value {
            // An empty section is how YAML's `!!set {}` arrives.
            Value::Object(map) if map.is_empty() => Some(Vec::new()),
            other => self.items(other),
        }
    }

    fn items<T: Read>(&mut self, value: Value) -> Option<Vec<T>> {
        match value {
            Value::Array(items) => {
                let mut all = Vec::with_capacity(items.len());
                let mut complete = true;
                for (position, item) in items.into_iter().enumerate() {
                    let item = self.at(Step::Item(position), |reader| T::read(reader, item));
                    complete &= item.is_some();
                    all.extend(item);
                }
                complete.then_some(all)
            }
            // YAML's `!!set {a, b}` is a map from its members to nothing.
            Value::Object(map) if !map.is_empty() && map.values().all(Value::is_null) => {
                self.items(map.into_iter().map(|(key, _)| Value::String(key)).collect())
            }
            Value::String(list) if self.legacy => self.items(items(&list).map(Value::from).collect()),
            other => self.mismatch("a list", &other),
        }
    }
}

/// Texts come from outside; a message stays readable whatever they are.
fn shorten(key: &str) -> String {
    const LONGEST: usize = 80;
    if key.len() <= LONGEST { key.to_owned() } else { key.chars().take(LONGEST).chain(['…']).collect() }
}

fn describe(value: &Value) -> String {
    match value {
        Value::Null => "empty".to_owned(),
        Value::Bool(flag) => flag.to_string(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => format!("\"{}\"", shorten(text)),
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "a section".to_owned(),
    }
}

impl Read for String {
    fn read(reader: &mut Reader, value: Value) -> Option<Self> {
        match value {
            Value::String(text) => Some(text),
            other => reader.mismatch("text", &other),
        }
    }
}

impl Read for bool {
    fn read(reader: &mut Reader, value: Value) -> Option<Self> {
        let truth = match &value {
            Value::Bool(flag) => Some(*flag),
            Value::Number(number) => match number.as_f64() {
                Some(0.0) => Some(false),
                Some(1.0) => Some(true),
                _ => None,
            },
            Value::String(text) => match text.trim().to_ascii_lowercase().as_str() {
                "true" | "t" | "yes" | "y" | "on" | "1" => Some(true),
                "false" | "f" | "no" | "n" | "off" | "0" => Some(false),
                _ => None,
            },
            _ => None,
        };
        truth.or_else(|| reader.mismatch("true or false", &value))
    }
}

impl Read for i64 {
    fn read(reader: &mut Reader, value: Value) -> Option<Self> {
        let number = match &value {
            Value::Bool(flag) => Some(Self::from(*flag)),
            Value::Number(number) => number.as_i64().or_else(|| number.as_f64().and_then(whole)),
            Value::String(text) => whole_in(text),
            _ => None,
        };
        number.or_else(|| reader.mismatch("a whole number", &value))
    }
}

/// A float that is a whole number which it holds exactly.
#[expect(clippy::cast_possible_truncation, reason = "the range is checked first")]
fn whole(number: f64) -> Option<i64> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    (number.fract() == 0.0 && number.abs() <= EXACT).then_some(number as i64)
}

/// `12`, `-3`, `1_000`, and `12.0`; not `1.5`.
fn whole_in(text: &str) -> Option<i64> {
    let text = text.trim();
    let (digits, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let plain = !digits.starts_with('_') && !digits.ends_with('_') && !digits.contains("__");
    let nothing_behind = !fraction.is_empty() && fraction.bytes().all(|byte| byte == b'0');
    if plain && nothing_behind { digits.replace('_', "").parse().ok() } else { None }
}

impl Read for f64 {
    fn read(reader: &mut Reader, value: Value) -> Option<Self> {
        let number = match &value {
            Value::Bool(flag) => Some(if *flag { 1.0 } else { 0.0 }),
            Value::Number(number) => number.as_f64(),
            Value::String(text) => text.trim().parse().ok(),
            _ => None,
        };
        number.filter(|number| number.is_finite()).or_else(|| reader.mismatch("a number", &value))
    }
}

impl Read for Value {
    fn read(_: &mut Reader, value: Value) -> Option<Self> {
        Some(value)
    }
}

impl Read for Map<String, Value> {
    fn read(reader: &mut Reader, value: Value) -> Option<Self> {
        reader.section(value).map(|keys| keys.0)
    }
}

impl<T: Read> Read for Option<T> {
    fn read(reader: &mut Reader, value: Value) -> Option<Self> {
        let nothing = value.is_null() || (reader.legacy && value == "None");
        if nothing { Some(None) } else { T::read(reader, value).map(Some) }
    }
}

impl<T: Read> Read for Vec<T> {
    fn read(reader: &mut Reader, value: Value) -> Option<Self> {
        reader.items(value)
    }
}

impl<T: Read> Read for Box<[T]> {
    fn read(reader: &mut Reader, value: Value) -> Option<Self> {
        Vec::read(reader, value).map(Vec::into_boxed_slice)
    }
}

impl<T: Read + Ord> Read for BTreeSet<T> {
    fn read(reader: &mut Reader, value: Value) -> Option<Self> {
        reader.set(value).map(|items| items.into_iter().collect())
    }
}

impl<K: From<String> + Hash + Eq, T: Read> Read for IndexMap<K, T> {
    fn read(reader: &mut Reader, value: Value) -> Option<Self> {
        let keys = reader.section(value)?;
        let entries = reader.entries(keys.0)?;
        Some(entries.into_iter().map(|(name, item)| (name.into(), item)).collect())
    }
}
