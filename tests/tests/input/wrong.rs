//! What may be wrong with a value, a name, a body.

use serde_json::Value;

/// Texts that are unlike what anybody expects, as they are between quotes in JSON.
pub(crate) fn texts() -> Vec<String> {
    let mut texts: Vec<String> = [
        "",
        " ",
        "abc",
        "-1",
        "0",
        "1",
        "9223372036854775808",
        "1e400",
        "0x10",
        "NaN",
        "null",
        "true",
        "..",
        "%00",
        "%s%n",
        "*",
        "'; DROP TABLE Jobs; -- ",
        "\\u0000",
        "a\\u0000b",
        "\\ud800",
        "\\udc00\\ud800",
        "\\u202eabc\\u202c",
        "\\ufeff",
        "\u{1f4a5}",
        "\u{661}\u{662}",
        "e\u{301}",
        "\\n\\r\\t",
        "\\\"",
        "\\\\",
        "0000-00-00T00:00:00Z",
        "0001-01-01T00:00:00Z",
        "9999-12-31T23:59:59.999999Z",
        "10000-01-01T00:00:00Z",
        "2024-02-30 00:00:00+00:00",
        "2024-01-01T00:00:00",
        "2024-01-01T00:00:00+23:59",
        "(a+)+$",
        "[[",
        "[ [",
        "LoggingInfo",
        "PilotStamp",
        "JobID",
    ]
    .map(str::to_owned)
    .to_vec();
    texts.push("9".repeat(400));
    texts.push("a".repeat(300));
    texts
}

/// JSON values that are unlike what anybody expects, except texts.
pub(crate) fn values() -> Vec<String> {
    let mut values: Vec<String> = [
        "null",
        "true",
        "false",
        "0",
        "1",
        "-1",
        "-0",
        "0.5",
        "1e-400",
        "1e400",
        "-1e400",
        "2147483648",
        "4294967296",
        "9223372036854775807",
        "9223372036854775808",
        "-9223372036854775809",
        "NaN",
        "Infinity",
        "01",
        "[]",
        "{}",
        "[null]",
        "[[]]",
        "[{}]",
        "{\"a\":1}",
        "{\"\":null}",
        "[1,\"1\",null]",
    ]
    .map(str::to_owned)
    .to_vec();
    values.push(format!("1{}", "0".repeat(400)));
    values.push(format!("0.{}1", "0".repeat(400)));
    values
}

/// Values that are large: one of each suffices.
pub(crate) fn large() -> Vec<String> {
    vec![
        format!("\"{}\"", "x".repeat(1 << 20)),
        format!("\"{}\"", "\u{1f4a5}".repeat(20_000)),
        "[".repeat(10_000) + &"]".repeat(10_000),
        "{\"a\":".repeat(10_000) + "1" + &"}".repeat(10_000),
        "[".repeat(100_000),
        format!("[{}1]", "1,".repeat(10_001)),
    ]
}

/// What is done to a body in one place.
#[derive(Clone)]
pub(crate) enum Edit {
    /// This stands there instead, JSON or not.
    Replace(String),
    /// The member or item is not there.
    Remove,
    /// The member is there twice.
    Double,
    /// The member has this name, given as it is between quotes.
    Rename(String),
}

/// A place in a body: the keys and positions that lead there.
pub(crate) type Path = Vec<String>;

/// Every place in a body, the whole first.
pub(crate) fn places(value: &Value) -> Vec<Path> {
    let mut all = vec![Vec::new()];
    let children: Vec<(String, &Value)> = match value {
        Value::Object(members) => members.iter().map(|(key, inside)| (key.clone(), inside)).collect(),
        Value::Array(items) => items.iter().enumerate().map(|(i, item)| (i.to_string(), item)).collect(),
        _ => Vec::new(),
    };
    for (key, inside) in children {
        all.extend(places(inside).into_iter().map(|mut path| {
            path.insert(0, key.clone());
            path
        }));
    }
    all
}

/// The body with an edit at a place.
pub(crate) fn edited(value: &Value, path: &[String], edit: &Edit) -> String {
    let Some((next, rest)) = path.split_first() else {
        return match edit {
            Edit::Replace(raw) => raw.clone(),
            Edit::Remove => String::new(),
            Edit::Double => format!("{value}{value}"),
            Edit::Rename(_) => value.to_string(),
        };
    };
    let quoted = |key: &str| Value::from(key).to_string();
    let mut parts = Vec::new();
    match value {
        Value::Object(members) => {
            for (key, inside) in members {
                let name = quoted(key);
                match edit {
                    _ if key != next => parts.push(format!("{name}:{inside}")),
                    Edit::Remove if rest.is_empty() => {}
                    Edit::Double if rest.is_empty() => {
                        parts.extend([format!("{name}:1"), format!("{name}:{inside}")]);
                    }
                    Edit::Rename(other) if rest.is_empty() => parts.push(format!("\"{other}\":{inside}")),
                    _ => parts.push(format!("{name}:{}", edited(inside, rest, edit))),
                }
            }
            format!("{{{}}}", parts.join(","))
        }
        Value::Array(items) => {
            for (i, item) in items.iter().enumerate() {
                match edit {
                    _ if i.to_string() != *next => parts.push(item.to_string()),
                    Edit::Remove if rest.is_empty() => {}
                    Edit::Double if rest.is_empty() => parts.extend([item.to_string(), item.to_string()]),
                    _ => parts.push(edited(item, rest, edit)),
                }
            }
            format!("[{}]", parts.join(","))
        }
        other => other.to_string(),
    }
}
