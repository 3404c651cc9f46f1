//! What is old goes: the standalone has no tasks that would see to it, so it asks the services itself.

use std::time::Duration;

use diracx_client::AnyChannel;
use diracx_proto::auth::v1::{
    CleanExpiredFlowsRequest, CleanExpiredTokensRequest, CleanRetiredKeysRequest,
    auth_service_client::AuthServiceClient,
};
use tonic::{Code, Status};

/// How often. The first time is at the start: a laptop is not always on.
const INTERVAL: Duration = Duration::from_secs(3600);

/// Cleans now and every hour, until it is told to stop. The calls of `auth` carry the token of the tasks.
pub(crate) async fn run(auth: AnyChannel, stopped: impl Future<Output = ()>) {
    let mut auth = diracx_client::auth(auth);
    let forever = async {
        loop {
            if let Err(error) = clean(&mut auth).await {
                tracing::warn!(%error, "old logins and tokens are not cleaned; the next try is in an hour");
            }
            tokio::time::sleep(INTERVAL).await;
        }
    };
    tokio::select! {
        () = forever => {}
        () = stopped => {}
    }
}

async fn clean(auth: &mut AuthServiceClient<AnyChannel>) -> Result<(), Status> {
    while !auth.clean_expired_flows(CleanExpiredFlowsRequest::default()).await?.into_inner().done {}
    while !auth.clean_expired_tokens(CleanExpiredTokensRequest::default()).await?.into_inner().done {}
    match auth.clean_retired_keys(CleanRetiredKeysRequest {}).await {
        // a key store that is given inline, or that belongs to somebody else
        Err(status) if status.code() == Code::FailedPrecondition => Ok(()),
        answer => answer.map(drop),
    }
}
