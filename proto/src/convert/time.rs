//! Instants and spans, to the nanosecond and within the years 1 to 9999 that the contract knows.

use std::time::Duration;

use chrono::{DateTime, NaiveDateTime, Utc};
use prost_types::Timestamp;

use super::Invalid;

/// 0001-01-01T00:00:00Z.
const FIRST_SECOND: i64 = -62_135_596_800;
/// 9999-12-31T23:59:59Z.
const LAST_SECOND: i64 = 253_402_300_799;
const NANOS_PER_SECOND: i32 = 1_000_000_000;

/// An instant for the wire. One outside the years 1 to 9999 becomes the nearest instant inside.
pub fn timestamp(instant: DateTime<Utc>) -> Timestamp {
    let seconds = instant.timestamp();
    if seconds < FIRST_SECOND {
        return Timestamp { seconds: FIRST_SECOND, nanos: 0 };
    }
    if seconds > LAST_SECOND {
        return Timestamp { seconds: LAST_SECOND, nanos: NANOS_PER_SECOND - 1 };
    }
    // chrono writes a leap second as a second of up to two thousand million nanoseconds.
    let nanos = i32::try_from(instant.timestamp_subsec_nanos()).unwrap_or(i32::MAX).min(NANOS_PER_SECOND - 1);
    Timestamp { seconds, nanos }
}

/// A time of the database, which is UTC, for the wire. See [`timestamp`].
pub fn timestamp_of_naive(time: NaiveDateTime) -> Timestamp {
    timestamp(time.and_utc())
}

/// An instant from the wire; `field` is named if it is none.
pub fn datetime(field: &str, timestamp: &Timestamp) -> Result<DateTime<Utc>, Invalid> {
    let nanos = u32::try_from(timestamp.nanos).ok().filter(|_| timestamp.nanos < NANOS_PER_SECOND);
    let seconds = Some(timestamp.seconds).filter(|seconds| (FIRST_SECOND..=LAST_SECOND).contains(seconds));
    seconds
        .zip(nanos)
        .and_then(|(seconds, nanos)| DateTime::from_timestamp(seconds, nanos))
        .ok_or_else(|| Invalid::field(field, "is not an instant of the years 1 to 9999"))
}

/// A time of the database from the wire. See [`datetime`].
pub fn naive(field: &str, timestamp: &Timestamp) -> Result<NaiveDateTime, Invalid> {
    datetime(field, timestamp).map(|instant| instant.naive_utc())
}

/// An instant that the request must have.
pub fn required(field: &str, timestamp: Option<&Timestamp>) -> Result<DateTime<Utc>, Invalid> {
    datetime(field, timestamp.ok_or_else(|| Invalid::field(field, "is required"))?)
}

/// A span for the wire. One of more than 10000 years becomes 10000 years.
pub fn duration(span: Duration) -> prost_types::Duration {
    const LONGEST: i64 = 315_576_000_000;
    let seconds = i64::try_from(span.as_secs()).unwrap_or(LONGEST);
    if seconds >= LONGEST {
        return prost_types::Duration { seconds: LONGEST, nanos: 0 };
    }
    prost_types::Duration { seconds, nanos: i32::try_from(span.subsec_nanos()).unwrap_or(0) }
}

/// A span of whole seconds for the wire.
pub fn seconds(seconds: i64) -> prost_types::Duration {
    prost_types::Duration { seconds, nanos: 0 }
}

/// The whole seconds of a span from the wire; of none, 0.
pub fn whole_seconds(span: Option<&prost_types::Duration>) -> i64 {
    span.map_or(0, |span| span.seconds)
}

/// A span from the wire that must not be negative; `field` is named if it is no span.
pub fn span(field: &str, span: &prost_types::Duration) -> Result<Duration, Invalid> {
    let seconds = u64::try_from(span.seconds).ok();
    let nanos = u32::try_from(span.nanos).ok().filter(|_| span.nanos < NANOS_PER_SECOND);
    seconds
        .zip(nanos)
        .map(|(seconds, nanos)| Duration::new(seconds, nanos))
        .ok_or_else(|| Invalid::field(field, "is not a span of time, or a negative one"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_first_and_the_last_instant_come_back_and_their_neighbours_are_refused() {
        for (seconds, nanos) in [(FIRST_SECOND, 0), (LAST_SECOND, 999_999_999), (0, 1), (-1, 999_999_999)] {
            let there = Timestamp { seconds, nanos };
            assert_eq!(timestamp(datetime("time", &there).unwrap()), there);
        }
        for (seconds, nanos) in [
            (FIRST_SECOND - 1, 999_999_999),
            (LAST_SECOND + 1, 0),
            (0, -1),
            (0, 1_000_000_000),
            (i64::MIN, i32::MIN),
            (i64::MAX, i32::MAX),
        ] {
            let invalid = datetime("time", &Timestamp { seconds, nanos }).unwrap_err();
            assert_eq!(invalid.to_string(), "time: is not an instant of the years 1 to 9999");
        }
    }

    #[test]
    fn instants_that_the_wire_cannot_hold_become_the_nearest_that_it_can() {
        assert_eq!(timestamp(DateTime::<Utc>::MAX_UTC).seconds, LAST_SECOND);
        assert_eq!(timestamp(DateTime::<Utc>::MIN_UTC).seconds, FIRST_SECOND);
        assert_eq!(duration(Duration::MAX).seconds, 315_576_000_000);
    }

    #[test]
    fn negative_spans_are_refused() {
        assert!(span("wait", &prost_types::Duration { seconds: -1, nanos: 0 }).is_err());
        assert!(span("wait", &prost_types::Duration { seconds: 0, nanos: -1 }).is_err());
        assert_eq!(span("wait", &seconds(5)), Ok(Duration::from_secs(5)));
    }

    proptest! {
        #[test]
        fn every_instant_comes_back_to_the_nanosecond(
            seconds in FIRST_SECOND..=LAST_SECOND, nanos in 0..NANOS_PER_SECOND
        ) {
            let there = Timestamp { seconds, nanos };
            prop_assert_eq!(timestamp_of_naive(naive("time", &there).unwrap()), there);
        }

        #[test]
        fn no_timestamp_panics(seconds: i64, nanos: i32) {
            let _ = datetime("time", &Timestamp { seconds, nanos });
        }
    }
}
