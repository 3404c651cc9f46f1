//! Setting and removing statuses, and cancelling what is planned.

use std::collections::BTreeSet;

use diracx_proto::{Invalid, rss::v1 as pb, status::of_item};
use diracx_server::{identity, to_status};
use tonic::{Request, Response, Status};

use super::{decode, encode};
use crate::{
    Deps,
    error::{Error, Result},
    logic::{
        administer,
        plan::{Refusal, Target, Update},
    },
    model::RowKey,
    policy::{self, Administer, Caller},
};

/// How many statuses one call may name.
const MOST: usize = 1000;

pub(super) async fn set_element_statuses(
    deps: &Deps,
    request: Request<pb::SetElementStatusesRequest>,
) -> Result<Response<pb::SetElementStatusesResponse>, Status> {
    let caller = caller(&request)?;
    let updates = request.into_inner().updates;
    let keys = updates.iter().map(|update| update.key.as_ref());
    let targets = targets("updates", keys, updates.len()).map_err(to_status)?;
    let now = deps.clock.now();
    let permitted =
        updates.iter().zip(targets).map(|(update, target)| permitted(&caller, update, target, now));
    let (wanted, refused) = divide(permitted);
    let done = administer::set(deps, wanted).await.map_err(to_status)?;
    let outcomes = updates.into_iter().zip(fill_in(refused, done)).map(|(update, result)| {
        let result = match result {
            Ok(entries) => pb::set_element_status_outcome::Result::Statuses(pb::ElementStatuses {
                statuses: entries.iter().map(encode::entry).collect(),
            }),
            Err(error) => pb::set_element_status_outcome::Result::Error(of_item(&to_status(error))),
        };
        pb::SetElementStatusOutcome { key: update.key, result: Some(result) }
    });
    Ok(Response::new(pb::SetElementStatusesResponse { outcomes: outcomes.collect() }))
}

fn caller<T>(request: &Request<T>) -> Result<Caller, Status> {
    policy::administrator(&*identity(request)?).map_err(to_status)
}

fn permitted(
    caller: &Caller,
    update: &pb::ElementStatusUpdate,
    target: Result<Target, Invalid>,
    now: chrono::DateTime<chrono::Utc>,
) -> Result<(Administer, Update)> {
    let target = target?;
    let permit = caller.administer(&target)?;
    let update = decode::update(update, target, permit.owner(), now)?;
    Ok((permit, update))
}

pub(super) async fn remove_element_statuses(
    deps: &Deps,
    request: Request<pb::RemoveElementStatusesRequest>,
) -> Result<Response<pb::RemoveElementStatusesResponse>, Status> {
    let caller = caller(&request)?;
    let keys = request.into_inner().keys;
    let (wanted, refused) = of_keys(&caller, &keys)?;
    let done = administer::remove(deps, wanted).await.map_err(to_status)?;
    let outcomes = keys.into_iter().zip(fill_in(refused, done)).map(|(key, result)| {
        let error = result.err().map(|error| of_item(&to_status(error)));
        pb::RemoveElementStatusOutcome { key: Some(key), error }
    });
    Ok(Response::new(pb::RemoveElementStatusesResponse { outcomes: outcomes.collect() }))
}

pub(super) async fn cancel_planned_statuses(
    deps: &Deps,
    request: Request<pb::CancelPlannedStatusesRequest>,
) -> Result<Response<pb::CancelPlannedStatusesResponse>, Status> {
    let caller = caller(&request)?;
    let keys = request.into_inner().keys;
    let (wanted, refused) = of_keys(&caller, &keys)?;
    let done = administer::cancel(deps, wanted).await.map_err(to_status)?;
    let outcomes = keys.into_iter().zip(fill_in(refused, done)).map(|(key, result)| {
        let result = match result {
            Ok(entries) => pb::cancel_planned_status_outcome::Result::Cancelled(pb::ElementStatuses {
                statuses: entries.iter().map(encode::entry).collect(),
            }),
            Err(error) => pb::cancel_planned_status_outcome::Result::Error(of_item(&to_status(error))),
        };
        pb::CancelPlannedStatusOutcome { key: Some(key), result: Some(result) }
    });
    Ok(Response::new(pb::CancelPlannedStatusesResponse { outcomes: outcomes.collect() }))
}

/// What the caller may change of what the keys name, and of each key why not.
fn of_keys(caller: &Caller, keys: &[pb::StatusKey]) -> Result<Wanted<(Administer, Target)>, Status> {
    let targets = targets("keys", keys.iter().map(Some), keys.len()).map_err(to_status)?;
    Ok(divide(targets.into_iter().map(|target| {
        let target = target?;
        Ok((caller.administer(&target)?, target))
    })))
}

/// What is wanted, and for each item of the request why it is not.
type Wanted<T> = (Vec<T>, Vec<Option<Error>>);

fn divide<T>(items: impl Iterator<Item = Result<T>>) -> Wanted<T> {
    let (mut wanted, mut refused) = (Vec::new(), Vec::new());
    for item in items {
        match item {
            Ok(item) => {
                wanted.push(item);
                refused.push(None);
            }
            Err(error) => refused.push(Some(error)),
        }
    }
    (wanted, refused)
}

/// Puts what came of those that were wanted between those that were refused.
fn fill_in<T>(
    refused: Vec<Option<Error>>,
    done: Vec<Result<T, Refusal>>,
) -> impl Iterator<Item = Result<T, Error>> {
    let mut done = done.into_iter();
    refused.into_iter().filter_map(move |refused| match refused {
        Some(error) => Some(Err(error)),
        None => done.next().map(|outcome| outcome.map_err(Error::from)),
    })
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
