//! Changing a YAML document where it is meant to change, and nowhere else: comments, order and style stay.

use serde_json::Value;

use crate::{
    tree::{self, Kind, Node, Style},
    write::{STEP, block_entry, flow, scalar},
    yaml::{self, YamlError},
};

/// A change that cannot be made in the text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EditError {
    /// The text is no YAML.
    #[error(transparent)]
    Yaml(#[from] YamlError),
    /// The section is not written where it is used.
    #[error(
        "{0} is not written out where it is used (by an anchor or a merge key), so it has to be changed by hand"
    )]
    Shared(String),
    /// The way in which it is written is not one that we know how to extend.
    #[error("{0} is written in a way that has to be changed by hand")]
    Style(String),
    /// The change would change more than it should.
    #[error("the change would show in other places of the configuration too, so it has to be made by hand")]
    Elsewhere,
}

/// A document that is being changed. [`Editor::finish`] reads the result, and compares it with what should come
/// out: whatever is wrong with a change, it is never written.
#[derive(Debug, Clone)]
pub struct Editor {
    text: String,
    expected: Value,
}

/// What is new.
enum New<'a> {
    Entry(&'a str, &'a Value),
    Item(&'a str),
}

/// A collection in the text.
struct Found<'t> {
    node: &'t Node,
    /// The key that it belongs to; the whole document has none.
    key: Option<&'t Node>,
    /// Whether it stands in brackets of others.
    within_flow: bool,
    /// Whether the whole document is one of JSON.
    json: bool,
}

impl Editor {
    /// Begins with a text.
    pub fn new(text: &str) -> Result<Self, EditError> {
        let expected = yaml::parse(text)?;
        Ok(Self { text: text.to_owned(), expected })
    }

    /// Adds an entry to the section at `path`.
    pub fn put(&mut self, path: &[&str], key: &str, value: &Value) -> Result<(), EditError> {
        self.add(path, &New::Entry(key, value))
    }

    /// Adds an item to the list (or set) at `path`.
    pub fn push(&mut self, path: &[&str], item: &str) -> Result<(), EditError> {
        self.add(path, &New::Item(item))
    }

    /// The changed text.
    pub fn finish(self) -> Result<String, EditError> {
        if yaml::parse(&self.text)? == self.expected { Ok(self.text) } else { Err(EditError::Elsewhere) }
    }

    fn add(&mut self, path: &[&str], new: &New<'_>) -> Result<(), EditError> {
        let dotted = path.join(".");
        let tree = tree::read(&self.text).ok_or_else(|| EditError::Style("the document".to_owned()))?;
        let found = find(&tree, path).ok_or_else(|| EditError::Shared(dotted.clone()))?;
        let text = insert(&self.text, &found, new).ok_or_else(|| EditError::Style(dotted.clone()))?;
        expect(&mut self.expected, path, new).ok_or(EditError::Style(dotted))?;
        self.text = text;
        Ok(())
    }
}

fn find<'t>(root: &'t Node, path: &[&str]) -> Option<Found<'t>> {
    let json = matches!(&root.kind, Kind::Mapping(Style::Flow, _));
    let mut found = Found { node: root, key: None, within_flow: false, json };
    for key in path {
        let Kind::Mapping(style, _) = &found.node.kind else { return None };
        let within_flow = found.within_flow || *style == Style::Flow;
        let (key, node) = found.node.entry(key)?;
        found = Found { node, key: Some(key), within_flow, json };
    }
    Some(found)
}

/// Does to the meaning what is done to the text.
fn expect(document: &mut Value, path: &[&str], new: &New<'_>) -> Option<()> {
    let mut target = document;
    for key in path {
        target = target.get_mut(key)?;
    }
    match (target, new) {
        (Value::Object(map), New::Entry(key, value)) => {
            map.insert((*key).to_owned(), (*value).clone());
        }
        (Value::Object(set), New::Item(item)) => {
            set.insert((*item).to_owned(), Value::Null);
        }
        (Value::Array(list), New::Item(item)) => list.push(Value::from(*item)),
        _ => return None,
    }
    Some(())
}

