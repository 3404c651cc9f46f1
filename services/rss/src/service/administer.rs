//! Setting and removing statuses.

use std::collections::BTreeSet;

use diracx_proto::{Invalid, rss::v1 as pb, status::of_item};
use diracx_server::{Identity, identity, to_status};
use tonic::{Request, Response, Status};

use super::{decode, encode};
use crate::{
    Deps,
    error::{Error, Result},
    logic::{
        administer,
        plan::{Target, Update},
    },
    model::RowKey,
    policy::{self, Administer},
};

/// How many statuses one call may set or remove.
const MOST: usize = 1000;

pub(super) async fn set_element_statuses(
    deps: &Deps,
    request: Request<pb::SetElementStatusesRequest>,
) -> Result<Response<pb::SetElementStatusesResponse>, Status> {
    let identity = identity(&request)?;
    policy::administrator(&identity).map_err(to_status)?;
    let updates = request.into_inner().updates;
    let keys = updates.iter().map(|update| update.key.as_ref());
    let targets = targets("updates", keys, updates.len()).map_err(to_status)?;
    let now = deps.clock.now();
    let (mut wanted, mut places, mut results) = (Vec::new(), Vec::new(), Vec::new());
    for (i, (update, target)) in updates.iter().zip(targets).enumerate() {
        match permitted(&identity, update, target, now) {
            Ok(update) => {
                wanted.push(update);
                places.push(i);
                results.push(None);
            }
            Err(error) => results.push(Some(Err(error))),
        }
    }
    let outcomes = administer::set(deps, wanted).await.map_err(to_status)?;
    for (place, outcome) in places.into_iter().zip(outcomes) {
        results[place] = Some(outcome.map_err(Error::from));
    }
    let outcomes = updates.into_iter().zip(results).map(|(update, result)| pb::SetElementStatusOutcome {
        key: update.key,
        result: result.map(|result| match result {
            Ok(entries) => pb::set_element_status_outcome::Result::Statuses(pb::ElementStatuses {
                statuses: entries.iter().map(encode::entry).collect(),
            }),
            Err(error) => pb::set_element_status_outcome::Result::Error(of_item(&to_status(error))),
        }),
    });
    Ok(Response::new(pb::SetElementStatusesResponse { outcomes: outcomes.collect() }))
}

fn permitted(
    identity: &Identity,
    update: &pb::ElementStatusUpdate,
    target: Result<Target, Invalid>,
    now: chrono::DateTime<chrono::Utc>,
) -> Result<(Administer, Update)> {
    let target = target?;
    let permit = policy::administer(identity, &target)?;
    let update = decode::update(update, target, permit.owner(), now)?;
    Ok((permit, update))
}

pub(super) async fn remove_element_statuses(
    deps: &Deps,
    request: Request<pb::RemoveElementStatusesRequest>,
) -> Result<Response<pb::RemoveElementStatusesResponse>, Status> {
    let identity = identity(&request)?;
    policy::administrator(&identity).map_err(to_status)?;
    let keys = request.into_inner().keys;
    let targets = targets("keys", keys.iter().map(Some), keys.len()).map_err(to_status)?;
    let (mut wanted, mut outcomes) = (Vec::new(), Vec::new());
    for (key, target) in keys.into_iter().zip(targets) {
        let permitted = target.map_err(Error::from).and_then(|target| {
            let permit = policy::administer(&identity, &target)?;
            Ok((permit, target))
        });
        let error = match permitted {
            Ok(permitted) => {
                wanted.push(permitted);
                None
            }
            Err(error) => Some(of_item(&to_status(error))),
        };
        outcomes.push(pb::RemoveElementStatusOutcome { key: Some(key), error });
    }
    administer::remove(deps, wanted).await.map_err(to_status)?;
    Ok(Response::new(pb::RemoveElementStatusesResponse { outcomes }))
}

/// What the keys name, each that it is good for. Not more than allowed, and each status once: nobody could say which of
/// two counts.
fn targets<'k>(
    field: &str,
    keys: impl Iterator<Item = Option<&'k pb::StatusKey>>,
    count: usize,
) -> Result<Vec<Result<Target, Invalid>>, Invalid> {
    if count > MOST {
        return Err(Invalid::field(field, format!("names {count} statuses, {MOST} is the limit")));
    }
    let targets: Vec<_> = keys.map(decode::target).collect();
    let mut seen: BTreeSet<RowKey> = BTreeSet::new();
    for (i, target) in targets.iter().enumerate() {
        let mut keys = target.iter().flat_map(Target::keys);
        if keys.any(|key| !seen.insert(key)) {
            return Err(Invalid::field(format!("{field}[{i}]"), "names a status that another one names"));
        }
    }
    Ok(targets)
}
