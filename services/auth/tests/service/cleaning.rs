//! What is old goes, what is not stays; on MariaDB by whole months.

use chrono::{Duration, TimeZone, Utc};
use diesel_async::{AsyncConnection, AsyncMysqlConnection, RunQueryDsl, SimpleAsyncConnection};
use diracx_core::{Clock, Reason};
use diracx_db::DbUrl;
use diracx_proto::auth::v1 as pb;
use diracx_server::token::{DEFAULT_ALGORITHMS, KeyKind, Keyring, rotate_key};
use diracx_testkit::{TestDatabase, on_both_backends};
use tonic::{Code, Status};

use crate::{
    idp::Mode,
    world::{SCOPE, World, expect},
};

async fn clean_flows(world: &World, batch_size: i32) -> Result<pb::CleanExpiredFlowsResponse, Status> {
    let token = world.issuer.component("tasks").get().unwrap();
    let request = World::with_token(pb::CleanExpiredFlowsRequest { batch_size }, &token);
    Ok(world.auth.clone().clean_expired_flows(request).await?.into_inner())
}

async fn clean_tokens(world: &World, batch_size: i32) -> Result<pb::CleanExpiredTokensResponse, Status> {
    let token = world.issuer.component("tasks").get().unwrap();
    let request = World::with_token(pb::CleanExpiredTokensRequest { batch_size }, &token);
    Ok(world.auth.clone().clean_expired_tokens(request).await?.into_inner())
}

on_both_backends! {
    async fn logins_go_when_their_time_is_over_whatever_became_of_them(place: TestDatabase) {
        let world = World::on(place).await;
        for _ in 0..3 {
            world.begin(SCOPE).await.unwrap();
        }
        world.log_in("sub-alice").await;
        world.clock.advance(Duration::minutes(59));
        assert_eq!(clean_flows(&world, 0).await.unwrap().removed_device_flows, 0);

        let young = world.begin(SCOPE).await.unwrap();
        world.clock.advance(Duration::minutes(2));
        let first = clean_flows(&world, 3).await.unwrap();
        assert_eq!((first.removed_device_flows, first.done), (3, false));
        let second = clean_flows(&world, 3).await.unwrap();
        assert_eq!((second.removed_device_flows, second.done), (1, true));
        let visit = world.visit(&young.user_code, "sub-alice", Mode::Good).await.unwrap();
        world.finish(&visit).await.expect("a login under way is left alone");
    }

    async fn two_who_clean_at_once_do_not_hurt_each_other(place: TestDatabase) {
        let world = World::on(place).await;
        for _ in 0..10 {
            world.begin(SCOPE).await.unwrap();
        }
        world.clock.advance(Duration::hours(2));
        let (one, other) = tokio::join!(clean_flows(&world, 4), clean_flows(&world, 4));
        let removed = one.unwrap().removed_device_flows + other.unwrap().removed_device_flows;
        assert!((4..=8).contains(&removed), "{removed}");
        let (one, other) = tokio::join!(clean_tokens(&world, 4), clean_tokens(&world, 4));
        one.and(other).unwrap();
    }
}

#[tokio::test]
async fn tokens_older_than_the_retention_go_row_by_row_where_there_are_no_partitions() {
    let world = World::on_sqlite().await;
    for _ in 0..3 {
        world.log_in("sub-alice").await;
    }
    world.clock.advance(Duration::days(150));
    let young = world.log_in("sub-alice").await;
    world.clock.advance(Duration::minutes(30));
    assert_eq!(clean_tokens(&world, 0).await.unwrap().removed_tokens, 0);
    world.clock.advance(Duration::days(-150) + Duration::days(182));
    let first = clean_tokens(&world, 2).await.unwrap();
    assert_eq!((first.removed_tokens, first.done), (2, false));
    let second = clean_tokens(&world, 2).await.unwrap();
    assert_eq!((second.removed_tokens, second.done), (1, true));
    world.clock.advance(Duration::days(150) - Duration::days(182));
    world.refresh(&young.refresh_token).await.expect("what is not old stays");
}

#[tokio::test]
async fn only_the_component_for_tasks_cleans() {
    let world = World::on_sqlite().await;
    let alice = world.log_in("sub-alice").await.access_token;
    let request = World::with_token(pb::CleanExpiredFlowsRequest::default(), &alice);
    let refused = world.auth.clone().clean_expired_flows(request).await;
    expect(refused, Code::PermissionDenied, Reason::Forbidden, "Forbidden");
    let jobs = world.issuer.component("jobs").get().unwrap();
    let request = World::with_token(pb::CleanExpiredTokensRequest::default(), &jobs);
    let refused = world.auth.clone().clean_expired_tokens(request).await.unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied);
    assert_eq!(clean_flows(&world, -1).await.unwrap_err().code(), Code::InvalidArgument);
}

