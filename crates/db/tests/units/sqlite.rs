//! On SQLite.
use diracx_db::sqlite::{Databases, Tx, dialect};
use diracx_testkit::TestDatabase;

const CREATE: &str = "CREATE TABLE Items (Id INTEGER PRIMARY KEY AUTOINCREMENT, Name VARCHAR(20) NOT NULL UNIQUE, Number INTEGER NOT NULL)";

async fn open(db: &TestDatabase, names: &[&'static str]) -> Databases {
    let mut files = Vec::new();
    for name in names {
        let diracx_db::DbUrl::Sqlite(path) = db.url(name).await else { panic!("not SQLite") };
        files.push((*name, path));
    }
    Databases::open(&files).unwrap()
}

fn database() -> TestDatabase {
    TestDatabase::sqlite()
}

#[path = "same.rs"]
mod same;

/// SQLite ends a transaction by itself when the disk is full; a unit that says ROLLBACK looks the same.
#[tokio::test(flavor = "multi_thread")]
async fn units_whose_group_broke_are_told_and_none_is_half_there() {
    use diesel_async::SimpleAsyncConnection;
    use diracx_db::{DbResult, Deadline};
    use futures::{FutureExt, future::join_all};

    let db = database();
    let databases = open(&db, &["TestDB"]).await;
    let create = databases.write(Deadline::NONE, |tx| {
        async move { DbResult::Ok(tx.on(0).await?.batch_execute(CREATE).await?) }.boxed()
    });
    create.await.unwrap();
    let results = join_all((0..64).map(|i| {
        databases.write(Deadline::NONE, move |tx| {
            async move {
                let conn = tx.on(0).await?;
                conn.batch_execute(&format!("INSERT INTO Items (Name, Number) VALUES ('a{i}', 0)")).await?;
                conn.batch_execute(&format!("INSERT INTO Items (Name, Number) VALUES ('b{i}', 0)")).await?;
                if i % 16 == 5 {
                    conn.batch_execute("ROLLBACK").await?;
                }
                DbResult::Ok(i)
            }
            .boxed()
        })
    }))
    .await;
    let kept: Vec<i32> = results.into_iter().filter_map(Result::ok).collect();
    assert!(kept.iter().all(|i| i % 16 != 5), "{kept:?}");
    let names = databases
        .read(Deadline::NONE, |tx| {
            async move {
                use diesel::{QueryableByName, sql_types::Text};
                #[derive(QueryableByName)]
                struct Row {
                    #[diesel(sql_type = Text)]
                    name: String,
                }
                let query = diesel::sql_query("SELECT Name AS name FROM Items ORDER BY Id");
                let rows: Vec<Row> = diesel_async::RunQueryDsl::load(query, tx.on(0).await?).await?;
                DbResult::Ok(rows.into_iter().map(|row| row.name).collect::<Vec<_>>())
            }
            .boxed()
        })
        .await
        .unwrap();
    let expected: Vec<String> = kept.iter().flat_map(|i| [format!("a{i}"), format!("b{i}")]).collect();
    let (mut names, mut expected) = (names, expected);
    names.sort();
    expected.sort();
    assert_eq!(names, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_no_database_is_named() {
    fn nothing() -> diesel_migrations::EmbeddedMigrations {
        const NONE: diesel_migrations::EmbeddedMigrations = diesel_migrations::EmbeddedMigrations::new(&[]);
        NONE
    }
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("broken.db");
    std::fs::write(&path, "this is no database. ".repeat(100)).unwrap();
    let migrations = diracx_db::Migrations { database: "JobDB", sqlite: nothing, mysql: nothing };
    let error = diracx_db::migrate(&diracx_db::DbUrl::Sqlite(path.clone()), migrations).await.unwrap_err();
    assert_eq!(error.to_string(), "Cannot connect to JobDB", "what callers read names no files");
    let detail = std::error::Error::source(&error).unwrap().to_string();
    assert!(detail.contains(&path.display().to_string()) && detail.contains("not a database"), "{detail}");
    assert_eq!(std::fs::read_to_string(&path).unwrap().len(), 2100, "nothing is lost");
}
