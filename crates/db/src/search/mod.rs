//! Searches and summaries over any table, as DiracX has them.
//!
//! A [`TableSpec`] names the columns; identifiers in SQL come from it and from nowhere else,
//! and every value of a request is bound. A request is checked against it first
//! ([`Plan`]), and only then becomes SQL.

mod partial_time;
mod plan;
mod query;
mod row;

pub use partial_time::{Interval, PartialTime, Resolution};
pub use plan::{Plan, SearchError};
pub use query::{CountQuery, PageQuery, SummaryQuery};
pub use row::{CountRow, RawRow, RowBackend};

/// What a column holds, for comparing and for rendering.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColumnKind {
    /// Whole numbers.
    Int,
    /// Numbers.
    Float,
    /// Text.
    Text,
    /// Instants, naive UTC.
    Time,
    /// `ENUM('True', 'False')`, possibly with further labels, which stay text.
    Flag,
}

/// A column that may be searched.
#[derive(Debug, Clone, Copy)]
pub struct Column {
    /// DIRAC's name.
    pub name: &'static str,
    /// What it holds.
    pub kind: ColumnKind,
}

/// A table that may be searched.
#[derive(Debug, Clone, Copy)]
pub struct TableSpec {
    /// DIRAC's name.
    pub name: &'static str,
    /// The primary key.
    pub key: &'static str,
    /// Its columns, in the order in which answers have them.
    pub columns: &'static [Column],
}

impl TableSpec {
    /// The column of that name.
    pub fn column(&self, name: &str) -> Option<&'static Column> {
        self.columns.iter().find(|column| column.name == name)
    }
}
