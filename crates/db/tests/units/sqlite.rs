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
