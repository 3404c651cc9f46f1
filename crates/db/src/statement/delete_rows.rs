//! `DELETE` of many rows in one statement, found by a key of several columns.

use diesel::{
    query_builder::{AstPass, QueryFragment, QueryId},
    result::QueryResult,
};

use super::{Bind, BindBackend, MOST_ROWS_KEPT_PREPARED};

/// Deletes the rows of a table that have one of the keys.
#[derive(Debug, Clone)]
pub struct BulkDeleteRows<'r> {
    /// The table.
    pub table: &'static str,
    /// The columns of the key.
    pub columns: &'static [&'static str],
    /// The keys, a value for each column; never empty when executed, and at the most
    /// [`ROWS_PER_STATEMENT`](Self::ROWS_PER_STATEMENT).
    pub keys: &'r [Vec<Bind>],
}

impl BulkDeleteRows<'_> {
    /// SQLite takes no condition that is nested more than a thousand deep.
    pub const ROWS_PER_STATEMENT: usize = 200;
}

impl QueryId for BulkDeleteRows<'_> {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl<DB: BindBackend> QueryFragment<DB> for BulkDeleteRows<'_> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        if self.keys.len() > MOST_ROWS_KEPT_PREPARED {
            out.unsafe_to_cache_prepared();
        }
        out.push_sql("DELETE FROM ");
        out.push_identifier(self.table)?;
        for (i, key) in self.keys.iter().enumerate() {
            out.push_sql(if i > 0 { " OR (" } else { " WHERE (" });
            for (j, (column, value)) in self.columns.iter().zip(key).enumerate() {
                out.push_sql(if j > 0 { " AND " } else { "" });
                out.push_identifier(column)?;
                out.push_sql(" = ");
                DB::bind(&mut out, value)?;
            }
            out.push_sql(")");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use diesel::{debug_query, sqlite::Sqlite};

    use super::*;

    #[test]
    fn every_column_of_a_key_counts_and_values_are_bound() {
        let keys = [vec!["a' OR 1".into(), Bind::Int(1)], vec!["b".into(), Bind::Int(2)]];
        let delete = BulkDeleteRows { table: "SiteStatus", columns: &["Name", "VO"], keys: &keys };
        assert_eq!(
            debug_query::<Sqlite, _>(&delete).to_string(),
            r#"DELETE FROM `SiteStatus` WHERE (`Name` = ? AND `VO` = ?) OR (`Name` = ? AND `VO` = ?) -- binds: ["a' OR 1", 1, "b", 2]"#
        );
    }
}
