//! Instants as texts.

use prost_types::Timestamp;

/// How an answer ends its instants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Zone {
    /// `Z`: almost everywhere.
    Z,
    /// `+00:00`: in summaries, whose cells DiracX does not type.
    Offset,
}

/// Writes `2026-11-22T20:51:17.182005Z` in quotes; microseconds only if there are any.
pub(crate) fn write_timestamp(out: &mut Vec<u8>, time: &Timestamp, zone: Zone) {
    let (year, month, day) = civil(time.seconds.div_euclid(86_400));
    let second = time.seconds.rem_euclid(86_400);
    let micros = time.nanos.clamp(0, 999_999_999) / 1000;
    out.push(b'"');
    digits(out, year, 4);
    out.push(b'-');
    digits(out, month, 2);
    out.push(b'-');
    digits(out, day, 2);
    out.push(b'T');
    digits(out, second / 3600, 2);
    out.push(b':');
    digits(out, second / 60 % 60, 2);
    out.push(b':');
    digits(out, second % 60, 2);
    if micros > 0 {
        out.push(b'.');
        digits(out, i64::from(micros), 6);
    }
    out.extend_from_slice(match zone {
        Zone::Z => b"Z\"",
        Zone::Offset => b"+00:00\"",
    });
}

/// As [`write_timestamp`], or `null`.
pub(crate) fn write_optional(out: &mut Vec<u8>, time: Option<&Timestamp>) {
    match time {
        Some(time) => write_timestamp(out, time, Zone::Z),
        None => out.extend_from_slice(b"null"),
    }
}

/// `Sun, 22 Nov 2026 20:51:17 GMT`, for headers.
pub(crate) fn http_date(seconds: i64) -> String {
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    let days = seconds.div_euclid(86_400);
    let second = seconds.rem_euclid(86_400);
    let (year, month, day) = civil(days);
    let weekday = usize::try_from(days.rem_euclid(7)).map_or("Thu", |day| DAYS[day]);
    let month = usize::try_from(month - 1).map_or("Jan", |month| MONTHS[month]);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{weekday}, {day:02} {month} {year:04} {hour:02}:{minute:02}:{second:02} GMT")
}

/// Reads an instant from a header. The day may have one digit and the weekday may be wrong, as DiracX has it;
/// what cannot be read is none.
pub(crate) fn parse_http_date(text: &str) -> Option<i64> {
    let (weekday, rest) = text.split_once(", ")?;
    if weekday.len() != 3 || !weekday.bytes().all(|b| b.is_ascii_alphabetic()) {
        return None;
    }
    let naive = chrono::NaiveDateTime::parse_from_str(rest, "%d %b %Y %H:%M:%S GMT").ok()?;
    Some(naive.and_utc().timestamp())
}

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// Year, month and day of a number of days since 1970, in the proleptic Gregorian calendar.
///
/// Counted in years that begin in March, so that the leap day is the last of its year.
fn civil(days: i64) -> (i64, i64, i64) {
    // 0000-03-01 is 719468 days before 1970-01-01; an era is 400 years, 146097 days.
    let days = days.saturating_add(719_468);
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

/// The last `width` digits.
#[expect(clippy::cast_possible_truncation, reason = "a remainder of 10 is a digit")]
fn digits(out: &mut Vec<u8>, number: i64, width: usize) {
    let start = out.len();
    out.resize(start + width, b'0');
    let mut rest = number;
    for place in out[start..].iter_mut().rev() {
        *place = b'0' + rest.rem_euclid(10) as u8;
        rest /= 10;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rendered(seconds: i64, nanos: i32, zone: Zone) -> String {
        let mut out = Vec::new();
        write_timestamp(&mut out, &Timestamp { seconds, nanos }, zone);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn instants_have_microseconds_only_when_there_are_any() {
        assert_eq!(rendered(1_795_380_677, 182_005_000, Zone::Z), "\"2026-11-22T20:51:17.182005Z\"");
        assert_eq!(rendered(1_577_836_800, 0, Zone::Z), "\"2020-01-01T00:00:00Z\"");
        assert_eq!(rendered(1_577_836_800, 999, Zone::Z), "\"2020-01-01T00:00:00Z\"");
        assert_eq!(rendered(1_577_836_800, 1_000, Zone::Offset), "\"2020-01-01T00:00:00.000001+00:00\"");
    }

    #[test]
    fn every_day_of_four_centuries_is_the_day_that_chrono_says() {
        for days in (-150_000..150_000).step_by(7) {
            let (year, month, day) = civil(days);
            let date = chrono::DateTime::from_timestamp(days * 86_400, 0).unwrap().date_naive();
            assert_eq!(format!("{year:04}-{month:02}-{day:02}"), date.to_string());
        }
    }

    #[test]
    fn header_dates_survive_a_round_trip() {
        assert_eq!(http_date(0), "Thu, 01 Jan 1970 00:00:00 GMT");
        assert_eq!(http_date(1_795_380_677), "Sun, 22 Nov 2026 20:51:17 GMT");
        assert_eq!(parse_http_date("Sun, 22 Nov 2026 20:51:17 GMT"), Some(1_795_380_677));
        assert_eq!(parse_http_date("Mon, 1 Apr 2024 00:00:00 GMT"), Some(1_711_929_600));
        assert_eq!(parse_http_date("Xyz, 01 Apr 2024 00:00:00 GMT"), Some(1_711_929_600));
        for bad in
            ["", "yesterday", "2024-01-01", "Mon, 01 Apr 2024 00:00:00 CET", "Mon, 40 Apr 2024 00:00:00 GMT"]
        {
            assert_eq!(parse_http_date(bad), None, "{bad}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_instant_and_no_header_panics(seconds: i64, nanos: i32, text: String) {
            let _ = rendered(seconds, nanos, Zone::Z);
            let _ = http_date(seconds);
            let _ = parse_http_date(&text);
        }
    }
}
