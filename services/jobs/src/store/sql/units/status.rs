//! Jobs move through the status machine.

use std::{collections::BTreeMap, sync::Arc};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use diracx_core::{JobId, config::Config};
use diracx_db::Deadline;

use super::{Store, Tx, changes, joint::StatusCall};
use crate::{
    error::Result,
    logic::transitions::{self, StatusChange, StatusUpdates},
    store::status::StatusStore,
};

#[async_trait]
impl StatusStore for Store {
    async fn set_statuses(
        &self,
        deadline: Deadline,
        updates: StatusUpdates,
        config: Arc<Config>,
        now: DateTime<Utc>,
    ) -> Result<BTreeMap<JobId, StatusChange>> {
        self.joint.set_statuses(deadline, StatusCall { updates, config, now }).await
    }
}

/// Moves the jobs of several calls, each of which is in one of them only.
pub(in super::super) async fn update(
    tx: &mut Tx,
    calls: &[Arc<StatusCall>],
) -> Result<BTreeMap<JobId, StatusChange>> {
    let Some(latest) = calls.iter().max_by_key(|call| call.now) else { return Ok(BTreeMap::new()) };
    let asked: Vec<JobId> =
        calls.iter().flat_map(|call| call.updates.jobs.iter().map(|(id, _)| *id)).collect();
    let found = changes::find(tx, &asked).await?;
    let mut plans = Vec::with_capacity(asked.len());
    for call in calls {
        for (id, records) in &call.updates.jobs {
            if let Some(current) = found.current(*id) {
                let plan = transitions::plan(&current, records.clone(), call.updates.force, call.now);
                plans.push((*id, plan));
            }
        }
    }
    let changes = found.changed(plans);
    changes::write(tx, &changes, &latest.config, latest.now).await?;
    Ok(changes.plans.into_iter().map(|(id, plan)| (id, plan.change)).collect())
}
