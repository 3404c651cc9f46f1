//! Secrets of pilots.

use std::collections::BTreeSet;

use chrono::TimeDelta;
use diracx_core::PilotStamp;
use diracx_proto::{Invalid, pilot, pilots::v1 as pb, time};
use diracx_server::{identity, to_status};
use tonic::{Request, Response, Status};
use uuid::Uuid;

use super::{MOST_ITEMS, bounded, fitting};
use crate::{
    Deps,
    logic::secrets::{self, Ask, Told},
    policy,
    store::credential::{Constraints, Revocation, Secret},
};

/// What a list has when nothing is said.
const PAGE: usize = 100;

pub(super) async fn create_pilot_secrets(
    deps: &Deps,
    request: Request<pb::CreatePilotSecretsRequest>,
) -> Result<Response<pb::CreatePilotSecretsResponse>, Status> {
    let identity = identity(&request)?;
    let permit = policy::administer_credentials(&identity).map_err(to_status)?;
    let mut request = request.into_inner();
    if request.vo.is_empty()
        && let Some(user) = identity.as_user()
    {
        request.vo.clone_from(&user.vo);
    }
    let ask = decode(request).map_err(to_status)?;
    let told = secrets::create(deps, &permit, &ask).await.map_err(to_status)?;
    let secrets = told.into_iter().map(encode).collect();
    Ok(Response::new(pb::CreatePilotSecretsResponse { secrets }))
}

pub(super) async fn list_pilot_secrets(
    deps: &Deps,
    request: Request<pb::ListPilotSecretsRequest>,
) -> Result<Response<pb::ListPilotSecretsResponse>, Status> {
    let permit = policy::administer_credentials(&*identity(&request)?).map_err(to_status)?;
    let pb::ListPilotSecretsRequest { vo, page_size, page_token } = request.into_inner();
    let size = match usize::try_from(page_size) {
        Ok(0) => PAGE,
        Ok(size) => size.min(MOST_ITEMS),
        Err(_) => return Err(to_status(Invalid::field("page_size", "must not be less than 0"))),
    };
    let after = (!page_token.is_empty())
        .then(|| Uuid::parse_str(&page_token))
        .transpose()
        .map_err(|_| to_status(Invalid::field("page_token", "is not one that this rpc gave")))?;
    let vo = Some(vo).filter(|vo| !vo.is_empty());
    let (found, more) = secrets::list(deps, &permit, vo, after, size).await.map_err(to_status)?;
    let last = found.last().filter(|_| more).map(|secret| secret.id.to_string());
    Ok(Response::new(pb::ListPilotSecretsResponse {
        secrets: found.into_iter().map(info).collect(),
        next_page_token: last.unwrap_or_default(),
    }))
}

pub(super) async fn revoke_pilot_credentials(
    deps: &Deps,
    request: Request<pb::RevokePilotCredentialsRequest>,
) -> Result<Response<pb::RevokePilotCredentialsResponse>, Status> {
    let permit = policy::administer_credentials(&*identity(&request)?).map_err(to_status)?;
    let revocation = read_revocation(request.into_inner()).map_err(to_status)?;
    let revoked = secrets::revoke(deps, &permit, revocation).await.map_err(to_status)?;
    let count = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
    Ok(Response::new(pb::RevokePilotCredentialsResponse {
        revoked_secrets: count(revoked.secrets),
        revoked_refresh_tokens: count(revoked.tokens),
    }))
}

fn decode(request: pb::CreatePilotSecretsRequest) -> Result<Ask, Invalid> {
    let count = match usize::try_from(request.count) {
        Ok(count) if count <= MOST_ITEMS => count.max(1),
        _ => return Err(Invalid::field("count", format!("must be from 0 to {MOST_ITEMS}"))),
    };
    if request.vo.is_empty() {
        return Err(Invalid::field("vo", "is required of components"));
    }
    fitting("vo", 128, &request.vo)?;
    let uses = match request.max_uses {
        None => Some(1),
        Some(0) => None,
        Some(uses) if uses > 0 => Some(i64::from(uses)),
        Some(_) => return Err(Invalid::field("max_uses", "must not be less than 0")),
    };
    let constraints = request.constraints.unwrap_or_default();
    let constraints = read_constraints(constraints).map_err(|invalid| invalid.within("constraints"))?;
    let sites = constraints.grid_sites.len() + constraints.destination_sites.len();
    let items = constraints.pilot_stamps.len() + sites;
    if count.saturating_mul(items) > MOST_ITEMS {
        return Err(Invalid::field(
            "constraints",
            format!(
                "name {items} pilots and sites for each of {count} secrets, {MOST_ITEMS} in all is the limit"
            ),
        ));
    }
    let lifetime = request.lifetime.as_ref().map(|lifetime| read_span("lifetime", lifetime)).transpose()?;
    Ok(Ask { count, vo: request.vo, lifetime, uses, constraints })
}

