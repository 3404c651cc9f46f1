//! What holds on both backends.

use std::{collections::BTreeSet, time::Duration};

use diesel::{QueryableByName, sql_types::BigInt};
use diesel_async::{RunQueryDsl, SimpleAsyncConnection};
use diracx_db::{Bind, DbError, DbResult, Deadline, statement::BulkInsert};
use futures::{FutureExt, future::join_all};

use super::{CREATE, Databases, Tx, database, dialect, open};

#[derive(QueryableByName)]
struct Count {
    #[diesel(sql_type = BigInt)]
    number: i64,
}

async fn created(tx: &mut Tx, index: usize) -> DbResult<()> {
    Ok(tx.on(index).await?.batch_execute(CREATE).await?)
}

async fn create(databases: &Databases, index: usize) {
    databases.write(Deadline::NONE, move |tx| created(tx, index).boxed()).await.unwrap();
}

async fn insert(tx: &mut Tx, index: usize, names: &[String]) -> DbResult<Vec<i64>> {
    let rows: Vec<_> = names.iter().map(|name| vec![Bind::from(name.as_str()), Bind::Int(0)]).collect();
    let conn = tx.on(index).await?;
    BulkInsert { table: "Items", columns: &["Name", "Number"], rows: &rows, or_keep: false }
        .execute(conn)
        .await?;
    Ok(dialect::inserted_ids(conn, rows.len()).await?)
}

async fn number(databases: &Databases, index: usize, sql: &'static str) -> i64 {
    databases
        .read(Deadline::NONE, move |tx| {
            async move {
                let count: Count = diesel::sql_query(sql).get_result(tx.on(index).await?).await?;
                DbResult::Ok(count.number)
            }
            .boxed()
        })
        .await
        .unwrap()
}

async fn count(databases: &Databases, index: usize) -> i64 {
    number(databases, index, "SELECT COUNT(*) AS number FROM Items").await
}

