//! What pilots go on with; compiled once per backend.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use diracx_core::PilotStamp;
use diracx_db::{Bind, DbError, DbResult, UtcTime, statement::BulkDelete};
use uuid::Uuid;

use super::{Conn, dialect, secret::key};
use crate::store::{
    credential::{Holder, NewToken, Token, TokenState},
    own_schema::pilot_refresh_tokens::{self as tokens, dsl},
};

/// Not used yet.
const FRESH: &str = "FRESH";
/// Used once, or overtaken.
const USED: &str = "USED";
/// Taken away.
const REVOKED: &str = "REVOKED";
/// How many keys one statement names.
const KEYS: usize = 1_000;

type Row = (String, String, String, String, UtcTime, String, Option<UtcTime>);

/// Keeps a token of a pilot; `parent` is the one that it came of.
pub(super) async fn insert(
    conn: &mut Conn,
    new: &NewToken,
    parent: Option<&str>,
    secret: Uuid,
    stamp: &PilotStamp,
    pilot: &Holder,
) -> DbResult<()> {
    let row = (
        tokens::hashed_token.eq(new.hash.clone()),
        tokens::secret_id.eq(key(secret)),
        tokens::pilot_stamp.eq(stamp.as_str().to_owned()),
        tokens::vo.eq(pilot.vo.clone()),
        tokens::grid_site.eq(pilot.grid_site.clone()),
        tokens::destination_site.eq(pilot.destination_site.clone()),
        tokens::hashed_parent.eq(parent.map(str::to_owned)),
        tokens::expiration_time.eq(UtcTime::from(new.expires)),
        tokens::state.eq(FRESH),
    );
    diesel::insert_into(tokens::table).values(row).execute(conn).await?;
    Ok(())
}

/// The token with one of these hashes.
pub(super) async fn find(conn: &mut Conn, hashes: &[String]) -> DbResult<Option<Token>> {
    let query = tokens::table.filter(tokens::hashed_token.eq_any(hashes)).select((
        tokens::hashed_token,
        tokens::secret_id,
        tokens::pilot_stamp,
        tokens::vo,
        tokens::expiration_time,
        tokens::state,
        tokens::used_time,
    ));
    let row: Option<Row> = query.first(conn).await.optional()?;
    let Some((hash, secret, stamp, vo, expires, state, used)) = row else { return Ok(None) };
    let secret = Uuid::parse_str(&secret).map_err(|error| DbError::Inconsistency {
        table: "PilotRefreshTokens",
        column: "SecretID",
        row: hash.chars().take(8).collect(),
        problem: error.to_string(),
    })?;
    let children = tokens::table
        .filter(tokens::hashed_parent.eq(Some(hash.clone())))
        .filter(tokens::state.eq(USED))
        .select(tokens::hashed_token);
    let gone_on: Option<String> = children.first(conn).await.optional()?;
    Ok(Some(Token {
        hash,
        secret,
        stamp,
        vo,
        expires: expires.utc(),
        state: read_state(&state),
        used: used.map(UtcTime::utc),
        gone_on: gone_on.is_some(),
    }))
}

/// Keeps others off a token and the one that it came of, until the end of the transaction: whoever uses one of several
/// in the same place, or asks for another one, is alone. To be called first, so that what is read then is what they left.
pub(super) async fn lock(conn: &mut Conn, hashes: &[String]) -> DbResult<()> {
    let own = tokens::table.filter(tokens::hashed_token.eq_any(hashes)).select(tokens::hashed_parent);
    let parent: Option<Option<String>> = dialect::locked!(own).first(conn).await.optional()?;
    if let Some(parent) = parent.flatten() {
        let parent = tokens::table.filter(tokens::hashed_token.eq(parent)).select(tokens::hashed_token);
        let _: Option<String> = dialect::locked!(parent).first(conn).await.optional()?;
    }
    Ok(())
}

/// What is no state is none that is good.
fn read_state(text: &str) -> TokenState {
    match text {
        FRESH => TokenState::Fresh,
        USED => TokenState::Used,
        _ => TokenState::Revoked,
    }
}

/// Notes that a token was used, and that the others in its place are overtaken; false if it was used before.
pub(super) async fn use_up(conn: &mut Conn, hash: &str, at: DateTime<Utc>) -> DbResult<bool> {
    let parent: Option<Option<String>> =
        tokens::table.find(hash).select(tokens::hashed_parent).first(conn).await.optional()?;
    let fresh = tokens::table.find(hash).filter(tokens::state.eq(FRESH));
    let used = (tokens::state.eq(USED), tokens::used_time.eq(Some(UtcTime::from(at))));
    if diesel::update(fresh).set(used).execute(conn).await? != 1 {
        return Ok(false);
    }
    if let Some(parent) = parent.flatten() {
        // by their key, so that no gap between the parents of others is locked
        let others: Vec<String> = tokens::table
            .filter(tokens::hashed_parent.eq(Some(parent)))
            .filter(tokens::state.eq(FRESH))
            .select(tokens::hashed_token)
            .load(conn)
            .await?;
        let others = tokens::table.filter(tokens::hashed_token.eq_any(others));
        diesel::update(others).set(tokens::state.eq(USED)).execute(conn).await?;
    }
    Ok(true)
}

