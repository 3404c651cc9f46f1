//! `column = text`, letter by letter.

use diesel::{
    expression::{AppearsOnTable, Expression, ValidGrouping},
    query_builder::{AstPass, QueryFragment, QueryId},
    result::QueryResult,
    sql_types::{Bool, Text},
};

use super::{Bind, BindBackend};

/// Whether the column has this text, letter by letter, whatever the collation of its table holds for equal: on MySQL
/// texts of DIRAC's tables are equal that differ in case. Beside a comparison with `=`, which finds the rows by an index.
pub fn exactly<C>(column: C, text: &str) -> Exactly<C> {
    Exactly { column, text: text.into() }
}

/// See [`exactly`].
#[derive(Debug, Clone)]
pub struct Exactly<C> {
    column: C,
    text: Bind,
}

impl<C> QueryId for Exactly<C> {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl<C: Expression<SqlType = Text>> Expression for Exactly<C> {
    type SqlType = Bool;
}

impl<C, T> AppearsOnTable<T> for Exactly<C>
where
    C: AppearsOnTable<T>,
    Self: Expression,
{
}

impl<C: ValidGrouping<G>, G> ValidGrouping<G> for Exactly<C> {
    type IsAggregate = C::IsAggregate;
}

impl<C: QueryFragment<DB>, DB: BindBackend> QueryFragment<DB> for Exactly<C> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        let [before, between, behind] = DB::EXACTLY;
        out.push_sql(before);
        self.column.walk_ast(out.reborrow())?;
        out.push_sql(between);
        DB::bind(&mut out, &self.text)?;
        out.push_sql(behind);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use diesel::{debug_query, mysql::Mysql, prelude::*, sqlite::Sqlite};

    use super::*;

    diesel::table! {
        jobs (vo) {
            vo -> Text,
        }
    }

    #[test]
    fn each_backend_compares_letters_in_its_own_words() {
        let query = jobs::table.filter(exactly(jobs::vo, "lhcb")).select(jobs::vo);
        let select = "SELECT `jobs`.`vo` FROM `jobs` WHERE";
        assert_eq!(
            debug_query::<Sqlite, _>(&query).to_string(),
            format!(r#"{select} `jobs`.`vo` = ? COLLATE BINARY -- binds: ["lhcb"]"#)
        );
        assert_eq!(
            debug_query::<Mysql, _>(&query).to_string(),
            format!(
                "{select} BINARY CONVERT(`jobs`.`vo` USING utf8mb4) = BINARY CONVERT(? USING utf8mb4) -- binds: [\"lhcb\"]"
            )
        );
    }
}
