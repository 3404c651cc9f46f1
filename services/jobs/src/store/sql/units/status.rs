//! Jobs move through the status machine.

use std::{collections::BTreeMap, sync::Arc};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use diracx_core::{JobId, config::Config};
use diracx_db::Deadline;
use futures::FutureExt;

use super::{Store, changes};
use crate::{
    error::Result,
    logic::transitions::{StatusChange, StatusUpdates},
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
        let updates = Arc::new((updates, config));
        self.0
            .write(deadline, move |tx| {
                let updates = Arc::clone(&updates);
                async move {
                    let (updates, config) = &*updates;
                    let changes = changes::plan(tx, updates, now).await?;
                    changes::write(tx, &changes, config, now).await?;
                    Ok(changes.plans.into_iter().map(|(id, plan)| (id, plan.change)).collect())
                }
                .boxed()
            })
            .await
    }
}
