//! The newest configuration, always at hand.

use std::{fmt, sync::Arc, time::Duration};

use diracx_core::{Explain, Explanation, Reason, config::Config};
use diracx_proto::config::v1::{
    WatchConfigRequest, WatchConfigResponse, config_service_client::ConfigServiceClient,
};
use futures::future::BoxFuture;
use tokio::{sync::watch, task::AbortHandle, time::Instant};
use tonic::{Request, Streaming, metadata::MetadataValue};
use tracing::Instrument as _;

use crate::channel::{AnyChannel, BoxError};

/// How soon a stream that broke is taken up again; doubled each time, up to [`LAST_RETRY`].
const FIRST_RETRY: Duration = Duration::from_millis(50);
/// The longest pause between two attempts.
const LAST_RETRY: Duration = Duration::from_secs(5);
/// How long the service may take to accept the call. After that there is no limit: a configuration may
/// stay for months, and the channel notices by itself when the service is gone.
const PATIENCE: Duration = Duration::from_secs(10);
/// A stream keeps the memory of its largest message for as long as it lasts. After one of so many bytes it is begun anew.
const LARGE: usize = 1 << 20;

/// There is no configuration yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the configuration is not loaded yet")]
pub struct NotReady;

impl Explain for NotReady {
    fn explain(&self) -> Explanation {
        Explanation::unavailable(Reason::ConfigurationUnavailable).retry_after(LAST_RETRY)
    }
}

/// A configuration and which one it is.
#[derive(Debug, Clone)]
struct Loaded {
    revision: String,
    config: Arc<Config>,
}

