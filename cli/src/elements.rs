//! Elements and their statuses: how they are named on the command line, and how they are shown.

use chrono::{DateTime, NaiveDate, NaiveDateTime, Utc};
use clap::ValueEnum;
use diracx_client::proto::{rss::v1 as pb, time};
use diracx_core::search::{Cell, Table};
use prost_types::Timestamp;

use crate::{table, times};

/// A kind of element.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    /// Sites
    Site,
    /// Computing elements
    Compute,
    /// Storage elements
    Storage,
    /// File transfer servers
    Fts,
}

/// What can be done with a storage element.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Access {
    /// Reading
    Read,
    /// Writing
    Write,
    /// Checking
    Check,
    /// Removing
    Remove,
}

/// Whether an element may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Status {
    /// It may
    Active,
    /// It may, with a warning
    Degraded,
    /// Not yet
    Probing,
    /// It may not
    Banned,
    /// It does not work
    Error,
    /// Nobody knows
    Unknown,
}

impl From<Kind> for pb::ElementType {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Site => Self::Site,
            Kind::Compute => Self::ComputeElement,
            Kind::Storage => Self::StorageElement,
            Kind::Fts => Self::Fts,
        }
    }
}

impl From<Access> for pb::StatusType {
    fn from(access: Access) -> Self {
        match access {
            Access::Read => Self::ReadAccess,
            Access::Write => Self::WriteAccess,
            Access::Check => Self::CheckAccess,
            Access::Remove => Self::RemoveAccess,
        }
    }
}

impl From<Status> for pb::ElementStatusValue {
    fn from(status: Status) -> Self {
        match status {
            Status::Active => Self::Active,
            Status::Degraded => Self::Degraded,
            Status::Probing => Self::Probing,
            Status::Banned => Self::Banned,
            Status::Error => Self::Error,
            Status::Unknown => Self::Unknown,
        }
    }
}

/// Reads `2026-11-22`, `2026-11-22 20:51`, `2026-11-22T20:51:17Z`: UTC, unless it says another zone.
pub(crate) fn instant(text: &str) -> Result<Timestamp, String> {
    const FORMS: [&str; 4] = ["%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M"];
    let with_zone = DateTime::parse_from_rfc3339(text).map(|time| time.with_timezone(&Utc)).ok();
    let without = || FORMS.iter().find_map(|form| NaiveDateTime::parse_from_str(text, form).ok());
    let day = || NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?.and_hms_opt(0, 0, 0);
    let found = with_zone.or_else(|| without().or_else(day).map(|time| time.and_utc()));
    found
        .map(time::timestamp)
        .ok_or_else(|| "write a time such as '2026-11-22 20:51' (UTC) or 2026-11-22".to_owned())
}

/// A table for people: without the columns that say nothing, or of every row only that it is for everything.
pub(crate) fn draw(table: &Table) -> String {
    let says_something = |i: &usize| {
        let mut cells = table.rows.iter().filter_map(|row| row.get(*i));
        match table.columns[*i].as_str() {
            "StatusType" => cells.any(|cell| *cell != Cell::Text("all".to_owned())),
            "Name" | "Status" => true,
            _ => cells.any(|cell| *cell != Cell::Null),
        }
    };
    let kept: Vec<usize> = (0..table.columns.len()).filter(says_something).collect();
    let row = |row: &Vec<Cell>| kept.iter().filter_map(|i| row.get(*i).cloned()).collect::<Vec<Cell>>();
    let shown = Table {
        columns: kept.iter().map(|i| table.columns[*i].clone()).collect(),
        rows: table.rows.iter().map(row).collect(),
        total: table.total,
    };
    table::draw(&shown, table::terminal_width())
}

/// The statuses as a table, with all columns.
pub(crate) fn table(statuses: &[pb::ElementStatus]) -> Table {
    let columns =
        ["Type", "Name", "StatusType", "VO", "Status", "Reason", "Since", "Until", "TokenOwner", "Planned"];
    Table {
        columns: columns.map(str::to_owned).to_vec(),
        rows: statuses.iter().map(row).collect(),
        total: u64::try_from(statuses.len()).unwrap_or(u64::MAX),
    }
}

