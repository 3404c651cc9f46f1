//! Expected values and what they match.

use anyhow::Result;
use regex::Regex;
use serde_json::{Map, Value};

use super::variables::{Variables, show};

/// What a value is compared with.
pub(super) struct Matching<'a> {
    /// Known variables.
    pub(super) variables: &'a Variables,
    /// JSON pointers of arrays whose order does not matter.
    pub(super) unordered: &'a [&'a str],
}

impl Matching<'_> {
    /// Where `got` is not what `want` asks for; `place` is the JSON pointer of both.
    pub(super) fn differences(&self, want: &Value, got: &Value, place: &str) -> Vec<String> {
        let mut out = Vec::new();
        self.compare(want, got, place, &mut out);
        out
    }

    fn compare(&self, want: &Value, got: &Value, place: &str, out: &mut Vec<String>) {
        match want {
            Value::String(text) => out.extend(self.text(text, got).map(|what| format!("{place}: {what}"))),
            Value::Object(fields) => match fields.get("<<oneof>>").and_then(Value::as_array) {
                Some(choices) if fields.len() == 1 => {
                    let trials: Vec<_> =
                        choices.iter().map(|choice| self.differences(choice, got, place)).collect();
                    if !trials.iter().any(Vec::is_empty) {
                        let first = trials.into_iter().flatten().next().unwrap_or_default();
                        out.push(format!("{place}: none of the choices fits; first: {first}"));
                    }
                }
                _ => self.object(fields, got, place, out),
            },
            Value::Array(items) => self.array(items, got, place, out),
            Value::Number(number) => {
                if number.as_f64() != got.as_f64() || got.as_f64().is_none() {
                    out.push(format!("{place}: expected {number}, got {}", short(got)));
                }
            }
            Value::Bool(_) | Value::Null => {
                if want != got {
                    out.push(format!("{place}: expected {want}, got {}", short(got)));
                }
            }
        }
    }

    fn text(&self, want: &str, got: &Value) -> Option<String> {
        let differs = |expected: &str| Some(format!("expected {expected}, got {}", short(got)));
        let Some(matcher) = want.strip_prefix("<<").and_then(|rest| rest.strip_suffix(">>")) else {
            return match self.variables.fill_text(want) {
                Ok(text) if got.as_str() == Some(text.as_str()) => None,
                Ok(text) => differs(&format!("{text:?}")),
                Err(error) => Some(error.to_string()),
            };
        };
        let (kind, argument) = matcher.split_once(':').unwrap_or((matcher, ""));
        let fits = match kind {
            "any" => true,
            "int" => got.is_i64() || got.is_u64(),
            "number" => got.is_number(),
            "var" => match self.variables.get(argument) {
                Some(value) if value == got => true,
                Some(value) => return differs(&format!("{value} (captured as {argument})")),
                None => return Some(format!("{argument} was not captured")),
            },
            _ => match self.pattern(kind, argument) {
                Ok(pattern) => got.as_str().is_some_and(|text| pattern.is_match(text)),
                Err(error) => return Some(format!("{want}: {error:#}")),
            },
        };
        if fits { None } else { differs(want) }
    }

    fn pattern(&self, kind: &str, argument: &str) -> Result<Regex> {
        let pattern = match kind {
            "re" => self.variables.fill_pattern(argument)?,
            "uuid" => r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}".to_owned(),
            "dt-z" => r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z".to_owned(),
            "dt-offset" => r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?\+00:00".to_owned(),
            "dt-naive" => r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?".to_owned(),
            "dt-space" => r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d+)?(\+00:00)?".to_owned(),
            "httpdate" => {
                r"(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT".to_owned()
            }
            "jwt" => r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*".to_owned(),
            "str" => r"[\s\S]*".to_owned(),
            other => anyhow::bail!("there is no matcher {other}"),
        };
        Ok(Regex::new(&format!(r"\A(?:{pattern})\z"))?)
    }

    fn object(&self, want: &Map<String, Value>, got: &Value, place: &str, out: &mut Vec<String>) {
        let Some(got) = got.as_object() else {
            out.push(format!("{place}: expected an object, got {}", short(got)));
            return;
        };
        let mut expected = Map::new();
        for (name, value) in want {
            match self.variables.fill_text(name) {
                Ok(name) => drop(expected.insert(name, value.clone())),
                Err(error) => out.push(format!("{place}: {error}")),
            }
        }
        for (name, value) in &expected {
            match got.get(name) {
                Some(found) => self.compare(value, found, &format!("{place}/{name}"), out),
                None => out.push(format!("{place}/{name}: missing, expected {}", short(value))),
            }
        }
        for (name, value) in got.iter().filter(|(name, _)| !expected.contains_key(*name)) {
            out.push(format!("{place}/{name}: not expected, is {}", short(value)));
        }
    }

    fn array(&self, want: &[Value], got: &Value, place: &str, out: &mut Vec<String>) {
        let Some(items) = got.as_array().filter(|items| items.len() == want.len()) else {
            out.push(format!("{place}: expected an array of {}, got {}", want.len(), short(got)));
            return;
        };
        if !(self.unordered.contains(&place) || self.unordered.contains(&"*")) {
            for (index, (want, got)) in want.iter().zip(items).enumerate() {
                self.compare(want, got, &format!("{place}/{index}"), out);
            }
            return;
        }
        let mut rest: Vec<&Value> = items.iter().collect();
        for (index, want) in want.iter().enumerate() {
            let place = format!("{place}/{index}");
            match rest.iter().position(|got| self.differences(want, got, &place).is_empty()) {
                Some(found) => drop(rest.swap_remove(found)),
                None => out.push(format!("{place}: nothing matches {}", short(want))),
            }
        }
    }
}