#[tokio::test]
async fn keys_go_when_their_last_token_is_forgotten() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("keystore.json");
    let world = World::on_sqlite().await;
    let now = world.clock.now();
    let first = rotate_key(None, KeyKind::Ed25519, now).unwrap();
    std::fs::write(&path, rotate_key(Some(&first), KeyKind::Ed25519, now).unwrap()).unwrap();
    let keys = Keyring::open(path.to_str().unwrap(), &DEFAULT_ALGORITHMS).unwrap();
    let old = keys.current().keys()[1].kid().to_owned();
    let clean = async || {
        let auth = world.with_keys(keys.clone());
        let token = world.issuer.component("tasks").get().unwrap();
        let request = World::with_token(pb::CleanRetiredKeysRequest {}, &token);
        auth.clone().clean_retired_keys(request).await.unwrap().into_inner().removed_key_ids
    };
    assert_eq!(clean().await, [] as [&str; 0]);
    world.clock.advance(Duration::days(215));
    assert_eq!(clean().await, [old.as_str()]);
    assert!(!keys.current().knows(&old) && keys.current().keys().len() == 1);
    assert_eq!(clean().await, [] as [&str; 0]);

    let token = world.issuer.component("tasks").get().unwrap();
    let request = World::with_token(pb::CleanRetiredKeysRequest {}, &token);
    let inline = world.auth.clone().clean_retired_keys(request).await.unwrap_err();
    assert_eq!(inline.code(), Code::FailedPrecondition);
}

async fn connect(url: &DbUrl) -> AsyncMysqlConnection {
    let DbUrl::MySql(url) = url else { panic!("this is about MariaDB") };
    AsyncMysqlConnection::establish(url).await.unwrap()
}

