//! `--condition` and `--sort`: what people write, as the server wants it.

use diracx_core::search::{Direction, Filter, ScalarOperator, SearchValue, Sort, VectorOperator};
use serde_json::Value;

const SCALAR: [ScalarOperator; 7] = [
    ScalarOperator::Eq,
    ScalarOperator::Neq,
    ScalarOperator::Gt,
    ScalarOperator::Lt,
    ScalarOperator::NotLike,
    ScalarOperator::Like,
    ScalarOperator::Regex,
];
const VECTOR: [VectorOperator; 2] = [VectorOperator::NotIn, VectorOperator::In];

/// Reads `NAME OPERATOR VALUE`; for `in` and `not in` the value is a JSON list.
pub(crate) fn condition(text: &str) -> Result<Filter, String> {
    let (parameter, rest) = next_word(text);
    if parameter.is_empty() || rest.is_empty() {
        return Err("write NAME OPERATOR VALUE, such as 'Status eq Done'".to_owned());
    }
    let parameter = parameter.to_owned();
    for operator in SCALAR {
        if let Some(value) = after(rest, operator.as_str()) {
            let value = SearchValue::Text(value.to_owned());
            return Ok(Filter::Scalar { parameter, operator, value });
        }
    }
    for operator in VECTOR {
        if let Some(list) = after(rest, operator.as_str()) {
            return Ok(Filter::Vector { parameter, operator, values: values(list)? });
        }
    }
    let known = SCALAR.map(ScalarOperator::as_str).into_iter().chain(VECTOR.map(VectorOperator::as_str));
    let known: Vec<&str> = known.collect();
    Err(format!("{} is no operator; there are {}", next_word(rest).0, known.join(", ")))
}

fn next_word(text: &str) -> (&str, &str) {
    let text = text.trim_start();
    let end = text.find(char::is_whitespace).unwrap_or(text.len());
    (&text[..end], text[end..].trim_start())
}

/// What follows the words of `operator`, if `text` begins with them.
fn after<'a>(text: &'a str, operator: &str) -> Option<&'a str> {
    let mut rest = text;
    for wanted in operator.split(' ') {
        let (word, next) = next_word(rest);
        if !word.eq_ignore_ascii_case(wanted) {
            return None;
        }
        rest = next;
    }
    Some(rest)
}

fn values(list: &str) -> Result<Vec<SearchValue>, String> {
    let Ok(Value::Array(items)) = serde_json::from_str(list) else {
        return Err(format!("{list:?} is no JSON list, such as [\"Done\", \"Failed\"] or [1, 2]"));
    };
    let value = |item| match item {
        Value::String(text) => Ok(SearchValue::Text(text)),
        Value::Number(number) if number.is_i64() => Ok(SearchValue::Int(number.as_i64().unwrap_or_default())),
        other => Err(format!("{other} is neither a text nor a whole number")),
    };
    items.into_iter().map(value).collect()
}

/// Reads `NAME` or `NAME:asc` or `NAME:desc`.
pub(crate) fn sort(text: &str) -> Result<Sort, String> {
    let (parameter, direction) = text.split_once(':').unwrap_or((text, "asc"));
    let direction = match direction.to_ascii_lowercase().as_str() {
        "asc" => Direction::Ascending,
        "desc" => Direction::Descending,
        _ => return Err(format!("{direction} is no direction; write asc or desc")),
    };
    if parameter.is_empty() {
        return Err("write NAME, NAME:asc or NAME:desc".to_owned());
    }
    Ok(Sort { parameter: parameter.to_owned(), direction })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scalar(parameter: &str, operator: ScalarOperator, value: &str) -> Filter {
        Filter::Scalar { parameter: parameter.into(), operator, value: SearchValue::Text(value.into()) }
    }

    #[test]
    fn conditions_are_understood() {
        let check = |text: &str, expected: Filter| assert_eq!(condition(text), Ok(expected), "{text}");
        check("Status eq Done", scalar("Status", ScalarOperator::Eq, "Done"));
        check("  JobName   eq  my  job", scalar("JobName", ScalarOperator::Eq, "my  job"));
        check("JobName not like a%", scalar("JobName", ScalarOperator::NotLike, "a%"));
        check("JobName like not in", scalar("JobName", ScalarOperator::Like, "not in"));
        check("JobName eq ", scalar("JobName", ScalarOperator::Eq, ""));
        check(
            "SubmissionTime gt 2026-11-22 20",
            scalar("SubmissionTime", ScalarOperator::Gt, "2026-11-22 20"),
        );
        let texts = ["Done", "Failed"].map(|text| SearchValue::Text(text.into())).to_vec();
        let not_in =
            Filter::Vector { parameter: "Status".into(), operator: VectorOperator::NotIn, values: texts };
        check(r#"Status not in ["Done","Failed"]"#, not_in);
        let ints = [1, 2].map(SearchValue::Int).to_vec();
        check(
            "JobID in [1, 2]",
            Filter::Vector { parameter: "JobID".into(), operator: VectorOperator::In, values: ints },
        );
    }

    #[test]
    fn what_is_no_condition_is_explained() {
        let check = |text: &str, words: &str| {
            let error = condition(text).unwrap_err();
            assert!(error.contains(words), "{text}: {error}");
        };
        check("", "NAME OPERATOR VALUE");
        check("Status", "NAME OPERATOR VALUE");
        check("Status = Done", "= is no operator; there are eq, neq");
        check("Status not Done", "not is no operator");
        check("Status in Done", "no JSON list");
        check("Status in [1.5]", "neither a text nor a whole number");
    }

    #[test]
    fn sort_keys_are_understood() {
        let key = |parameter: &str, direction| Ok(Sort { parameter: parameter.into(), direction });
        assert_eq!(sort("JobID"), key("JobID", Direction::Ascending));
        assert_eq!(sort("JobID:DESC"), key("JobID", Direction::Descending));
        assert!(sort("JobID:up").is_err());
        assert!(sort(":asc").is_err());
    }
}
