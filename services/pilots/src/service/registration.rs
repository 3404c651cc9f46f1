//! Making pilots known.

use diracx_core::{PilotStamp, PilotStatus};
use diracx_proto::{Invalid, pilot::stamp, pilots::v1 as pb, status::of_item};
use diracx_server::{identity, to_status};
use prost::Message;
use tonic::{Request, Response, Status};

use super::{bounded, distinct, fitting};
use crate::{Deps, logic::registration, policy, store::registration::NewPilot};

/// How long an identity of a call may be, in characters.
const LONGEST_REQUEST_ID: usize = 64;

pub(super) async fn register_pilots(
    deps: &Deps,
    request: Request<pb::RegisterPilotsRequest>,
) -> Result<Response<pb::RegisterPilotsResponse>, Status> {
    let identity = identity(&request)?;
    let request = request.into_inner();
    let permit = policy::register(&identity, request.pilots.len()).map_err(to_status)?;
    let digest = pb::RegisterPilotsRequest { request_id: String::new(), ..request.clone() }.encode_to_vec();
    let request_id = request.request_id.clone();
    let pilots = decode(request).map_err(to_status)?;
    let call = (!request_id.is_empty()).then(|| registration::call(&identity, &request_id, &digest));

    let stamps: Vec<PilotStamp> = pilots.iter().map(|pilot| pilot.stamp.clone()).collect();
    let outcomes = registration::register(deps, permit, pilots, call).await.map_err(to_status)?;
    let known = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
    tracing::info!(pilot.count = known, "registered {known} of {} pilots", outcomes.len());
    let outcomes = stamps
        .into_iter()
        .zip(outcomes)
        .map(|(stamp, outcome)| pb::RegisterPilotOutcome {
            pilot_stamp: stamp.to_string(),
            result: Some(match outcome {
                Ok(()) => pb::register_pilot_outcome::Result::Pilot(pb::RegisteredPilot { secret: None }),
                Err(error) => pb::register_pilot_outcome::Result::Error(of_item(&to_status(error))),
            }),
        })
        .collect();
    Ok(Response::new(pb::RegisterPilotsResponse { outcomes }))
}

fn decode(request: pb::RegisterPilotsRequest) -> Result<Vec<NewPilot>, Invalid> {
    if request.secret_lifetime.is_some() {
        return Err(Invalid::field("secret_lifetime", "is not served in this version: there are no secrets"));
    }
    fitting("request_id", LONGEST_REQUEST_ID, &request.request_id)?;
    bounded("pilots", request.pilots.len())?;
    let stamps = request.pilots.iter().map(|pilot| &pilot.pilot_stamp);
    distinct(stamps, |i| format!("pilots[{i}].pilot_stamp"))?;
    request
        .pilots
        .into_iter()
        .enumerate()
        .map(|(i, pilot)| read_pilot(pilot).map_err(|invalid| invalid.within(format_args!("pilots[{i}]"))))
        .collect()
}

fn read_pilot(pilot: pb::PilotRegistration) -> Result<NewPilot, Invalid> {
    let stamp = stamp("pilot_stamp", pilot.pilot_stamp)?;
    fitting("vo", 128, &pilot.vo)?;
    if pilot.vo.is_empty() {
        return Err(Invalid::field("vo", "is required"));
    }
    let or = |text: String, default: &str| if text.is_empty() { default.to_owned() } else { text };
    let texts = [
        ("grid_type", 32, &pilot.grid_type),
        ("grid_site", 128, &pilot.grid_site),
        ("destination_site", 128, &pilot.destination_site),
        ("pilot_reference", 255, &pilot.pilot_reference),
    ];
    for (field, most, text) in texts {
        fitting(field, most, text)?;
    }
    let status = match pilot.status {
        0 => PilotStatus::Submitted,
        number => pb::PilotStatus::read("status", number)?,
    };
    Ok(NewPilot {
        vo: pilot.vo,
        grid_type: or(pilot.grid_type, "DIRAC"),
        grid_site: or(pilot.grid_site, "Unknown"),
        destination_site: or(pilot.destination_site, "NotAssigned"),
        reference: or(pilot.pilot_reference, stamp.as_str()),
        status,
        stamp,
    })
}
