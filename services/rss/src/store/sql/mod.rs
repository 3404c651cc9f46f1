//! The store in SQL; compiled once per backend.

use std::sync::Arc;

use async_trait::async_trait;
use diracx_db::{DbIndex, DbResult, Deadline};
use futures::FutureExt;

use super::{Conn, Databases, Tx, dialect};
use crate::{
    error::Result,
    logic::history::{Past, Record},
    model::Kept,
    store::{Decide, Decided, StatusStore},
};

/// The rows of a query; locked, if they are going to be changed.
macro_rules! rows {
    ($conn:ident, $query:ident, locked: $locked:ident) => {
        if $locked { dialect::locked!($query).load($conn).await? } else { $query.load($conn).await? }
    };
}

mod past;
mod plans;
mod rows;
mod statuses;
mod write;

/// `ResourceStatusDB` is the only one.
const DB: DbIndex = 0;

/// The store on this backend.
pub(in crate::store) struct Store(pub(in crate::store) Databases);

#[async_trait]
impl StatusStore for Store {
    async fn ping(&self, deadline: Deadline) -> DbResult<()> {
        self.0.ping(deadline).await
    }

    async fn everything(&self, deadline: Deadline) -> Result<Kept> {
        self.0.read(deadline, |tx| async move { everything(tx, false).await }.boxed()).await
    }

    async fn change(&self, deadline: Deadline, decide: Decide) -> Result<Decided> {
        self.0
            .write(deadline, move |tx| {
                let decide = Arc::clone(&decide);
                async move {
                    let decided = decide(everything(tx, true).await?);
                    write::changes(tx.on(DB).await?, &decided.changes).await?;
                    Ok(decided)
                }
                .boxed()
            })
            .await
    }

    async fn history(&self, deadline: Deadline, past: Past) -> Result<Vec<Record>> {
        let past = Arc::new(past);
        self.0
            .read(deadline, move |tx| {
                let past = Arc::clone(&past);
                async move { Ok(past::records(tx.on(DB).await?, &past).await?) }.boxed()
            })
            .await
    }
}

async fn everything(tx: &mut Tx, locked: bool) -> Result<Kept> {
    let conn = tx.on(DB).await?;
    Ok(Kept {
        statuses: statuses::load(conn, locked).await?,
        plans: plans::load(conn, locked).await?,
        returns: plans::load_returns(conn, locked).await?,
    })
}