/// Follows the configuration that a config service serves, by its stream `WatchConfig`: a new revision is
/// here as soon as the service has it. When the stream breaks, the last good configuration stays, and the
/// stream is taken up again with growing pauses. Clones follow together, and stop when the last of them is
/// dropped.
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
    /// Begins to follow at once. Each call carries the token that `token` gives.
    ///
    /// Must be called within a runtime.
    pub fn start<F, R, E>(client: ConfigServiceClient<AnyChannel>, token: F) -> Self
    where
        F: Fn() -> R + Send + Sync + 'static,
        R: Future<Output = Result<Arc<str>, E>> + Send + 'static,
        E: Into<BoxError> + 'static,
    {
        let (sender, loaded) = watch::channel(None);
        let token: Box<Token> = Box::new(move || {
            let token = token();
            Box::pin(async move { token.await.map_err(Into::into) })
        });
        let task = tokio::spawn(follow(client, token, sender).in_current_span());
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

/// A token for the next call.
type Token = dyn Fn() -> BoxFuture<'static, Result<Arc<str>, BoxError>> + Send + Sync;

async fn follow(
    client: ConfigServiceClient<AnyChannel>,
    token: Box<Token>,
    sender: watch::Sender<Option<Loaded>>,
) {
    let mut state = Following { sender, seen: None, complaint: String::new() };
    let mut retry = FIRST_RETRY;
    loop {
        match begin(client.clone(), &*token, state.seen.clone()).await {
            Ok(stream) => {
                state.accepted();
                let begun = Instant::now();
                let ended = state.listen(stream).await;
                if let Ended::ToBeginAgain = ended {
                    retry = FIRST_RETRY;
                    continue;
                }
                // One that is ended at once, as by a service that is about to end, is not asked again and again.
                if begun.elapsed() >= LAST_RETRY {
                    retry = FIRST_RETRY;
                }
            }
            Err(error) => state.complain(error.to_string()),
        }
        tokio::time::sleep(retry).await;
        retry = (retry * 2).min(LAST_RETRY);
    }
}

/// What is known from one stream to the next.
struct Following {
    sender: watch::Sender<Option<Loaded>>,
    /// The last revision that came, understood or not: it is not sent again.
    seen: Option<String>,
    complaint: String,
}

/// How a stream ended.
enum Ended {
    /// The other side ended it, or it broke.
    Gone,
    /// We did, for the sake of its memory.
    ToBeginAgain,
}

impl Following {
    /// Says what is wrong: once, not with every attempt.
    fn complain(&mut self, text: String) {
        if text != self.complaint {
            tracing::warn!(error = text, "the configuration cannot be followed; keeping the last one");
            self.complaint = text;
        }
    }

    /// The service has answered, so what was wrong before is over.
    fn accepted(&mut self) {
        if !std::mem::take(&mut self.complaint).is_empty() {
            tracing::info!("the configuration is followed again");
        }
    }

    async fn listen(&mut self, mut stream: Streaming<WatchConfigResponse>) -> Ended {
        loop {
            match stream.message().await {
                Ok(Some(message)) if message.document.len() > LARGE => {
                    drop(stream);
                    self.take(message).await;
                    return Ended::ToBeginAgain;
                }
                Ok(Some(message)) => self.take(message).await,
                // the service ends, and another one begins; or our token has
                Ok(None) => return Ended::Gone,
                Err(status) => {
                    self.complain(status.to_string());
                    return Ended::Gone;
                }
            }
        }
    }

    async fn take(&mut self, message: WatchConfigResponse) {
        self.seen = Some(message.revision.clone());
        match read(message).await {
            Ok(loaded) => {
                tracing::info!(config.revision = loaded.revision, "following a new configuration");
                self.sender.send_replace(Some(loaded));
            }
            // the next revision may be one that we understand
            Err(error) => self.complain(error.to_string()),
        }
    }
}

async fn begin(
    mut client: ConfigServiceClient<AnyChannel>,
    token: &Token,
    known_revision: Option<String>,
) -> Result<Streaming<WatchConfigResponse>, BoxError> {
    let mut request = Request::new(WatchConfigRequest { known_revision });
    let bearer = MetadataValue::try_from(format!("Bearer {}", token().await?))?;
    request.metadata_mut().insert("authorization", bearer);
    Ok(tokio::time::timeout(PATIENCE, client.watch_config(request)).await??.into_inner())
}

async fn read(message: WatchConfigResponse) -> Result<Loaded, BoxError> {
    let WatchConfigResponse { revision, document, .. } = message;
    // a large configuration takes longer than an async task may
    let config = tokio::task::spawn_blocking(move || Config::from_document(&document)).await?;
    let config = config.map_err(|error| format!("configuration {revision}: {error}"))?;
    Ok(Loaded { revision, config: Arc::new(config) })
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    };

    use diracx_core::Code;
    use diracx_proto::config::v1::config_service_server::{ConfigService, ConfigServiceServer};
    use futures::{StreamExt as _, stream};
    use tokio::sync::mpsc;
    use tonic::{Response, Status};

    use super::*;
    use crate::in_process;

    type Sent = Result<(&'static str, &'static str), Status>;
    type Watched = tonic::codegen::BoxStream<WatchConfigResponse>;

    /// Sends what the test wants on the stream that is open.
    #[derive(Clone, Default)]
    struct Source {
        stream: Arc<Mutex<Option<mpsc::UnboundedSender<Sent>>>>,
        known: Arc<Mutex<Vec<Option<String>>>>,
        away: Arc<AtomicUsize>,
    }

    #[tonic::async_trait]
    impl ConfigService for Source {
        async fn watch_config(
            &self,
            request: Request<WatchConfigRequest>,
        ) -> Result<Response<Watched>, Status> {
            assert_eq!(request.metadata().get("authorization").unwrap(), "Bearer component");
            if self.away.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok()
            {
                return Err(Status::unavailable("the service is away"));
            }
            let (sender, receiver) = mpsc::unbounded_channel();
            self.known.lock().unwrap().push(request.into_inner().known_revision);
            *self.stream.lock().unwrap() = Some(sender);
            let messages = stream::unfold(receiver, async |mut receiver| {
                let message = receiver.recv().await?.map(|(revision, document): (&str, &str)| {
                    let (revision, document) = (revision.to_owned(), document.to_owned());
                    WatchConfigResponse { revision, modified: None, document }
                });
                Some((message, receiver))
            });
            Ok(Response::new(messages.boxed()))
        }
    }

    impl Source {
        async fn until_watched(&self, times: usize) {
            while self.known.lock().unwrap().len() < times {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }

        fn send(&self, message: Sent) {
            self.stream.lock().unwrap().as_ref().unwrap().send(message).unwrap();
        }
    }

    fn follower(source: &Source) -> ConfigFollower {
        let channel = in_process(ConfigServiceServer::new(source.clone()));
        ConfigFollower::start(crate::config(channel), || async { Ok::<_, BoxError>("component".into()) })
    }

    async fn until(follower: &ConfigFollower, revision: &str) {
        while follower.revision().as_deref() != Some(revision) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    const SETUP: &str = r#"{"DIRAC": {"NoSetup": true}, "Registry": {}}"#;
    const PLAIN: &str = r#"{"DIRAC": {}, "Registry": {}}"#;

    #[tokio::test(start_paused = true)]
    async fn a_revision_is_here_as_soon_as_it_is_sent_and_those_that_make_no_sense_are_passed_over() {
        let source = Source::default();
        let follower = follower(&source);
        assert_eq!(follower.current().unwrap_err().explain().code, Code::Unavailable);
        source.until_watched(1).await;
        source.send(Ok(("1", SETUP)));
        assert!(follower.ready().await.dirac.no_setup);

        source.send(Ok(("2", "not JSON")));
        source.send(Ok(("3", r#"{"Registry": 1}"#)));
        source.send(Ok(("4", PLAIN)));
        until(&follower, "4").await;
        assert!(!follower.current().unwrap().dirac.no_setup);
        assert_eq!(*source.known.lock().unwrap(), [None], "one stream, and nobody asked again");
    }

    #[tokio::test(start_paused = true)]
    async fn the_last_good_configuration_stays_while_the_service_is_away_and_the_stream_is_taken_up_again() {
        let source = Source::default();
        let follower = follower(&source);
        source.until_watched(1).await;
        source.send(Ok(("1", SETUP)));
        until(&follower, "1").await;

        source.away.store(20, Ordering::SeqCst);
        source.send(Err(Status::internal("broken")));
        let started = tokio::time::Instant::now();
        source.until_watched(2).await;
        let took = started.elapsed();
        assert!((60..110).contains(&took.as_secs()), "pauses grow up to five seconds: {took:?}");
        assert!(follower.current().unwrap().dirac.no_setup);

        // a service that ends its streams before it ends itself
        *source.stream.lock().unwrap() = None;
        source.until_watched(3).await;
        let known = Some("1".to_owned());
        assert_eq!(*source.known.lock().unwrap(), [None, known.clone(), known]);
        source.send(Ok(("2", PLAIN)));
        until(&follower, "2").await;
    }

    #[tokio::test]
    async fn nobody_follows_any_more_when_the_last_follower_is_gone() {
        let source = Source::default();
        let follower = follower(&source);
        source.until_watched(1).await;
        let sender = source.stream.lock().unwrap().take().unwrap();
        drop(follower.clone());
        assert!(!sender.is_closed());
        drop(follower);
        sender.closed().await;
    }
}
