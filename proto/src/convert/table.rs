//! Tables: rows of cells in the types of their columns.

use diracx_core::search::{Cell, Table};

use super::{Invalid, time};
use crate::common::v1::{self as pb, cell::Kind};

impl From<Cell> for pb::Cell {
    fn from(cell: Cell) -> Self {
        let kind = match cell {
            Cell::Null => None,
            Cell::Int(number) => Some(Kind::IntValue(number)),
            Cell::Float(number) => Some(Kind::DoubleValue(number)),
            Cell::Text(text) => Some(Kind::StringValue(text)),
            Cell::Time(time) => Some(Kind::TimeValue(time::timestamp_of_naive(time))),
            Cell::Bool(yes) => Some(Kind::BoolValue(yes)),
        };
        Self { kind }
    }
}

impl TryFrom<pb::Cell> for Cell {
    type Error = Invalid;

    fn try_from(cell: pb::Cell) -> Result<Self, Invalid> {
        Ok(match cell.kind {
            None => Self::Null,
            Some(Kind::IntValue(number)) => Self::Int(number),
            Some(Kind::DoubleValue(number)) => Self::Float(number),
            Some(Kind::StringValue(text)) => Self::Text(text),
            Some(Kind::TimeValue(time)) => Self::Time(time::naive("time_value", &time)?),
            Some(Kind::BoolValue(yes)) => Self::Bool(yes),
        })
    }
}

/// The total is not part of it: a response has a field of its own for that.
impl From<Table> for pb::Table {
    fn from(table: Table) -> Self {
        let cells = |row: Vec<Cell>| pb::Row { cells: row.into_iter().map(Into::into).collect() };
        Self { columns: table.columns, rows: table.rows.into_iter().map(cells).collect() }
    }
}

impl pb::Table {
    /// The table of a response whose search finds `total` rows; without one, as many as there are here.
    pub fn into_domain(self, total: Option<i64>) -> Result<Table, Invalid> {
        let width = self.columns.len();
        let here = self.rows.len() as u64;
        let total = match total {
            None => here,
            Some(total) => {
                u64::try_from(total).map_err(|_| Invalid::field("total_size", "must not be negative"))?
            }
        };
        let rows = self.rows.into_iter().enumerate().map(|(i, row)| {
            if row.cells.len() != width {
                return Err(Invalid::field(format!("rows[{i}].cells"), "are not as many as the columns"));
            }
            super::each("cells", row.cells).map_err(|invalid| invalid.within(format_args!("rows[{i}]")))
        });
        Ok(Table { rows: rows.collect::<Result<_, _>>()?, columns: self.columns, total })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let time = chrono::DateTime::from_timestamp(1_795_000_000, 182_005_000).unwrap().naive_utc();
        Table {
            columns: ["JobID", "BenchMark", "Status", "SubmissionTime", "VerifiedFlag", "EndExecTime"]
                .map(str::to_owned)
                .to_vec(),
            rows: vec![vec![
                Cell::Int(i64::MIN),
                Cell::Float(1.5),
                Cell::Text("Received".into()),
                Cell::Time(time),
                Cell::Bool(true),
                Cell::Null,
            ]],
            total: 7,
        }
    }

    #[test]
    fn a_table_comes_back_as_it_was() {
        assert_eq!(pb::Table::from(table()).into_domain(Some(7)), Ok(table()));
        assert_eq!(pb::Table::from(table()).into_domain(None).unwrap().total, 1);
    }

    #[test]
    fn a_ragged_table_and_an_impossible_time_are_refused_by_their_place() {
        let mut ragged = pb::Table::from(table());
        ragged.rows[0].cells.pop();
        let invalid = ragged.into_domain(None).unwrap_err();
        assert_eq!(invalid.to_string(), "rows[0].cells: are not as many as the columns");

        let mut timeless = pb::Table::from(table());
        timeless.rows[0].cells[3].kind =
            Some(Kind::TimeValue(prost_types::Timestamp { seconds: 0, nanos: -1 }));
        let invalid = timeless.into_domain(None).unwrap_err();
        assert!(invalid.to_string().starts_with("rows[0].cells[3].time_value: "), "{invalid}");
    }
}
