//! An answer against the one that was recorded, or any of its alternatives.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{Validation, Variables, matching::Matching};
use crate::http::Answer;

/// Is this status right for the step whatever the body?
pub(super) fn also_accepted(step: &Value, status: u16) -> bool {
    step["also_accept"].as_array().into_iter().flatten().any(|accepted| *accepted == status)
}

/// Where the answer differs; nowhere if one of the alternatives fits.
pub(super) fn compare(
    step: &Value,
    answer: &Answer,
    variables: &Variables,
    validation: Validation,
) -> Vec<String> {
    let unordered: Vec<&str> =
        step["unordered"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let matching = Matching { variables, unordered: &unordered };
    let judge = |want: &Value| compare_one(step, want, answer, &matching, validation);
    let differences = judge(&step["response"]);
    let mut alternatives = step["alternatives"].as_array().into_iter().flatten();
    if alternatives.any(|other| judge(&other["response"]).is_empty()) { Vec::new() } else { differences }
}

fn compare_one(
    step: &Value,
    want: &Value,
    answer: &Answer,
    matching: &Matching<'_>,
    validation: Validation,
) -> Vec<String> {
    if want["status"] != answer.status {
        if also_accepted(step, answer.status) {
            return Vec::new();
        }
        let body: String = answer.text.chars().take(400).collect();
        return vec![format!("status: expected {}, got {}; body {body:?}", want["status"], answer.status)];
    }
    let mut out = Vec::new();
    for (name, value) in want["headers"].as_object().into_iter().flatten() {
        match answer.header(name) {
            None => out.push(format!("header {name}: missing, expected {value}")),
            Some(got) => out.extend(header(name, value, &got, matching)),
        }
    }
    for name in want["absent_headers"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        if let Some(got) = answer.header(name) {
            out.push(format!("header {name}: should be absent, is {got:?}"));
        }
    }
    out.extend(body(want, answer, matching, validation));
    out
}

fn header(name: &str, want: &Value, got: &str, matching: &Matching<'_>) -> Vec<String> {
    let expected = want.as_str().unwrap_or_default();
    let fits = match name {
        "content-type" => words(expected, ';') == words(got, ';'),
        "vary" | "access-control-allow-methods" => words(expected, ',').is_subset(&words(got, ',')),
        _ => return matching.differences(want, &Value::String(got.to_owned()), &format!("header {name}")),
    };
    if fits { Vec::new() } else { vec![format!("header {name}: expected {want}, got {got:?}")] }
}

fn words(text: &str, separator: char) -> BTreeSet<String> {
    text.split(separator).map(|word| word.trim().to_lowercase()).collect()
}

fn body(want: &Value, answer: &Answer, matching: &Matching<'_>, validation: Validation) -> Vec<String> {
    if let Some(text) = want.get("text") {
        return matching.differences(text, &Value::String(answer.text.clone()), "body");
    }
    let Some(want) = want.get("json") else { return Vec::new() };
    let Some(got) = answer.json() else {
        return vec![format!(
            "body: expected JSON, got {:?}",
            answer.text.chars().take(200).collect::<String>()
        )];
    };
    match validation {
        Validation::Status if answer.status == 422 => Vec::new(),
        Validation::Locations if answer.status == 422 => {
            let places = Matching { variables: matching.variables, unordered: &["", "*"] };
            places.differences(&locations(want), &locations(&got), "")
        }
        _ => matching.differences(want, &got, ""),
    }
}

/// The fields that a validation error points at.
fn locations(body: &Value) -> Value {
    body["detail"].as_array().into_iter().flatten().map(|problem| problem["loc"].clone()).collect()
}

#[cfg(test)]
mod tests {
    use hyper::header::HeaderMap;
    use serde_json::json;

    use super::*;

    fn answer(status: u16, headers: &[(&'static str, &str)], text: &str) -> Answer {
        let headers: HeaderMap =
            headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect();
        Answer { status, headers, text: text.to_owned() }
    }

    fn check(step: &Value, answer: &Answer, fits: bool) {
        let variables = Variables::new("http://b", "http://i");
        let found = compare(step, answer, &variables, Validation::Locations);
        assert_eq!(found.is_empty(), fits, "{found:?}");
    }

    #[test]
    fn another_status_is_a_difference_unless_it_is_accepted_too() {
        let step = json!({"response": {"status": 200}});
        check(&step, &answer(404, &[], ""), false);
        let step = json!({"response": {"status": 500}, "also_accept": [400]});
        check(&step, &answer(400, &[], "anything"), true);
    }

    #[test]
    fn an_alternative_is_as_good_as_the_first_answer() {
        let step = json!({"response": {"status": 200, "json": 1}, "alternatives": [{"response": {"status": 200, "json": 2}}]});
        check(&step, &answer(200, &[], "2"), true);
        check(&step, &answer(200, &[], "3"), false);
    }

    #[test]
    fn headers_are_compared_by_their_meaning() {
        let step = json!({"response": {"status": 200, "headers": {"content-type": "text/plain; charset=utf-8", "vary": "Origin"}}});
        check(
            &step,
            &answer(200, &[("content-type", "text/plain;charset=UTF-8"), ("vary", "Accept, origin")], ""),
            true,
        );
        check(&step, &answer(200, &[("content-type", "text/plain")], ""), false);
        let step = json!({"response": {"status": 200, "absent_headers": ["etag"]}});
        check(&step, &answer(200, &[("etag", "x")], ""), false);
    }

    #[test]
    fn a_validation_error_must_point_at_the_same_fields() {
        let step = json!({"response": {"status": 422, "json": {"detail": [{"loc": ["body", 0]}, {"loc": ["query", "x"]}]}}});
        check(
            &step,
            &answer(422, &[], r#"{"detail": [{"loc": ["query", "x"], "msg": "?"}, {"loc": ["body", 0]}]}"#),
            true,
        );
        check(&step, &answer(422, &[], r#"{"detail": [{"loc": ["query", "y"]}]}"#), false);
    }
}
