//! The newest configuration, always at hand.

use std::{fmt, sync::Arc, time::Duration};

use diracx_core::{Explain, Explanation, Reason, config::Config};
use diracx_proto::config::v1::{GetConfigRequest, config_service_client::ConfigServiceClient};
use futures::future::BoxFuture;
use tokio::{sync::watch, task::AbortHandle};
use tonic::{Request, metadata::MetadataValue};
use tracing::Instrument as _;

use crate::channel::{AnyChannel, BoxError};

/// How often the source is asked, once there is a configuration.
const INTERVAL: Duration = Duration::from_secs(5);
/// How soon it is asked again while there is none; doubled each time, up to [`INTERVAL`].
const FIRST_RETRY: Duration = Duration::from_millis(50);
/// How long the source may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// There is no configuration yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the configuration is not loaded yet")]
pub struct NotReady;

impl Explain for NotReady {
    fn explain(&self) -> Explanation {
        Explanation::unavailable(Reason::ConfigurationUnavailable).retry_after(INTERVAL)
    }
}

/// A configuration and which one it is.
#[derive(Debug, Clone)]
struct Loaded {
    revision: String,
    config: Arc<Config>,
}

/// Follows the configuration that a config service serves. Clones follow together, and stop when the
/// last of them is dropped.
#[derive(Clone)]
pub struct ConfigFollower {
    loaded: watch::Receiver<Option<Loaded>>,
    _task: Option<Arc<StopOnDrop>>,
}

struct StopOnDrop(AbortHandle);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl fmt::Debug for ConfigFollower {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConfigFollower").field("revision", &self.revision()).finish_non_exhaustive()
    }
}

impl ConfigFollower {
    /// Begins to follow, with a first look at once. Each look carries the token that `token` gives.
    ///
    /// Must be called within a runtime.
    pub fn start<F, R, E>(client: ConfigServiceClient<AnyChannel>, token: F) -> Self
    where
        F: Fn() -> R + Send + Sync + 'static,
        R: Future<Output = Result<Arc<str>, E>> + Send + 'static,
        E: Into<BoxError> + 'static,
    {
        Self::every(INTERVAL, client, token)
    }

    fn every<F, R, E>(interval: Duration, client: ConfigServiceClient<AnyChannel>, token: F) -> Self
    where
        F: Fn() -> R + Send + Sync + 'static,
        R: Future<Output = Result<Arc<str>, E>> + Send + 'static,
        E: Into<BoxError> + 'static,
    {
        let (sender, loaded) = watch::channel(None);
        let token = move || -> BoxFuture<'static, Result<Arc<str>, BoxError>> {
            let token = token();
            Box::pin(async move { token.await.map_err(Into::into) })
        };
        let task = tokio::spawn(follow(interval, client, token, sender).in_current_span());
        Self { loaded, _task: Some(Arc::new(StopOnDrop(task.abort_handle()))) }
    }

    /// One that has `config` and never changes, for tests.
    pub fn fixed(config: Config) -> Self {
        let loaded = Loaded { revision: "fixed".to_owned(), config: Arc::new(config) };
        Self { loaded: watch::channel(Some(loaded)).1, _task: None }
    }

    /// The newest configuration that could be read.
    ///
    /// # Errors
    /// Until the first one is.
    pub fn current(&self) -> Result<Arc<Config>, NotReady> {
        self.loaded.borrow().as_ref().map(|loaded| Arc::clone(&loaded.config)).ok_or(NotReady)
    }

    /// Which revision [`current`](Self::current) is.
    pub fn revision(&self) -> Option<String> {
        self.loaded.borrow().as_ref().map(|loaded| loaded.revision.clone())
    }

    /// Waits until there is a configuration.
    pub async fn ready(&self) -> Arc<Config> {
        let mut loaded = self.loaded.clone();
        loop {
            let found = loaded.borrow_and_update().as_ref().map(|loaded| Arc::clone(&loaded.config));
            match found {
                Some(config) => return config,
                // nobody follows any more, so there never will be one
                None if loaded.changed().await.is_err() => std::future::pending().await,
                None => {}
            }
        }
    }
}

