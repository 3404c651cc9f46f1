//! Pilots become known.

use std::collections::BTreeSet;

use async_trait::async_trait;
use diracx_core::PilotStamp;
use diracx_db::Deadline;
use futures::FutureExt;

use super::{Store, Tx, pilot, request, stamp};
use crate::{
    error::Result,
    store::{
        registration::{Made, NewPilot, Registration, RegistrationStore},
        schema::PILOT_AGENTS_DB,
    },
};

#[async_trait]
impl RegistrationStore for Store {
    async fn register(&self, deadline: Deadline, registration: Registration) -> Result<Made> {
        self.0
            .write(deadline, move |tx| {
                let registration = registration.clone();
                async move { register(tx, &registration).await }.boxed()
            })
            .await
    }
}

/// The stamps are claimed first: from there on everybody else who wants one of them waits. Only then is looked who has
/// them, and what an earlier call did: what is seen now is what everybody before us has left.
async fn register(tx: &mut Tx, registration: &Registration) -> Result<Made> {
    let conn = tx.on(PILOT_AGENTS_DB).await?;
    let stamps: BTreeSet<&PilotStamp> = registration.pilots.iter().map(|pilot| &pilot.stamp).collect();
    let claims = stamp::claim(conn, &stamps).await?;
    if let Some(call) = &registration.call
        && let Some(taken) = request::find(conn, call).await?
    {
        return Ok(Made { taken, repeated: true });
    }
    let holders = stamp::holders(conn, &stamps, &claims).await?;
    let free: Vec<&NewPilot> =
        registration.pilots.iter().filter(|pilot| !holders.contains_key(&pilot.stamp)).collect();
    let ids = pilot::insert(conn, &free, registration.at).await?;
    let new = free.iter().map(|pilot| &pilot.stamp).zip(ids);
    let found = holders.iter().map(|(stamp, id)| (stamp, *id));
    stamp::note(conn, new.chain(found.filter(|(stamp, id)| claims.get(stamp) != Some(id)))).await?;
    let taken: BTreeSet<PilotStamp> = holders.into_keys().collect();
    if let Some(call) = &registration.call {
        request::remember(conn, call, &taken, registration.at).await?;
    }
    Ok(Made { taken, repeated: false })
}
