//! What the system does by itself, in batches.

use diracx_proto::{Invalid, pilots::v1 as pb};
use diracx_server::{identity, to_status};
use tonic::{Request, Response, Status};

use crate::{Deps, logic::maintenance, policy};

/// How much is done in one call if the request does not say.
const USUAL_BATCH: usize = 500;
/// How much is done in one call at the most: nobody should wait long behind it.
const LARGEST_BATCH: usize = 10_000;

pub(super) async fn declare_stalled_pilots(
    deps: &Deps,
    request: Request<pb::DeclareStalledPilotsRequest>,
) -> Result<Response<pb::DeclareStalledPilotsResponse>, Status> {
    let permit = policy::maintain(&*identity(&request)?).map_err(to_status)?;
    let count = batch_size(request.into_inner().batch_size).map_err(to_status)?;
    let given_up = maintenance::give_up_silent(deps, &permit, count).await.map_err(to_status)?;
    Ok(Response::new(pb::DeclareStalledPilotsResponse {
        pilot_stamps: given_up.pilots.iter().map(ToString::to_string).collect(),
        done: given_up.done,
    }))
}

pub(super) async fn clean_pilots(
    deps: &Deps,
    request: Request<pb::CleanPilotsRequest>,
) -> Result<Response<pb::CleanPilotsResponse>, Status> {
    let permit = policy::maintain(&*identity(&request)?).map_err(to_status)?;
    let count = batch_size(request.into_inner().batch_size).map_err(to_status)?;
    let forgotten = maintenance::forget_old(deps, &permit, count).await.map_err(to_status)?;
    Ok(Response::new(pb::CleanPilotsResponse {
        removed_pilots: i64::try_from(forgotten.pilots).unwrap_or(i64::MAX),
        removed_credentials: 0,
        removed_log_lines: 0,
        done: forgotten.done,
    }))
}

/// 0 is the usual size, less is refused.
fn batch_size(asked: i32) -> Result<usize, Invalid> {
    match usize::try_from(asked) {
        Ok(0) => Ok(USUAL_BATCH),
        Ok(size) => Ok(size.min(LARGEST_BATCH)),
        Err(_) => Err(Invalid::field("batch_size", "must not be negative")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_are_bounded_and_never_negative() {
        let sizes = [0, 7, i32::MAX].map(|asked| batch_size(asked).unwrap());
        assert_eq!(sizes, [USUAL_BATCH, 7, LARGEST_BATCH]);
        assert_eq!(batch_size(-1).unwrap_err().to_string(), "batch_size: must not be negative");
    }
}
