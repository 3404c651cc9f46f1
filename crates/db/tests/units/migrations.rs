//! Several processes that migrate one database: one works, the others wait, and nobody works at the same time.

use std::time::Duration;

use diesel_async::{AsyncConnection, AsyncMysqlConnection, RunQueryDsl, SimpleAsyncConnection};
use diesel_migrations::{EmbeddedMigrations, embed_migrations};
use diracx_db::{
    DbError, DbUrl,
    migrate::{Migrations, migrate, migrate_within},
};
use diracx_testkit::TestDatabase;

const MIGRATIONS: Migrations = Migrations { database: "TestDB", sqlite: one_table, mysql: one_table };

fn one_table() -> EmbeddedMigrations {
    const EMBEDDED: EmbeddedMigrations = embed_migrations!("tests/migrations");
    EMBEDDED
}

#[derive(diesel::QueryableByName)]
struct Number {
    #[diesel(sql_type = diesel::sql_types::BigInt)]
    number: i64,
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_migrates_what_another_process_is_migrating_on_mariadb() {
    let place = TestDatabase::mariadb();
    let url = place.url("TestDB").await;
    let DbUrl::MySql(address) = &url else { panic!("not MySQL") };
    let mut other = AsyncMysqlConnection::establish(address).await.unwrap();
    other.batch_execute("DO GET_LOCK(CONCAT('diracx-migrations-', DATABASE()), 0)").await.unwrap();

    let refused = migrate_within(&url, MIGRATIONS, Duration::from_secs(1)).await;
    assert!(matches!(refused, Err(DbError::Unavailable { database: "TestDB", .. })), "{refused:?}");
    let tables = "SELECT COUNT(*) AS number FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE()";
    let made: Number = diesel::sql_query(tables).get_result(&mut other).await.unwrap();
    assert_eq!(made.number, 0, "something was made behind the back of the other process");
    drop(other);
    migrate(&url, MIGRATIONS).await.expect("the lock went with the connection that had it");
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_that_start_at_once_migrate_one_after_the_other_on_mariadb() {
    for place in [TestDatabase::sqlite(), TestDatabase::mariadb()] {
        let url = place.url("TestDB").await;
        let all = futures::future::join_all((0..4).map(|_| migrate(&url, MIGRATIONS))).await;
        assert!(all.iter().all(Result::is_ok), "{all:?}");
    }
}
