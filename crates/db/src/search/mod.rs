//! Searches and summaries over any table, as DiracX has them.
//!
//! A [`TableSpec`] names the columns; identifiers in SQL come from it and from nowhere else,
//! and every value of a request is bound. A request is checked against it first
//! ([`Plan`]), and only then becomes SQL.

mod keyset;
mod partial_time;
mod pattern;
mod place;
mod plan;
mod pseudo;
mod query;
mod row;
mod token;

pub use keyset::Position;
pub use partial_time::{Interval, PartialTime, Resolution};
pub use place::Place;
pub use plan::{MOST_VALUES, Plan, SearchError};
pub use pseudo::take_pseudo;
pub use query::{CountQuery, PageQuery, SummaryQuery};
pub use row::{CountRow, RawRow, RowBackend};
pub use token::{BadToken, Binding, Token};

use diracx_core::search::Table;

/// A page of rows.
#[derive(Debug, Clone, Default)]
pub struct Rows {
    /// The rows of the page, and how many there are in all.
    pub table: Table,
    /// Whether more rows follow.
    pub more: bool,
    /// The place behind the last row of the page, if the search has places and the page has rows.
    pub end: Option<Position>,
}

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
    /// The columns that have an index of their own in every installation.
    pub indexed: &'static [&'static str],
}

impl TableSpec {
    /// The column of that name.
    pub fn column(&self, name: &str) -> Option<&'static Column> {
        self.columns.iter().find(|column| column.name == name)
    }
}