fn row(status: &pb::ElementStatus) -> Vec<Cell> {
    let key = status.key.clone().unwrap_or_default();
    vec![
        text(element_type(key.element_type())),
        text(&key.name),
        text(status_type(key.status_type())),
        text(if key.vo.is_empty() { "all" } else { &key.vo }),
        text(&status.status_name),
        text(&status.reason),
        instant_cell(status.effective_time.as_ref()),
        instant_cell(status.expiration_time.as_ref()),
        text(&status.token_owner),
        status.planned.as_ref().map_or(Cell::Null, |planned| text(&plan(planned))),
    ]
}

fn text(text: &str) -> Cell {
    if text.is_empty() { Cell::Null } else { Cell::Text(text.to_owned()) }
}

fn instant_cell(time: Option<&Timestamp>) -> Cell {
    time.and_then(|time| times::from_wire(time.seconds, time.nanos)).map_or(Cell::Null, Cell::Time)
}

fn element_type(of: pb::ElementType) -> &'static str {
    match of {
        pb::ElementType::Unspecified => "",
        pb::ElementType::Site => "Site",
        pb::ElementType::ComputeElement => "ComputeElement",
        pb::ElementType::StorageElement => "StorageElement",
        pb::ElementType::Fts => "FTS",
    }
}

fn status_type(of: pb::StatusType) -> &'static str {
    match of {
        pb::StatusType::Unspecified => "",
        pb::StatusType::All => "all",
        pb::StatusType::ReadAccess => "ReadAccess",
        pb::StatusType::WriteAccess => "WriteAccess",
        pb::StatusType::CheckAccess => "CheckAccess",
        pb::StatusType::RemoveAccess => "RemoveAccess",
    }
}

fn value(of: pb::ElementStatusValue) -> &'static str {
    match of {
        pb::ElementStatusValue::Unspecified => "",
        pb::ElementStatusValue::Active => "Active",
        pb::ElementStatusValue::Degraded => "Degraded",
        pb::ElementStatusValue::Probing => "Probing",
        pb::ElementStatusValue::Banned => "Banned",
        pb::ElementStatusValue::Error => "Error",
        pb::ElementStatusValue::Unknown => "Unknown",
    }
}

/// `Banned from 2026-11-22 20:51:17 until 2026-11-23 08:00:00, drained since 2026-11-22 08:00:00`.
fn plan(plan: &pb::PlannedStatus) -> String {
    let when = |word: &str, time: Option<&Timestamp>| {
        let time = time.and_then(|time| times::from_wire(time.seconds, time.nanos));
        time.map(|time| format!("{word} {}", times::readable(time))).unwrap_or_default()
    };
    [
        value(plan.status()).to_owned(),
        when(" from", plan.effective_time.as_ref()),
        when(" until", plan.expiration_time.as_ref()),
        when(", drained since", plan.drain_from.as_ref()),
    ]
    .concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_people_write_them() {
        for text in ["2026-11-22", "2026-11-22 00:00", "2026-11-22T00:00:00Z", "2026-11-22T01:00:00+01:00"] {
            assert_eq!(instant(text).map(|time| time.seconds), Ok(1_795_305_600), "{text}");
        }
        assert!(instant("tomorrow").is_err());
    }

    #[test]
    fn people_see_no_column_that_says_nothing() {
        let status = pb::ElementStatus {
            key: Some(pb::StatusKey {
                name: "A".into(),
                status_type: pb::StatusType::All.into(),
                ..Default::default()
            }),
            status_name: "Active".into(),
            ..Default::default()
        };
        let all = table(std::slice::from_ref(&status));
        assert_eq!(all.columns.len(), 10);
        let drawn = draw(&all);
        assert!(
            !drawn.contains("StatusType") && !drawn.contains("Planned") && drawn.contains("Active"),
            "{drawn}"
        );
        let read =
            pb::StatusKey { status_type: pb::StatusType::ReadAccess.into(), ..status.key.clone().unwrap() };
        let drawn = draw(&table(&[status.clone(), pb::ElementStatus { key: Some(read), ..status }]));
        assert!(drawn.contains("StatusType"), "{drawn}");
    }

    #[test]
    fn a_plan_is_told_in_one_line() {
        let at = |text| instant(text).ok();
        let planned = pb::PlannedStatus {
            status: pb::ElementStatusValue::Banned.into(),
            effective_time: at("2026-11-22 20:00"),
            drain_from: at("2026-11-22 08:00"),
            ..Default::default()
        };
        assert_eq!(plan(&planned), "Banned from 2026-11-22 20:00:00, drained since 2026-11-22 08:00:00");
    }
}