pub(super) fn read_span(field: &str, span: &prost_types::Duration) -> Result<TimeDelta, Invalid> {
    TimeDelta::from_std(time::span(field, span)?).map_err(|_| Invalid::field(field, "is too long"))
}

fn read_constraints(constraints: pb::SecretConstraints) -> Result<Constraints, Invalid> {
    Ok(Constraints {
        pilot_stamps: stamps("pilot_stamps", constraints.pilot_stamps)?
            .into_iter()
            .map(|stamp| stamp.to_string())
            .collect(),
        grid_sites: sites("grid_sites", constraints.grid_sites)?,
        destination_sites: sites("destination_sites", constraints.destination_sites)?,
    })
}

fn stamps(field: &str, texts: Vec<String>) -> Result<Vec<PilotStamp>, Invalid> {
    bounded(field, texts.len())?;
    texts.into_iter().enumerate().map(|(i, text)| pilot::stamp(format!("{field}[{i}]"), text)).collect()
}

fn sites(field: &str, names: Vec<String>) -> Result<BTreeSet<String>, Invalid> {
    bounded(field, names.len())?;
    for (i, name) in names.iter().enumerate() {
        let field = format!("{field}[{i}]");
        if name.is_empty() {
            return Err(Invalid::field(field, "is empty"));
        }
        fitting(&field, 128, name)?;
    }
    Ok(names.into_iter().collect())
}

fn read_revocation(request: pb::RevokePilotCredentialsRequest) -> Result<Revocation, Invalid> {
    bounded("secret_ids", request.secret_ids.len())?;
    let id = |(i, text): (usize, &String)| {
        Uuid::parse_str(text).map_err(|_| Invalid::field(format!("secret_ids[{i}]"), "must be a UUID"))
    };
    let revocation = Revocation {
        secrets: request.secret_ids.iter().enumerate().map(id).collect::<Result<_, _>>()?,
        stamps: stamps("pilot_stamps", request.pilot_stamps)?,
        grid_sites: sites("grid_sites", request.grid_sites)?.into_iter().collect(),
        destination_sites: sites("destination_sites", request.destination_sites)?.into_iter().collect(),
        vo: Some(request.vo).filter(|vo| !vo.is_empty()),
    };
    let sites = revocation.grid_sites.len() + revocation.destination_sites.len();
    if revocation.secrets.is_empty() && revocation.stamps.is_empty() && sites == 0 {
        let problem = "or pilot_stamps, grid_sites or destination_sites are required";
        return Err(Invalid::field("secret_ids", problem));
    }
    Ok(revocation)
}

pub(super) fn encode(told: Told) -> pb::PilotSecret {
    pb::PilotSecret {
        secret_id: told.id.to_string(),
        secret: told.secret,
        expiration_time: Some(time::timestamp(told.expires)),
    }
}

fn info(secret: Secret) -> pb::PilotSecretInfo {
    let made = secret.id.get_timestamp().map(|made| made.to_unix());
    let made = made.and_then(|(seconds, nanos)| {
        Some(prost_types::Timestamp {
            seconds: i64::try_from(seconds).ok()?,
            nanos: i32::try_from(nanos).ok()?,
        })
    });
    pb::PilotSecretInfo {
        secret_id: secret.id.to_string(),
        vo: secret.vo,
        creation_time: made,
        expiration_time: Some(time::timestamp(secret.expires)),
        remaining_uses: secret.uses.map(|uses| i32::try_from(uses).unwrap_or(i32::MAX)),
        constraints: Some(pb::SecretConstraints {
            pilot_stamps: secret.constraints.pilot_stamps.into_iter().collect(),
            grid_sites: secret.constraints.grid_sites.into_iter().collect(),
            destination_sites: secret.constraints.destination_sites.into_iter().collect(),
        }),
        created_by: secret.created_by,
    }
}
