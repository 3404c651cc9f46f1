//! The work that the workload management does by itself, in batches.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use diracx_proto::{Invalid, jobs::v1 as pb};
use diracx_server::{identity, to_status};
use tonic::{Request, Response, Status};

use crate::{Deps, logic::task_queues, policy};

/// How much is done in one call if the request does not say.
const USUAL_BATCH: usize = 500;
/// How much is done in one call at the most: nobody should wait long behind it.
const LARGEST_BATCH: usize = 10_000;

pub(super) async fn maintain_task_queues(
    deps: &Deps,
    request: Request<pb::MaintainTaskQueuesRequest>,
) -> Result<Response<pb::MaintainTaskQueuesResponse>, Status> {
    let identity = identity(&request)?;
    let permit = policy::maintain(&identity).map_err(to_status)?;
    let request = request.into_inner();
    let count = batch_size(request.batch_size).map_err(to_status)?;
    let after = read_token(&request.page_token).map_err(to_status)?;
    let done = task_queues::maintain(deps, &permit, after, count).await.map_err(to_status)?;
    let number = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
    Ok(Response::new(pb::MaintainTaskQueuesResponse {
        changed_queues: number(done.changed),
        removed_queues: number(done.removed),
        next_page_token: done.next.map(write_token).unwrap_or_default(),
        done: done.next.is_none(),
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

/// Where the next page begins; opaque to clients.
fn write_token(after: i64) -> String {
    URL_SAFE_NO_PAD.encode(format!("after:{after}"))
}

fn read_token(token: &str) -> Result<i64, Invalid> {
    if token.is_empty() {
        return Ok(0);
    }
    URL_SAFE_NO_PAD
        .decode(token)
        .ok()
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .and_then(|text| text.strip_prefix("after:")?.parse().ok())
        .ok_or_else(|| Invalid::field("page_token", "is not one that this rpc gave"))
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

    #[test]
    fn a_token_leads_on_and_nothing_else_does() {
        assert_eq!(read_token(&write_token(4_711)), Ok(4_711));
        assert_eq!(read_token(""), Ok(0));
        for token in ["x", "c2tpcDo1", "\u{1F600}"] {
            assert!(read_token(token).is_err(), "{token}");
        }
    }
}
