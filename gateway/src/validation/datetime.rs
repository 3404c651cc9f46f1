//! Instants as texts: ISO 8601 in the spellings that pydantic takes, or Unix time.

use chrono::{DateTime, FixedOffset, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, Utc};
use serde_json::{Value, json};

use super::{Loc, Problems};

/// A point in time, as far as the text says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum When {
    /// With an offset, so that the instant is known.
    Instant(DateTime<Utc>),
    /// Without one: a time on some wall.
    Naive(NaiveDateTime),
}

/// Reads the text of an object's key as a point in time.
pub(crate) fn datetime(problems: &mut Problems, loc: &Loc<'_>, text: &str) -> Option<When> {
    let parsed = noted(problems, loc, text)?;
    Some(match parsed {
        Parsed::Zoned(time) => When::Instant(time.to_utc()),
        Parsed::Naive(time) => When::Naive(time),
    })
}

/// Reads an instant that is given in UTC: a text, or a number, which is Unix time.
pub(crate) fn utc(problems: &mut Problems, loc: &Loc<'_>, value: &Value) -> Option<DateTime<Utc>> {
    let parsed = match value {
        Value::String(text) => noted(problems, loc, text)?,
        Value::Number(number) => match seconds(number.as_f64().unwrap_or(f64::NAN)) {
            Ok(parsed) => parsed,
            Err(error) => {
                let message = format!("Input should be a valid datetime, {error}");
                problems.add_with("datetime_parsing", loc, message, value, json!({ "error": error }));
                return None;
            }
        },
        _ => {
            problems.add("datetime_type", loc, "Input should be a valid datetime", value);
            return None;
        }
    };
    match parsed {
        Parsed::Naive(_) => {
            problems.add("timezone_aware", loc, "Input should have timezone info", value);
            None
        }
        Parsed::Zoned(time) if time.offset().local_minus_utc() != 0 => {
            let offset = timedelta(time.offset().local_minus_utc());
            problems.value_error(loc, format!("Datetime must be in UTC, got offset {offset}"), value);
            None
        }
        Parsed::Zoned(time) => Some(time.to_utc()),
    }
}

/// A span as Python shows it: below zero in whole days, and what is left of them.
fn timedelta(seconds: i32) -> String {
    const DAY: i32 = 24 * 3600;
    let rest = seconds.rem_euclid(DAY);
    let clock = format!("{}:{:02}:{:02}", rest / 3600, rest / 60 % 60, rest % 60);
    if seconds < 0 { format!("-1 day, {clock}") } else { clock }
}

/// Reads a text; what is wrong with it is noted.
fn noted(problems: &mut Problems, loc: &Loc<'_>, text: &str) -> Option<Parsed> {
    match parse(text) {
        Ok(parsed) => Some(parsed),
        Err(error) => {
            let (kind, wanted) = match error {
                YEAR_0 => ("datetime_parsing", "datetime"),
                _ => ("datetime_from_date_parsing", "datetime or date"),
            };
            let message = format!("Input should be a valid {wanted}, {error}");
            let input = Value::String(text.to_owned());
            problems.add_with(kind, loc, message, &input, json!({ "error": error }));
            None
        }
    }
}

/// A point in time with the offset it was given in.
#[derive(Debug, Clone, Copy)]
enum Parsed {
    Zoned(DateTime<FixedOffset>),
    Naive(NaiveDateTime),
}

const YEAR_0: &str = "year 0 is out of range";
const EXTRA: &str = "unexpected extra characters at the end of the input";
const LATE: &str = "dates after 9999 are not supported as unix timestamps";
const EARLY: &str = "dates before 0000 are not supported as unix timestamps";

fn parse(text: &str) -> Result<Parsed, &'static str> {
    if let Some(seconds) = unix_time(text) {
        return seconds;
    }
    let bytes = text.as_bytes();
    let date = date(bytes)?;
    let rest = &text.get(10..).ok_or(EXTRA)?;
    if rest.is_empty() {
        return Ok(Parsed::Naive(date.and_time(NaiveTime::MIN)));
    }
    let rest = rest.strip_prefix(['T', 't', ' ', '_']).ok_or(EXTRA)?;
    let (time, rest) = time(rest).ok_or(EXTRA)?;
    let naive = date.and_time(time);
    if rest.is_empty() {
        return Ok(Parsed::Naive(naive));
    }
    let offset = offset(rest).ok_or(EXTRA)?;
    let instant = naive.and_local_timezone(offset).single().ok_or("year is out of range")?;
    Ok(Parsed::Zoned(instant))
}

/// `YYYY-MM-DD` at the start.
fn date(bytes: &[u8]) -> Result<NaiveDate, &'static str> {
    if bytes.len() < 10 {
        return Err("input is too short");
    }
    let year = number(&bytes[0..4]).ok_or("invalid character in year")?;
    if bytes[4] != b'-' {
        return Err("invalid date separator, expected `-`");
    }
    let month = number(&bytes[5..7]).ok_or("invalid character in month")?;
    if bytes[7] != b'-' {
        return Err("invalid date separator, expected `-`");
    }
    let day = number(&bytes[8..10]).ok_or("invalid character in day")?;
    if !(1..=12).contains(&month) {
        return Err("month value is outside expected range of 1-12");
    }
    if year == 0 {
        return Err(YEAR_0);
    }
    i32::try_from(year)
        .ok()
        .and_then(|year| NaiveDate::from_ymd_opt(year, month, day))
        .ok_or("day value is outside expected range")
}

