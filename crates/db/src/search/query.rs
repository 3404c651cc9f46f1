//! Plans as SQL.

use diesel::{
    query_builder::{AstPass, Query, QueryFragment, QueryId},
    result::QueryResult,
    sql_types::Untyped,
};
use diracx_core::search::Direction;

use super::{
    ColumnKind,
    keyset::{self, Key, Position, Stretch},
    plan::{Condition, Plan},
    row::RawRow,
};
use crate::statement::{Bind, BindBackend};

/// The rows of a page, or of a stretch of it. Behind the plan's columns each has the sort keys that are not
/// among them.
#[derive(Debug)]
pub struct PageQuery<'p> {
    plan: &'p Plan,
    stretch: Stretch<'p>,
    limit: Option<(Bind, Bind)>,
}

/// How many rows there are without the page.
#[derive(Debug)]
pub struct CountQuery<'p>(pub &'p Plan);

/// The groups and their sizes.
#[derive(Debug)]
pub struct SummaryQuery<'p>(pub &'p Plan);

impl<'p> PageQuery<'p> {
    /// The page of this plan, and one row more if it has a limit.
    pub fn new(plan: &'p Plan) -> Self {
        let stretch = match &plan.after {
            None => Stretch::Whole,
            Some(position) if Self::in_two(plan, position) => Stretch::BehindWithValue(position),
            Some(position) => Stretch::Behind(position),
        };
        let limit = plan.page.map(|page| (number(page.limit.saturating_add(1)), number(page.skip)));
        Self { plan, stretch, limit }
    }

    /// What is to be asked for when `found` rows were found and the page has room left.
    pub fn rest(&self, found: u64) -> Option<Self> {
        let plan = self.plan;
        let room = plan.page.map(|page| page.limit.saturating_add(1).saturating_sub(found));
        let more = matches!(self.stretch, Stretch::BehindWithValue(_)) && room != Some(0);
        let limit = room.map(|room| (number(room), number(0)));
        more.then_some(Self { plan, stretch: Stretch::WithoutValue, limit })
    }

    /// Whether rows without a value in the first sort key come last and are better asked for by themselves.
    /// Rows to be passed over would have to be counted across both statements.
    fn in_two(plan: &Plan, position: &Position) -> bool {
        plan.page.is_none_or(|page| page.skip == 0)
            && position.has_first_value()
            && plan.order.first().is_some_and(|key| key.direction == Direction::Descending && key.optional)
    }
}

fn number(n: u64) -> Bind {
    Bind::Int(i64::try_from(n).unwrap_or(i64::MAX))
}

impl Plan {
    /// Where a row of [`PageQuery`] has the sort keys: the place of each in the row, and whether it is an extra
    /// column behind those of the plan.
    fn places_of_keys(&self) -> impl Iterator<Item = (usize, bool, Key)> {
        let mut extra = self.columns.len();
        self.order.iter().map(move |key| {
            // Labels are ordered by something else than what they are returned as.
            let own = self.columns.iter().position(|column| column.name == key.column);
            if let Some(place) = own.filter(|_| key.kind != ColumnKind::Flag) {
                return (place, false, *key);
            }
            extra += 1;
            (extra - 1, true, *key)
        })
    }

    /// Whether an index has just the rows of one of the conditions, in the order of the search, which is that of the
    /// primary key.
    fn has_rows_in_order(&self) -> bool {
        let by_key = !self.distinct && self.order.first().is_some_and(|key| key.column == self.table.key);
        let indexed = |condition: &Condition| matches!(condition, Condition::Compare { column, operator: "=", .. } if self.table.indexed.contains(column));
        by_key && self.conditions.iter().any(indexed)
    }

    /// The place behind a row.
    pub(crate) fn position_behind(&self, row: &RawRow) -> Option<Position> {
        if !self.has_positions() {
            return None;
        }
        Position::behind(self.places_of_keys().map(|(place, _, _)| row.cell(place)))
    }
}

fn columns<'b, DB: BindBackend>(plan: &'b Plan, out: &mut AstPass<'_, 'b, DB>) -> QueryResult<()> {
    for (i, column) in plan.columns.iter().enumerate() {
        if i > 0 {
            out.push_sql(", ");
        }
        out.push_identifier(column.name)?;
    }
    Ok(())
}

fn from<'b, DB: BindBackend>(plan: &'b Plan, out: &mut AstPass<'_, 'b, DB>) -> QueryResult<()> {
    // Every user could make a statement of their own: none of them is kept prepared.
    out.unsafe_to_cache_prepared();
    out.push_sql(" FROM ");
    out.push_identifier(plan.table.name)
}