fn insert(text: &str, found: &Found<'_>, new: &New<'_>) -> Option<String> {
    match &found.node.kind {
        Kind::Mapping(Style::Block, entries) => {
            let (first, _) = entries.first()?;
            let (mark, indent) = lead(text, first.range.start)?;
            let lines = match (mark, new) {
                ("", New::Entry(key, value)) => entry_lines(key, value, indent),
                ("", New::Item(item)) => entry_lines(item, &Value::Null, indent),
                ("?", New::Item(item)) => format!("{:indent$}? {}\n", "", scalar(item, false)),
                _ => return None,
            };
            Some(insert_lines(text, found.node.end(), &lines))
        }
        Kind::Sequence(Style::Block, items) => {
            let (mark, indent) = lead(text, items.first()?.range.start)?;
            let (true, New::Item(item)) = (mark == "-", new) else { return None };
            Some(insert_lines(
                text,
                found.node.end(),
                &format!("{:indent$}- {}\n", "", scalar(item, false)),
            ))
        }
        Kind::Mapping(Style::Flow, entries) => match entries.last() {
            Some((_, value)) => insert_in_brackets(text, found, value.range.end, &one_line(found, new, true)),
            None => insert_in_empty(text, found, new, true),
        },
        Kind::Sequence(Style::Flow, items) => match items.last() {
            Some(item) => insert_in_brackets(text, found, item.range.end, &one_line(found, new, false)),
            None => insert_in_empty(text, found, new, false),
        },
        Kind::Scalar(..) | Kind::Alias => None,
    }
}

fn entry_lines(key: &str, value: &Value, indent: usize) -> String {
    let mut lines = String::new();
    block_entry(&mut lines, key, value, indent);
    lines
}

/// What stands before the first part of a collection on its line (nothing, `-` or `?`), and how far it is indented.
fn lead(text: &str, start: usize) -> Option<(&str, usize)> {
    let line = text.get(..start)?.rfind('\n').map_or(0, |newline| newline + 1);
    let before = text.get(line..start)?;
    let mark = before.trim();
    let indent = before.len() - before.trim_start().len();
    (["", "-", "?"].contains(&mark) && before[..indent].bytes().all(|byte| byte == b' ')).then_some((mark, indent))
}

/// Puts whole lines behind the line in which `end` is.
fn insert_lines(text: &str, end: usize, lines: &str) -> String {
    let at_line_start = end > 0 && text.as_bytes()[end - 1] == b'\n';
    let at = if at_line_start {
        end
    } else {
        text[end..].find('\n').map_or(text.len(), |newline| end + newline + 1)
    };
    let missing = if at > 0 && !text[..at].ends_with('\n') { "\n" } else { "" };
    let lines = if text.contains("\r\n") { lines.replace('\n', "\r\n") } else { lines.to_owned() };
    format!("{}{missing}{lines}{}", &text[..at], &text[at..])
}

fn one_line(found: &Found<'_>, new: &New<'_>, mapping: bool) -> String {
    // In brackets fewer texts may stand without quotes; with quotes all of them may.
    let quoted = |text: &str| {
        let safe = !found.json && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_.@/".contains(c));
        scalar(text, !safe)
    };
    match new {
        New::Entry(key, value) => format!("{}: {}", quoted(key), flow(value, true)),
        New::Item(item) if mapping && found.json => format!("{}: null", quoted(item)),
        New::Item(item) => quoted(item),
    }
}

/// Puts something behind the last part in brackets, before or behind a comma that is there.
fn insert_in_brackets(text: &str, found: &Found<'_>, end: usize, part: &str) -> Option<String> {
    let tail = text.get(end..found.node.range.end)?;
    let mut in_comment = false;
    let comma = tail.char_indices().find(|(_, c)| {
        match c {
            '#' => in_comment = true,
            '\n' => in_comment = false,
            _ => {}
        }
        *c == ',' && !in_comment
    });
    let (at, separator) = comma.map_or((end, ", "), |(comma, _)| (end + comma + 1, " "));
    Some(format!("{}{separator}{part}{}", &text[..at], &text[at..]))
}

