//! Searching, counting and reading jobs.

use std::collections::BTreeMap;

use diracx_core::{
    JobId,
    search::{Search, Summary, Table},
};
use diracx_db::search::{Place, Token};
use diracx_proto::{common::v1 as common, jobs::v1 as pb, search::page, status::of_item, time};
use diracx_server::{identity, to_status};
use tonic::{Request, Response, Status};

use super::{
    job_ids, number,
    token::{self, no_such_place},
};
use crate::{
    Deps,
    error::Error,
    logic::{
        pilots,
        query::{self, JobSearch},
    },
    policy,
    store::{HistoryRecord, StoredDescription},
};

pub(super) async fn search_jobs(
    deps: &Deps,
    request: Request<pb::SearchJobsRequest>,
) -> Result<Response<pb::SearchJobsResponse>, Status> {
    let identity = identity(&request)?;
    let scope = policy::query(&identity, &*deps.config.current().map_err(to_status)?).map_err(to_status)?;
    let mut request = request.into_inner();
    let include_total = std::mem::take(&mut request.include_total);
    let page_token = std::mem::take(&mut request.page_token);
    let paging = (std::mem::take(&mut request.page_size), std::mem::take(&mut request.skip));
    let binding = token::binding("SearchJobs", &request);
    let token = token::read("page_token", &page_token, binding).map_err(to_status)?;
    let page = page(paging.0, paging.1).map_err(to_status)?;

    let history = request.include_history;
    let search = Search { page: Some(page), ..Search::try_from(request).map_err(to_status)? };
    let search = pilots::resolve(deps, search).await.map_err(to_status)?;
    let JobSearch { search, history } = JobSearch::new(search, history);
    let plan = query::plan(&scope, search, token.map(|token| token.place))
        .map_err(to_status)?
        .ok_or_else(|| to_status(no_such_place("page_token")))?
        .counted(include_total);
    let found = query::page(deps, crate::deadline(), plan.clone(), history).await.map_err(to_status)?;

    let next_page_token = if found.rows.more {
        Token { place: Place::behind(&plan, &found.rows), sent: 0 }.write(binding)
    } else {
        String::new()
    };
    let table = found.rows.table;
    Ok(Response::new(pb::SearchJobsResponse {
        total_size: include_total.then(|| i64::try_from(table.total).unwrap_or(i64::MAX)),
        histories: if history { histories(&table, &found.histories) } else { Vec::new() },
        table: Some(common::Table::from(table)),
        next_page_token,
    }))
}

/// What was recorded of the job of each row.
pub(super) fn histories(table: &Table, found: &BTreeMap<JobId, Vec<HistoryRecord>>) -> Vec<pb::JobHistory> {
    (0..table.rows.len())
        .filter_map(|row| number(table, row))
        .map(|job| pb::JobHistory {
            job_id: job.get(),
            records: found.get(&job).into_iter().flatten().map(record).collect(),
        })
        .collect()
}

pub(super) async fn summarise_jobs(
    deps: &Deps,
    request: Request<pb::SummariseJobsRequest>,
) -> Result<Response<pb::SummariseJobsResponse>, Status> {
    let identity = identity(&request)?;
    let scope = policy::query(&identity, &*deps.config.current().map_err(to_status)?).map_err(to_status)?;
    let summary = Summary::try_from(request.into_inner()).map_err(to_status)?;
    let table = query::summarise(deps, &scope, summary).await.map_err(to_status)?;
    Ok(Response::new(pb::SummariseJobsResponse { table: Some(table.into()) }))
}

pub(super) async fn get_job_descriptions(
    deps: &Deps,
    request: Request<pb::GetJobDescriptionsRequest>,
) -> Result<Response<pb::GetJobDescriptionsResponse>, Status> {
    let identity = identity(&request)?;
    let jobs = job_ids("job_ids", &request.into_inner().job_ids).map_err(to_status)?;
    let permit = policy::read(deps, &identity, jobs).await.map_err(to_status)?;
    let jobs = permit.into_jobs();
    let found = query::descriptions(deps, &jobs).await.map_err(to_status)?;
    let outcomes = jobs
        .into_iter()
        .map(|job| pb::JobDescriptionOutcome {
            job_id: job.get(),
            result: Some(match found.get(&job) {
                Some(stored) => pb::job_description_outcome::Result::Description(description(stored)),
                None => {
                    pb::job_description_outcome::Result::Error(of_item(&to_status(Error::JobNotFound(job))))
                }
            }),
        })
        .collect();
    Ok(Response::new(pb::GetJobDescriptionsResponse { outcomes }))
}

pub(super) async fn get_job_histories(
    deps: &Deps,
    request: Request<pb::GetJobHistoriesRequest>,
) -> Result<Response<pb::GetJobHistoriesResponse>, Status> {
    let identity = identity(&request)?;
    let jobs = job_ids("job_ids", &request.into_inner().job_ids).map_err(to_status)?;
    let permit = policy::read(deps, &identity, jobs).await.map_err(to_status)?;
    let jobs = permit.into_jobs();
    let found = query::histories(deps, &jobs).await.map_err(to_status)?;
    let outcomes = jobs
        .into_iter()
        .map(|job| pb::JobHistoryOutcome {
            job_id: job.get(),
            result: Some(match found.get(&job) {
                Some(records) => pb::job_history_outcome::Result::History(pb::JobHistory {
                    job_id: job.get(),
                    records: records.iter().map(record).collect(),
                }),
                None => pb::job_history_outcome::Result::Error(of_item(&to_status(Error::JobNotFound(job)))),
            }),
        })
        .collect();
    Ok(Response::new(pb::GetJobHistoriesResponse { outcomes }))
}

fn description(stored: &StoredDescription) -> pb::JobDescription {
    let StoredDescription { original_jdl, jdl, ownership } = stored;
    pb::JobDescription {
        original_jdl: original_jdl.clone(),
        jdl: jdl.clone(),
        owner: ownership.owner.clone(),
        owner_group: ownership.owner_group.clone(),
        vo: ownership.vo.clone(),
    }
}

fn record(record: &HistoryRecord) -> pb::JobLoggingRecord {
    pb::JobLoggingRecord {
        status: record.status.clone(),
        minor_status: record.minor_status.clone(),
        application_status: record.application_status.clone(),
        status_time: Some(time::timestamp(record.time)),
        source: record.source.clone(),
    }
}
