//! The rpcs of `ConfigService`: each reads what the keeper has.

use std::{sync::Arc, time::Duration};

use diracx_core::{Clock, Explain, Explanation, Reason};
use diracx_proto::{config::v1 as pb, time::timestamp};
use diracx_server::{identity, to_status};
use futures::{Stream, StreamExt, stream};
use tokio::sync::watch;
use tonic::{Request, Response, Status};

use crate::{
    keeper::{ConfigKeeper, Loaded, Snapshot},
    watching::{Watchers, left},
};

/// How long a client waits before it asks again for a configuration that is not loaded yet; DiracX says so too.
const RETRY_AFTER: Duration = Duration::from_secs(10);

/// There is no configuration to serve yet.
#[derive(Debug, thiserror::Error)]
#[error("the configuration is not loaded yet{}", .cause.as_ref().map(|cause| format!(": {cause}")).unwrap_or_default())]
struct NotLoaded {
    cause: Option<String>,
}

impl Explain for NotLoaded {
    fn explain(&self) -> Explanation {
        Explanation::unavailable(Reason::ConfigurationUnavailable).retry_after(RETRY_AFTER)
    }
}

/// Serves what a [`ConfigKeeper`] keeps.
pub struct Service {
    keeper: ConfigKeeper,
    watchers: Watchers,
    clock: Arc<dyn Clock>,
}

impl Service {
    /// Over a keeper that looks after the configuration.
    pub fn new(keeper: ConfigKeeper) -> Self {
        let clock = keeper.clock();
        Self { keeper, watchers: Watchers::default(), clock }
    }

    fn loaded(&self) -> Result<Arc<Loaded>, Status> {
        let Snapshot { loaded, failure, .. } = self.keeper.snapshot();
        loaded.ok_or_else(|| to_status(NotLoaded { cause: failure.map(|failure| failure.message) }))
    }
}

type Watched = tonic::codegen::BoxStream<pb::WatchConfigResponse>;

#[tonic::async_trait]
impl pb::config_service_server::ConfigService for Service {
    async fn get_config(
        &self,
        request: Request<pb::GetConfigRequest>,
    ) -> Result<Response<pb::GetConfigResponse>, Status> {
        let loaded = self.loaded()?;
        let not_modified =
            request.into_inner().known_revision.is_some_and(|known| known == loaded.revision.id);
        Ok(Response::new(pb::GetConfigResponse {
            revision: loaded.revision.id.clone(),
            modified: Some(timestamp(loaded.revision.modified)),
            document: if not_modified { String::new() } else { loaded.document.clone() },
            not_modified,
        }))
    }

    async fn watch_config(
        &self,
        request: Request<pb::WatchConfigRequest>,
    ) -> Result<Response<Watched>, Status> {
        let place = self.watchers.enter(&*identity(&request)?).map_err(to_status)?;
        let left = left(request.metadata(), self.clock.now());
        let known = request.into_inner().known_revision;
        let mut ending = self.keeper.ending();
        let end = async move {
            // an error means that the keeper is gone, which ends the stream as well
            let ending = ending.wait_for(|ending| *ending);
            let _ = tokio::time::timeout(left, ending).await;
        };
        let messages = watch_from(self.keeper.subscribe(), known).take_until(Box::pin(end));
        let messages = messages.inspect(move |_| {
            // kept for as long as the stream
            let _ = &place;
        });
        Ok(Response::new(messages.boxed()))
    }

    async fn get_config_status(
        &self,
        _: Request<pb::GetConfigStatusRequest>,
    ) -> Result<Response<pb::GetConfigStatusResponse>, Status> {
        let Snapshot { loaded, checked, failure, stale, kept } = self.keeper.snapshot();
        let loaded = loaded.as_deref();
        let (last_error, failed) = failure.map(|failure| (failure.message, failure.since)).unzip();
        Ok(Response::new(pb::GetConfigStatusResponse {
            revision: loaded.map(|loaded| loaded.revision.id.clone()).unwrap_or_default(),
            modified: loaded.map(|loaded| timestamp(loaded.revision.modified)),
            loaded: loaded.map(|loaded| timestamp(loaded.loaded)),
            checked: checked.map(timestamp),
            last_error: last_error.unwrap_or_default(),
            last_error_time: failed.map(timestamp),
            followed_revision: self.keeper.followed_revision().to_owned(),
            stale,
            kept,
        }))
    }
}

/// Every revision after the `known` one. Ends when the keeper does.
fn watch_from(
    mut states: watch::Receiver<Snapshot>,
    known: Option<String>,
) -> impl Stream<Item = Result<pb::WatchConfigResponse, Status>> {
    states.mark_changed();
    stream::unfold((states, known), |(mut states, known)| async move {
        loop {
            states.changed().await.ok()?;
            let loaded = states.borrow_and_update().loaded.clone();
            if let Some(loaded) = loaded
                && known.as_ref() != Some(&loaded.revision.id)
            {
                let message = pb::WatchConfigResponse {
                    revision: loaded.revision.id.clone(),
                    modified: Some(timestamp(loaded.revision.modified)),
                    document: loaded.document.clone(),
                };
                return Some((Ok(message), (states, Some(loaded.revision.id.clone()))));
            }
        }
    })
}
