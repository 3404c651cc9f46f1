//! Rows as an array of objects, written straight from typed cells.

use diracx_proto::{
    common::v1::{Cell, Table, cell::Kind},
    jobs::v1::{JobHistory, JobLoggingRecord},
};

use super::time::{Zone, write_timestamp};

/// Bytes to set aside for a cell; most are shorter.
const CELL: usize = 28;

/// Writes the rows of a search. With histories, each row has its own as `LoggingInfo`.
pub(crate) fn write_rows(table: &Table, histories: &[JobHistory]) -> Vec<u8> {
    write(table, Zone::Z, |out, row| {
        if let Some(history) = histories.get(row) {
            out.extend_from_slice(b",\"LoggingInfo\":");
            write_history(out, &history.records);
        }
    })
}

/// Writes the rows of a summary, whose last column is the count.
pub(crate) fn write_summary(table: &Table) -> Vec<u8> {
    write(table, Zone::Offset, |_, _| ())
}

fn write(table: &Table, zone: Zone, more: impl Fn(&mut Vec<u8>, usize)) -> Vec<u8> {
    let names: Vec<Vec<u8>> = table.columns.iter().map(|name| member_name(name)).collect();
    let mut out =
        Vec::with_capacity(2 + table.rows.len() * names.iter().map(|name| name.len() + CELL).sum::<usize>());
    out.push(b'[');
    for (i, row) in table.rows.iter().enumerate() {
        if i > 0 {
            out.push(b',');
        }
        let start = out.len();
        for (name, cell) in names.iter().zip(&row.cells) {
            out.extend_from_slice(name);
            write_cell(&mut out, cell, zone);
        }
        more(&mut out, i);
        // Every member begins with a comma; that of the first is where the object opens.
        if out.len() > start {
            out[start] = b'{';
        } else {
            out.push(b'{');
        }
        out.push(b'}');
    }
    out.push(b']');
    out
}

/// `,"name":`
fn member_name(name: &str) -> Vec<u8> {
    let mut out = vec![b','];
    write_value(&mut out, name);
    out.push(b':');
    out
}

fn write_cell(out: &mut Vec<u8>, cell: &Cell, zone: Zone) {
    match &cell.kind {
        None => out.extend_from_slice(b"null"),
        Some(Kind::IntValue(number)) => write_value(out, number),
        Some(Kind::DoubleValue(number)) => write_value(out, number),
        Some(Kind::StringValue(text)) => write_value(out, text.as_str()),
        Some(Kind::BoolValue(flag)) => out.extend_from_slice(if *flag { b"true" } else { b"false" }),
        Some(Kind::TimeValue(time)) => write_timestamp(out, time, zone),
    }
}

fn write_history(out: &mut Vec<u8>, records: &[JobLoggingRecord]) {
    out.push(b'[');
    for (i, record) in records.iter().enumerate() {
        out.extend_from_slice(if i > 0 { b",{\"Status\":" } else { b"{\"Status\":" });
        write_value(out, record.status.as_str());
        out.extend_from_slice(b",\"MinorStatus\":");
        write_value(out, record.minor_status.as_str());
        out.extend_from_slice(b",\"ApplicationStatus\":");
        write_value(out, record.application_status.as_str());
        out.extend_from_slice(b",\"StatusTime\":");
        super::time::write_optional(out, record.status_time.as_ref());
        out.extend_from_slice(b",\"Source\":");
        write_value(out, record.source.as_str());
        out.push(b'}');
    }
    out.push(b']');
}

/// Writes a number or a text. Neither can fail: numbers that JSON lacks become `null`.
pub(crate) fn write_value(out: &mut Vec<u8>, value: &(impl serde::Serialize + ?Sized)) {
    if serde_json::to_writer(&mut *out, value).is_err() {
        out.extend_from_slice(b"null");
    }
}

#[cfg(test)]
mod tests {
    use diracx_proto::common::v1::Row;
    use prost_types::Timestamp;

    use super::*;

    fn cell(kind: Kind) -> Cell {
        Cell { kind: Some(kind) }
    }

    fn table() -> Table {
        let row = |id, name: &str| Row {
            cells: vec![
                cell(Kind::IntValue(id)),
                cell(Kind::StringValue(name.to_owned())),
                cell(Kind::TimeValue(Timestamp { seconds: 1_577_836_800, nanos: 0 })),
                Cell { kind: None },
                cell(Kind::BoolValue(true)),
            ],
        };
        let columns = ["JobID", "Job\"Name", "SubmissionTime", "EndExecTime", "VerifiedFlag"];
        Table {
            columns: columns.map(str::to_owned).to_vec(), rows: vec![row(1, "a\nb"), row(i64::MAX, "é")]
        }
    }

    #[test]
    fn rows_are_objects_with_typed_values_in_column_order() {
        let text = String::from_utf8(write_rows(&table(), &[])).unwrap();
        assert_eq!(
            text,
            concat!(
                r#"[{"JobID":1,"Job\"Name":"a\nb","SubmissionTime":"2020-01-01T00:00:00Z","EndExecTime":null,"#,
                r#""VerifiedFlag":true},{"JobID":9223372036854775807,"Job\"Name":"é","#,
                r#""SubmissionTime":"2020-01-01T00:00:00Z","EndExecTime":null,"VerifiedFlag":true}]"#
            )
        );
    }

    #[test]
    fn no_rows_are_an_empty_array_and_no_columns_are_empty_objects() {
        assert_eq!(write_rows(&Table::default(), &[]), b"[]");
        let rows = vec![Row { cells: Vec::new() }; 2];
        assert_eq!(write_rows(&Table { columns: Vec::new(), rows }, &[]), b"[{},{}]");
    }

    #[test]
    fn a_history_follows_its_row() {
        let record = JobLoggingRecord {
            status: "Received".into(),
            minor_status: "Job accepted".into(),
            application_status: "Unknown".into(),
            status_time: Some(Timestamp { seconds: 0, nanos: 5_000_000 }),
            source: "JobManager".into(),
        };
        let one =
            Table { columns: vec!["JobID".into()], rows: vec![Row { cells: vec![cell(Kind::IntValue(7))] }] };
        let history = JobHistory { job_id: 7, records: vec![record] };
        assert_eq!(
            String::from_utf8(write_rows(&one, &[history])).unwrap(),
            concat!(
                r#"[{"JobID":7,"LoggingInfo":[{"Status":"Received","MinorStatus":"Job accepted","#,
                r#""ApplicationStatus":"Unknown","StatusTime":"1970-01-01T00:00:00.005000Z","Source":"JobManager"}]}]"#
            )
        );
    }

    #[test]
    fn a_summary_writes_offsets() {
        let one = Table {
            columns: vec!["SubmissionTime".into(), "count".into()],
            rows: vec![Row {
                cells: vec![
                    cell(Kind::TimeValue(Timestamp { seconds: 0, nanos: 0 })),
                    cell(Kind::IntValue(4)),
                ],
            }],
        };
        assert_eq!(
            String::from_utf8(write_summary(&one)).unwrap(),
            r#"[{"SubmissionTime":"1970-01-01T00:00:00+00:00","count":4}]"#
        );
    }
}