fn conditions<'b, DB: BindBackend>(plan: &'b Plan, out: &mut AstPass<'_, 'b, DB>) -> QueryResult<()> {
    if !plan.conditions.is_empty() {
        out.push_sql(" WHERE ");
        joined(out, &plan.conditions, " AND ", &|out, condition| condition.walk(out))?;
    }
    Ok(())
}

/// How many conditions stand side by side: SQLite nests them, and has a limit for that.
const SIDE_BY_SIDE: usize = 64;

/// Conditions, one after the other; many of them as a balanced tree.
fn joined<'b, T, DB: BindBackend>(
    out: &mut AstPass<'_, 'b, DB>,
    items: &'b [T],
    joiner: &str,
    walk: &impl Fn(&mut AstPass<'_, 'b, DB>, &'b T) -> QueryResult<()>,
) -> QueryResult<()> {
    if items.len() > SIDE_BY_SIDE {
        let (left, right) = items.split_at(items.len() / 2);
        out.push_sql("(");
        joined(out, left, joiner, walk)?;
        out.push_sql(")");
        out.push_sql(joiner);
        out.push_sql("(");
        joined(out, right, joiner, walk)?;
        out.push_sql(")");
        return Ok(());
    }
    for (i, item) in items.iter().enumerate() {
        if i > 0 {
            out.push_sql(joiner);
        }
        walk(out, item)?;
    }
    Ok(())
}

impl Condition {
    fn walk<'b, DB: BindBackend>(&'b self, out: &mut AstPass<'_, 'b, DB>) -> QueryResult<()> {
        match self {
            Self::Constant(value) => {
                out.push_sql(if *value { "1 = 1" } else { "1 = 0" });
                Ok(())
            }
            Self::Exactly { column, value } => {
                let [before, between, behind] = DB::EXACTLY;
                out.push_sql(before);
                out.push_identifier(column)?;
                out.push_sql(between);
                DB::bind(out, value)?;
                out.push_sql(behind);
                Ok(())
            }
            Self::Compare { column, operator, value } => {
                out.push_identifier(column)?;
                out.push_sql(" ");
                out.push_sql(operator);
                out.push_sql(" ");
                DB::bind(out, value)
            }
            Self::Among { column, negated, values } => {
                out.push_identifier(column)?;
                out.push_sql(if *negated { " NOT IN (" } else { " IN (" });
                for (i, value) in values.iter().enumerate() {
                    if i > 0 {
                        out.push_sql(", ");
                    }
                    DB::bind(out, value)?;
                }
                out.push_sql(")");
                Ok(())
            }
            Self::Within { column, negated, intervals } => {
                let (first, second, joiner) =
                    if *negated { (" < ", " >= ", " AND ") } else { (" >= ", " < ", " OR ") };
                let inner = if *negated { " OR " } else { " AND " };
                out.push_sql("(");
                joined(out, intervals, joiner, &|out, (start, end)| {
                    out.push_sql("(");
                    out.push_identifier(column)?;
                    out.push_sql(first);
                    DB::bind(out, start)?;
                    out.push_sql(inner);
                    out.push_identifier(column)?;
                    out.push_sql(second);
                    DB::bind(out, end)?;
                    out.push_sql(")");
                    Ok(())
                })?;
                out.push_sql(")");
                Ok(())
            }
        }
    }
}

macro_rules! untyped_query {
    ($($name:ident),+) => {$(
        impl QueryId for $name<'_> {
            type QueryId = ();
            const HAS_STATIC_QUERY_ID: bool = false;
        }

        impl Query for $name<'_> {
            type SqlType = Untyped;
        }
    )+};
}

untyped_query!(PageQuery, CountQuery, SummaryQuery);

