//! Tokens and what was removed of them, on the wire.

use diracx_proto::auth::v1 as pb;
use diracx_server::to_status;
use prost_types::Timestamp;
use tonic::{Request, Status};
use uuid::Uuid;

use crate::{
    logic::{
        cleaning::{RemovedFlows, RemovedTokens},
        management::Page,
    },
    policy::{self, Clean, IssuePilotToken},
    store::StoredToken,
};

/// The permit of whoever asks for cleaning.
pub(super) fn cleaner<T>(request: &Request<T>) -> Result<Clean, Status> {
    policy::clean(&*diracx_server::identity(request)?).map_err(to_status)
}

/// The permit of whoever asks for the token of a pilot.
pub(super) fn issuer<T>(request: &Request<T>) -> Result<IssuePilotToken, Status> {
    policy::issue_pilot_token(&*diracx_server::identity(request)?).map_err(to_status)
}

impl From<Page> for pb::ListRefreshTokensResponse {
    fn from(page: Page) -> Self {
        let refresh_tokens = page.tokens.into_iter().map(Into::into).collect();
        Self { refresh_tokens, next_page_token: page.next }
    }
}

impl From<StoredToken> for pb::RefreshToken {
    fn from(StoredToken { jti, token }: StoredToken) -> Self {
        let status =
            if token.revoked { pb::RefreshTokenStatus::Revoked } else { pb::RefreshTokenStatus::Created };
        Self {
            jti: jti.to_string(),
            status: status.into(),
            scope: token.scope,
            sub: token.sub,
            creation_time: made_at(jti),
        }
    }
}

/// The time is in the id; an id of another version has none.
fn made_at(jti: Uuid) -> Option<Timestamp> {
    let (seconds, nanos) = jti.get_timestamp()?.to_unix();
    Some(Timestamp { seconds: i64::try_from(seconds).ok()?, nanos: i32::try_from(nanos).ok()? })
}

impl From<RemovedFlows> for pb::CleanExpiredFlowsResponse {
    fn from(removed: RemovedFlows) -> Self {
        Self {
            removed_device_flows: count(removed.device),
            removed_authorization_flows: count(removed.authorization),
            done: removed.done,
        }
    }
}

impl From<RemovedTokens> for pb::CleanExpiredTokensResponse {
    fn from(removed: RemovedTokens) -> Self {
        Self {
            removed_tokens: count(removed.rows),
            added_partitions: removed.partitions.added,
            removed_partitions: removed.partitions.removed,
            done: removed.done,
        }
    }
}

fn count(rows: usize) -> i64 {
    i64::try_from(rows).unwrap_or(i64::MAX)
}
