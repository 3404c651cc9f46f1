//! On MariaDB.
use diracx_db::mysql::{Databases, Tx, dialect};
use diracx_testkit::TestDatabase;

const CREATE: &str = "CREATE TABLE Items (Id INT NOT NULL AUTO_INCREMENT PRIMARY KEY, Name VARCHAR(20) NOT NULL UNIQUE, Number INT NOT NULL)";

async fn open(db: &TestDatabase, names: &[&'static str]) -> Databases {
    let mut urls = Vec::new();
    for name in names {
        let diracx_db::DbUrl::MySql(url) = db.url(name).await else { panic!("not MySQL") };
        urls.push((*name, url));
    }
    Databases::open(&urls, 8).await.unwrap()
}

fn database() -> TestDatabase {
    TestDatabase::mariadb()
}

#[path = "same.rs"]
mod same;
#[path = "server.rs"]
mod server;