fn names(prefix: &str, count: usize) -> Vec<String> {
    (0..count).map(|i| format!("{prefix}{i}")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_unit_that_fails_leaves_nothing() {
    let db = database();
    let databases = open(&db, &["TestDB"]).await;
    create(&databases, 0).await;
    let failed: DbResult<()> = databases
        .write(Deadline::NONE, |tx| {
            async move {
                insert(tx, 0, &names("a", 3)).await?;
                Err(DbError::Refused("for the test".into()))
            }
            .boxed()
        })
        .await;
    assert!(matches!(failed, Err(DbError::Refused(_))));
    assert_eq!(count(&databases, 0).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_unit_over_two_databases_changes_both_or_none() {
    let db = database();
    let databases = open(&db, &["TestDB", "OtherTestDB"]).await;
    create(&databases, 0).await;
    create(&databases, 1).await;
    for (prefix, fails) in [("a", true), ("b", false)] {
        let result: DbResult<()> = databases
            .write(Deadline::NONE, move |tx| {
                async move {
                    insert(tx, 0, &names(prefix, 2)).await?;
                    insert(tx, 1, &names(prefix, 2)).await?;
                    if fails { Err(DbError::Refused("for the test".into())) } else { Ok(()) }
                }
                .boxed()
            })
            .await;
        assert_eq!(result.is_err(), fails);
    }
    assert_eq!((count(&databases, 0).await, count(&databases, 1).await), (2, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn ids_of_bulk_inserts_at_once_belong_to_their_rows() {
    let db = database();
    let databases = open(&db, &["TestDB"]).await;
    create(&databases, 0).await;
    let bulks = join_all((0..16).map(|bulk| {
        databases.write(Deadline::NONE, move |tx| {
            async move {
                let names = names(&format!("b{bulk}-"), 37);
                let ids = insert(tx, 0, &names).await?;
                DbResult::Ok(ids.into_iter().zip(names).collect::<Vec<_>>())
            }
            .boxed()
        })
    }))
    .await;
    #[derive(QueryableByName)]
    struct Item {
        #[diesel(sql_type = BigInt)]
        id: i64,
        #[diesel(sql_type = diesel::sql_types::Text)]
        name: String,
    }
    let stored: Vec<Item> = databases
        .read(Deadline::NONE, |tx| {
            async move {
                let query = diesel::sql_query("SELECT Id AS id, Name AS name FROM Items");
                DbResult::Ok(query.load(tx.on(0).await?).await?)
            }
            .boxed()
        })
        .await
        .unwrap();
    let stored: BTreeSet<_> = stored.into_iter().map(|item| (item.id, item.name)).collect();
    let told: BTreeSet<_> = bulks.into_iter().flat_map(Result::unwrap).collect();
    assert_eq!(told.len(), 16 * 37);
    assert_eq!(told, stored);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_units_failure_does_not_touch_those_committed_with_it() {
    let db = database();
    let databases = open(&db, &["TestDB"]).await;
    create(&databases, 0).await;
    // Many at once share commits on SQLite; every other one breaks the uniqueness of names.
    let results = join_all((0..64).map(|i| {
        databases.write(Deadline::NONE, move |tx| {
            async move {
                let name = if i % 2 == 0 { format!("n{i}") } else { "same".to_owned() };
                insert(tx, 0, &[format!("before{i}"), name]).await
            }
            .boxed()
        })
    }))
    .await;
    let good = results.iter().filter(|result| result.is_ok()).count();
    assert_eq!(good, 33, "all even ones, and one of the others");
    assert!(results.iter().all(|result| matches!(result, Ok(_) | Err(DbError::Duplicate(_)))));
    assert_eq!(count(&databases, 0).await, 66);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_update_that_reads_first_loses_nothing() {
    let db = database();
    let databases = open(&db, &["TestDB"]).await;
    create(&databases, 0).await;
    databases.write(Deadline::NONE, |tx| insert_two(tx).boxed()).await.unwrap();
    let results = join_all((0..40).map(|i| {
        databases.write(Deadline::NONE, move |tx| {
            async move {
                // In both orders, so that transactions on a server meet head on.
                let order = if i % 2 == 0 { [1, 2] } else { [2, 1] };
                for id in order {
                    let sql = format!("UPDATE Items SET Number = Number + 1 WHERE Id = {id}");
                    diesel::sql_query(sql).execute(tx.on(0).await?).await?;
                }
                DbResult::Ok(())
            }
            .boxed()
        })
    }))
    .await;
    for result in results {
        result.unwrap();
    }
    assert_eq!(number(&databases, 0, "SELECT CAST(SUM(Number) AS SIGNED) AS number FROM Items").await, 80);
}

async fn insert_two(tx: &mut Tx) -> DbResult<Vec<i64>> {
    insert(tx, 0, &names("a", 2)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_who_leaves_blocks_nobody() {
    let db = database();
    let databases = open(&db, &["TestDB"]).await;
    create(&databases, 0).await;
    for i in 0..20 {
        let databases = databases.clone();
        let unit = async move {
            let name = [format!("n{i}")];
            databases
                .write(Deadline::NONE, move |tx| {
                    let name = name.clone();
                    async move { insert(tx, 0, &name).await }.boxed()
                })
                .await
        };
        // Polled a little and then dropped, at a different place each time.
        let _ = tokio::time::timeout(Duration::from_micros(50 * i), unit).await;
    }
    let after = databases.write(Deadline::after(Duration::from_secs(10)), |tx| {
        async move { insert(tx, 0, &["last".to_owned()]).await }.boxed()
    });
    after.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_unit_that_panics_is_an_error_and_the_next_one_works() {
    let db = database();
    let databases = open(&db, &["TestDB"]).await;
    create(&databases, 0).await;
    let panicked: DbResult<()> = databases
        .write(Deadline::NONE, |tx| {
            async move {
                insert(tx, 0, &names("a", 1)).await?;
                panic!("for the test")
            }
            .boxed()
        })
        .await;
    assert!(matches!(panicked, Err(DbError::Panicked)), "{panicked:?}");
    assert_eq!(count(&databases, 0).await, 0);
    databases.write(Deadline::NONE, |tx| insert_two(tx).boxed()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_unit_past_its_deadline_does_not_begin() {
    let db = database();
    let databases = open(&db, &["TestDB"]).await;
    create(&databases, 0).await;
    let late = databases.write(Deadline::after(Duration::ZERO), |tx| insert_two(tx).boxed()).await;
    assert!(matches!(late, Err(DbError::DeadlineExceeded)), "{late:?}");
    assert_eq!(count(&databases, 0).await, 0);
}
