//! What a search asks for and what it answers, in the words of the domain.
//!
//! The same shapes serve jobs and pilots; `diracx-db` turns them into SQL.

use chrono::NaiveDateTime;

/// A comparison of one column with one value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScalarOperator {
    /// Equal.
    Eq,
    /// Not equal. `NULL` is neither equal nor unequal.
    Neq,
    /// Greater.
    Gt,
    /// Less.
    Lt,
    /// SQL `LIKE` with `%` and `_`.
    Like,
    /// Not [`Like`](Self::Like).
    NotLike,
    /// A regular expression, matched by the database.
    Regex,
}

/// A comparison of one column with several values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VectorOperator {
    /// One of them. Of none: nothing.
    In,
    /// None of them. Of none: everything.
    NotIn,
}

impl ScalarOperator {
    /// The name in requests.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Eq => "eq",
            Self::Neq => "neq",
            Self::Gt => "gt",
            Self::Lt => "lt",
            Self::Like => "like",
            Self::NotLike => "not like",
            Self::Regex => "regex",
        }
    }
}

impl VectorOperator {
    /// The name in requests.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::In => "in",
            Self::NotIn => "not in",
        }
    }
}

/// A value to compare with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SearchValue {
    /// A whole number.
    Int(i64),
    /// A text, which for a time column is a (partial) time.
    Text(String),
}

/// One condition; the conditions of a search are joined by AND.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Filter {
    /// With one value.
    Scalar {
        /// The column, by its name in DIRAC.
        parameter: String,
        /// How to compare.
        operator: ScalarOperator,
        /// With what.
        value: SearchValue,
    },
    /// With several values.
    Vector {
        /// The column, by its name in DIRAC.
        parameter: String,
        /// How to compare.
        operator: VectorOperator,
        /// With what.
        values: Vec<SearchValue>,
    },
}

impl Filter {
    /// The column it speaks of.
    pub fn parameter(&self) -> &str {
        match self {
            Self::Scalar { parameter, .. } | Self::Vector { parameter, .. } => parameter,
        }
    }

    /// `parameter = value`.
    pub fn equals(parameter: impl Into<String>, value: impl Into<String>) -> Self {
        Self::Scalar {
            parameter: parameter.into(),
            operator: ScalarOperator::Eq,
            value: SearchValue::Text(value.into()),
        }
    }
}

/// Which way to sort.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Smallest first.
    Ascending,
    /// Largest first.
    Descending,
}

/// One sort key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sort {
    /// The column, by its name in DIRAC.
    pub parameter: String,
    /// Which way.
    pub direction: Direction,
}

/// A page of the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    /// Rows to pass over.
    pub skip: u64,
    /// Rows to return at the most.
    pub limit: u64,
}

/// A search: which rows, which columns, in which order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Search {
    /// The columns to return; none means all. They come back in the table's order.
    pub parameters: Vec<String>,
    /// Joined by AND.
    pub filters: Vec<Filter>,
    /// In this order.
    pub sort: Vec<Sort>,
    /// Drop rows that are equal in all returned columns.
    pub distinct: bool,
    /// Absent: all rows.
    pub page: Option<Page>,
}

/// A count of rows by the values of some columns.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Summary {
    /// The columns to group by; none means all.
    pub grouping: Vec<String>,
    /// Joined by AND.
    pub filters: Vec<Filter>,
}

/// One value of an answer.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell {
    /// No value.
    Null,
    /// A whole number.
    Int(i64),
    /// A number.
    Float(f64),
    /// A text.
    Text(String),
    /// An instant, UTC.
    Time(NaiveDateTime),
    /// Yes or no.
    Bool(bool),
}

/// Rows with the names of their columns, and how many there are in all.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Table {
    /// Column names, in the table's order.
    pub columns: Vec<String>,
    /// One vector per row, as long as `columns`.
    pub rows: Vec<Vec<Cell>>,
    /// Rows that the search has without its page.
    pub total: u64,
}
