//! YAML as DIRAC's administrators write it, within limits: a hostile document is refused quickly.
//!
//! The parser's events become values in one pass. Of duplicate keys the last counts, and plain words mean what they
//! mean to the Python library that DiracX reads with (`yes` is a truth), as far as JSON can hold it.

use std::collections::HashMap;

use serde_json::{Map, Number, Value};
use serde_saphyr::granit_parser::{Event, Marker, Options, Parser, ScalarStyle, Tag};

/// Nested deeper than any DIRAC configuration, and well within what JSON readers accept of the result.
const MAX_DEPTH: usize = 64;

/// Values in the document. A thousand VOs with two hundred users each have some million.
const MAX_NODES: usize = 4_000_000;

/// Values that anchors keep, and values that aliases repeat.
const MAX_REPLAYED: usize = 250_000;

/// The section whose entries a [`Sink`] gets one by one, by both of its names.
const REGISTRY: [&str; 2] = ["Registry", "registry"];

/// Text that is no YAML, or more than we read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}{message}", place(*line, *column))]
pub struct YamlError {
    /// From 1; 0 if unknown.
    pub line: u64,
    /// From 1; 0 if unknown.
    pub column: u64,
    /// What is wrong.
    pub message: String,
}

fn place(line: u64, column: u64) -> String {
    if line == 0 { String::new() } else { format!("line {line}, column {column}: ") }
}

/// Takes the VOs of a document as soon as they are read, so that no more than one at a time is in memory twice.
pub trait Sink {
    /// `Registry` begins; what came before counts no more.
    fn begin(&mut self);
    /// A VO of `Registry`.
    fn vo(&mut self, name: String, value: Value);
}

/// Reads one YAML document. An empty one is null.
pub fn parse(text: &str) -> Result<Value, YamlError> {
    read(text, None)
}

/// Reads one YAML document, and leaves the entries of its `Registry` to `sink`.
pub fn parse_into(text: &str, sink: &mut dyn Sink) -> Result<Value, YamlError> {
    read(text, Some(sink))
}

fn read(text: &str, sink: Option<&mut dyn Sink>) -> Result<Value, YamlError> {
    let mut options = Options::default();
    options.set_emit_comments(false);
    let mut reader = Reader { sink, ..Reader::default() };
    for event in Parser::new_from_str_with_options(text, options) {
        let (event, span) = event.map_err(|error| error_at(error.marker(), &error.info()))?;
        reader.take(event).map_err(|message| error_at(&span.start, &message))?;
    }
    Ok(reader.root.unwrap_or_default())
}

fn error_at(at: &Marker, message: &str) -> YamlError {
    const LONGEST: usize = 300;
    let message = message.lines().next().unwrap_or("is not YAML").chars().take(LONGEST).collect();
    YamlError { line: at.line() as u64, column: at.col() as u64 + 1, message }
}

/// A collection that is not complete.
enum Frame {
    List(Vec<Value>),
    Map {
        map: Map<String, Value>,
        /// A key that waits for its value.
        key: Option<String>,
        /// What stood behind `<<`.
        merges: Vec<Value>,
    },
}

struct Open {
    frame: Frame,
    anchor: usize,
    /// How many values there were when it began.
    since: usize,
}

#[derive(Default)]
struct Reader<'s> {
    stack: Vec<Open>,
    root: Option<Value>,
    /// By the parser's numbers: the value, and how many values it consists of.
    anchors: HashMap<usize, (Value, usize)>,
    kept: usize,
    replayed: usize,
    nodes: usize,
    sink: Option<&'s mut dyn Sink>,
    /// Whether the VOs go to the sink.
    apart: bool,
}

