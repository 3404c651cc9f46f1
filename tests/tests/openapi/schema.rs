//! Whether a value has the form that a schema describes: as much of OpenAPI as the description uses.

use serde_json::Value;

use crate::description::Description;

/// What is wrong with `value`; nothing if it fits. `at` is where it is.
pub(crate) fn problems(description: &Description, schema: &Value, value: &Value, at: &str) -> Vec<String> {
    if schema["nullable"] == true && value.is_null() {
        return Vec::new();
    }
    let schema = description.resolve(schema);
    if schema["nullable"] == true && value.is_null() {
        return Vec::new();
    }
    for several in ["anyOf", "oneOf"] {
        if let Some(choices) = schema[several].as_array() {
            let each: Vec<_> =
                choices.iter().map(|choice| problems(description, choice, value, at)).collect();
            if !each.iter().any(Vec::is_empty) {
                return vec![format!("{at} is none of what it may be: {}", each.concat().join(" / "))];
            }
        }
    }
    if let Some(values) = schema["enum"].as_array()
        && !values.contains(value)
    {
        return vec![format!("{at} is {value}, not one of {values:?}")];
    }
    let fits = match schema["type"].as_str() {
        Some("object") => value.is_object(),
        Some("array") => value.is_array(),
        Some("string") => value.is_string(),
        Some("integer") => value.is_i64() || value.is_u64(),
        Some("number") => value.is_number(),
        Some("boolean") => value.is_boolean(),
        _ => true,
    };
    if !fits {
        return vec![format!("{at} is {value}, not of type {}", schema["type"])];
    }
    let mut found = Vec::new();
    if let Some(items) = value.as_array() {
        for (i, item) in items.iter().enumerate() {
            found.extend(problems(description, &schema["items"], item, &format!("{at}[{i}]")));
        }
    }
    if let Some(members) = value.as_object() {
        found.extend(in_members(description, schema, members, at));
    }
    found
}

fn in_members(
    description: &Description,
    schema: &Value,
    members: &serde_json::Map<String, Value>,
    at: &str,
) -> Vec<String> {
    let mut found = Vec::new();
    for required in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        if !members.contains_key(required) {
            found.push(format!("{at} has no {required}"));
        }
    }
    let properties = schema["properties"].as_object();
    let additional = schema.get("additionalProperties");
    for (name, member) in members {
        let at = format!("{at}.{name}");
        match (properties.and_then(|known| known.get(name)), additional) {
            (Some(known), _) => found.extend(problems(description, known, member, &at)),
            (None, Some(additional)) if additional.is_object() => {
                found.extend(problems(description, additional, member, &at));
            }
            (None, Some(Value::Bool(true))) => {}
            // DiracX never answers more than it describes
            (None, _) if properties.is_some() => found.push(format!("{at} is not described")),
            (None, _) => {}
        }
    }
    found
}
