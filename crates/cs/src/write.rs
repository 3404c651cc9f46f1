//! Writing values as YAML, in the way that administrators do.

use std::fmt::Write as _;

use serde_json::{Map, Value};

use crate::yaml;

/// A whole document in block style, keys in their order.
pub fn document(value: &Value) -> String {
    let mut text = String::new();
    match value {
        Value::Object(map) if !map.is_empty() => block_map(&mut text, map, 0),
        Value::Array(items) if !items.is_empty() => block_list(&mut text, items, 0),
        other => {
            text.push_str(&flow(other, false));
            text.push('\n');
        }
    }
    text
}

/// `key: value` with its line break, indented; several lines if the value has several parts.
pub(crate) fn block_entry(text: &mut String, key: &str, value: &Value, indent: usize) {
    // writing to a String cannot fail
    let _ = write!(text, "{:indent$}{}:", "", scalar(key, false));
    match value {
        Value::Object(map) if !map.is_empty() => {
            text.push('\n');
            block_map(text, map, indent + STEP);
        }
        Value::Array(items) if !items.is_empty() => {
            text.push('\n');
            block_list(text, items, indent + STEP);
        }
        other => {
            text.push(' ');
            text.push_str(&flow(other, false));
            text.push('\n');
        }
    }
}

/// By how much each level is indented.
pub(crate) const STEP: usize = 2;

fn block_map(text: &mut String, map: &Map<String, Value>, indent: usize) {
    for (key, value) in map {
        block_entry(text, key, value, indent);
    }
}

fn block_list(text: &mut String, items: &[Value], indent: usize) {
    for item in items {
        // What is nested in a list is rare, and on one line it is right whatever it is.
        let _ = writeln!(text, "{:indent$}- {}", "", flow(item, false));
    }
}

/// A value on one line; with `json`, in such a way that JSON readers understand it.
pub(crate) fn flow(value: &Value, json: bool) -> String {
    match value {
        Value::String(text) => scalar(text, json),
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(|item| flow(item, json)).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Object(map) => {
            let entry = |(key, value): (&String, &Value)| {
                format!("{}: {}", scalar(key, json), flow(value, json))
            };
            format!("{{{}}}", map.iter().map(entry).collect::<Vec<_>>().join(", "))
        }
        other => other.to_string(),
    }
}

/// A text, with quotes where it would be taken for something else without.
pub(crate) fn scalar(text: &str, quoted: bool) -> String {
    let plain = !quoted
        && text.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '/')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_./@+:= ".contains(c))
        && !text.contains(": ")
        && !text.ends_with([' ', ':'])
        && !is_a_word_of_yaml(text)
        && yaml::parse(text).is_ok_and(|read| read == text)
        && yaml::parse(&format!("[{text}]")).is_ok_and(|read| read == serde_json::json!([text]));
    if plain { text.to_owned() } else { in_quotes(text) }
}

/// As JSON has it, and characters that YAML does not print as their numbers.
fn in_quotes(text: &str) -> String {
    let json = Value::from(text).to_string();
    let printed = |c: char| !c.is_control() && !matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}');
    if json.chars().all(printed) {
        return json;
    }
    json.chars().fold(String::new(), |mut quoted, c| {
        if printed(c) {
            quoted.push(c);
        } else {
            // writing to a String cannot fail; none of them is beyond four digits
            let _ = write!(quoted, "\\u{:04x}", u32::from(c));
        }
        quoted
    })
}

/// What readers of other versions of YAML take for truths, nothing, numbers or times.
fn is_a_word_of_yaml(text: &str) -> bool {
    const WORDS: [&str; 10] = ["y", "n", "yes", "no", "on", "off", "true", "false", "null", "none"];
    let looks_like_number = text.starts_with("0x")
        || text.starts_with(|c: char| c.is_ascii_digit())
            && text.chars().all(|c| c.is_ascii_digit() || "o_.:eE+-TtZz ".contains(c));
    WORDS.contains(&text.to_ascii_lowercase().as_str()) || looks_like_number
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_written_reads_back_and_looks_as_if_a_person_had_written_it() {
        let value = json!({
            "Registry": {"lhcb": {"IdP": {"URL": "https://idp.example.org/a?b=c"}, "Users": {}, "Groups": {
                "user": {"Properties": ["NormalUser", "a: b"], "JobShare": 12, "Users": [], "VOMSRole": null},
            }}},
            "Odd": ["", "yes", "12", "1.5", "null", " x ", "a #b", "*a", "ü", "line\nbreak", "2024-01-02", "0x1f", "12:30",
                "e5a0", "26b14fc9-6d40", "x:", "a,b", "%", "\u{7f}", "\u{85}\u{feff}", true, {"a": [1]}],
        });
        let text = document(&value);
        assert_eq!(yaml::parse(&text).unwrap(), value, "{text}");
        assert!(text.contains("        Properties:\n          - NormalUser\n          - \"a: b\"\n"), "{text}");
        assert!(text.contains("  - 26b14fc9-6d40\n") && text.contains("  - \"12\"\n"), "{text}");
        assert_eq!(document(&json!({})), "{}\n");
    }

    #[test]
    fn subjects_and_addresses_stand_without_quotes() {
        for plain in ["alice", "https://idp.example.org/", "/C=ch/O=DIRAC/CN=alice", "a@b.org", "lhcb_user"] {
            assert_eq!(scalar(plain, false), plain);
        }
    }
}