impl Reader<'_> {
    fn take(&mut self, event: Event<'_>) -> Result<(), String> {
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                self.count(1)?;
                if self.expects_key() {
                    if anchor > 0 {
                        self.keep(anchor, &Value::from(text.as_ref()), 1)?;
                    }
                    self.set_key(text.into_owned());
                    return Ok(());
                }
                let value = scalar(&text, style, tag.as_deref());
                self.complete(value, anchor, 1)
            }
            Event::Alias(anchor) => {
                if self.is_registry_next() {
                    self.begin(false);
                }
                let (value, count) =
                    self.anchors.get(&anchor).ok_or("an alias stands within what it stands for")?;
                self.replayed += count;
                if self.replayed > MAX_REPLAYED {
                    return Err(format!("aliases repeat more than {MAX_REPLAYED} values"));
                }
                let (value, count) = (value.clone(), *count);
                self.count(count)?;
                if self.expects_key() {
                    let Value::String(key) = value else { return Err("a key must be a text".to_owned()) };
                    self.set_key(key);
                    return Ok(());
                }
                self.complete(value, 0, count)
            }
            Event::SequenceStart(_, anchor, _) => self.open(Frame::List(Vec::new()), anchor),
            Event::MappingStart(_, anchor, _) => {
                if self.is_registry_next() {
                    self.begin(anchor == 0);
                }
                self.open(Frame::Map { map: Map::new(), key: None, merges: Vec::new() }, anchor)
            }
            Event::SequenceEnd | Event::MappingEnd => {
                let Some(Open { frame, anchor, since }) = self.stack.pop() else { return Ok(()) };
                let value = match frame {
                    Frame::List(items) => Value::Array(items),
                    Frame::Map { map, merges, .. } => Value::Object(merged(map, merges)?),
                };
                self.complete(value, anchor, self.nodes - since + 1)
            }
            Event::DocumentStart(..) if self.root.is_some() => {
                Err("there is more than one document".to_owned())
            }
            _ => Ok(()),
        }
    }

    fn count(&mut self, nodes: usize) -> Result<(), String> {
        self.nodes += nodes;
        if self.nodes > MAX_NODES { Err(format!("there are more than {MAX_NODES} values")) } else { Ok(()) }
    }

    fn open(&mut self, frame: Frame, anchor: usize) -> Result<(), String> {
        self.count(1)?;
        if self.expects_key() {
            return Err("a key must be a text".to_owned());
        }
        if self.stack.len() >= MAX_DEPTH {
            return Err(format!("sections are nested deeper than {MAX_DEPTH}"));
        }
        self.stack.push(Open { frame, anchor, since: self.nodes });
        Ok(())
    }

    fn expects_key(&self) -> bool {
        matches!(self.stack.last(), Some(Open { frame: Frame::Map { key: None, .. }, .. }))
    }

    fn set_key(&mut self, text: String) {
        if let Some(Open { frame: Frame::Map { key, .. }, .. }) = self.stack.last_mut() {
            *key = Some(text);
        }
    }

    fn keep(&mut self, anchor: usize, value: &Value, count: usize) -> Result<(), String> {
        self.kept += count;
        if self.kept > MAX_REPLAYED {
            return Err(format!("anchors keep more than {MAX_REPLAYED} values"));
        }
        self.anchors.insert(anchor, (value.clone(), count));
        Ok(())
    }

    /// Whether what begins now is the value of `Registry`.
    fn is_registry_next(&self) -> bool {
        match self.stack.as_slice() {
            [Open { frame: Frame::Map { key: Some(key), .. }, anchor: 0, .. }] => {
                REGISTRY.contains(&key.as_str())
            }
            _ => false,
        }
    }

    /// `Registry` begins, with VOs that the sink can have, or in a way that needs the whole of it.
    fn begin(&mut self, apart: bool) {
        if let Some(sink) = &mut self.sink {
            sink.begin();
            self.apart = apart;
        }
    }

    /// Whether what ends now is a VO for the sink.
    fn is_vo(&self) -> bool {
        match self.stack.as_slice() {
            [Open { frame: Frame::Map { key: Some(key), .. }, .. }, _] => {
                self.apart && REGISTRY.contains(&key.as_str())
            }
            _ => false,
        }
    }

    /// Puts a value where it belongs.
    fn complete(&mut self, value: Value, anchor: usize, count: usize) -> Result<(), String> {
        if anchor > 0 {
            self.keep(anchor, &value, count)?;
        }
        let is_vo = self.is_vo();
        match self.stack.last_mut().map(|open| &mut open.frame) {
            None => self.root = Some(value),
            Some(Frame::List(items)) => items.push(value),
            Some(Frame::Map { map, key, merges }) => match (key.take(), &mut self.sink) {
                (Some(key), _) if key == "<<" => merges.push(value),
                (Some(key), Some(sink)) if is_vo => sink.vo(key, value),
                (Some(key), _) => {
                    map.insert(key, value);
                }
                (None, _) => return Err("a value has no key".to_owned()),
            },
        }
        Ok(())
    }
}

