//! Watching jobs.

use diracx_core::search::Filter;
use diracx_proto::{Invalid, jobs::v1 as pb, time};
use diracx_server::{Deadline, identity, to_status};
use futures::stream;
use tonic::{Request, Response, Status};

use super::job_ids;
use crate::{
    Deps,
    logic::{
        feed::ResumeToken,
        watch::{Ask, Selection, Update, Watch},
    },
    policy::{self, JobScope},
    store::JobEvent,
};

pub(super) type WatchJobsStream = tonic::codegen::BoxStream<pb::WatchJobsResponse>;

pub(super) async fn watch_jobs(
    deps: &Deps,
    request: Request<pb::WatchJobsRequest>,
) -> Result<Response<WatchJobsStream>, Status> {
    let identity = identity(&request)?;
    let scope = policy::query(&identity, &*deps.config.current().map_err(to_status)?).map_err(to_status)?;
    let ask = decode(request.into_inner(), scope).map_err(to_status)?;
    let watch = Watch::begin(deps, ask).await.map_err(to_status)?;
    let updates = stream::unfold(Some(watch), async |watch| {
        let mut watch = watch?;
        match watch.next().await {
            Ok(Some(update)) => Some((Ok(encode(update)), Some(watch))),
            Ok(None) => None,
            Err(error) => Some((Err(to_status(error)), None)),
        }
    });
    Ok(Response::new(Box::pin(updates)))
}

fn decode(request: pb::WatchJobsRequest, scope: JobScope) -> Result<Ask, Invalid> {
    let jobs = job_ids("job_ids", &request.job_ids)?;
    let filters: Vec<Filter> =
        Vec::try_from(request.search.unwrap_or_default()).map_err(|e: Invalid| e.within("search"))?;
    if request.until_final && jobs.is_empty() {
        return Err(Invalid::field("until_final", "is for the jobs of job_ids, and there are none"));
    }
    let resume = match request.resume_token.as_str() {
        "" => None,
        text => {
            let token = ResumeToken::read(text);
            Some(token.ok_or_else(|| Invalid::field("resume_token", "is not one that this rpc gave"))?)
        }
    };
    Ok(Ask {
        selection: Selection::new(scope, jobs, filters)?,
        resume,
        until_final: request.until_final,
        deadline: Deadline::current().map(Deadline::at),
    })
}

fn encode(update: Update) -> pb::WatchJobsResponse {
    pb::WatchJobsResponse {
        events: update.events.into_iter().map(event).collect(),
        resume_token: update.resume.write(),
        snapshot: update.snapshot,
    }
}

fn event(event: JobEvent) -> pb::JobEvent {
    let status = event.state.status.parse::<diracx_core::JobStatus>();
    pb::JobEvent {
        job_id: event.job.get(),
        // a word of other software has no number
        status: status.map_or(pb::JobStatus::Unspecified, pb::JobStatus::from).into(),
        minor_status: event.state.minor_status,
        application_status: event.state.application_status,
        change_time: Some(time::timestamp(event.since)),
        reschedule_counter: i32::try_from(event.state.reschedule_counter).unwrap_or(i32::MAX),
        removed: event.state.removed,
    }
}