/// A value, cut where it gets too long for a line.
pub(super) fn short(value: &Value) -> String {
    let text = if value.is_string() { value.to_string() } else { show(value) };
    if text.chars().count() <= 300 { text } else { text.chars().take(300).chain(['…']).collect() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(want: &Value, got: &Value, fits: bool) {
        let mut variables = Variables::new("http://b", "http://i");
        variables.set("job", json!(7));
        let found = Matching { variables: &variables, unordered: &["/list"] }.differences(want, got, "");
        assert_eq!(found.is_empty(), fits, "{want} against {got}: {found:?}");
    }

    #[test]
    fn matchers_match_their_kind_and_nothing_else() {
        check(&json!("<<int>>"), &json!(5), true);
        check(&json!("<<int>>"), &json!(5.5), false);
        check(&json!("<<int>>"), &json!("5"), false);
        check(&json!("<<any>>"), &json!(null), true);
        check(&json!("<<number>>"), &json!(true), false);
        check(&json!("<<dt-z>>"), &json!("2024-01-01T00:00:00.5Z"), true);
        check(&json!("<<dt-z>>"), &json!("2024-01-01T00:00:00+00:00"), false);
        check(&json!("<<httpdate>>"), &json!("Mon, 01 Jan 2024 00:00:00 GMT"), true);
        check(&json!("<<re:[A-Z]{3}>>"), &json!("ABCD"), false);
        check(&json!("<<re:{{base}}/x\\?y=.+>>"), &json!("http://b/x?y=1"), true);
        check(&json!("<<str>>"), &json!("a\nb"), true);
        check(&json!("<<nonsense>>"), &json!("x"), false);
    }

    #[test]
    fn a_captured_value_is_compared_with_its_type() {
        check(&json!("<<var:job>>"), &json!(7), true);
        check(&json!("<<var:job>>"), &json!("7"), false);
        check(&json!("<<var:other>>"), &json!(7), false);
        check(&json!({"{{job}}": 1}), &json!({"7": 1}), true);
    }

    #[test]
    fn objects_have_neither_more_nor_fewer_fields() {
        check(&json!({"a": 1}), &json!({"a": 1}), true);
        check(&json!({"a": 1}), &json!({"a": 1, "b": 2}), false);
        check(&json!({"a": 1, "b": 2}), &json!({"a": 1}), false);
    }

    #[test]
    fn order_matters_unless_the_place_is_listed() {
        check(&json!([1, 2]), &json!([2, 1]), false);
        check(&json!({"list": [1, 2]}), &json!({"list": [2, 1]}), true);
        check(&json!({"list": [1, 1]}), &json!({"list": [2, 1]}), false);
    }

    #[test]
    fn one_of_several_choices_is_enough() {
        check(&json!({"<<oneof>>": [1, "<<str>>"]}), &json!("x"), true);
        check(&json!({"<<oneof>>": [1, "<<str>>"]}), &json!(2), false);
    }

    #[test]
    fn a_number_is_no_boolean_and_null_is_nothing_else() {
        check(&json!(1), &json!(true), false);
        check(&json!(1), &json!(1.0), true);
        check(&json!(null), &json!(0), false);
    }
}
