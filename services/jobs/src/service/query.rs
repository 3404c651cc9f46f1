//! Searching, counting and reading jobs.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use diracx_core::search::{Search, Summary};
use diracx_proto::{Invalid, common::v1 as common, jobs::v1 as pb, status::of_item, time};
use diracx_server::{identity, to_status};
use tonic::{Request, Response, Status};

use super::{job_ids, number};
use crate::{
    Deps,
    error::Error,
    logic::query::{self, JobSearch},
    policy,
    store::{HistoryRecord, StoredDescription},
};

pub(super) async fn search_jobs(
    deps: &Deps,
    request: Request<pb::SearchJobsRequest>,
) -> Result<Response<pb::SearchJobsResponse>, Status> {
    let identity = identity(&request)?;
    let scope = policy::query(&identity, &*deps.config.current().map_err(to_status)?).map_err(to_status)?;
    let request = request.into_inner();
    let total = request.include_total;
    let search = decode(request).map_err(to_status)?;
    let page = search.search.page;
    let history = search.history;
    let found = query::search(deps, &scope, search, total).await.map_err(to_status)?;

    let rows = found.table.rows.len() as u64;
    let next_page_token = page
        .filter(|page| rows == page.limit && found.table.total > page.skip + rows)
        .map(|page| PageToken(page.skip + rows).write())
        .unwrap_or_default();
    let histories = if history {
        (0..found.table.rows.len())
            .filter_map(|row| number(&found.table, row))
            .map(|job| pb::JobHistory {
                job_id: job.get(),
                records: found.histories.get(&job).into_iter().flatten().map(record).collect(),
            })
            .collect()
    } else {
        Vec::new()
    };
    Ok(Response::new(pb::SearchJobsResponse {
        total_size: total.then(|| i64::try_from(found.table.total).unwrap_or(i64::MAX)),
        table: Some(common::Table::from(found.table)),
        histories,
        next_page_token,
    }))
}

fn decode(request: pb::SearchJobsRequest) -> Result<JobSearch, Invalid> {
    let (history, token) = (request.include_history, request.page_token.clone());
    let mut search = Search::try_from(request)?;
    if let (Some(page), false) = (&mut search.page, token.is_empty()) {
        page.skip = page.skip.saturating_add(PageToken::read(&token)?.0);
    }
    if search.filters.iter().any(|filter| filter.parameter() == "PilotStamp") {
        return Err(Invalid::search("search", "PilotStamp cannot be searched for in this version"));
    }
    Ok(JobSearch::new(search, history))
}

/// Where the next page begins; opaque to clients.
struct PageToken(u64);

impl PageToken {
    fn write(&self) -> String {
        URL_SAFE_NO_PAD.encode(format!("skip:{}", self.0))
    }

    fn read(text: &str) -> Result<Self, Invalid> {
        URL_SAFE_NO_PAD
            .decode(text)
            .ok()
            .and_then(|bytes| String::from_utf8(bytes).ok())
            .and_then(|text| text.strip_prefix("skip:")?.parse().ok())
            .map(Self)
            .ok_or_else(|| Invalid::field("page_token", "is not one that this rpc gave"))
    }
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
    let permit = policy::read(&*deps.store, &identity, jobs).await.map_err(to_status)?;
    let jobs = permit.into_jobs();
    let mut found = deps.store.descriptions(crate::deadline(), jobs.clone()).await.map_err(to_status)?;
    let outcomes = jobs
        .into_iter()
        .map(|job| pb::JobDescriptionOutcome {
            job_id: job.get(),
            result: Some(match found.remove(&job) {
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
    let permit = policy::read(&*deps.store, &identity, jobs).await.map_err(to_status)?;
    let jobs = permit.into_jobs();
    let found = deps.store.histories(crate::deadline(), jobs.clone()).await.map_err(to_status)?;
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

fn description(stored: StoredDescription) -> pb::JobDescription {
    pb::JobDescription {
        original_jdl: stored.original_jdl,
        jdl: stored.jdl,
        owner: stored.ownership.owner,
        owner_group: stored.ownership.owner_group,
        vo: stored.ownership.vo,
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