async fn partitions(conn: &mut AsyncMysqlConnection) -> Vec<String> {
    #[derive(diesel::QueryableByName)]
    struct Row {
        #[diesel(sql_type = diesel::sql_types::Nullable<diesel::sql_types::Text>)]
        name: Option<String>,
    }
    let rows: Vec<Row> = diesel::sql_query(
        "SELECT PARTITION_NAME AS name FROM information_schema.PARTITIONS WHERE TABLE_SCHEMA = DATABASE() \
         AND TABLE_NAME = 'RefreshTokens' ORDER BY PARTITION_ORDINAL_POSITION",
    )
    .get_results(conn)
    .await
    .unwrap();
    rows.into_iter().filter_map(|row| row.name).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_table_is_divided_by_months_and_kept_a_year_ahead_on_mariadb() {
    let world = World::on(TestDatabase::mariadb()).await;
    let mut conn = connect(&world.url).await;
    let before = partitions(&mut conn).await;
    assert_eq!((before.len(), before.last().map(String::as_str)), (25, Some("p_future")));

    // the table was divided by the server's clock; the cleaner goes by ours
    let first_year = before[0].split('_').nth(1).unwrap().parse::<i32>().unwrap();
    let later = Utc.with_ymd_and_hms(first_year + 2, 3, 15, 0, 0, 0).unwrap();
    world.clock.advance(later - world.clock.now());
    world.log_in("sub-alice").await;
    let cleaned = clean_tokens(&world, 0).await.unwrap();
    assert!(cleaned.done && cleaned.removed_tokens == 0);
    assert_eq!(cleaned.added_partitions.last(), Some(&format!("p_{}_3", first_year + 3)));
    assert!(cleaned.removed_partitions.contains(&before[0]), "{cleaned:?}");
    assert_eq!(cleaned.removed_partitions.last(), Some(&format!("p_{}_8", first_year + 1)));
    let after = partitions(&mut conn).await;
    assert_eq!((after[0].as_str(), after.len()), (format!("p_{}_9", first_year + 1).as_str(), 20));
    assert_eq!(clean_tokens(&world, 0).await.unwrap().added_partitions, [] as [&str; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_cleans_while_another_process_works_on_the_partitions_is_told_to_come_back_on_mariadb() {
    let world = World::on(TestDatabase::mariadb()).await;
    let mut other = connect(&world.url).await;
    other.batch_execute("DO GET_LOCK(CONCAT('diracx-partitions-', DATABASE()), 0)").await.unwrap();
    let before = partitions(&mut other).await;
    world.clock.advance(Duration::days(800));
    let busy = clean_tokens(&world, 0).await.map(drop);
    expect(busy, Code::Unavailable, Reason::DatabaseUnavailable, "Cannot connect to AuthDB");
    assert_eq!(partitions(&mut other).await, before);
    other.batch_execute("DO RELEASE_LOCK(CONCAT('diracx-partitions-', DATABASE()))").await.unwrap();
    clean_tokens(&world, 0).await.unwrap();
}

/// As DiracX makes the table, with the partitions of its first months, and two sessions.
const DIRACX: &str = "
CREATE TABLE `RefreshTokens` (
    `JTI` CHAR(32) NOT NULL, `Status` VARCHAR(16) NOT NULL DEFAULT 'CREATED', `Scope` VARCHAR(1024) NOT NULL,
    `Sub` VARCHAR(256) NOT NULL, PRIMARY KEY (`JTI`));
CREATE INDEX index_status_sub ON `RefreshTokens` (`Status`, `Sub`);
CREATE INDEX `ix_RefreshTokens_Sub` ON `RefreshTokens` (`Sub`);
ALTER TABLE `RefreshTokens` PARTITION BY RANGE COLUMNS (`JTI`) (
    PARTITION p_2025_1 VALUES LESS THAN ('0194becea00070008000000000000000'),
    PARTITION p_2025_2 VALUES LESS THAN ('01954f00b00070008000000000000000'),
    PARTITION p_2026_1 VALUES LESS THAN ('019c167fcc0070008000000000000000'),
    PARTITION p_2026_2 VALUES LESS THAN ('019ca6b1dc0070008000000000000000'),
    PARTITION p_future VALUES LESS THAN MAXVALUE);
INSERT INTO `RefreshTokens` VALUES
    ('0194becea00070008000000000000001', 'CREATED', 'vo:lhcb', 'lhcb:sub-alice'),
    ('019c167fcc0070008000000000000001', 'REVOKED', 'vo:lhcb', 'lhcb:sub-bob');
";

#[tokio::test(flavor = "multi_thread")]
async fn the_partitions_that_diracx_made_are_kept_and_looked_after_on_mariadb() {
    let place = TestDatabase::mariadb();
    let mut conn = connect(&place.url("AuthDB").await).await;
    conn.batch_execute(DIRACX).await.unwrap();
    let world = World::on(place).await;
    let made = ["p_2025_1", "p_2025_2", "p_2026_1", "p_2026_2", "p_future"];
    assert_eq!(partitions(&mut conn).await, made, "nothing is changed at the start");
    assert_eq!(world.clock.now().format("%Y-%m").to_string(), "2026-02");

    let alice = world.log_in("sub-alice").await;
    let cleaned = clean_tokens(&world, 0).await.unwrap();
    assert_eq!(cleaned.removed_partitions, ["p_2025_1", "p_2025_2"]);
    assert_eq!(cleaned.added_partitions[0], "p_2026_3");
    assert_eq!(cleaned.added_partitions.last().map(String::as_str), Some("p_2027_2"));
    world.refresh(&alice.refresh_token).await.expect("sessions of this month go on");
    let request = pb::ListRefreshTokensRequest { page_size: 100, ..Default::default() };
    let mut claims = world.issuer.claims("alice").unwrap();
    claims.dirac_properties = vec!["ProxyManagement".to_owned()];
    let manager = world.issuer.minter().mint(&claims).unwrap();
    let left = world.auth.clone().list_refresh_tokens(World::with_token(request, &manager)).await.unwrap();
    let left: Vec<_> = left.into_inner().refresh_tokens.into_iter().map(|token| token.sub).collect();
    assert_eq!(
        left,
        ["lhcb:sub-bob", "lhcb:sub-alice", "lhcb:sub-alice"],
        "what was old went with its months"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_with_rows_and_without_partitions_is_left_as_it_is_and_cleaned_row_by_row_on_mariadb() {
    let place = TestDatabase::mariadb();
    let mut conn = connect(&place.url("AuthDB").await).await;
    let plain = DIRACX.split("ALTER TABLE").next().unwrap().to_owned();
    let rows = DIRACX.split_once("INSERT").unwrap().1;
    conn.batch_execute(&format!("{plain} INSERT{rows}")).await.unwrap();
    let world = World::on(place).await;
    assert_eq!(partitions(&mut conn).await, [] as [&str; 0]);
    let cleaned = clean_tokens(&world, 0).await.unwrap();
    assert_eq!((cleaned.removed_tokens, cleaned.done), (1, true));
}
