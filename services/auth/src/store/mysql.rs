//! The store on MySQL and MariaDB: the units of work, compiled for that backend, and the partitions.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use diracx_db::{DbResult, mysql as backend};
use futures::FutureExt;

use super::partitions;

#[path = "authorization_flow.rs"]
mod authorization_flow;
#[path = "device_flow.rs"]
mod device_flow;
#[path = "joint.rs"]
mod joint;
#[path = "refresh_token.rs"]
mod refresh_token;

const DB: diracx_db::DbIndex = 0;

/// The databases of the auth service.
pub(super) struct Store {
    databases: backend::Databases,
    joint: joint::Joint,
}

impl Store {
    pub(super) fn new(databases: backend::Databases) -> Self {
        Self { joint: joint::Joint::new(&databases), databases }
    }
}

impl Store {
    /// Divides the tokens by months if there are none yet. That is only of use later, so a failure is no reason
    /// not to start.
    pub(super) async fn prepare_partitions(&self) {
        let unit = self.databases.write(super::deadline(), |tx| {
            async move { partitions::prepare(tx.on(DB).await?).await }.boxed()
        });
        let done: DbResult<()> = unit.await;
        if let Err(error) = done {
            tracing::warn!(%error, "RefreshTokens cannot be divided by months; old tokens are removed one by one");
        }
    }
}

#[async_trait]
impl super::AuthStore for Store {
    async fn maintain_partitions(
        &self,
        now: DateTime<Utc>,
        horizon: DateTime<Utc>,
    ) -> DbResult<Option<super::Partitions>> {
        let unit = self.databases.write(super::deadline(), move |tx| {
            async move { partitions::maintain(tx.on(DB).await?, now, horizon).await }.boxed()
        });
        unit.await
    }

    async fn ping(&self) -> DbResult<()> {
        self.databases.ping(super::deadline()).await
    }
}