/// `HH:MM`, then perhaps seconds and a fraction, of which microseconds are kept; and what follows.
fn time(text: &str) -> Option<(NaiveTime, &str)> {
    let bytes = text.as_bytes();
    let hour = number(bytes.get(0..2)?)?;
    if *bytes.get(2)? != b':' {
        return None;
    }
    let minute = number(bytes.get(3..5)?)?;
    let rest = text.get(5..)?;
    let Some(rest) = rest.strip_prefix(':') else {
        return Some((NaiveTime::from_hms_opt(hour, minute, 0)?, rest));
    };
    let second = number(rest.as_bytes().get(0..2)?)?;
    let rest = rest.get(2..)?;
    let Some(fraction) = rest.strip_prefix(['.', ',']) else {
        return Some((NaiveTime::from_hms_opt(hour, minute, second)?, rest));
    };
    let length = fraction.bytes().take_while(u8::is_ascii_digit).count();
    if !(1..=9).contains(&length) {
        return None;
    }
    let digits = fraction.as_bytes().iter().take(length.min(6));
    let micros = digits.fold(0, |sum, digit| sum * 10 + u32::from(digit - b'0'))
        * 10_u32.pow(6_u32.saturating_sub(u32::try_from(length).unwrap_or(6)));
    Some((NaiveTime::from_hms_micro_opt(hour, minute, second, micros)?, fraction.get(length..)?))
}

/// `Z`, `+HH:MM` or `+HHMM`; the minus may be the typographic one.
fn offset(text: &str) -> Option<FixedOffset> {
    if text == "Z" || text == "z" {
        return FixedOffset::east_opt(0);
    }
    let (sign, digits) = match text.strip_prefix('+') {
        Some(rest) => (1, rest),
        None => (-1, text.strip_prefix(['-', '\u{2212}'])?),
    };
    let bytes = digits.as_bytes();
    let minutes = match bytes.len() {
        5 if bytes[2] == b':' => &bytes[3..5],
        4 => &bytes[2..4],
        _ => return None,
    };
    let hours = number(&bytes[0..2]).filter(|hours| *hours < 24)?;
    let minutes = number(minutes).filter(|minutes| *minutes < 60)?;
    FixedOffset::east_opt(sign * i32::try_from(hours * 3600 + minutes * 60).ok()?)
}

fn number(digits: &[u8]) -> Option<u32> {
    digits.iter().try_fold(0, |sum, digit| digit.is_ascii_digit().then(|| sum * 10 + u32::from(digit - b'0')))
}

/// A plain number: seconds since 1970, or milliseconds when it is too large for that. None if it is no number.
fn unix_time(text: &str) -> Option<Result<Parsed, &'static str>> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let is_number = unsigned.bytes().any(|b| b.is_ascii_digit())
        && unsigned.bytes().all(|b| b.is_ascii_digit() || b == b'.')
        && unsigned.matches('.').count() <= 1;
    if !is_number {
        return None;
    }
    Some(seconds(text.parse().ok()?))
}

/// Unix time, in seconds or milliseconds.
fn seconds(number: f64) -> Result<Parsed, &'static str> {
    // Above this, a number of seconds would lie in the year 2603; it means milliseconds.
    const MOST_SECONDS: f64 = 2e10;
    instant(if number.abs() > MOST_SECONDS { number / 1000.0 } else { number })
}

#[expect(clippy::cast_possible_truncation, reason = "the range is checked first")]
fn instant(seconds: f64) -> Result<Parsed, &'static str> {
    // The first second of the year 0 and the last one of the year 9999.
    if seconds < -62_167_219_200.0 {
        return Err(EARLY);
    }
    if seconds.is_nan() || seconds > 253_402_300_799.0 {
        return Err(LATE);
    }
    let micros = (seconds.fract() * 1e6).round() as i64;
    DateTime::from_timestamp(seconds.trunc() as i64, 0)
        .and_then(|at| at.checked_add_signed(TimeDelta::microseconds(micros)))
        .map(|at| Parsed::Zoned(at.fixed_offset()))
        .ok_or(LATE)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        let found = match datetime(&mut Problems::default(), &Loc::BODY, text) {
            Some(When::Instant(time)) => time.to_rfc3339(),
            Some(When::Naive(time)) => time.to_string(),
            None => "none".to_owned(),
        };
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn instants_are_read_in_every_spelling_that_pydantic_takes() {
        check("2024-01-01T00:00:00Z", "2024-01-01T00:00:00+00:00");
        check("2024-01-01t00:00:00+01:00", "2023-12-31T23:00:00+00:00");
        check("2024-01-01 00:00:00.5-0130", "2024-01-01T01:30:00.500+00:00");
        check("2024-01-01_00:00:00.123456789z", "2024-01-01T00:00:00.123456+00:00");
        check("2024-01-01T00:00\u{2212}01:00", "2024-01-01T01:00:00+00:00");
        check("1704067200", "2024-01-01T00:00:00+00:00");
        check("1704067200000", "2024-01-01T00:00:00+00:00");
        check("-1", "1969-12-31T23:59:59+00:00");
        check("1704067200.1234567", "2024-01-01T00:00:00.123457+00:00");
        check(".5", "1970-01-01T00:00:00.500+00:00");
    }

    #[test]
    fn without_an_offset_the_instant_is_not_known() {
        check("2024-01-01", "2024-01-01 00:00:00");
        check("2024-01-01T12:30", "2024-01-01 12:30:00");
    }

    #[test]
    fn what_is_no_time_is_none() {
        for text in [
            "",
            "soon",
            "2024-02-30",
            "2024-01-01T24:00:00Z",
            "2024-01-01T00:00:00+24:00",
            "2024-01-01Z",
            "1e9",
        ] {
            check(text, "none");
        }
    }
}