async fn follow(
    interval: Duration,
    client: ConfigServiceClient<AnyChannel>,
    token: impl Fn() -> BoxFuture<'static, Result<Arc<str>, BoxError>> + Send + Sync,
    sender: watch::Sender<Option<Loaded>>,
) {
    let mut retry = FIRST_RETRY.min(interval);
    let mut complaint = String::new();
    loop {
        let known = sender.borrow().as_ref().map(|loaded| loaded.revision.clone());
        match look(client.clone(), &token, known).await {
            Ok(newer) => {
                complaint.clear();
                if let Some(loaded) = newer {
                    tracing::info!(config.revision = loaded.revision, "following a new configuration");
                    sender.send_replace(Some(loaded));
                }
            }
            Err(error) => {
                // said once, not every five seconds
                let text = error.to_string();
                if text != complaint {
                    tracing::warn!(error = text, "the configuration cannot be read; keeping the last one");
                    complaint = text;
                }
            }
        }
        let wait = if sender.borrow().is_some() { interval } else { retry };
        retry = (retry * 2).min(interval);
        tokio::time::sleep(wait).await;
    }
}

async fn look(
    mut client: ConfigServiceClient<AnyChannel>,
    token: &(impl Fn() -> BoxFuture<'static, Result<Arc<str>, BoxError>> + Sync),
    known_revision: Option<String>,
) -> Result<Option<Loaded>, BoxError> {
    let mut request = Request::new(GetConfigRequest { known_revision });
    request.set_timeout(PATIENCE);
    let bearer = MetadataValue::try_from(format!("Bearer {}", token().await?))?;
    request.metadata_mut().insert("authorization", bearer);
    // the timeout is for the server; this one is for a server that does not keep it
    let answer = tokio::time::timeout(PATIENCE, client.get_config(request)).await??.into_inner();
    if answer.not_modified {
        return Ok(None);
    }
    // a large configuration takes longer than an async task may
    let config = tokio::task::spawn_blocking(move || Config::from_document(&answer.document)).await??;
    Ok(Some(Loaded { revision: answer.revision, config: Arc::new(config) }))
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    };

    use diracx_core::Code;
    use diracx_proto::config::v1::{
        GetConfigResponse,
        config_service_server::{ConfigService, ConfigServiceServer},
    };
    use tonic::{Response, Status};

    use super::*;
    use crate::in_process;

    const DOCUMENT: &str = r#"{"DIRAC": {"NoSetup": true}, "Registry": {}}"#;

    /// Serves what the test wants, or nothing.
    #[derive(Clone, Default)]
    struct Source {
        served: Arc<Mutex<Option<(&'static str, &'static str)>>>,
        asked: Arc<AtomicUsize>,
    }

    #[tonic::async_trait]
    impl ConfigService for Source {
        async fn get_config(
            &self,
            request: Request<GetConfigRequest>,
        ) -> Result<Response<GetConfigResponse>, Status> {
            self.asked.fetch_add(1, Ordering::SeqCst);
            assert_eq!(request.metadata().get("authorization").unwrap(), "Bearer component");
            let (revision, document) =
                self.served.lock().unwrap().ok_or_else(|| Status::unavailable("the repository is away"))?;
            let known = request.into_inner().known_revision;
            let not_modified = known.as_deref() == Some(revision);
            let document = if not_modified { "" } else { document }.to_owned();
            let revision = revision.to_owned();
            Ok(Response::new(GetConfigResponse { revision, modified: None, document, not_modified }))
        }
    }

    impl Source {
        /// Waits until what is served now has been asked for and the answer dealt with.
        async fn asked_again(&self) {
            let before = self.asked.load(Ordering::SeqCst);
            while self.asked.load(Ordering::SeqCst) < before + 3 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }
    }

    fn follower(source: &Source) -> ConfigFollower {
        let channel = in_process(ConfigServiceServer::new(source.clone()));
        ConfigFollower::every(Duration::from_millis(1), crate::config(channel), || async {
            Ok::<_, BoxError>("component".into())
        })
    }

    async fn until(follower: &ConfigFollower, revision: &str) {
        while follower.revision().as_deref() != Some(revision) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    #[tokio::test]
    async fn the_last_good_configuration_stays_while_the_source_fails() {
        let source = Source::default();
        let follower = follower(&source);
        assert_eq!(follower.current().unwrap_err().explain().code, Code::Unavailable);
        *source.served.lock().unwrap() = Some(("1", DOCUMENT));
        assert!(follower.ready().await.dirac.no_setup);
        assert_eq!(follower.revision().as_deref(), Some("1"));

        for broken in [None, Some(("2", "not JSON")), Some(("3", r#"{"Registry": 1}"#))] {
            *source.served.lock().unwrap() = broken;
            source.asked_again().await;
            assert_eq!(follower.revision().as_deref(), Some("1"));
        }
        *source.served.lock().unwrap() = Some(("4", r#"{"DIRAC": {}, "Registry": {}}"#));
        until(&follower, "4").await;
        assert!(!follower.current().unwrap().dirac.no_setup);
    }
}