impl<DB: BindBackend> QueryFragment<DB> for PageQuery<'_> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        let grouped = !self.plan.has_positions();
        out.push_sql(if self.plan.distinct && !grouped { "SELECT DISTINCT " } else { "SELECT " });
        columns(self.plan, &mut out)?;
        if !grouped {
            for (_, _, key) in self.plan.places_of_keys().filter(|(_, extra, _)| *extra) {
                out.push_sql(", ");
                key.push(&mut out)?;
            }
        }
        from(self.plan, &mut out)?;
        if self.plan.has_rows_in_order() {
            DB::keep_off_primary_key(&mut out);
        }
        conditions(self.plan, &mut out)?;
        if !matches!(self.stretch, Stretch::Whole) {
            out.push_sql(if self.plan.conditions.is_empty() { " WHERE " } else { " AND " });
            keyset::walk(&self.plan.order, self.stretch, &mut out)?;
        }
        if grouped {
            out.push_sql(" GROUP BY ");
            columns(self.plan, &mut out)?;
        }
        for (i, key) in self.plan.order.iter().enumerate() {
            out.push_sql(if i == 0 { " ORDER BY " } else { ", " });
            if grouped && self.plan.columns.iter().all(|column| column.name != key.column) {
                // Many rows are returned as one: the one that is first in this order counts.
                out.push_sql(if key.direction == Direction::Ascending { "MIN(" } else { "MAX(" });
                key.push(&mut out)?;
                out.push_sql(")");
            } else {
                out.push_identifier(key.column)?;
            }
            out.push_sql(match key.direction {
                Direction::Ascending => " ASC",
                Direction::Descending => " DESC",
            });
        }
        if let Some((limit, skip)) = &self.limit {
            out.push_sql(" LIMIT ");
            DB::bind(&mut out, limit)?;
            out.push_sql(" OFFSET ");
            DB::bind(&mut out, skip)?;
        }
        Ok(())
    }
}

impl<DB: BindBackend> QueryFragment<DB> for CountQuery<'_> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        if self.0.distinct {
            out.push_sql("SELECT COUNT(*) AS total FROM (SELECT DISTINCT ");
            columns(self.0, &mut out)?;
            from(self.0, &mut out)?;
            conditions(self.0, &mut out)?;
            out.push_sql(") AS found");
            Ok(())
        } else {
            out.push_sql("SELECT COUNT(*) AS total");
            from(self.0, &mut out)?;
            conditions(self.0, &mut out)
        }
    }
}

impl<DB: BindBackend> QueryFragment<DB> for SummaryQuery<'_> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        out.push_sql("SELECT ");
        columns(self.0, &mut out)?;
        out.push_sql(", COUNT(");
        out.push_identifier(self.0.table.key)?;
        out.push_sql(") AS count");
        from(self.0, &mut out)?;
        conditions(self.0, &mut out)?;
        out.push_sql(" GROUP BY ");
        columns(self.0, &mut out)
    }
}

#[cfg(test)]
mod tests {
    use diesel::{Connection, SqliteConnection, connection::SimpleConnection};
    use diracx_core::search::{Filter, ScalarOperator, Search, SearchValue, Sort, VectorOperator};

    use super::*;
    use crate::search::{Column, ColumnKind, TableSpec};

    static THINGS: TableSpec = TableSpec {
        name: "Things",
        key: "Id",
        columns: &[
            Column { name: "Id", kind: ColumnKind::Int },
            Column { name: "Name", kind: ColumnKind::Text },
            Column { name: "At", kind: ColumnKind::Time },
        ],
        indexed: &[],
    };

    fn runs(search: &Search) {
        let mut conn = SqliteConnection::establish(":memory:").unwrap();
        conn.batch_execute("CREATE TABLE Things (Id INTEGER PRIMARY KEY, Name TEXT, At TIMESTAMP)").unwrap();
        let plan = Plan::search(&THINGS, search).unwrap();
        conn.execute_returning_count(&PageQuery::new(&plan)).unwrap();
    }

    #[test]
    fn many_conditions_do_not_nest_too_deeply_for_the_database() {
        let unlike = |i| Filter::Scalar {
            parameter: "Name".into(),
            operator: ScalarOperator::Neq,
            value: SearchValue::Text(format!("a{i}")),
        };
        runs(&Search { filters: (0..3_000).map(unlike).collect(), ..Search::default() });
        for operator in [VectorOperator::In, VectorOperator::NotIn] {
            let values = vec![SearchValue::Text("2024-01-01".into()); 14_000];
            let filters = vec![Filter::Vector { parameter: "At".into(), operator, values }];
            runs(&Search { filters, ..Search::default() });
        }
    }

    #[test]
    fn a_column_sorts_once() {
        let key = Sort { parameter: "Name".into(), direction: Direction::Descending };
        runs(&Search { sort: vec![key; 5_000], ..Search::default() });
    }

    #[test]
    fn times_count_as_the_two_values_they_are_compared_with() {
        let values = vec![SearchValue::Text("2024-01-01".into()); 15_001];
        let filters = vec![Filter::Vector { parameter: "At".into(), operator: VectorOperator::In, values }];
        let refused = Plan::search(&THINGS, &Search { filters, ..Search::default() }).unwrap_err();
        assert_eq!(refused, crate::search::SearchError::TooManyValues(30_002));
    }
}
