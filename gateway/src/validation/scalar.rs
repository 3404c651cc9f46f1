//! Texts, whole numbers, flags, choices, lists and objects.

use serde_json::{Map, Value, json};

use super::{Loc, Problems};

/// A text; nothing else becomes one.
pub(crate) fn string(problems: &mut Problems, loc: &Loc<'_>, value: &Value) -> Option<String> {
    if let Value::String(text) = value {
        return Some(text.clone());
    }
    problems.add("string_type", loc, "Input should be a valid string", value);
    None
}

/// A whole number: also a text that reads as one, a flag, or a number without a fraction.
pub(crate) fn int(problems: &mut Problems, loc: &Loc<'_>, value: &Value) -> Option<i64> {
    match int_of(value) {
        Ok(number) => Some(number),
        Err((kind, message)) => {
            problems.add(kind, loc, message, value);
            None
        }
    }
}

/// A whole number within bounds.
pub(crate) fn int_between(
    problems: &mut Problems,
    loc: &Loc<'_>,
    value: &Value,
    least: i64,
    most: i64,
) -> Option<i64> {
    let number = int(problems, loc, value)?;
    if number < least {
        let message = format!("Input should be greater than or equal to {least}");
        problems.add_with("greater_than_equal", loc, message, value, json!({ "ge": least }));
        return None;
    }
    if number > most {
        let message = format!("Input should be less than or equal to {most}");
        problems.add_with("less_than_equal", loc, message, value, json!({ "le": most }));
        return None;
    }
    Some(number)
}

type Refusal = (&'static str, &'static str);

const INT_TYPE: Refusal = ("int_type", "Input should be a valid integer");
const INT_PARSING: Refusal =
    ("int_parsing", "Input should be a valid integer, unable to parse string as an integer");
const INT_FROM_FLOAT: Refusal =
    ("int_from_float", "Input should be a valid integer, got a number with a fractional part");
const INT_SIZE: Refusal =
    ("int_parsing_size", "Unable to parse input string as an integer, exceeded maximum size");

/// What [`int`] accepts. Numbers beyond 64 bits are refused: no column of DIRAC holds them.
pub(super) fn int_of(value: &Value) -> Result<i64, Refusal> {
    match value {
        Value::Number(number) => {
            number.as_i64().map_or_else(|| whole(number.as_f64().unwrap_or(f64::NAN)), Ok)
        }
        Value::Bool(flag) => Ok(i64::from(*flag)),
        Value::String(text) => int_of_text(text),
        _ => Err(INT_TYPE),
    }
}

#[expect(clippy::cast_possible_truncation, reason = "the bounds are checked first")]
fn whole(number: f64) -> Result<i64, Refusal> {
    // 2^63 as a double; its negative is the smallest 64-bit integer exactly.
    const LIMIT: f64 = 9_223_372_036_854_775_808.0;
    if number.fract() != 0.0 {
        Err(INT_FROM_FLOAT)
    } else if (-LIMIT..LIMIT).contains(&number) {
        Ok(number as i64)
    } else {
        Err(INT_SIZE)
    }
}

/// Digits with an optional sign, blanks around, single underscores between digits, and `.0` at the end.
fn int_of_text(text: &str) -> Result<i64, Refusal> {
    let trimmed = text.trim();
    let (negative, digits) = match trimmed.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, trimmed.strip_prefix('+').unwrap_or(trimmed)),
    };
    let digits = match digits.split_once('.') {
        Some((before, zeros)) if !zeros.is_empty() && zeros.bytes().all(|b| b == b'0') => before,
        Some(_) => return Err(INT_PARSING),
        None => digits,
    };
    let well_formed = !digits.is_empty()
        && digits.split('_').all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()));
    if !well_formed {
        return Err(INT_PARSING);
    }
    digits
        .bytes()
        .filter(u8::is_ascii_digit)
        .try_fold(0_i64, |sum, digit| {
            let digit = i64::from(digit - b'0');
            let sum = sum.checked_mul(10)?;
            if negative { sum.checked_sub(digit) } else { sum.checked_add(digit) }
        })
        .ok_or(INT_SIZE)
}

