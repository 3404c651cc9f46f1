//! The store on SQLite: the units of work, compiled for that backend.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use diracx_db::{DbResult, sqlite as backend};

#[path = "authorization_flow.rs"]
mod authorization_flow;
#[path = "device_flow.rs"]
mod device_flow;
#[path = "joint.rs"]
mod joint;
#[path = "refresh_token.rs"]
mod refresh_token;

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

#[async_trait]
impl super::AuthStore for Store {
    async fn maintain_partitions(
        &self,
        _: DateTime<Utc>,
        _: DateTime<Utc>,
    ) -> DbResult<Option<super::Partitions>> {
        Ok(None)
    }

    async fn ping(&self) -> DbResult<()> {
        self.databases.ping(super::deadline()).await
    }
}
