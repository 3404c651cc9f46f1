//! Secrets, to whom they are bound, and who is barred; compiled once per backend.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use diracx_core::PilotStamp;
use diracx_db::{
    Bind, DbError, DbResult, UtcTime,
    statement::{BulkDelete, BulkInsert, BulkUpsert},
};
use uuid::Uuid;

use super::{Conn, dialect};
use crate::store::{
    credential::{NewSecret, Secret},
    own_schema::{pilot_bars, pilot_refresh_tokens, pilot_secret_bindings, pilot_secrets},
};

/// How many keys one statement names.
const KEYS: usize = 1_000;
/// A secret is bound to a pilot.
const STAMP: &str = "stamp";
/// A secret is bound to a grid site.
const SITE: &str = "site";
/// A secret is bound to a computing element.
const ELEMENT: &str = "ce";

const COLUMNS: &[&str] =
    &["SecretID", "HashedSecret", "VO", "RemainingUses", "ExpirationTime", "Constraints", "CreatedBy"];

type Row = (String, String, Option<i64>, UtcTime, Option<UtcTime>, String, String);

/// As the column has it: without hyphens.
pub(super) fn key(id: Uuid) -> String {
    id.simple().to_string()
}

/// Keeps new secrets.
pub(super) async fn insert(conn: &mut Conn, secrets: &[NewSecret]) -> DbResult<()> {
    let mut rows = Vec::with_capacity(secrets.len());
    let mut bound = Vec::new();
    for secret in secrets {
        let constraints = serde_json::to_string(&secret.constraints)
            .map_err(|error| DbError::Refused(error.to_string()))?;
        rows.push(vec![
            key(secret.id).into(),
            secret.hash.as_str().into(),
            secret.vo.as_str().into(),
            secret.uses.map_or(Bind::Null, Bind::Int),
            UtcTime::from(secret.expires).into(),
            constraints.into(),
            secret.created_by.as_str().into(),
        ]);
        let stamps = secret.constraints.pilot_stamps.iter().map(|stamp| (STAMP, stamp));
        let sites = secret.constraints.grid_sites.iter().map(|site| (SITE, site));
        let elements = secret.constraints.destination_sites.iter().map(|element| (ELEMENT, element));
        bound.extend(
            stamps
                .chain(sites)
                .chain(elements)
                .map(|(kind, to)| vec![kind.into(), to.as_str().into(), key(secret.id).into()]),
        );
    }
    for rows in rows.chunks(BulkInsert::rows_per_statement(COLUMNS.len())) {
        BulkInsert { table: "PilotSecrets", columns: COLUMNS, rows, or_keep: false }.execute(conn).await?;
    }
    let columns = &["Kind", "Bound", "SecretID"];
    for rows in bound.chunks(BulkInsert::rows_per_statement(columns.len())) {
        BulkInsert { table: "PilotSecretBindings", columns, rows, or_keep: true }.execute(conn).await?;
    }
    Ok(())
}

macro_rules! columns {
    () => {
        (
            pilot_secrets::secret_id,
            pilot_secrets::vo,
            pilot_secrets::remaining_uses,
            pilot_secrets::expiration_time,
            pilot_secrets::revocation_time,
            pilot_secrets::constraints,
            pilot_secrets::created_by,
        )
    };
}

/// The secret with one of these hashes.
pub(super) async fn find(conn: &mut Conn, hashes: &[String]) -> DbResult<Option<Secret>> {
    let query = pilot_secrets::table.filter(pilot_secrets::hashed_secret.eq_any(hashes)).select(columns!());
    let row: Option<Row> = query.first(conn).await.optional()?;
    row.map(read).transpose()
}

/// Whether a secret was revoked; one that is forgotten was not.
pub(super) async fn is_revoked(conn: &mut Conn, id: Uuid) -> DbResult<bool> {
    let revoked: Option<Option<UtcTime>> = pilot_secrets::table
        .find(key(id))
        .select(pilot_secrets::revocation_time)
        .first(conn)
        .await
        .optional()?;
    Ok(revoked.flatten().is_some())
}

