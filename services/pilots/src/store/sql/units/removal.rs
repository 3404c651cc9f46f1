//! Pilots are forgotten.

use std::{collections::BTreeMap, sync::Arc};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use diesel_async::RunQueryDsl;
use diracx_core::PilotStamp;
use diracx_db::{Bind, DbResult, Deadline, statement::BulkDelete};
use futures::FutureExt;

use super::{super::Conn, Store, Tx, pilot, request, secret, stamp};
use crate::{
    error::Result,
    logic::transitions::StoredStatus,
    store::{KnownPilot, removal::RemovalStore, schema::PILOT_AGENTS_DB},
};

/// What there is of a pilot by its number, itself last.
const TABLES: &[&str] = &["JobToPilotMapping", "PilotOutput", "PilotLogLines", "PilotLogs", "PilotAgents"];
/// How many keys one statement names.
const KEYS: usize = 1_000;

#[async_trait]
impl RemovalStore for Store {
    async fn forget(
        &self,
        deadline: Deadline,
        stamps: Vec<PilotStamp>,
        forced: bool,
    ) -> Result<BTreeMap<PilotStamp, StoredStatus>> {
        let stamps = Arc::new(stamps);
        self.0
            .write(deadline, move |tx| {
                let stamps = Arc::clone(&stamps);
                async move { forget(tx, &stamps, forced).await }.boxed()
            })
            .await
    }

    async fn forget_old(
        &self,
        deadline: Deadline,
        ended: DateTime<Utc>,
        aborted: DateTime<Utc>,
        count: usize,
        now: DateTime<Utc>,
    ) -> Result<usize> {
        self.0
            .write(deadline, move |tx| {
                async move {
                    let conn = tx.on(PILOT_AGENTS_DB).await?;
                    request::forget_old(conn, now).await?;
                    let ids = pilot::ended(conn, ended, aborted, count).await?;
                    let mut pilots = pilot::lock(conn, &ids).await?;
                    pilots.retain(|pilot| pilot.status.is_final());
                    secret::bar(conn, &pilots.iter().map(|pilot| pilot.stamp.clone()).collect(), now).await?;
                    delete(conn, &pilots).await?;
                    Ok(pilots.len())
                }
                .boxed()
            })
            .await
    }
}

/// All pilots with these stamps, also where DIRAC gave one to several. Of those, one that has not ended keeps the others.
async fn forget(
    tx: &mut Tx,
    stamps: &[PilotStamp],
    forced: bool,
) -> Result<BTreeMap<PilotStamp, StoredStatus>> {
    let conn = tx.on(PILOT_AGENTS_DB).await?;
    let stamps = stamp::possible(&stamps.iter().collect());
    let ids: Vec<i64> = pilot::with_stamps(conn, &stamps).await?.into_values().flatten().collect();
    let mut pilots = pilot::lock(conn, &ids).await?;
    let mut kept = BTreeMap::new();
    if !forced {
        let at_work = pilots.iter().filter(|pilot| !pilot.status.is_final());
        kept.extend(at_work.map(|pilot| (pilot.stamp.clone(), pilot.status.clone())));
        pilots.retain(|pilot| !kept.contains_key(&pilot.stamp));
    }
    delete(conn, &pilots).await?;
    Ok(kept)
}

async fn delete(conn: &mut Conn, pilots: &[KnownPilot]) -> DbResult<()> {
    let ids: Vec<Bind> = pilots.iter().map(|pilot| Bind::Int(pilot.id)).collect();
    for values in ids.chunks(KEYS) {
        for table in TABLES {
            BulkDelete { table, column: "PilotID", values }.execute(conn).await?;
        }
    }
    stamp::release(conn, pilots).await
}
