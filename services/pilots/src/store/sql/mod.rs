//! The store in SQL; compiled once per backend.
//!
//! `units/` has a file for each part of the contract, whose methods are the transactions. Beside it are the
//! statements, a file for each table.

use async_trait::async_trait;
use diracx_db::{DbResult, Deadline};

use super::{Conn, Databases, Tx, dialect, search, summary};
use crate::store::PilotStore;

mod access_bar;
mod holder;
mod link;
mod log_line;
mod pilot;
mod refresh_token;
mod request;
mod secret;
mod stamp;
mod units;

/// The store on this backend.
pub(in crate::store) struct Store(Databases);

impl Store {
    pub(in crate::store) fn new(databases: Databases) -> Self {
        Self(databases)
    }
}

#[async_trait]
impl PilotStore for Store {
    async fn ping(&self, deadline: Deadline) -> DbResult<()> {
        self.0.ping(deadline).await
    }
}
