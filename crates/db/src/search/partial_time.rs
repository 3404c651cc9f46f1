//! Times as people write them in a search: a year, a day, a minute.

use chrono::{Days, Months, NaiveDate, NaiveDateTime, TimeDelta};

/// How exactly a time was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Resolution {
    /// `2024`
    Year,
    /// `2024-02`
    Month,
    /// `2024-02-03`
    Day,
    /// `2024-02-03 04`
    Hour,
    /// `2024-02-03 04:05`
    Minute,
    /// `2024-02-03 04:05:06`
    Second,
}

/// The instants that a partial time means: from `start`, up to but without `end`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Interval {
    /// The first instant.
    pub start: NaiveDateTime,
    /// The first instant after it.
    pub end: NaiveDateTime,
}

/// A time with its resolution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PartialTime {
    /// How exactly it was given.
    pub resolution: Resolution,
    /// What it means.
    pub interval: Interval,
}

impl PartialTime {
    /// Reads `YYYY[-MM[-DD[( |T)HH[:MM[:SS[.f{1,6}[Z]]]]]]]`. Fractions of a second are read and passed over,
    /// as DiracX does.
    pub fn parse(text: &str) -> Option<Self> {
        let mut rest = Digits(text.as_bytes());
        let year = rest.take(4)?;
        let month = rest.after(b"-").and_then(|()| rest.take(2));
        let day = month.and_then(|_| rest.after(b"-")).and_then(|()| rest.take(2));
        let hour = day.and_then(|_| rest.after(b" T")).and_then(|()| rest.take(2));
        let minute = hour.and_then(|_| rest.after(b":")).and_then(|()| rest.take(2));
        let second = minute.and_then(|_| rest.after(b":")).and_then(|()| rest.take(2));
        if second.is_some() && rest.after(b".").is_some() {
            let digits = rest.0.iter().take_while(|b| b.is_ascii_digit()).count();
            if !(1..=6).contains(&digits) {
                return None;
            }
            rest.0 = &rest.0[digits..];
            let _ = rest.after(b"Z");
        }
        if !rest.0.is_empty() {
            return None;
        }
        let resolution = match (month, day, hour, minute, second) {
            (None, ..) => Resolution::Year,
            (_, None, ..) => Resolution::Month,
            (_, _, None, ..) => Resolution::Day,
            (_, _, _, None, _) => Resolution::Hour,
            (_, _, _, _, None) => Resolution::Minute,
            _ => Resolution::Second,
        };
        let year = i32::try_from(year).ok().filter(|year| (1..9999).contains(year))?;
        let date = NaiveDate::from_ymd_opt(year, month.unwrap_or(1), day.unwrap_or(1))?;
        let start = date.and_hms_opt(hour.unwrap_or(0), minute.unwrap_or(0), second.unwrap_or(0))?;
        let end = match resolution {
            Resolution::Year => start.checked_add_months(Months::new(12)),
            Resolution::Month => start.checked_add_months(Months::new(1)),
            Resolution::Day => start.checked_add_days(Days::new(1)),
            Resolution::Hour => start.checked_add_signed(TimeDelta::hours(1)),
            Resolution::Minute => start.checked_add_signed(TimeDelta::minutes(1)),
            Resolution::Second => start.checked_add_signed(TimeDelta::seconds(1)),
        }?;
        Some(Self { resolution, interval: Interval { start, end } })
    }
}

/// What is left of the text.
struct Digits<'t>(&'t [u8]);

impl Digits<'_> {
    fn take(&mut self, count: usize) -> Option<u32> {
        let (digits, rest) = self.0.split_at_checked(count)?;
        if !digits.iter().all(u8::is_ascii_digit) {
            return None;
        }
        self.0 = rest;
        Some(digits.iter().fold(0, |n, d| n * 10 + u32::from(d - b'0')))
    }

    fn after(&mut self, separators: &[u8]) -> Option<()> {
        let (first, rest) = self.0.split_first()?;
        separators.contains(first).then(|| self.0 = rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Option<(&str, &str)>) {
        let got =
            PartialTime::parse(text).map(|t| (t.interval.start.to_string(), t.interval.end.to_string()));
        assert_eq!(got, expected.map(|(s, e)| (s.to_owned(), e.to_owned())), "{text}");
    }

    #[test]
    fn each_resolution_means_an_interval() {
        check("2024", Some(("2024-01-01 00:00:00", "2025-01-01 00:00:00")));
        check("2024-02", Some(("2024-02-01 00:00:00", "2024-03-01 00:00:00")));
        check("2024-02-29", Some(("2024-02-29 00:00:00", "2024-03-01 00:00:00")));
        check("2024-02-03 04", Some(("2024-02-03 04:00:00", "2024-02-03 05:00:00")));
        check("2024-02-03T04:05", Some(("2024-02-03 04:05:00", "2024-02-03 04:06:00")));
        check("2024-02-03 04:05:06", Some(("2024-02-03 04:05:06", "2024-02-03 04:05:07")));
        check("2024-02-03 04:05:06.123Z", Some(("2024-02-03 04:05:06", "2024-02-03 04:05:07")));
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in [
            "",
            "24",
            "2024-13",
            "2024-02-30",
            "0000",
            "9999",
            "2024-1",
            "2024-01-01T00:00:00Z",
            "2024-01-01T00:00:00+00:00",
            "2024-01-01 00:00:00.",
            "2024-01-01 00:00:00.1234567",
            "2024-01-01x",
            "now",
            "２０２４",
        ] {
            check(text, None);
        }
    }
}
