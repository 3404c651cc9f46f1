//! Stopping pilots, and forgetting them.

use diracx_proto::{pilots::v1 as pb, status::of_item};
use diracx_server::{identity, to_status};
use tonic::{Request, Response, Status};

use super::{fitting, pilot_stamps};
use crate::{Deps, logic::ending, policy};

pub(super) async fn kill_pilots(
    deps: &Deps,
    request: Request<pb::KillPilotsRequest>,
) -> Result<Response<pb::KillPilotsResponse>, Status> {
    let permit = policy::manage(&*identity(&request)?).map_err(to_status)?;
    let request = request.into_inner();
    fitting("reason", 255, &request.reason).map_err(to_status)?;
    let stamps = pilot_stamps(&request.pilot_stamps).map_err(to_status)?;
    let reason = Some(request.reason).filter(|reason| !reason.is_empty());
    let by = permit.by().to_owned();
    let outcomes = ending::kill(deps, permit, stamps, reason).await.map_err(to_status)?;
    let stopped = outcomes.iter().filter(|(_, outcome)| outcome.is_ok()).count();
    tracing::info!(pilot.count = stopped, %by, "stopped {stopped} of {} pilots", outcomes.len());
    let outcomes = outcomes
        .into_iter()
        .map(|(stamp, outcome)| pb::KillPilotOutcome {
            pilot_stamp: stamp.to_string(),
            error: outcome.err().map(|error| of_item(&to_status(error))),
        })
        .collect();
    Ok(Response::new(pb::KillPilotsResponse { outcomes }))
}

pub(super) async fn delete_pilots(
    deps: &Deps,
    request: Request<pb::DeletePilotsRequest>,
) -> Result<Response<pb::DeletePilotsResponse>, Status> {
    let identity = identity(&request)?;
    let request = request.into_inner();
    let permit = policy::forget(&identity, request.force).map_err(to_status)?;
    let stamps = pilot_stamps(&request.pilot_stamps).map_err(to_status)?;
    let outcomes = ending::forget(deps, permit, stamps).await.map_err(to_status)?;
    let forgotten = outcomes.iter().filter(|(_, outcome)| outcome.is_ok()).count();
    tracing::info!(pilot.count = forgotten, "forgot {forgotten} of {} pilots", outcomes.len());
    let outcomes = outcomes
        .into_iter()
        .map(|(stamp, outcome)| pb::DeletePilotOutcome {
            pilot_stamp: stamp.to_string(),
            error: outcome.err().map(|error| of_item(&to_status(error))),
        })
        .collect();
    Ok(Response::new(pb::DeletePilotsResponse { outcomes }))
}
