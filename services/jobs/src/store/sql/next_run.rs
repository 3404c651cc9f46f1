//! The next run of a job; compiled once per backend.

use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use diracx_core::JobId;
use diracx_db::{Bind, DbResult, UtcTime, statement::BulkUpdate};

use super::Conn;
use crate::{compression, logic::reschedule::Rescheduled, store::schema::optimizer_parameters};

const COLUMNS: &[&str] = &["Site", "UserPriority", "RescheduleTime", "RescheduleCounter"];

/// Gives jobs new descriptions, and forgets what was found out for the old ones.
pub(super) async fn begin(conn: &mut Conn, jobs: &[(JobId, &Rescheduled)]) -> DbResult<()> {
    for jobs in jobs.chunks(1_000) {
        let description = |(id, job): &(JobId, &Rescheduled)| {
            (Bind::Int(id.get()), vec![Some(compression::compress(&job.description.jdl).into())])
        };
        let rows: Vec<_> = jobs.iter().map(description).collect();
        BulkUpdate { table: "JobJDLs", key: "JobID", columns: &["JDL"], rows: &rows }.execute(conn).await?;
        let columns = |(id, job): &(JobId, &Rescheduled)| {
            let values = [
                Bind::from(job.description.site.as_str()),
                Bind::Int(i64::from(job.description.user_priority)),
                UtcTime::from(job.at).into(),
                Bind::Int(job.counter),
            ];
            (Bind::Int(id.get()), values.map(Some).to_vec())
        };
        let rows: Vec<_> = jobs.iter().map(columns).collect();
        BulkUpdate { table: "Jobs", key: "JobID", columns: COLUMNS, rows: &rows }.execute(conn).await?;
        let ids: Vec<i64> = jobs.iter().map(|(id, _)| id.get()).collect();
        diesel::delete(optimizer_parameters::table.filter(optimizer_parameters::job_id.eq_any(ids)))
            .execute(conn)
            .await?;
    }
    Ok(())
}