/// The secrets that can still be used, oldest first.
pub(super) async fn usable(
    conn: &mut Conn,
    vo: Option<&str>,
    after: Option<Uuid>,
    limit: usize,
    now: DateTime<Utc>,
) -> DbResult<Vec<Secret>> {
    let mut query = pilot_secrets::table
        .filter(pilot_secrets::revocation_time.is_null())
        .filter(pilot_secrets::expiration_time.gt(UtcTime::from(now)))
        .filter(pilot_secrets::remaining_uses.is_null().or(pilot_secrets::remaining_uses.gt(0)))
        .select(columns!())
        .order(pilot_secrets::secret_id)
        .limit(i64::try_from(limit).unwrap_or(i64::MAX))
        .into_boxed();
    if let Some(vo) = vo {
        query = query.filter(pilot_secrets::vo.eq(vo.to_owned()));
    }
    if let Some(after) = after {
        query = query.filter(pilot_secrets::secret_id.gt(key(after)));
    }
    let rows: Vec<Row> = query.load(conn).await?;
    rows.into_iter().map(read).collect()
}

fn read((id, vo, uses, expires, revoked, constraints, created_by): Row) -> DbResult<Secret> {
    let wrong = |column, problem: String| DbError::Inconsistency {
        table: "PilotSecrets",
        column,
        row: id.clone(),
        problem,
    };
    Ok(Secret {
        id: Uuid::parse_str(&id).map_err(|error| wrong("SecretID", error.to_string()))?,
        constraints: serde_json::from_str(&constraints)
            .map_err(|error| wrong("Constraints", error.to_string()))?,
        vo,
        uses,
        expires: expires.utc(),
        revoked: revoked.is_some(),
        created_by,
    })
}

/// Takes one use of a secret that has `left`; false if somebody was faster.
pub(super) async fn take_use(conn: &mut Conn, id: Uuid, left: i64) -> DbResult<bool> {
    let as_read = pilot_secrets::table
        .find(key(id))
        .filter(pilot_secrets::revocation_time.is_null())
        .filter(pilot_secrets::remaining_uses.eq(Some(left)));
    let taken = diesel::update(as_read).set(pilot_secrets::remaining_uses.eq(Some(left - 1)));
    Ok(taken.execute(conn).await? == 1)
}

/// The secrets that are bound to these pilots, grid sites or computing elements.
pub(super) async fn bound_to(
    conn: &mut Conn,
    stamps: &BTreeSet<PilotStamp>,
    sites: &BTreeSet<String>,
    elements: &BTreeSet<String>,
) -> DbResult<BTreeSet<String>> {
    let stamps: Vec<&str> = stamps.iter().map(PilotStamp::as_str).collect();
    let sites: Vec<&str> = sites.iter().map(String::as_str).collect();
    let elements: Vec<&str> = elements.iter().map(String::as_str).collect();
    let mut found = BTreeSet::new();
    for (kind, names) in [(STAMP, stamps), (SITE, sites), (ELEMENT, elements)] {
        for names in names.chunks(KEYS) {
            let names = names.to_vec();
            let ids: Vec<String> = pilot_secret_bindings::table
                .filter(pilot_secret_bindings::kind.eq(kind))
                .filter(pilot_secret_bindings::bound.eq_any(names))
                .select(pilot_secret_bindings::secret_id)
                .load(conn)
                .await?;
            found.extend(ids);
        }
    }
    Ok(found)
}

/// Revokes secrets, of one VO or of any; tells how many of them could still have been used, and which are of the VO.
pub(super) async fn revoke(
    conn: &mut Conn,
    ids: &BTreeSet<String>,
    vo: Option<&str>,
    now: DateTime<Utc>,
) -> DbResult<(usize, BTreeSet<String>)> {
    let now = UtcTime::from(now);
    let (mut revoked, mut of_vo) = (0, BTreeSet::new());
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    for ids in ids.chunks(KEYS) {
        let rows: Vec<(String, String)> = dialect::locked!(
            pilot_secrets::table
                .filter(pilot_secrets::secret_id.eq_any(ids.to_vec()))
                .select((pilot_secrets::secret_id, pilot_secrets::vo))
        )
        .load(conn)
        .await?;
        let ids: Vec<String> =
            rows.into_iter().filter(|(_, of)| vo.is_none_or(|vo| vo == of)).map(|(id, _)| id).collect();
        let usable = pilot_secrets::table
            .filter(pilot_secrets::secret_id.eq_any(ids.clone()))
            .filter(pilot_secrets::revocation_time.is_null())
            .filter(pilot_secrets::expiration_time.gt(now))
            .filter(pilot_secrets::remaining_uses.is_null().or(pilot_secrets::remaining_uses.gt(0)));
        let set = pilot_secrets::revocation_time.eq(Some(now));
        revoked += diesel::update(usable).set(set).execute(conn).await?;
        // those that are used up, too: what was got with them looks here
        let others = pilot_secrets::table
            .filter(pilot_secrets::secret_id.eq_any(ids.clone()))
            .filter(pilot_secrets::revocation_time.is_null());
        diesel::update(others).set(set).execute(conn).await?;
        of_vo.extend(ids);
    }
    Ok((revoked, of_vo))
}

