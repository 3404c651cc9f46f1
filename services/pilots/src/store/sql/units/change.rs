//! Pilots change.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use diracx_core::{PilotStamp, PilotStatus};
use diracx_db::Deadline;
use futures::FutureExt;

use super::{Store, Tx, access_bar, pilot, stamp};
use crate::{
    error::Result,
    logic::metadata::{self, Patches, PilotChange},
    policy::PilotScope,
    store::{KnownPilot, change::ChangeStore, schema::PILOT_AGENTS_DB},
};

#[async_trait]
impl ChangeStore for Store {
    async fn patch(
        &self,
        deadline: Deadline,
        patches: Patches,
        scope: PilotScope,
        own: Option<DateTime<Utc>>,
        now: DateTime<Utc>,
    ) -> Result<Vec<Result<()>>> {
        let given = Arc::new((patches, scope));
        self.0
            .write(deadline, move |tx| {
                let given = Arc::clone(&given);
                async move {
                    if let Some(issued) = own {
                        let conn = tx.on(PILOT_AGENTS_DB).await?;
                        for (stamp, _) in &given.0.pilots {
                            access_bar::check(conn, stamp, issued).await?;
                        }
                    }
                    patch(tx, &given.0, &given.1, now).await
                }
                .boxed()
            })
            .await
    }

    async fn abort(
        &self,
        deadline: Deadline,
        ids: Vec<i64>,
        reason: String,
        now: DateTime<Utc>,
    ) -> Result<()> {
        let given = Arc::new((ids, reason));
        self.0
            .write(deadline, move |tx| {
                let given = Arc::clone(&given);
                async move {
                    let alive = |pilot: &KnownPilot| !pilot.status.is_final();
                    end(tx, &given.0, alive, PilotStatus::Aborted, &given.1, now).await.map(drop)
                }
                .boxed()
            })
            .await
    }

    async fn give_up(
        &self,
        deadline: Deadline,
        ids: Vec<i64>,
        since: DateTime<Utc>,
        reason: String,
        now: DateTime<Utc>,
    ) -> Result<Vec<PilotStamp>> {
        let given = Arc::new((ids, reason));
        self.0
            .write(deadline, move |tx| {
                let given = Arc::clone(&given);
                async move {
                    let silent = |pilot: &KnownPilot| {
                        !pilot.status.is_final() && pilot.last_update.is_none_or(|last| last < since)
                    };
                    end(tx, &given.0, silent, PilotStatus::Deleted, &given.1, now).await
                }
                .boxed()
            })
            .await
    }

    async fn heard_of(&self, deadline: Deadline, pilots: BTreeMap<i64, DateTime<Utc>>) -> Result<()> {
        let pilots = Arc::new(pilots);
        self.0
            .write(deadline, move |tx| {
                let pilots = Arc::clone(&pilots);
                async move {
                    let conn = tx.on(PILOT_AGENTS_DB).await?;
                    let ids: Vec<i64> = pilots.keys().copied().collect();
                    let known = pilot::lock(conn, &ids).await?;
                    let news = known
                        .iter()
                        .filter_map(|pilot| Some((pilot, *pilots.get(&pilot.id)?)))
                        .filter(|(pilot, time)| pilot.last_update.is_none_or(|last| last < *time))
                        .map(|(pilot, time)| (pilot.id, time));
                    Ok(pilot::touch(conn, news).await?)
                }
                .boxed()
            })
            .await
    }
}

async fn patch(
    tx: &mut Tx,
    patches: &Patches,
    scope: &PilotScope,
    now: DateTime<Utc>,
) -> Result<Vec<Result<()>>> {
    let conn = tx.on(PILOT_AGENTS_DB).await?;
    let stamps: BTreeSet<&PilotStamp> = patches.pilots.iter().map(|(stamp, _)| stamp).collect();
    let ids: Vec<i64> = stamp::find(conn, &stamps).await?.into_values().collect();
    let known = pilot::lock(conn, &ids).await?;
    let known: BTreeMap<PilotStamp, KnownPilot> =
        known.into_iter().map(|pilot| (pilot.stamp.clone(), pilot)).collect();
    let outcomes = metadata::plan(patches, scope, &known)?;
    let changes: Vec<(i64, &PilotChange)> = patches
        .pilots
        .iter()
        .zip(&outcomes)
        .filter(|((_, change), outcome)| outcome.is_ok() && !change.is_empty())
        .filter_map(|((stamp, change), _)| Some((known.get(stamp)?.id, change)))
        .collect();
    pilot::update(conn, &changes, now).await?;
    Ok(outcomes)
}

/// Gives those of the pilots that `which` picks another status; returns their stamps.
async fn end(
    tx: &mut Tx,
    ids: &[i64],
    which: impl Fn(&KnownPilot) -> bool,
    status: PilotStatus,
    reason: &str,
    now: DateTime<Utc>,
) -> Result<Vec<PilotStamp>> {
    let conn = tx.on(PILOT_AGENTS_DB).await?;
    let mut pilots = pilot::lock(conn, ids).await?;
    pilots.retain(which);
    let change = PilotChange {
        status: Some(status),
        status_reason: Some(reason.to_owned()),
        ..PilotChange::default()
    };
    let changes: Vec<(i64, &PilotChange)> = pilots.iter().map(|pilot| (pilot.id, &change)).collect();
    pilot::update(conn, &changes, now).await?;
    Ok(pilots.into_iter().map(|pilot| pilot.stamp).collect())
}
