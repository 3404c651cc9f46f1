//! What pilots go on with; compiled once per backend.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use diracx_core::PilotStamp;
use diracx_db::{Bind, DbError, DbResult, UtcTime, statement::BulkDelete};
use uuid::Uuid;

use super::{Conn, secret::key};
use crate::store::{
    credential::{Holder, NewToken, Token, TokenState},
    own_schema::pilot_refresh_tokens::{self as tokens, dsl},
};

/// Not used yet.
const FRESH: &str = "FRESH";
/// Used once: the next use is a theft.
const USED: &str = "USED";
/// Taken away.
const REVOKED: &str = "REVOKED";
/// How many keys one statement names.
const KEYS: usize = 1_000;

type Row = (String, String, String, UtcTime, String);

/// Keeps a token of a pilot.
pub(super) async fn insert(
    conn: &mut Conn,
    new: &NewToken,
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
        tokens::expiration_time.eq(UtcTime::from(new.expires)),
        tokens::state.eq(FRESH),
    );
    diesel::insert_into(tokens::table).values(row).execute(conn).await?;
    Ok(())
}

/// The token with this hash.
pub(super) async fn find(conn: &mut Conn, hash: &str) -> DbResult<Option<Token>> {
    let query = tokens::table.find(hash).select((
        tokens::secret_id,
        tokens::pilot_stamp,
        tokens::vo,
        tokens::expiration_time,
        tokens::state,
    ));
    let row: Option<Row> = query.first(conn).await.optional()?;
    let Some((secret, stamp, vo, expires, state)) = row else { return Ok(None) };
    let secret = Uuid::parse_str(&secret).map_err(|error| DbError::Inconsistency {
        table: "PilotRefreshTokens",
        column: "SecretID",
        row: hash.chars().take(8).collect(),
        problem: error.to_string(),
    })?;
    Ok(Some(Token { secret, stamp, vo, expires: expires.utc(), state: read_state(&state) }))
}

/// What is no state is none that is good.
fn read_state(text: &str) -> TokenState {
    match text {
        FRESH => TokenState::Fresh,
        USED => TokenState::Used,
        _ => TokenState::Revoked,
    }
}

/// Notes that a token was used; false if it was before.
pub(super) async fn use_up(conn: &mut Conn, hash: &str) -> DbResult<bool> {
    let fresh = tokens::table.find(hash).filter(tokens::state.eq(FRESH));
    Ok(diesel::update(fresh).set(tokens::state.eq(USED)).execute(conn).await? == 1)
}

/// Revokes what a pilot got for a secret.
pub(super) async fn revoke_family(conn: &mut Conn, secret: Uuid, stamp: &str) -> DbResult<usize> {
    let family = tokens::table
        .filter(tokens::secret_id.eq(key(secret)))
        .filter(tokens::pilot_stamp.eq(stamp.to_owned()))
        .filter(tokens::state.eq(FRESH));
    Ok(diesel::update(family).set(tokens::state.eq(REVOKED)).execute(conn).await?)
}

/// The secrets whose tokens went to pilots of these grid sites, and those pilots.
pub(super) async fn at_sites(
    conn: &mut Conn,
    sites: &BTreeSet<String>,
    vo: Option<&str>,
) -> DbResult<(BTreeSet<String>, BTreeSet<PilotStamp>)> {
    let sites: Vec<&String> = sites.iter().collect();
    let (mut secrets, mut stamps) = (BTreeSet::new(), BTreeSet::new());
    for sites in sites.chunks(KEYS) {
        let rows: Vec<(String, String, String)> = tokens::table
            .filter(tokens::grid_site.eq_any(sites.to_vec()))
            .select((tokens::secret_id, tokens::pilot_stamp, tokens::vo))
            .distinct()
            .load(conn)
            .await?;
        for (secret, stamp, of) in rows {
            if vo.is_none_or(|vo| vo == of) {
                secrets.insert(secret);
                stamps.extend(stamp.parse());
            }
        }
    }
    Ok((secrets, stamps))
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