/// From now on these pilots get nothing for secrets that were made before.
pub(super) async fn bar(conn: &mut Conn, stamps: &BTreeSet<PilotStamp>, at: DateTime<Utc>) -> DbResult<()> {
    let at = UtcTime::from(at);
    let rows: Vec<_> = stamps.iter().map(|stamp| vec![Bind::from(stamp.as_str()), at.into()]).collect();
    for rows in rows.chunks(KEYS) {
        let (key, columns) = (&["PilotStamp"], &["BarredTime"]);
        BulkUpsert { table: "PilotBars", key, columns, rows }.execute(conn).await?;
    }
    Ok(())
}

/// Since when a pilot is barred.
pub(super) async fn barred(conn: &mut Conn, stamp: &PilotStamp) -> DbResult<Option<DateTime<Utc>>> {
    let at: Option<UtcTime> = pilot_bars::table
        .find(stamp.as_str())
        .select(pilot_bars::barred_time)
        .first(conn)
        .await
        .optional()?;
    Ok(at.map(UtcTime::utc))
}

/// Forgets secrets that have expired and whose tokens are gone, and who was barred before the oldest secret that is left was made.
pub(super) async fn clean(conn: &mut Conn, now: DateTime<Utc>, limit: usize) -> DbResult<usize> {
    let has_tokens =
        pilot_refresh_tokens::table.filter(pilot_refresh_tokens::secret_id.eq(pilot_secrets::secret_id));
    let ids: Vec<String> = pilot_secrets::table
        .filter(pilot_secrets::expiration_time.le(UtcTime::from(now)))
        .filter(diesel::dsl::not(diesel::dsl::exists(has_tokens)))
        .select(pilot_secrets::secret_id)
        .order(pilot_secrets::expiration_time)
        .limit(i64::try_from(limit).unwrap_or(i64::MAX))
        .load(conn)
        .await?;
    let keys: Vec<Bind> = ids.iter().map(|id| id.as_str().into()).collect();
    for values in keys.chunks(KEYS) {
        for table in ["PilotSecretBindings", "PilotSecrets"] {
            BulkDelete { table, column: "SecretID", values }.execute(conn).await?;
        }
    }
    let oldest: Option<String> =
        pilot_secrets::table.select(diesel::dsl::min(pilot_secrets::secret_id)).first(conn).await?;
    let oldest = oldest.map_or(Some(now), |id| made_at(&id));
    if let Some(oldest) = oldest {
        let outdated = pilot_bars::table
            .filter(pilot_bars::barred_time.lt(UtcTime::from(oldest)))
            .select(pilot_bars::pilot_stamp)
            .limit(i64::try_from(limit).unwrap_or(i64::MAX));
        let outdated: Vec<String> = outdated.load(conn).await?;
        let outdated: Vec<Bind> = outdated.into_iter().map(Bind::from).collect();
        for values in outdated.chunks(KEYS) {
            BulkDelete { table: "PilotBars", column: "PilotStamp", values }.execute(conn).await?;
        }
    }
    Ok(ids.len())
}

fn made_at(id: &str) -> Option<DateTime<Utc>> {
    let (seconds, nanos) = Uuid::parse_str(id).ok()?.get_timestamp()?.to_unix();
    DateTime::from_timestamp(i64::try_from(seconds).ok()?, nanos)
}
