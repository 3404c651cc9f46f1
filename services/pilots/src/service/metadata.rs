//! Changing what is known of pilots.

use diracx_core::PilotStamp;
use diracx_proto::{Invalid, pilots::v1 as pb, status::of_item};
use diracx_server::{identity, to_status};
use tonic::{Request, Response, Status};

use super::{bounded, distinct, fitting};
use crate::{
    Deps,
    logic::metadata::{self, Patches, PilotChange},
    policy,
};

/// What DIRAC's column holds, signed or not.
const JOB_IDS: std::ops::RangeInclusive<i64> = i32::MIN as i64..=u32::MAX as i64;

pub(super) async fn patch_pilot_metadata(
    deps: &Deps,
    request: Request<pb::PatchPilotMetadataRequest>,
) -> Result<Response<pb::PatchPilotMetadataResponse>, Status> {
    let identity = identity(&request)?;
    let patches = decode(request.into_inner()).map_err(to_status)?;
    let stamps: Vec<PilotStamp> = patches.pilots.iter().map(|(stamp, _)| stamp.clone()).collect();
    let permit = policy::patch(&identity, &stamps, deps.credentials.generic_pilots).map_err(to_status)?;
    let outcomes = metadata::patch(deps, permit, patches).await.map_err(to_status)?;
    let outcomes = stamps
        .into_iter()
        .zip(outcomes)
        .map(|(stamp, outcome)| pb::PatchPilotOutcome {
            pilot_stamp: stamp.to_string(),
            error: outcome.err().map(|error| of_item(&to_status(error))),
        })
        .collect();
    Ok(Response::new(pb::PatchPilotMetadataResponse { outcomes }))
}

fn decode(request: pb::PatchPilotMetadataRequest) -> Result<Patches, Invalid> {
    bounded("patches", request.patches.len())?;
    let stamps = request.patches.iter().map(|patch| &patch.pilot_stamp);
    let stamps = distinct(stamps, |i| format!("patches[{i}].pilot_stamp"))?;
    let pilots = stamps
        .into_iter()
        .zip(request.patches)
        .enumerate()
        .map(|(i, (stamp, patch))| {
            let change = read(patch).map_err(|invalid| invalid.within(format_args!("patches[{i}]")))?;
            Ok((stamp, change))
        })
        .collect::<Result<_, Invalid>>()?;
    Ok(Patches { pilots, all_or_none: request.all_or_none, force: request.force })
}

fn read(patch: pb::PilotMetadataPatch) -> Result<PilotChange, Invalid> {
    let texts = [
        ("status_reason", 255, &patch.status_reason),
        ("destination_site", 128, &patch.destination_site),
        ("queue", 128, &patch.queue),
        ("grid_site", 128, &patch.grid_site),
        ("grid_type", 32, &patch.grid_type),
    ];
    for (field, most, text) in texts {
        fitting(field, most, text.as_deref().unwrap_or_default())?;
    }
    if patch.benchmark.is_some_and(|number| !number.is_finite()) {
        return Err(Invalid::field("benchmark", "must be a finite number"));
    }
    if patch.current_job_id.is_some_and(|job| !JOB_IDS.contains(&job)) {
        return Err(Invalid::field("current_job_id", "is not the number of a job"));
    }
    Ok(PilotChange {
        status: patch.status.map(|number| pb::PilotStatus::read("status", number)).transpose()?,
        status_reason: patch.status_reason,
        benchmark: patch.benchmark,
        destination_site: patch.destination_site,
        queue: patch.queue,
        grid_site: patch.grid_site,
        grid_type: patch.grid_type,
        accounting_sent: patch.accounting_sent,
        current_job_id: patch.current_job_id,
    })
}
