//! Putting into effect what is due.

use diracx_proto::{Invalid, rss::v1 as pb};
use diracx_server::{identity, to_status};
use tonic::{Request, Response, Status};

use crate::{Deps, logic::due, policy};

/// How many statuses are changed in one call if the request does not say.
const USUAL_BATCH: usize = 500;
/// How many at the most: nobody should wait long behind it.
const LARGEST_BATCH: usize = 10_000;

pub(super) async fn apply_due_statuses(
    deps: &Deps,
    request: Request<pb::ApplyDueStatusesRequest>,
) -> Result<Response<pb::ApplyDueStatusesResponse>, Status> {
    let permit = policy::maintain(&*identity(&request)?).map_err(to_status)?;
    let most = batch_size(request.get_ref().batch_size).map_err(to_status)?;
    let (store, clock) = (deps.store.as_ref(), deps.clock.as_ref());
    let applied = due::apply(&permit, store, clock, crate::deadline(), most).await.map_err(to_status)?;
    if applied.begun + applied.ended > 0 {
        deps.keeper.refresh().await;
    }
    let number = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
    Ok(Response::new(pb::ApplyDueStatusesResponse {
        begun: number(applied.begun),
        ended: number(applied.ended),
        done: applied.done,
    }))
}

fn batch_size(asked: i32) -> Result<usize, Invalid> {
    match usize::try_from(asked) {
        Ok(0) => Ok(USUAL_BATCH),
        Ok(size) => Ok(size.min(LARGEST_BATCH)),
        Err(_) => Err(Invalid::field("batch_size", "must not be negative")),
    }
}
