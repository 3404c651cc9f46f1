//! Instants as DiracX writes them.

use chrono::{DateTime, NaiveDateTime, SecondsFormat, Timelike as _};

/// `2026-11-22T20:51:17Z`, with microseconds where there are any.
pub(crate) fn written(time: NaiveDateTime) -> String {
    let form = if time.nanosecond() == 0 { SecondsFormat::Secs } else { SecondsFormat::Micros };
    time.and_utc().to_rfc3339_opts(form, true)
}

/// `2026-11-22 20:51:17`, for people.
pub(crate) fn readable(time: NaiveDateTime) -> String {
    time.format("%Y-%m-%d %H:%M:%S").to_string()
}

/// From seconds and nanoseconds of the wire.
pub(crate) fn from_wire(seconds: i64, nanos: i32) -> Option<NaiveDateTime> {
    DateTime::from_timestamp(seconds, u32::try_from(nanos).ok()?).map(|time| time.naive_utc())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fractions_are_written_only_where_there_are_any() {
        let time = |nanos| written(from_wire(1_577_836_800, nanos).unwrap());
        assert_eq!(time(0), "2020-01-01T00:00:00Z");
        assert_eq!(time(182_005_000), "2020-01-01T00:00:00.182005Z");
    }
}
