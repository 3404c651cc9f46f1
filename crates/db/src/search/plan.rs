//! A request checked against a table: what remains can be said in SQL.

use diracx_core::{
    Explain, Explanation, Reason,
    search::{Direction, Filter, Page, ScalarOperator, Search, SearchValue, Sort, Summary, VectorOperator},
};

use super::{
    Column, ColumnKind, TableSpec,
    keyset::{Key, Position},
    partial_time::{Interval, PartialTime},
    pattern,
};
use crate::{statement::Bind, time::UtcTime};

/// Why a search cannot be done. The sentences are DiracX's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SearchError {
    /// A filter on something that is no column.
    #[error("Unknown column {0}")]
    UnknownColumn(String),
    /// Columns were asked for that do not exist.
    #[error("Unrecognised parameters requested {{{}}}", quoted(.0))]
    UnknownParameters(Vec<String>),
    /// A sort key that is no column.
    #[error("Cannot sort by {0}: unknown column")]
    UnknownSort(String),
    /// A time that is none.
    #[error("Cannot parse value={0}")]
    NotATime(String),
    /// Only comparisons make sense for times.
    #[error("Operator '{0}' is not supported for partial datetime values")]
    OperatorOnTime(&'static str),
    /// `2024` beside `2024-02-03`.
    #[error("Cannot mix different time resolutions in query={0}")]
    MixedResolutions(String),
    /// A regular expression that is none.
    #[error("Invalid regex {0}")]
    InvalidRegex(String),
    /// A regular expression that not every database understands, or not in the same way.
    #[error("Invalid regex {value}: databases differ in how they read {part}")]
    ForeignRegex {
        /// The regular expression.
        value: String,
        /// What of it they read differently.
        part: String,
    },
    /// Greater or less than a text, for a column of numbers.
    #[error("Cannot order {column} by {value}: it holds numbers")]
    NotANumber {
        /// The column.
        column: &'static str,
        /// What was given, quoted.
        value: String,
    },
    /// Something else than true or false for a flag.
    #[error("Cannot compare {column} with {value}: use True or False")]
    NotAFlag {
        /// The column.
        column: &'static str,
        /// What was given, quoted.
        value: String,
    },
    /// Flags have no order.
    #[error("Operator '{operator}' is not supported on {column}")]
    OperatorOnFlag {
        /// The column.
        column: &'static str,
        /// The operator.
        operator: &'static str,
    },
    /// Something that is no column, but can be searched for, with another operator than those.
    #[error("Operator <{operator}> is not supported on the '{pseudo}' pseudo-parameter; use 'eq' or 'in'.")]
    PseudoOperator {
        /// What is no column.
        pseudo: &'static str,
        /// The operator, as Python shows it.
        operator: String,
    },
    /// It stands for a column that has a filter of its own.
    #[error("Cannot combine '{pseudo}' pseudo-parameter with a real '{column}' filter in the same request.")]
    PseudoCombined {
        /// What is no column.
        pseudo: &'static str,
        /// The column.
        column: &'static str,
    },
    /// A value that it never has.
    #[error("'{pseudo}' pseudo-parameter values must be integers.")]
    PseudoValue {
        /// What is no column.
        pseudo: &'static str,
        /// What was given, quoted.
        value: String,
    },
    /// More values than one statement can bind.
    #[error("{0} values are too many for one search, {MOST_VALUES} is the limit")]
    TooManyValues(usize),
}

impl Explain for SearchError {
    fn explain(&self) -> Explanation {
        let explanation = Explanation::invalid_argument(Reason::InvalidSearch);
        match self {
            Self::UnknownColumn(name) | Self::UnknownSort(name) => explanation.with("parameter", name),
            Self::UnknownParameters(names) => explanation.with("parameters", names.join(", ")),
            Self::NotATime(value) | Self::InvalidRegex(value) => explanation.with("value", value),
            Self::ForeignRegex { value, .. } => explanation.with("value", value),
            Self::NotANumber { column, value } | Self::NotAFlag { column, value } => {
                explanation.with("parameter", column).with("value", value)
            }
            Self::OperatorOnFlag { column, operator } => {
                explanation.with("parameter", column).with("operator", operator)
            }
            Self::OperatorOnTime(operator) => explanation.with("operator", operator),
            Self::PseudoOperator { pseudo, operator } => {
                explanation.with("parameter", pseudo).with("operator", operator)
            }
            Self::PseudoCombined { pseudo, column } => {
                explanation.with("parameter", pseudo).with("column", column)
            }
            Self::PseudoValue { pseudo, value } => explanation.with("parameter", pseudo).with("value", value),
            Self::MixedResolutions(_) | Self::TooManyValues(_) => explanation,
        }
    }
}

