//! Status updates.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};
use diracx_core::JobId;
use diracx_proto::{Invalid, jobs::v1 as pb, status::of_item, time};
use diracx_server::{identity, to_status};
use tonic::{Request, Response, Status};

use super::MOST_JOBS;
use crate::{
    Deps,
    logic::{
        self,
        transitions::{StatusChange, StatusRecord, StatusUpdates, StoredStatus},
    },
    policy,
};

/// How many records one call may bring for all its jobs.
const MOST_RECORDS: usize = 50_000;

/// What the columns of a record hold, in characters.
const MINOR_STATUS: usize = 128;
const APPLICATION_STATUS: usize = 255;
const SOURCE: usize = 32;

/// How far ahead of ours a reporter's clock may be: until a record's time has come, no earlier news move the job.
const AHEAD: TimeDelta = TimeDelta::days(1);

/// The earliest time of a record, in seconds since 1970: 1980. DIRAC's column for the order of records holds none from
/// before July 1978.
const EARLIEST: i64 = 315_532_800;

pub(super) async fn set_job_statuses(
    deps: &Deps,
    request: Request<pb::SetJobStatusesRequest>,
) -> Result<Response<pb::SetJobStatusesResponse>, Status> {
    let identity = identity(&request)?;
    let latest = deps.clock.now() + AHEAD;
    let updates = decode(request.into_inner(), latest).map_err(to_status)?;
    let jobs = updates.jobs.iter().map(|(job, _)| *job).collect();
    let permit = policy::manage(deps, &identity, jobs).await.map_err(to_status)?;
    let outcomes = logic::status::apply(deps, permit, updates).await.map_err(to_status)?;
    let outcomes = outcomes
        .into_iter()
        .map(|(job, result)| pb::JobStatusOutcome {
            job_id: job.get(),
            result: Some(match result {
                Ok(change) => pb::job_status_outcome::Result::Change(encode(change)),
                Err(error) => pb::job_status_outcome::Result::Error(of_item(&to_status(error))),
            }),
        })
        .collect();
    Ok(Response::new(pb::SetJobStatusesResponse { outcomes }))
}

fn decode(request: pb::SetJobStatusesRequest, latest: DateTime<Utc>) -> Result<StatusUpdates, Invalid> {
    if request.updates.len() > MOST_JOBS {
        let problem = format!("has {} jobs, {MOST_JOBS} is the limit", request.updates.len());
        return Err(Invalid::field("updates", problem));
    }
    let records: usize = request.updates.iter().map(|update| update.records.len()).sum();
    if records > MOST_RECORDS {
        return Err(Invalid::field("updates", format!("has {records} records, {MOST_RECORDS} is the limit")));
    }
    let mut seen = BTreeSet::new();
    let mut jobs = Vec::with_capacity(request.updates.len());
    for (i, update) in request.updates.into_iter().enumerate() {
        let job = JobId(update.job_id);
        if !seen.insert(job) {
            return Err(Invalid::field(format!("updates[{i}].job_id"), format!("{job} is there twice")));
        }
        if update.records.is_empty() {
            return Err(Invalid::field(format!("updates[{i}].records"), "is empty"));
        }
        let records = update
            .records
            .into_iter()
            .enumerate()
            .map(|(j, record)| {
                read_record(record, latest).map_err(|e| e.within(format_args!("updates[{i}].records[{j}]")))
            })
            .collect::<Result<_, _>>()?;
        jobs.push((job, records));
    }
    Ok(StatusUpdates { jobs, force: request.force })
}

fn read_record(record: pb::StatusRecord, latest: DateTime<Utc>) -> Result<StatusRecord, Invalid> {
    let time = time::required("time", record.time.as_ref())?;
    if time > latest {
        return Err(Invalid::field("time", "is more than a day ahead"));
    }
    if time.timestamp() < EARLIEST {
        return Err(Invalid::field("time", "is before 1980"));
    }
    let source = if record.source.is_empty() { "Unknown".to_owned() } else { record.source };
    Ok(StatusRecord {
        time,
        status: record.status.map(|number| pb::JobStatus::read("status", number)).transpose()?,
        minor_status: record.minor_status.map(|text| cut(text, MINOR_STATUS)),
        application_status: record.application_status.map(|text| cut(text, APPLICATION_STATUS)),
        // Room for the mark of the status machine.
        source: cut(source, SOURCE - "(SM)".len()),
    })
}

fn cut(mut text: String, characters: usize) -> String {
    if let Some((end, _)) = text.char_indices().nth(characters) {
        text.truncate(end);
    }
    text
}

pub(super) fn encode(change: StatusChange) -> pb::JobStatusChange {
    pb::JobStatusChange {
        status: change.status.and_then(|status| match status {
            StoredStatus::Known(status) => Some(pb::JobStatus::from(status).into()),
            StoredStatus::Foreign(_) => None,
        }),
        minor_status: change.minor_status,
        application_status: change.application_status,
        heart_beat_time: change.heart_beat_time.map(time::timestamp),
        start_exec_time: change.start_exec_time.map(time::timestamp),
        end_exec_time: change.end_exec_time.map(time::timestamp),
        last_update_time: change.last_update_time.map(time::timestamp),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_cut_between_characters() {
        assert_eq!(cut("äöü".into(), 2), "äö");
        assert_eq!(cut("abc".into(), 3), "abc");
    }
}