/// A number: also a text that reads as one, with blanks around and single underscores inside, or a flag.
pub(crate) fn float(problems: &mut Problems, loc: &Loc<'_>, value: &Value) -> Option<f64> {
    let number = match value {
        Value::Number(number) => return number.as_f64(),
        Value::Bool(flag) => return Some(f64::from(u8::from(*flag))),
        Value::String(text) => float_of_text(text),
        _ => {
            problems.add("float_type", loc, "Input should be a valid number", value);
            return None;
        }
    };
    if number.is_none() {
        let message = "Input should be a valid number, unable to parse string as a number";
        problems.add("float_parsing", loc, message, value);
    }
    number
}

fn float_of_text(text: &str) -> Option<f64> {
    let trimmed = text.trim();
    if trimmed.starts_with('_') || trimmed.ends_with('_') || trimmed.contains("__") {
        return None;
    }
    trimmed.replace('_', "").parse().ok()
}

/// A flag, in any of its usual spellings.
pub(crate) fn boolean(problems: &mut Problems, loc: &Loc<'_>, value: &Value) -> Option<bool> {
    let flag = match value {
        Value::Bool(flag) => return Some(*flag),
        Value::String(text) => spelled_flag(text),
        Value::Number(number) => match number.as_f64() {
            Some(0.0) => Some(false),
            Some(1.0) => Some(true),
            Some(other) if other.fract() != 0.0 => {
                problems.add("bool_type", loc, "Input should be a valid boolean", value);
                return None;
            }
            _ => None,
        },
        _ => {
            problems.add("bool_type", loc, "Input should be a valid boolean", value);
            return None;
        }
    };
    if flag.is_none() {
        problems.add(
            "bool_parsing",
            loc,
            "Input should be a valid boolean, unable to interpret input",
            value,
        );
    }
    flag
}

fn spelled_flag(text: &str) -> Option<bool> {
    let is = |words: &[&str]| words.iter().any(|word| word.eq_ignore_ascii_case(text));
    if is(&["1", "on", "t", "true", "y", "yes"]) {
        Some(true)
    } else if is(&["0", "off", "f", "false", "n", "no"]) {
        Some(false)
    } else {
        None
    }
}

/// One of several texts; the answer is its position in `choices`.
pub(crate) fn choice(
    problems: &mut Problems,
    loc: &Loc<'_>,
    choices: &[&str],
    value: &Value,
) -> Option<usize> {
    let found = value.as_str().and_then(|text| choices.iter().position(|choice| *choice == text));
    if found.is_none() {
        problems.not_one_of("enum", loc, choices, value);
    }
    found
}

/// A list whose items are all good.
pub(crate) fn list<T>(
    problems: &mut Problems,
    loc: &Loc<'_>,
    value: &Value,
    item: impl Fn(&mut Problems, &Loc<'_>, &Value) -> Option<T>,
) -> Option<Vec<T>> {
    let Value::Array(items) = value else {
        problems.add("list_type", loc, "Input should be a valid list", value);
        return None;
    };
    let good: Vec<T> =
        items.iter().enumerate().filter_map(|(i, value)| item(problems, &loc.index(i), value)).collect();
    (good.len() == items.len()).then_some(good)
}

/// An object with members of its own choice.
pub(crate) fn dict<'v>(
    problems: &mut Problems,
    loc: &Loc<'_>,
    value: &'v Value,
) -> Option<&'v Map<String, Value>> {
    let members = value.as_object();
    if members.is_none() {
        problems.add("dict_type", loc, "Input should be a valid dictionary", value);
    }
    members
}

/// An object with known members.
pub(crate) fn model<'v>(
    problems: &mut Problems,
    loc: &Loc<'_>,
    value: &'v Value,
) -> Option<&'v Map<String, Value>> {
    let members = value.as_object();
    if members.is_none() {
        let message = "Input should be a valid dictionary or object to extract fields from";
        problems.add("model_attributes_type", loc, message, value);
    }
    members
}
