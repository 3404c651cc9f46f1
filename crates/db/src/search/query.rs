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
    for (i, condition) in plan.conditions.iter().enumerate() {
        out.push_sql(if i == 0 { " WHERE " } else { " AND " });
        condition.walk(out)?;
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
                for (i, (start, end)) in intervals.iter().enumerate() {
                    if i > 0 {
                        out.push_sql(joiner);
                    }
                    out.push_sql("(");
                    out.push_identifier(column)?;
                    out.push_sql(first);
                    DB::bind(out, start)?;
                    out.push_sql(inner);
                    out.push_identifier(column)?;
                    out.push_sql(second);
                    DB::bind(out, end)?;
                    out.push_sql(")");
                }
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