/// The entries of a section, behind those of the sections that it is merged with.
fn merged(map: Map<String, Value>, merges: Vec<Value>) -> Result<Map<String, Value>, String> {
    if merges.is_empty() {
        return Ok(map);
    }
    let mut result = Map::new();
    for merge in merges {
        let several = match merge {
            Value::Array(several) => several,
            one => vec![one],
        };
        for section in several {
            let Value::Object(section) = section else {
                return Err("<< must be followed by a section".to_owned());
            };
            for (key, value) in section {
                result.entry(key).or_insert(value);
            }
        }
    }
    result.extend(map);
    Ok(result)
}

fn scalar(text: &str, style: ScalarStyle, tag: Option<&Tag>) -> Value {
    let is_text = match tag.and_then(Tag::core_suffix) {
        Some("str") => true,
        Some("int" | "float" | "bool" | "null") => false,
        _ => style != ScalarStyle::Plain,
    };
    let plain = if is_text { None } else { resolve(text) };
    plain.unwrap_or_else(|| Value::from(text))
}

/// What a plain word means; `None` if it is a text.
fn resolve(text: &str) -> Option<Value> {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Some(Value::Null),
        "true" | "True" | "TRUE" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" => {
            return Some(Value::Bool(true));
        }
        "false" | "False" | "FALSE" | "no" | "No" | "NO" | "off" | "Off" | "OFF" => {
            return Some(Value::Bool(false));
        }
        _ => {}
    }
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    if !unsigned.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return None;
    }
    if let Some(digits) = unsigned.strip_prefix("0x").or_else(|| unsigned.strip_prefix("0o")) {
        let radix = if unsigned.starts_with("0x") { 16 } else { 8 };
        let all = digits.bytes().all(|byte| byte.is_ascii_alphanumeric());
        let number = i64::from_str_radix(digits, radix).ok().filter(|_| all)?;
        return Some(Value::from(if text.starts_with('-') { -number } else { number }));
    }
    // `017` is an octal number to some and none to others; as a text it means the same to all.
    let leading_zero = unsigned.len() > 1 && unsigned.starts_with('0') && !unsigned.starts_with("0.");
    let known = |byte: u8| byte.is_ascii_digit() || b"._+-eE".contains(&byte);
    if leading_zero || !unsigned.bytes().all(known) || unsigned.contains("__") || unsigned.ends_with('_') {
        return None;
    }
    let plain = text.strip_prefix('+').unwrap_or(text).replace('_', "");
    if unsigned.bytes().all(|byte| byte.is_ascii_digit() || byte == b'_') {
        let whole =
            plain.parse::<i64>().map(Number::from).or_else(|_| plain.parse::<u64>().map(Number::from));
        return match whole {
            Ok(number) => Some(Value::Number(number)),
            Err(_) => plain.parse().ok().and_then(Number::from_f64).map(Value::Number),
        };
    }
    // Without a point it is a text, such as the `1e3` at the beginning of some hash.
    let float = unsigned.contains('.') && unsigned.bytes().any(|byte| byte.is_ascii_digit());
    float.then(|| plain.parse().ok().and_then(Number::from_f64).map(Value::Number)).flatten()
}
