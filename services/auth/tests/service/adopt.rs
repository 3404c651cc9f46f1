//! A database that DiracX has filled is used as it is.

use diesel::{Connection, SqliteConnection, connection::SimpleConnection};
use diracx_testkit::TestDatabase;

use crate::world::World;

// as DiracX makes the tables on SQLite, with a login that is ready and a session
const DIRACX: &str = r#"
CREATE TABLE "DeviceFlows" (
    "UserCode" VARCHAR(8) NOT NULL, "Status" VARCHAR(16) DEFAULT 'PENDING' NOT NULL,
    "CreationTime" DATETIME DEFAULT (CURRENT_TIMESTAMP) NOT NULL, "ClientID" VARCHAR(255) NOT NULL,
    "Scope" VARCHAR(1024) NOT NULL, "DeviceCode" VARCHAR(128) NOT NULL, "IDToken" JSON,
    PRIMARY KEY ("UserCode"), UNIQUE ("DeviceCode"));
CREATE TABLE "RefreshTokens" (
    "JTI" CHAR(32) NOT NULL, "Status" VARCHAR(16) DEFAULT 'CREATED' NOT NULL,
    "Scope" VARCHAR(1024) NOT NULL, "Sub" VARCHAR(256) NOT NULL, PRIMARY KEY ("JTI"));
INSERT INTO "DeviceFlows" VALUES ('BCDFGHJK', 'READY', '2026-02-01 11:55:00', 'myDIRACClientID', 'vo:lhcb',
    'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad',
    '{"sub": "sub-alice", "aud": ["x"], "exp": 1769947200}');
"#;

#[tokio::test]
async fn a_login_that_diracx_began_ends_here() {
    let place = TestDatabase::sqlite();
    let url = place.url_text("AuthDB").await;
    let path = url.trim_start_matches("sqlite+aiosqlite:///");
    SqliteConnection::establish(path).unwrap().batch_execute(DIRACX).unwrap();
    let world = World::on(place).await;
    let tokens = world.poll("abc").await.unwrap();
    assert_eq!(world.whoami(&tokens.access_token).await.unwrap().preferred_username, "alice");
    world.refresh(&tokens.refresh_token).await.unwrap();
}
