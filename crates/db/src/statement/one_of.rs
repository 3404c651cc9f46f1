//! `column IN (…)` with numbers or texts, in a few forms that are prepared once.

use diesel::{
    expression::{AppearsOnTable, Expression, ValidGrouping},
    query_builder::{AstPass, QueryFragment, QueryId},
    result::QueryResult,
    sql_types::{BigInt, Bool, Text},
};

use super::{Bind, BindBackend};

/// How many values a prepared form has. A list is filled up with its last value to the next of them: that changes
/// nothing of what is found, and a connection does not collect a statement for every length.
const LENGTHS: [usize; 10] = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000];

/// The length of the prepared form that has room for so many.
pub(super) fn prepared_length(count: usize) -> Option<usize> {
    LENGTHS.into_iter().find(|length| count <= *length)
}

/// Whether the column has one of these numbers; of none: never.
///
/// diesel's own `eq_any` is prepared anew each time, which costs a server more than to find a row by its key.
pub fn one_of<C>(column: C, numbers: impl IntoIterator<Item = i64>) -> OneOf<C>
where
    C: Expression<SqlType = BigInt>,
{
    OneOf::filled_up(column, numbers.into_iter().map(Bind::Int).collect())
}

/// Whether the column has one of these texts, see [`one_of`].
pub fn one_of_texts<C>(column: C, texts: impl IntoIterator<Item = String>) -> OneOf<C>
where
    C: Expression<SqlType = Text>,
{
    OneOf::filled_up(column, texts.into_iter().map(Bind::from).collect())
}

/// See [`one_of`].
#[derive(Debug, Clone)]
pub struct OneOf<C> {
    column: C,
    values: Vec<Bind>,
}

impl<C> OneOf<C> {
    fn filled_up(column: C, mut values: Vec<Bind>) -> Self {
        if let (Some(last), Some(length)) = (values.last().cloned(), prepared_length(values.len())) {
            values.resize(length, last);
        }
        Self { column, values }
    }
}

impl<C> QueryId for OneOf<C> {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl<C: Expression> Expression for OneOf<C> {
    type SqlType = Bool;
}

impl<C, T> AppearsOnTable<T> for OneOf<C>
where
    C: AppearsOnTable<T>,
    Self: Expression,
{
}

impl<C: ValidGrouping<G>, G> ValidGrouping<G> for OneOf<C> {
    type IsAggregate = C::IsAggregate;
}

impl<C: QueryFragment<DB>, DB: BindBackend> QueryFragment<DB> for OneOf<C> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        if self.values.is_empty() {
            out.push_sql("1 = 0");
            return Ok(());
        }
        if !LENGTHS.contains(&self.values.len()) {
            out.unsafe_to_cache_prepared();
        }
        self.column.walk_ast(out.reborrow())?;
        out.push_sql(" IN (");
        for (place, value) in self.values.iter().enumerate() {
            if place > 0 {
                out.push_sql(", ");
            }
            DB::bind(&mut out, value)?;
        }
        out.push_sql(")");
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use diesel::{debug_query, mysql::Mysql, prelude::*, sqlite::Sqlite};

    use super::*;

    diesel::table! {
        jobs (id) {
            id -> BigInt,
            site -> Text,
        }
    }

    fn text(numbers: &[i64]) -> String {
        let query = jobs::table.filter(one_of(jobs::id, numbers.iter().copied())).select(jobs::site);
        debug_query::<Sqlite, _>(&query).to_string()
    }

    #[test]
    fn a_list_is_filled_up_with_what_it_has() {
        let select = "SELECT `jobs`.`site` FROM `jobs` WHERE";
        assert_eq!(text(&[7]), format!("{select} `jobs`.`id` IN (?) -- binds: [7]"));
        assert_eq!(
            text(&[7, 8, 9]),
            format!("{select} `jobs`.`id` IN (?, ?, ?, ?, ?) -- binds: [7, 8, 9, 9, 9]")
        );
        assert_eq!(text(&[]), format!("{select} 1 = 0 -- binds: []"));
    }

    #[test]
    fn statements_of_the_prepared_lengths_are_kept_and_longer_ones_are_not() {
        let kept = |count| {
            let query = jobs::table.filter(one_of(jobs::id, 0..count));
            let fragment: &dyn QueryFragment<Mysql> = &query;
            fragment.is_safe_to_cache_prepared(&Mysql).unwrap()
        };
        assert!(kept(1) && kept(3) && kept(1_000));
        assert!(!kept(1_001));
    }
}
