//! Which monthly partitions `RefreshTokens` needs, and which it needs no more: pure decisions.
//!
//! The table is divided by its key, a UUIDv7, whose text sorts by time: the partition of a month ends where the
//! smallest UUIDv7 of the next month begins. What comes after the last month goes to `p_future`.

use chrono::{DateTime, Datelike, Months, TimeZone, Utc};

/// The last partition, for everything that is not foreseen.
pub(super) const FUTURE: &str = "p_future";

/// Months that a new table is divided into.
const MONTHS_AT_FIRST: u32 = 24;

/// Months after the present one that must have a partition.
const MONTHS_AHEAD: u32 = 12;

/// A partition of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Partition {
    pub(super) name: String,
    /// Its keys are smaller; `None` for the one that takes all the rest.
    pub(super) below: Option<String>,
}

/// What to do: first add, then drop.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Plan {
    pub(super) add: Vec<Partition>,
    pub(super) drop: Vec<String>,
}

/// The partitions of an empty table.
pub(super) fn at_first(now: DateTime<Utc>) -> Vec<Partition> {
    let mut partitions = months(first_of_month(now), MONTHS_AT_FIRST);
    partitions.push(Partition { name: FUTURE.to_owned(), below: None });
    partitions
}

/// Adds the months that are missing behind the last one, and drops those that end at `horizon` or before.
///
/// Bounds that are no UUID, as somebody may have made by hand, are left alone.
pub(super) fn plan(existing: &[Partition], now: DateTime<Utc>, horizon: DateTime<Utc>) -> Plan {
    let ends = |partition: &Partition| partition.below.as_deref().and_then(instant);
    let last = existing.iter().filter_map(ends).max();
    let next = last.map_or_else(|| first_of_month(now), first_of_month);
    let until = first_of_month(now) + Months::new(MONTHS_AHEAD);
    let missing =
        (until.year() - next.year()) * 12 + until.month().cast_signed() - next.month().cast_signed() + 1;
    let add = months(next, u32::try_from(missing).unwrap_or(0));
    let taken = |name: &str| existing.iter().any(|partition| partition.name == name);
    let is_old = |partition: &&Partition| ends(partition).is_some_and(|end| end <= horizon);
    Plan {
        // a name that is taken belongs to something that we do not understand
        add: if add.iter().any(|new| taken(&new.name)) { Vec::new() } else { add },
        drop: existing.iter().filter(is_old).map(|partition| partition.name.clone()).collect(),
    }
}

/// The smallest UUIDv7 of an instant, without hyphens.
pub(super) fn smallest_key(at: DateTime<Utc>) -> String {
    format!("{:012x}70008000000000000000", at.timestamp_millis().max(0))
}

/// The instant of a key.
fn instant(key: &str) -> Option<DateTime<Utc>> {
    let digits = key.get(..12).filter(|_| key.len() == 32)?;
    DateTime::from_timestamp_millis(i64::from_str_radix(digits, 16).ok()?)
}

fn first_of_month(at: DateTime<Utc>) -> DateTime<Utc> {
    Utc.with_ymd_and_hms(at.year(), at.month(), 1, 0, 0, 0).single().unwrap_or(at)
}

fn months(first: DateTime<Utc>, count: u32) -> Vec<Partition> {
    (0..count)
        .map(|i| {
            let month = first + Months::new(i);
            let name = format!("p_{}_{}", month.year(), month.month());
            Partition { name, below: Some(smallest_key(month + Months::new(1))) }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(year: i32, month: u32, day: u32) -> DateTime<Utc> {
        Utc.with_ymd_and_hms(year, month, day, 0, 0, 0).unwrap()
    }

    fn names(partitions: &[Partition]) -> Vec<&str> {
        partitions.iter().map(|partition| partition.name.as_str()).collect()
    }

    #[test]
    fn the_bound_of_a_month_is_the_smallest_key_of_the_next() {
        // 2026-01-01T00:00:00Z is 1767225600000 ms
        assert_eq!(smallest_key(day(2026, 1, 1)), "019b76daa80070008000000000000000");
        assert_eq!(instant(&smallest_key(day(2026, 1, 1))), Some(day(2026, 1, 1)));
        assert_eq!((instant("short"), instant("zzzzzzzzzzzz70008000000000000000")), (None, None));
        let key = uuid::Uuid::new_v7(uuid::Timestamp::from_unix(uuid::NoContext, 1_767_225_600, 0));
        assert!(key.simple().to_string() >= smallest_key(day(2026, 1, 1)));
    }

    #[test]
    fn a_new_table_gets_two_years_and_the_future() {
        let partitions = at_first(day(2026, 11, 23));
        assert_eq!(partitions.len(), 25);
        assert_eq!(names(&partitions[..3]), ["p_2026_11", "p_2026_12", "p_2027_1"]);
        assert_eq!(names(&partitions[23..]), ["p_2028_10", FUTURE]);
        assert!(partitions.windows(2).all(|pair| pair[1].below.is_none() || pair[0].below < pair[1].below));
    }

    #[test]
    fn nothing_is_to_be_done_while_a_year_ahead_is_there_and_nothing_is_old() {
        let existing = at_first(day(2026, 1, 15));
        assert_eq!(plan(&existing, day(2026, 6, 15), day(2025, 12, 15)), Plan::default());
        assert_eq!(plan(&existing, day(2026, 12, 31), day(2026, 1, 31)), Plan::default());
    }

    #[test]
    fn months_are_added_and_dropped_across_the_turn_of_a_year() {
        let existing = at_first(day(2026, 1, 15));
        let plan = plan(&existing, day(2027, 2, 1), day(2026, 8, 1));
        assert_eq!(names(&plan.add), ["p_2028_1", "p_2028_2"]);
        assert_eq!(plan.add[0].below.as_deref(), Some(smallest_key(day(2028, 2, 1)).as_str()));
        // July ends where August begins: exactly at the horizon
        let old = ["p_2026_1", "p_2026_2", "p_2026_3", "p_2026_4", "p_2026_5", "p_2026_6", "p_2026_7"];
        assert_eq!(plan.drop, old);
    }

    #[test]
    fn a_table_with_nothing_but_the_future_begins_with_this_month() {
        let existing = [Partition { name: FUTURE.to_owned(), below: None }];
        let plan = plan(&existing, day(2026, 11, 23), day(2026, 5, 23));
        assert_eq!((plan.add.len(), plan.add[0].name.as_str(), plan.drop.len()), (13, "p_2026_11", 0));
    }

    #[test]
    fn what_somebody_made_by_hand_is_left_alone() {
        let by_hand =
            |name: &str, below: &str| Partition { name: name.to_owned(), below: Some(below.to_owned()) };
        let existing = [by_hand("old", "5"), by_hand("p_2026_11", "xyz")];
        assert_eq!(plan(&existing, day(2026, 11, 23), day(2026, 5, 23)), Plan::default());
    }
}
