//! The rpcs of `PilotsService`: decode, authorise, act, encode.

mod ending;
mod links;
mod maintenance;
mod metadata;
mod query;
mod registration;
mod search_stream;
mod token;

use std::collections::BTreeSet;

use diracx_core::{JobId, PilotStamp};
use diracx_proto::{
    Invalid,
    pilots::v1::{self as pb, pilots_service_server::PilotsService},
};
use tonic::{Request, Response, Status, codegen::BoxStream};

use crate::Deps;

/// How many things one call may name.
const MOST_ITEMS: usize = 10_000;

/// Serves pilots from a store. Rpcs that are not here answer UNIMPLEMENTED, the generated default.
pub struct Service {
    pub(crate) deps: Deps,
}

#[tonic::async_trait]
impl PilotsService for Service {
    async fn register_pilots(
        &self,
        request: Request<pb::RegisterPilotsRequest>,
    ) -> Result<Response<pb::RegisterPilotsResponse>, Status> {
        registration::register_pilots(&self.deps, request).await
    }

    async fn search_pilots(
        &self,
        request: Request<pb::SearchPilotsRequest>,
    ) -> Result<Response<pb::SearchPilotsResponse>, Status> {
        query::search_pilots(&self.deps, request).await
    }

    async fn stream_search_pilots(
        &self,
        request: Request<pb::StreamSearchPilotsRequest>,
    ) -> Result<Response<BoxStream<pb::StreamSearchPilotsResponse>>, Status> {
        search_stream::stream_search_pilots(&self.deps, request).await
    }

    async fn summarise_pilots(
        &self,
        request: Request<pb::SummarisePilotsRequest>,
    ) -> Result<Response<pb::SummarisePilotsResponse>, Status> {
        query::summarise_pilots(&self.deps, request).await
    }

    async fn patch_pilot_metadata(
        &self,
        request: Request<pb::PatchPilotMetadataRequest>,
    ) -> Result<Response<pb::PatchPilotMetadataResponse>, Status> {
        metadata::patch_pilot_metadata(&self.deps, request).await
    }

    async fn assign_jobs_to_pilot(
        &self,
        request: Request<pb::AssignJobsToPilotRequest>,
    ) -> Result<Response<pb::AssignJobsToPilotResponse>, Status> {
        links::assign_jobs_to_pilot(&self.deps, request).await
    }

    async fn get_pilot_jobs(
        &self,
        request: Request<pb::GetPilotJobsRequest>,
    ) -> Result<Response<pb::GetPilotJobsResponse>, Status> {
        links::get_pilot_jobs(&self.deps, request).await
    }

    async fn get_job_pilots(
        &self,
        request: Request<pb::GetJobPilotsRequest>,
    ) -> Result<Response<pb::GetJobPilotsResponse>, Status> {
        links::get_job_pilots(&self.deps, request).await
    }

    async fn kill_pilots(
        &self,
        request: Request<pb::KillPilotsRequest>,
    ) -> Result<Response<pb::KillPilotsResponse>, Status> {
        ending::kill_pilots(&self.deps, request).await
    }

    async fn delete_pilots(
        &self,
        request: Request<pb::DeletePilotsRequest>,
    ) -> Result<Response<pb::DeletePilotsResponse>, Status> {
        ending::delete_pilots(&self.deps, request).await
    }

    async fn declare_stalled_pilots(
        &self,
        request: Request<pb::DeclareStalledPilotsRequest>,
    ) -> Result<Response<pb::DeclareStalledPilotsResponse>, Status> {
        maintenance::declare_stalled_pilots(&self.deps, request).await
    }

    async fn clean_pilots(
        &self,
        request: Request<pb::CleanPilotsRequest>,
    ) -> Result<Response<pb::CleanPilotsResponse>, Status> {
        maintenance::clean_pilots(&self.deps, request).await
    }
}

/// How many items `field` has, if they are not too many.
fn bounded(field: &str, count: usize) -> Result<(), Invalid> {
    if count > MOST_ITEMS {
        return Err(Invalid::field(field, format!("has {count} items, {MOST_ITEMS} is the limit")));
    }
    Ok(())
}

/// Stamps, each of which may be there once; `path` makes the name of the field of one.
fn distinct<'s>(
    stamps: impl Iterator<Item = &'s String>,
    path: impl Fn(usize) -> String,
) -> Result<Vec<PilotStamp>, Invalid> {
    let mut seen = BTreeSet::new();
    stamps
        .enumerate()
        .map(|(i, text)| {
            if !seen.insert(text) {
                return Err(Invalid::field(path(i), format!("{text} is there twice")));
            }
            Ok(PilotStamp::said(text))
        })
        .collect()
}

/// The stamps of a request that names pilots and no more.
fn pilot_stamps(stamps: &[String]) -> Result<Vec<PilotStamp>, Invalid> {
    bounded("pilot_stamps", stamps.len())?;
    distinct(stamps.iter(), |i| format!("pilot_stamps[{i}]"))
}

/// The jobs of a request.
fn job_ids(ids: &[i64]) -> Result<Vec<JobId>, Invalid> {
    bounded("job_ids", ids.len())?;
    Ok(ids.iter().copied().map(JobId).collect())
}

/// A text of at the most so many characters.
fn fitting(field: &str, most: usize, text: &str) -> Result<(), Invalid> {
    if text.chars().nth(most).is_some() {
        return Err(Invalid::field(field, format!("has more than {most} characters")));
    }
    Ok(())
}
