//! Tokens of pilots.

use diracx_core::{PilotStamp, PilotStatus};
use diracx_proto::{
    Invalid, pilot,
    pilots::v1::{self as pb, get_pilot_token_request::Grant},
    time,
};
use diracx_server::{Identity, identity, to_status};
use tonic::{Request, Response, Status};

use super::fitting;
use crate::{Deps, error::Error, logic::tokens, store::registration::NewPilot};

/// Longer than every secret; more is not hashed.
const LONGEST: usize = 512;

pub(super) async fn get_pilot_token(
    deps: &Deps,
    request: Request<pb::GetPilotTokenRequest>,
) -> Result<Response<pb::GetPilotTokenResponse>, Status> {
    let pb::GetPilotTokenRequest { pilot_stamp, grant } = request.into_inner();
    let stamp = pilot::stamp("pilot_stamp", pilot_stamp).map_err(to_status)?;
    let tokens = match grant {
        None => return Err(to_status(Invalid::field("grant", "is required"))),
        Some(Grant::Secret(grant)) => {
            bounded("secret", &grant.secret).map_err(to_status)?;
            let itself = grant.registration.map(|itself| read_registration(&stamp, itself)).transpose();
            let itself = itself.map_err(|invalid| to_status(invalid.within("registration")))?;
            tokens::by_secret(deps, stamp, &grant.secret, itself).await
        }
        Some(Grant::RefreshToken(grant)) => {
            bounded("refresh_token", &grant.refresh_token).map_err(to_status)?;
            tokens::by_token(deps, stamp, &grant.refresh_token).await
        }
    };
    let tokens = tokens.map_err(to_status)?;
    Ok(Response::new(pb::GetPilotTokenResponse {
        access_token: tokens.access,
        expires_in: Some(time::seconds(tokens.expires_in.num_seconds())),
        refresh_token: tokens.refresh,
        refresh_expires_in: Some(time::seconds(tokens.refresh_expires_in.num_seconds())),
    }))
}

pub(super) fn get_pilot_info(
    request: &Request<pb::GetPilotInfoRequest>,
) -> Result<Response<pb::GetPilotInfoResponse>, Status> {
    match &*identity(request)? {
        Identity::Pilot(pilot) => Ok(Response::new(pb::GetPilotInfoResponse {
            pilot_stamp: pilot.stamp.clone(),
            vo: pilot.vo.clone(),
            sub: pilot.sub(),
        })),
        Identity::User(_) | Identity::Component(_) => Err(to_status(Error::NotAPilot)),
    }
}

fn bounded(field: &str, text: &str) -> Result<(), Invalid> {
    match text.len() {
        0 => Err(Invalid::field(field, "is required")),
        1..=LONGEST => Ok(()),
        _ => Err(Invalid::field(field, "is longer than any that this service gave")),
    }
}

fn read_registration(stamp: &PilotStamp, itself: pb::PilotSelfRegistration) -> Result<NewPilot, Invalid> {
    let or = |text: String, default: &str| if text.is_empty() { default.to_owned() } else { text };
    let texts = [
        ("grid_type", 32, &itself.grid_type),
        ("grid_site", 128, &itself.grid_site),
        ("destination_site", 128, &itself.destination_site),
        ("pilot_reference", 255, &itself.pilot_reference),
    ];
    for (field, most, text) in texts {
        fitting(field, most, text)?;
    }
    let status = match itself.status {
        0 => PilotStatus::Running,
        number => pb::PilotStatus::read("status", number)?,
    };
    Ok(NewPilot {
        stamp: stamp.clone(),
        // that of the secret
        vo: String::new(),
        grid_type: or(itself.grid_type, "DIRAC"),
        grid_site: or(itself.grid_site, "Unknown"),
        destination_site: or(itself.destination_site, "NotAssigned"),
        reference: or(itself.pilot_reference, stamp.as_str()),
        status,
    })
}