/// Revokes what a pilot got for a secret.
pub(super) async fn revoke_family(conn: &mut Conn, secret: Uuid, stamp: &str) -> DbResult<usize> {
    let family = tokens::table
        .filter(tokens::secret_id.eq(key(secret)))
        .filter(tokens::pilot_stamp.eq(stamp.to_owned()))
        .filter(tokens::state.eq(FRESH));
    Ok(diesel::update(family).set(tokens::state.eq(REVOKED)).execute(conn).await?)
}

/// The secrets whose tokens went to pilots of these grid sites or computing elements, and those pilots.
pub(super) async fn at_sites(
    conn: &mut Conn,
    grid_sites: &BTreeSet<String>,
    destination_sites: &BTreeSet<String>,
    vo: Option<&str>,
) -> DbResult<(BTreeSet<String>, BTreeSet<PilotStamp>)> {
    let columns = (tokens::secret_id, tokens::pilot_stamp, tokens::vo);
    let mut rows: Vec<(String, String, String)> = Vec::new();
    for sites in grid_sites.iter().collect::<Vec<_>>().chunks(KEYS) {
        let there = tokens::table.filter(tokens::grid_site.eq_any(sites.to_vec()));
        rows.extend(there.select(columns).distinct().load(conn).await?);
    }
    for sites in destination_sites.iter().collect::<Vec<_>>().chunks(KEYS) {
        let there = tokens::table.filter(tokens::destination_site.eq_any(sites.to_vec()));
        rows.extend(there.select(columns).distinct().load(conn).await?);
    }
    let (mut secrets, mut stamps) = (BTreeSet::new(), BTreeSet::new());
    for (secret, stamp, _) in rows.into_iter().filter(|(_, _, of)| vo.is_none_or(|vo| vo == of)) {
        secrets.insert(secret);
        stamps.extend(stamp.parse());
    }
    Ok((secrets, stamps))
}

/// The pilots that got something for these secrets.
pub(super) async fn holders(conn: &mut Conn, secrets: &BTreeSet<String>) -> DbResult<BTreeSet<String>> {
    let mut stamps = BTreeSet::new();
    for secrets in secrets.iter().collect::<Vec<_>>().chunks(KEYS) {
        let rows: Vec<String> = tokens::table
            .filter(tokens::secret_id.eq_any(secrets.to_vec()))
            .select(tokens::pilot_stamp)
            .distinct()
            .load(conn)
            .await?;
        stamps.extend(rows);
    }
    Ok(stamps)
}

/// Revokes what was got for secrets, or by pilots, of one VO or of any; tells how many could still have been used.
pub(super) async fn revoke(
    conn: &mut Conn,
    secrets: &BTreeSet<String>,
    stamps: &BTreeSet<PilotStamp>,
    vo: Option<&str>,
    now: DateTime<Utc>,
) -> DbResult<usize> {
    let secrets: Vec<&str> = secrets.iter().map(String::as_str).collect();
    let stamps: Vec<&str> = stamps.iter().map(PilotStamp::as_str).collect();
    let fresh = || {
        let fresh = tokens::table
            .filter(tokens::state.eq(FRESH))
            .filter(tokens::expiration_time.gt(UtcTime::from(now)))
            .select(tokens::hashed_token)
            .into_boxed();
        match vo {
            Some(vo) => fresh.filter(tokens::vo.eq(vo.to_owned())),
            None => fresh,
        }
    };
    let mut found: BTreeSet<String> = BTreeSet::new();
    for secrets in secrets.chunks(KEYS) {
        let hashes: Vec<String> = fresh().filter(dsl::secret_id.eq_any(secrets.to_vec())).load(conn).await?;
        found.extend(hashes);
    }
    for stamps in stamps.chunks(KEYS) {
        let hashes: Vec<String> = fresh().filter(dsl::pilot_stamp.eq_any(stamps.to_vec())).load(conn).await?;
        found.extend(hashes);
    }
    let found: Vec<&String> = found.iter().collect();
    let mut revoked = 0;
    for hashes in found.chunks(KEYS) {
        let fresh = tokens::table
            .filter(tokens::hashed_token.eq_any(hashes.to_vec()))
            .filter(tokens::state.eq(FRESH));
        revoked += diesel::update(fresh).set(tokens::state.eq(REVOKED)).execute(conn).await?;
    }
    Ok(revoked)
}

/// Forgets tokens that have expired.
pub(super) async fn clean(conn: &mut Conn, now: DateTime<Utc>, limit: usize) -> DbResult<usize> {
    let hashes: Vec<String> = tokens::table
        .filter(tokens::expiration_time.le(UtcTime::from(now)))
        .select(tokens::hashed_token)
        .order(tokens::expiration_time)
        .limit(i64::try_from(limit).unwrap_or(i64::MAX))
        .load(conn)
        .await?;
    let keys: Vec<Bind> = hashes.into_iter().map(Bind::from).collect();
    for values in keys.chunks(KEYS) {
        BulkDelete { table: "PilotRefreshTokens", column: "HashedToken", values }.execute(conn).await?;
    }
    Ok(keys.len())
}
