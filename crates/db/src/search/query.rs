//! Plans as SQL.

use diesel::{
    query_builder::{AstPass, Query, QueryFragment, QueryId},
    result::QueryResult,
    sql_types::Untyped,
};
use diracx_core::search::Direction;

use super::plan::{Condition, Plan};
use crate::statement::{Bind, BindBackend};

/// The rows of a page.
#[derive(Debug)]
pub struct PageQuery<'p> {
    plan: &'p Plan,
    limit: Option<(Bind, Bind)>,
}

/// How many rows there are without the page.
#[derive(Debug)]
pub struct CountQuery<'p>(pub &'p Plan);

/// The groups and their sizes.
#[derive(Debug)]
pub struct SummaryQuery<'p>(pub &'p Plan);

impl<'p> PageQuery<'p> {
    /// The page of this plan.
    pub fn new(plan: &'p Plan) -> Self {
        let number = |n: u64| Bind::Int(i64::try_from(n).unwrap_or(i64::MAX));
        Self { plan, limit: plan.page.map(|page| (number(page.limit), number(page.skip))) }
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

fn from_where<'b, DB: BindBackend>(plan: &'b Plan, out: &mut AstPass<'_, 'b, DB>) -> QueryResult<()> {
    // Every user could make a statement of their own: none of them is kept prepared.
    out.unsafe_to_cache_prepared();
    out.push_sql(" FROM ");
    out.push_identifier(plan.table.name)?;
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
        out.push_sql(if self.plan.distinct { "SELECT DISTINCT " } else { "SELECT " });
        columns(self.plan, &mut out)?;
        from_where(self.plan, &mut out)?;
        for (i, (column, direction)) in self.plan.sort.iter().enumerate() {
            out.push_sql(if i == 0 { " ORDER BY " } else { ", " });
            out.push_identifier(column)?;
            out.push_sql(match direction {
                Direction::Ascending => " ASC",
                Direction::Descending => " DESC",
            });
        }
        // Rows without an order of their own come by key, so that pages fit together.
        if !self.plan.distinct && self.plan.sort.iter().all(|(column, _)| *column != self.plan.table.key) {
            out.push_sql(if self.plan.sort.is_empty() { " ORDER BY " } else { ", " });
            out.push_identifier(self.plan.table.key)?;
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
            from_where(self.0, &mut out)?;
            out.push_sql(") AS found");
            Ok(())
        } else {
            out.push_sql("SELECT COUNT(*) AS total");
            from_where(self.0, &mut out)
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
        from_where(self.0, &mut out)?;
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
