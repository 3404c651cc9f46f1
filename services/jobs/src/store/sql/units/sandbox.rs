//! Sandboxes are registered, assigned and forgotten.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use diracx_core::{JobId, sandbox::Pfn};
use diracx_db::{DbResult, Deadline};
use futures::FutureExt;

use super::{Store, Tx, sandbox_cleaning, sandboxes};
use crate::{
    error::Result,
    logic::sandbox::{Current, plan_assignments},
    store::{
        sandbox::{
            Assignment, Claim, Claimed, JobSandboxes, KnownSandbox, MayHave, NewSandbox, NotAssigned,
            SandboxStore,
        },
        schema::SANDBOX_METADATA_DB,
    },
};

#[async_trait]
impl SandboxStore for Store {
    async fn sandbox(
        &self,
        deadline: Deadline,
        storage_element: &str,
        pfn: &Pfn,
    ) -> Result<Option<KnownSandbox>> {
        let given = Arc::new((storage_element.to_owned(), pfn.clone()));
        self.databases
            .read(deadline, move |tx| {
                let given = Arc::clone(&given);
                async move {
                    let conn = tx.on(SANDBOX_METADATA_DB).await?;
                    Ok(sandboxes::find(conn, &given.0, &given.1).await?)
                }
                .boxed()
            })
            .await
    }

    async fn register_sandbox(
        &self,
        deadline: Deadline,
        storage_element: &str,
        sandbox: NewSandbox,
        now: DateTime<Utc>,
    ) -> Result<()> {
        let given = Arc::new((storage_element.to_owned(), sandbox));
        self.databases
            .write(deadline, move |tx| {
                let given = Arc::clone(&given);
                async move {
                    let (storage_element, sandbox) = &*given;
                    let conn = tx.on(SANDBOX_METADATA_DB).await?;
                    sandboxes::insert(conn, storage_element, sandbox, now).await?;
                    Ok(sandboxes::touch(conn, storage_element, &sandbox.pfn, now).await?)
                }
                .boxed()
            })
            .await
    }

    async fn touch_sandbox(
        &self,
        deadline: Deadline,
        storage_element: &str,
        pfn: &Pfn,
        now: DateTime<Utc>,
    ) -> Result<()> {
        let given = Arc::new((storage_element.to_owned(), pfn.clone()));
        self.databases
            .write(deadline, move |tx| {
                let given = Arc::clone(&given);
                async move {
                    let conn = tx.on(SANDBOX_METADATA_DB).await?;
                    Ok(sandboxes::touch(conn, &given.0, &given.1, now).await?)
                }
                .boxed()
            })
            .await
    }

    async fn sandboxes_of(
        &self,
        deadline: Deadline,
        jobs: Vec<JobId>,
    ) -> Result<BTreeMap<JobId, JobSandboxes>> {
        let jobs = Arc::new(jobs);
        self.databases
            .read(deadline, move |tx| {
                let jobs = Arc::clone(&jobs);
                async move { Ok(sandboxes::of_jobs(tx.on(SANDBOX_METADATA_DB).await?, &jobs).await?) }.boxed()
            })
            .await
    }

    async fn assign_sandboxes(
        &self,
        deadline: Deadline,
        storage_element: &str,
        assignments: Vec<(Assignment, MayHave)>,
    ) -> Result<Vec<Result<(), NotAssigned>>> {
        let given = Arc::new((storage_element.to_owned(), assignments));
        self.databases
            .write(deadline, move |tx| {
                let given = Arc::clone(&given);
                async move { Ok(assign(tx, &given.0, &given.1).await?) }.boxed()
            })
            .await
    }

    async fn unassign_sandboxes(&self, deadline: Deadline, jobs: Vec<JobId>) -> Result<()> {
        let jobs = Arc::new(jobs);
        self.databases
            .write(deadline, move |tx| {
                let jobs = Arc::clone(&jobs);
                async move { Ok(sandboxes::unmap(tx.on(SANDBOX_METADATA_DB).await?, &jobs).await?) }.boxed()
            })
            .await
    }

    async fn claim_unneeded(&self, deadline: Deadline, claim: Claim) -> Result<Claimed> {
        let claim = Arc::new(claim);
        self.databases
            .write(deadline, move |tx| {
                let claim = Arc::clone(&claim);
                async move { Ok(sandbox_cleaning::claim(tx.on(SANDBOX_METADATA_DB).await?, &claim).await?) }
                    .boxed()
            })
            .await
    }

    async fn still_unneeded(&self, deadline: Deadline, rows: Vec<i64>) -> Result<BTreeSet<i64>> {
        let rows = Arc::new(rows);
        self.databases
            .read(deadline, move |tx| {
                let rows = Arc::clone(&rows);
                async move { Ok(sandbox_cleaning::marked(tx.on(SANDBOX_METADATA_DB).await?, &rows).await?) }
                    .boxed()
            })
            .await
    }

    async fn forget_sandboxes(&self, deadline: Deadline, rows: Vec<i64>) -> Result<usize> {
        let rows = Arc::new(rows);
        self.databases
            .write(deadline, move |tx| {
                let rows = Arc::clone(&rows);
                async move { Ok(sandbox_cleaning::forget(tx.on(SANDBOX_METADATA_DB).await?, &rows).await?) }
                    .boxed()
            })
            .await
    }
}

/// Assigns what can be assigned.
pub(super) async fn assign(
    tx: &mut Tx,
    storage_element: &str,
    assignments: &[(Assignment, MayHave)],
) -> DbResult<Vec<Result<(), NotAssigned>>> {
    let conn = tx.on(SANDBOX_METADATA_DB).await?;
    let pfns: BTreeSet<&Pfn> = assignments.iter().map(|(assignment, _)| &assignment.pfn).collect();
    let rows = sandboxes::lock(conn, storage_element, &pfns).await?;
    let mut owners = sandboxes::owners(conn, rows.values().map(|row| row.owner_id).collect()).await?;
    let jobs: BTreeSet<JobId> = assignments.iter().map(|(assignment, _)| assignment.job).collect();
    let mut current = Current { mapped: sandboxes::mappings(conn, &jobs).await?, ..Current::default() };
    for (pfn, row) in rows.into_iter().filter(|(_, row)| !row.going) {
        if let Some(owner) = owners.get_mut(&row.owner_id) {
            current.sandboxes.insert(pfn, (row.id, owner.clone()));
        }
    }
    let plan = plan_assignments(&current, assignments);
    if !plan.mappings.is_empty() {
        sandboxes::map(conn, &plan.mappings).await?;
    }
    Ok(plan.outcomes)
}