/// How many values one search may compare with: SQLite binds at the most 32,766.
pub const MOST_VALUES: usize = 30_000;

fn quoted(names: &[String]) -> String {
    names.iter().map(|name| format!("'{name}'")).collect::<Vec<_>>().join(", ")
}

fn show(value: &SearchValue) -> String {
    match value {
        SearchValue::Int(value) => value.to_string(),
        SearchValue::Text(value) => format!("'{value}'"),
    }
}

/// One condition, ready to be said in SQL.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Condition {
    /// The text of the column is this one, letter by letter, whatever the collation of the table holds for equal.
    Exactly { column: &'static str, value: Bind },
    /// `column operator value`.
    Compare { column: &'static str, operator: &'static str, value: Bind },
    /// `column [NOT] IN (…)`; never empty.
    Among { column: &'static str, negated: bool, values: Vec<Bind> },
    /// The column lies in (or outside of all) these intervals; never empty.
    Within { column: &'static str, negated: bool, intervals: Vec<(Bind, Bind)> },
    /// Always true, or never.
    Constant(bool),
}

/// A search or summary that fits its table.
#[derive(Debug, Clone)]
pub struct Plan {
    pub(super) table: &'static TableSpec,
    /// The columns of the answer, in the table's order.
    pub columns: Vec<&'static Column>,
    pub(super) conditions: Vec<Condition>,
    /// The order of the rows.
    pub(super) order: Vec<Key>,
    pub(super) distinct: bool,
    pub(super) page: Option<Page>,
    pub(super) after: Option<Position>,
    pub(super) counted: bool,
}

impl Plan {
    /// The table it is for.
    pub fn table(&self) -> &'static TableSpec {
        self.table
    }

    /// The page it asks for.
    pub fn page(&self) -> Option<Page> {
        self.page
    }

    /// See [`counted`](Self::counted).
    pub fn is_counted(&self) -> bool {
        self.counted
    }

    /// Whether to find out how many rows there are without the page.
    #[must_use]
    pub fn counted(mut self, counted: bool) -> Self {
        self.counted = counted;
        self
    }

    /// Whether a page can begin behind a [`Position`]. It cannot if rows that are returned once are sorted by
    /// something that is not returned: such a row has no place of its own.
    pub fn has_positions(&self) -> bool {
        !self.distinct
            || self.order.iter().all(|key| self.columns.iter().any(|column| column.name == key.column))
    }

    /// Begins behind a position that this search gave; `None` if it cannot be one.
    #[must_use]
    pub fn after(mut self, position: Position) -> Option<Self> {
        let fits = self.has_positions() && position.len() == self.order.len();
        self.after = Some(position);
        fits.then_some(self)
    }

    /// Whether it begins behind a position.
    pub fn is_behind(&self) -> bool {
        self.after.is_some()
    }

    /// Only rows whose column has this text, letter by letter. MySQL takes texts of DIRAC's tables for equal that differ
    /// in case; for what keeps people apart that is not equal enough.
    #[must_use]
    pub fn only(mut self, column: &'static str, text: &str) -> Self {
        // the first one finds the rows by an index
        self.conditions.push(Condition::Compare { column, operator: "=", value: text.into() });
        self.conditions.push(Condition::Exactly { column, value: text.into() });
        self
    }

    /// Another page of the same search.
    #[must_use]
    pub fn with_page(mut self, page: Option<Page>) -> Self {
        self.page = page;
        self
    }

    /// Checks a search.
    pub fn search(table: &'static TableSpec, search: &Search) -> Result<Self, SearchError> {
        let columns = columns(table, &search.parameters)?;
        let conditions = conditions(table, &search.filters)?;
        let order = order(table, &search.sort, search.distinct.then_some(&columns))?;
        Ok(Self {
            table,
            columns,
            conditions,
            order,
            distinct: search.distinct,
            page: search.page,
            after: None,
            counted: true,
        })
    }

    /// Checks a summary.
    pub fn summary(table: &'static TableSpec, summary: &Summary) -> Result<Self, SearchError> {
        let columns = columns(table, &summary.grouping)?;
        let conditions = conditions(table, &summary.filters)?;
        Ok(Self {
            table,
            columns,
            conditions,
            order: Vec::new(),
            distinct: false,
            page: None,
            after: None,
            counted: false,
        })
    }
}

/// The sort keys, and what it takes to make the order total, so that pages fit together: the primary key, or for
/// rows that are returned once the columns that tell them apart.
fn order(
    table: &'static TableSpec,
    sort: &[Sort],
    distinct: Option<&Vec<&'static Column>>,
) -> Result<Vec<Key>, SearchError> {
    let mut order: Vec<Key> = Vec::new();
    // The first mention decides; more of them would run into the databases' limits.
    let mut push = |column: &Column, direction| {
        if order.iter().all(|key| key.column != column.name) {
            let optional = column.name != table.key;
            order.push(Key { column: column.name, kind: column.kind, direction, optional });
        }
    };
    for key in sort {
        let column =
            table.column(&key.parameter).ok_or_else(|| SearchError::UnknownSort(key.parameter.clone()))?;
        push(column, key.direction);
    }
    match distinct {
        Some(columns) => columns.iter().for_each(|column| push(column, Direction::Ascending)),
        None => table.column(table.key).into_iter().for_each(|key| push(key, Direction::Ascending)),
    }
    // Behind the primary key nothing is left to decide.
    if let Some(last) = order.iter().position(|key| key.column == table.key) {
        order.truncate(last + 1);
    }
    Ok(order)
}

fn columns(table: &'static TableSpec, names: &[String]) -> Result<Vec<&'static Column>, SearchError> {
    let mut unknown: Vec<String> =
        names.iter().filter(|name| table.column(name).is_none()).cloned().collect();
    if !unknown.is_empty() {
        unknown.sort();
        unknown.dedup();
        return Err(SearchError::UnknownParameters(unknown));
    }
    Ok(table
        .columns
        .iter()
        .filter(|column| names.is_empty() || names.iter().any(|name| name == column.name))
        .collect())
}

fn conditions(table: &'static TableSpec, filters: &[Filter]) -> Result<Vec<Condition>, SearchError> {
    let values: usize = filters
        .iter()
        .map(|filter| {
            // A time is compared with the two ends of its interval.
            let binds = match table.column(filter.parameter()) {
                Some(column) if column.kind == ColumnKind::Time => 2,
                _ => 1,
            };
            match filter {
                Filter::Scalar { .. } => binds,
                Filter::Vector { values, .. } => binds * values.len(),
            }
        })
        .sum();
    if values > MOST_VALUES {
        return Err(SearchError::TooManyValues(values));
    }
    filters
        .iter()
        .map(|filter| {
            let column = table
                .column(filter.parameter())
                .ok_or_else(|| SearchError::UnknownColumn(filter.parameter().to_owned()))?;
            match filter {
                Filter::Scalar { operator, value, .. } => scalar(column, *operator, value),
                Filter::Vector { operator, values, .. } => vector(column, *operator, values),
            }
        })
        .collect()
}

fn scalar(
    column: &'static Column,
    operator: ScalarOperator,
    value: &SearchValue,
) -> Result<Condition, SearchError> {
    use ScalarOperator::{Eq, Gt, Like, Lt, Neq, NotLike, Regex as Matches};
    let sql = match operator {
        Eq => "=",
        Neq => "<>",
        Gt => ">",
        Lt => "<",
        Like => "LIKE",
        NotLike => "NOT LIKE",
        Matches => "REGEXP",
    };
    let compare = |value| Condition::Compare { column: column.name, operator: sql, value };
    match (column.kind, operator) {
        (ColumnKind::Time, Eq | Neq) => {
            let interval = interval(value)?.interval;
            Ok(Condition::Within {
                column: column.name,
                negated: operator == Neq,
                intervals: vec![binds(interval)],
            })
        }
        (ColumnKind::Time, Gt | Lt) => {
            let Interval { start, end } = interval(value)?.interval;
            let (operator, bound) = if operator == Gt { (">=", end) } else { ("<", start) };
            Ok(Condition::Compare { column: column.name, operator, value: UtcTime(bound).into() })
        }
        (ColumnKind::Time, _) => {
            // As DiracX: a value that is no time is told first.
            interval(value)?;
            Err(SearchError::OperatorOnTime(operator.as_str()))
        }
        (ColumnKind::Flag, Eq | Neq) => Ok(compare(flag(column, value)?)),
        (ColumnKind::Flag, Gt | Lt) => {
            Err(SearchError::OperatorOnFlag { column: column.name, operator: operator.as_str() })
        }
        (_, Matches) => {
            let pattern = text(value);
            pattern::check(&pattern)?;
            Ok(compare(pattern.into()))
        }
        (_, Like | NotLike) => Ok(compare(text(value).into())),
        // A text that is no number equals no number, as DiracX has it; there is no order between them.
        (ColumnKind::Int | ColumnKind::Float, _) => match (number(column, value), operator) {
            (Ok(number), _) => Ok(compare(number)),
            (Err(_), Eq) => Ok(Condition::Constant(false)),
            (Err(_), Neq) => Ok(Condition::Constant(true)),
            (Err(error), _) => Err(error),
        },
        (ColumnKind::Text, _) => Ok(compare(text(value).into())),
    }
}

fn vector(
    column: &'static Column,
    operator: VectorOperator,
    values: &[SearchValue],
) -> Result<Condition, SearchError> {
    let negated = operator == VectorOperator::NotIn;
    if values.is_empty() {
        return Ok(Condition::Constant(negated));
    }
    if column.kind == ColumnKind::Time {
        let times = values.iter().map(interval).collect::<Result<Vec<_>, _>>()?;
        if times.iter().any(|time| time.resolution != times[0].resolution) {
            let shown: Vec<String> = values.iter().map(show).collect();
            return Err(SearchError::MixedResolutions(format!(
                "{{'parameter': '{}', 'operator': '{}', 'values': [{}]}}",
                column.name,
                operator.as_str(),
                shown.join(", ")
            )));
        }
        let intervals = times.into_iter().map(|time| binds(time.interval)).collect();
        return Ok(Condition::Within { column: column.name, negated, intervals });
    }
    let values: Vec<Bind> = values
        .iter()
        .filter_map(|value| match column.kind {
            ColumnKind::Int | ColumnKind::Float => number(column, value).ok().map(Ok),
            ColumnKind::Flag => Some(flag(column, value)),
            ColumnKind::Text | ColumnKind::Time => Some(Ok(text(value).into())),
        })
        .collect::<Result<_, _>>()?;
    if values.is_empty() {
        return Ok(Condition::Constant(negated));
    }
    Ok(Condition::Among { column: column.name, negated, values })
}

fn binds(interval: Interval) -> (Bind, Bind) {
    (UtcTime(interval.start).into(), UtcTime(interval.end).into())
}

fn interval(value: &SearchValue) -> Result<PartialTime, SearchError> {
    match value {
        SearchValue::Text(text) => PartialTime::parse(text),
        SearchValue::Int(_) => None,
    }
    .ok_or_else(|| SearchError::NotATime(show(value)))
}

fn text(value: &SearchValue) -> String {
    match value {
        SearchValue::Int(value) => value.to_string(),
        SearchValue::Text(value) => value.clone(),
    }
}

fn number(column: &'static Column, value: &SearchValue) -> Result<Bind, SearchError> {
    let bind = match (column.kind, value) {
        (ColumnKind::Float, value) => {
            text(value).trim().parse().ok().filter(|n: &f64| n.is_finite()).map(Bind::Float)
        }
        (_, SearchValue::Int(value)) => Some(Bind::Int(*value)),
        (_, SearchValue::Text(text)) => text.trim().parse().ok().map(Bind::Int),
    };
    bind.ok_or_else(|| SearchError::NotANumber { column: column.name, value: show(value) })
}

/// The label in the database: an `ENUM` compared with a number would mean its place in the list.
fn flag(column: &'static Column, value: &SearchValue) -> Result<Bind, SearchError> {
    let label = match value {
        SearchValue::Int(1) => Some("True"),
        SearchValue::Int(0) => Some("False"),
        SearchValue::Int(_) => None,
        SearchValue::Text(text) => match text.as_str() {
            "True" | "true" | "1" => Some("True"),
            "False" | "false" | "0" => Some("False"),
            "Failed" => Some("Failed"),
            _ => None,
        },
    };
    label.map(Bind::from).ok_or_else(|| SearchError::NotAFlag { column: column.name, value: show(value) })
}
