//! Which pilot ran which job; compiled once per backend.

use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use diracx_core::JobId;
use diracx_db::{DbResult, statement::one_of};

use super::Conn;
use crate::store::schema::job_to_pilot_mapping as mapping;

/// How many numbers one statement names.
const NUMBERS: usize = 1_000;

/// The numbers of the pilots that ran any of these jobs, each once.
pub(super) async fn pilots_of(conn: &mut Conn, jobs: &[JobId]) -> DbResult<Vec<i64>> {
    let mut pilots: Vec<i64> = Vec::new();
    for jobs in jobs.chunks(NUMBERS) {
        let found: Vec<i64> = mapping::table
            .filter(one_of(mapping::job_id, jobs.iter().map(|job| job.get())))
            .select(mapping::pilot_id)
            .load(conn)
            .await?;
        pilots.extend(found);
    }
    pilots.sort_unstable();
    pilots.dedup();
    Ok(pilots)
}
