//! `INSERT` of many rows in one statement.

use diesel::{
    query_builder::{AstPass, QueryFragment, QueryId},
    result::QueryResult,
};

use super::{Bind, BindBackend, MOST_ROWS_KEPT_PREPARED};

/// Inserts rows into a table; each row has one value per column.
///
/// diesel's own batch insert does not reach SQLite through an asynchronous connection,
/// and a statement per row would put a query in a loop.
#[derive(Debug, Clone)]
pub struct BulkInsert<'r> {
    /// The table.
    pub table: &'static str,
    /// Its columns, in the order of the values.
    pub columns: &'static [&'static str],
    /// The rows; never empty when executed.
    pub rows: &'r [Vec<Bind>],
    /// Whether rows whose key is there already are passed over, instead of being an error.
    pub or_keep: bool,
}

impl BulkInsert<'_> {
    /// How many rows of `columns` columns fit into one statement: both backends limit the number
    /// of bound values (SQLite 32,766, MySQL 65,535).
    pub fn rows_per_statement(columns: usize) -> usize {
        (30_000 / columns.max(1)).clamp(1, 1_000)
    }
}

impl QueryId for BulkInsert<'_> {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl<DB: BindBackend> QueryFragment<DB> for BulkInsert<'_> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        if self.rows.len() > MOST_ROWS_KEPT_PREPARED {
            out.unsafe_to_cache_prepared();
        }
        push_insert(&mut out, self.table, self.columns.iter(), self.rows)?;
        match self.columns.first() {
            Some(column) if self.or_keep => DB::or_keep(&mut out, column),
            _ => Ok(()),
        }
    }
}

/// `INSERT INTO table (columns) VALUES (…), (…)`.
pub(super) fn push_insert<'b, DB: BindBackend>(
    out: &mut AstPass<'_, 'b, DB>,
    table: &'static str,
    columns: impl Iterator<Item = &'b &'static str>,
    rows: &'b [Vec<Bind>],
) -> QueryResult<()> {
    out.push_sql("INSERT INTO ");
    out.push_identifier(table)?;
    out.push_sql(" (");
    for (i, column) in columns.enumerate() {
        if i > 0 {
            out.push_sql(", ");
        }
        out.push_identifier(column)?;
    }
    out.push_sql(") VALUES ");
    for (i, row) in rows.iter().enumerate() {
        out.push_sql(if i > 0 { ", (" } else { "(" });
        for (j, value) in row.iter().enumerate() {
            if j > 0 {
                out.push_sql(", ");
            }
            DB::bind(out, value)?;
        }
        out.push_sql(")");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use diesel::{debug_query, mysql::Mysql, sqlite::Sqlite};

    use super::*;

    #[test]
    fn values_are_bound_and_names_quoted() {
        let rows = vec![vec![Bind::Int(1), "x' OR 1".into()], vec![Bind::Int(2), Bind::Null]];
        let insert =
            BulkInsert { table: "InputData", columns: &["JobID", "LFN"], rows: &rows, or_keep: false };
        assert_eq!(
            debug_query::<Sqlite, _>(&insert).to_string(),
            r#"INSERT INTO `InputData` (`JobID`, `LFN`) VALUES (?, ?), (?, ?) -- binds: [1, "x' OR 1", 2, None]"#
        );
        let kept = BulkInsert { or_keep: true, rows: &rows[1..], ..insert };
        assert_eq!(
            debug_query::<Mysql, _>(&kept).to_string(),
            "INSERT INTO `InputData` (`JobID`, `LFN`) VALUES (?, ?) ON DUPLICATE KEY UPDATE `JobID` = `JobID` -- binds: [2, None]"
        );
    }
}