/// `Key: {}` becomes a section by indentation where that is possible, else something in the brackets.
fn insert_in_empty(text: &str, found: &Found<'_>, new: &New<'_>, mapping: bool) -> Option<String> {
    let range = found.node.range.clone();
    let brackets = text.get(range.clone())?;
    let by_indentation = found.key.filter(|key| {
        let bare = brackets.bytes().all(|byte| b"{}[] ".contains(&byte));
        bare && !found.within_flow && !found.node.marked && key.place.line == found.node.place.line
    });
    let Some(key) = by_indentation else {
        let part = one_line(found, new, mapping);
        return Some(format!("{}{part}{}", &text[..=range.start], &text[range.start + 1..]));
    };
    let indent = key.place.column - 1 + STEP;
    let lines = match new {
        New::Entry(name, value) => entry_lines(name, value, indent),
        New::Item(item) if !mapping => format!("{:indent$}- {}\n", "", scalar(item, false)),
        New::Item(item) => entry_lines(item, &Value::Null, indent),
    };
    let before = text[..range.start].trim_end_matches(' ');
    let without = format!("{before}{}", &text[range.end..]);
    Some(insert_lines(&without, before.len(), &lines))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn put(text: &str, path: &[&str], expected: &str) {
        let mut editor = Editor::new(text).unwrap();
        editor.put(path, "new", &json!({"A": [1], "B": {}})).unwrap();
        assert_eq!(editor.finish().as_deref(), Ok(expected));
    }

    #[track_caller]
    fn push(text: &str, path: &[&str], expected: &str) {
        let mut editor = Editor::new(text).unwrap();
        editor.push(path, "new").unwrap();
        assert_eq!(editor.finish().as_deref(), Ok(expected));
    }

    const NEW: &str = "new:\n    A:\n      - 1\n    B: {}\n";

    #[test]
    fn a_section_grows_where_it_ends_and_nothing_else_changes() {
        put("a: # first\n  x: 1 # one\n\n# of b\nb: 2\n", &["a"], &format!("a: # first\n  x: 1 # one\n  {NEW}\n# of b\nb: 2\n"));
        put("a:\n  x:\n    - 1\n    - 2\nb: 2", &["a"], &format!("a:\n  x:\n    - 1\n    - 2\n  {NEW}b: 2"));
        put("a:\n  x: |\n    text\n    more\nb: 2\n", &["a"], &format!("a:\n  x: |\n    text\n    more\n  {NEW}b: 2\n"));
        put("a:\n  x:\nb: 2\n", &["a"], &format!("a:\n  x:\n  {NEW}b: 2\n"));
        put("a:\n  x: 1", &["a"], &format!("a:\n  x: 1\n  {NEW}"));
        put("a: {}  # none yet\nb: 2\n", &["a"], &format!("a:  # none yet\n  {NEW}b: 2\n"));
        put("a:\r\n  x: 1\r\nb: 2\r\n", &["a"], &format!("a:\r\n  x: 1\r\n  {}b: 2\r\n", NEW.replace('\n', "\r\n")));
    }

    #[test]
    fn in_brackets_it_stays_in_brackets() {
        put("a: {x: 1}\n", &["a"], "a: {x: 1, new: {\"A\": [1], \"B\": {}}}\n");
        put("a: {x: 1, }\n", &["a"], "a: {x: 1, new: {\"A\": [1], \"B\": {}} }\n");
        put("a: {\n  x: 1  # one, and only\n}\n", &["a"], "a: {\n  x: 1, new: {\"A\": [1], \"B\": {}}  # one, and only\n}\n");
        put("{\"a\": {\"x\": {}}}", &["a"], "{\"a\": {\"x\": {}, \"new\": {\"A\": [1], \"B\": {}}}}");
        put("{\"a\": {}}", &["a"], "{\"a\": {\"new\": {\"A\": [1], \"B\": {}}}}");
        put("a: {b: {}}", &["a", "b"], "a: {b: {new: {\"A\": [1], \"B\": {}}}}");
    }

    #[test]
    fn lists_and_sets_grow_in_their_own_style() {
        push("a:\n- x\n- y # why\nb: 1\n", &["a"], "a:\n- x\n- y # why\n- new\nb: 1\n");
        push("a:\n    - x\n", &["a"], "a:\n    - x\n    - new\n");
        push("a: [x, y]\n", &["a"], "a: [x, y, new]\n");
        push("a: []\nb: 1\n", &["a"], "a:\n  - new\nb: 1\n");
        push("a: !!set {x, y}\n", &["a"], "a: !!set {x, y, new}\n");
        push("a: !!set {}\n", &["a"], "a: !!set {new}\n");
        push("a: !!set\n  ? x\n  ? y\nb: 1\n", &["a"], "a: !!set\n  ? x\n  ? y\n  ? new\nb: 1\n");
        push("{\"a\": [\"x\"]}", &["a"], "{\"a\": [\"x\", \"new\"]}");
        push("{\"a\": []}", &["a"], "{\"a\": [\"new\"]}");
    }

    #[test]
    fn what_stands_in_several_places_is_left_to_people() {
        let mut editor = Editor::new("a: &x\n  p: 1\nb: *x\n").unwrap();
        assert_eq!(editor.put(&["b"], "q", &json!(2)), Err(EditError::Style("b".to_owned())));
        editor.put(&["a"], "q", &json!(2)).unwrap();
        assert_eq!(editor.finish(), Err(EditError::Elsewhere));
        let mut editor = Editor::new("x: &x {p: {}}\na:\n  <<: *x\n").unwrap();
        assert_eq!(editor.put(&["a", "p"], "q", &json!(2)), Err(EditError::Shared("a.p".to_owned())));
    }
}
