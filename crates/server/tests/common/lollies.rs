//! A small tonic service, as `tests/proto/lollies.proto` describes it.

use std::{
    convert::Infallible,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use diracx_server::{
    AccessTable, Deadline, Identity, RpcService, Stack, TokenMinter, TokenVerifier, access::Rule,
    limits::Limits, telemetry::Metrics, token::KeyStore, version_gate::VersionGate,
};
use futures::future::BoxFuture;
use prost::Message;
use tokio::sync::Notify;
use tonic::{Request, Response, Status, body::Body, server::NamedService, service::Routes};
use tonic_prost::ProstCodec;

use super::{ISSUER, TestClock, noon};

/// The service's full name.
pub(crate) const LOLLIES: &str = "test.lollies.v1.LolliesService";

/// The descriptors, with our real `options.proto`.
pub(crate) fn descriptor_set() -> &'static [u8] {
    static ENCODED: OnceLock<Vec<u8>> = OnceLock::new();
    ENCODED.get_or_init(|| {
        let root = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/proto");
        let contract = concat!(env!("CARGO_MANIFEST_DIR"), "/../../proto");
        protox::Compiler::new([root, contract])
            .unwrap()
            .include_imports(true)
            .open_file("lollies.proto")
            .unwrap()
            .encode_file_descriptor_set()
    })
}

/// What the handlers share.
#[derive(Default)]
pub(crate) struct Shared {
    /// Lets one waiting call go.
    pub(crate) go: Notify,
    /// How many calls wait.
    pub(crate) waiting: AtomicUsize,
}

/// The service.
#[derive(Clone, Default)]
pub(crate) struct Lollies(pub(crate) Arc<Shared>);

impl NamedService for Lollies {
    const NAME: &'static str = LOLLIES;
}

impl tower::Service<http::Request<Body>> for Lollies {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let method = request.uri().path().rsplit('/').next().unwrap().to_owned();
        let handler = Handler { method, shared: self.0.clone() };
        Box::pin(async move {
            let mut grpc = tonic::server::Grpc::new(ProstCodec::<String, String>::default());
            Ok(grpc.unary(handler, request).await)
        })
    }
}

struct Handler {
    method: String,
    shared: Arc<Shared>,
}

impl tonic::server::UnaryService<String> for Handler {
    type Response = String;
    type Future = BoxFuture<'static, Result<Response<String>, Status>>;

    fn call(&mut self, request: Request<String>) -> Self::Future {
        let (method, shared) = (self.method.clone(), self.shared.clone());
        Box::pin(async move { answer(&method, &shared, request).await.map(Response::new) })
    }
}

async fn answer(method: &str, shared: &Shared, request: Request<String>) -> Result<String, Status> {
    match method {
        "Panic" => panic!("sticky: {}", request.get_ref()),
        "Sleep" => std::future::pending().await,
        "Wait" => {
            shared.waiting.fetch_add(1, Ordering::SeqCst);
            shared.go.notified().await;
            Ok("waited".to_owned())
        }
        "Deadline" | "StreamDeadline" => {
            let extension = request.extensions().get::<Deadline>().copied();
            assert_eq!(extension.is_some(), Deadline::current().is_some());
            // in a task of its own nobody waits for it
            assert_eq!(diracx_server::spawn(async { Deadline::current() }).await.unwrap(), None);
            Ok(Deadline::time_left().map_or("none".to_owned(), |left| left.as_millis().to_string()))
        }
        _ => {
            let rule = request.extensions().get::<Arc<Rule>>().unwrap();
            assert!(rule.path.ends_with(method));
            Ok(match request.extensions().get::<Arc<Identity>>().map(|identity| (**identity).clone()) {
                None => "nobody".to_owned(),
                Some(Identity::Component(component)) => format!("component {}", component.name),
                Some(Identity::Pilot(pilot)) => {
                    assert!(diracx_server::user(&request).is_err());
                    format!("pilot {} of {}", pilot.stamp, pilot.vo)
                }
                Some(Identity::User(user)) => {
                    assert_eq!(diracx_server::user(&request).unwrap(), user);
                    format!("{} of {}", user.preferred_username, user.vo)
                }
            })
        }
    }
}

/// A served service and all that goes with it.
pub(crate) struct Mesh {
    pub(crate) stack: Stack,
    pub(crate) service: RpcService,
    pub(crate) minter: TokenMinter,
    pub(crate) shared: Arc<Shared>,
}

impl Mesh {
    pub(crate) fn start() -> Self {
        Self::with_limits(Limits::default())
    }

    pub(crate) fn with_limits(limits: Limits) -> Self {
        let clock = Arc::new(TestClock::new(noon()));
        let keys = Arc::new(KeyStore::generate(noon()).unwrap());
        let algorithms = diracx_server::token::DEFAULT_ALGORITHMS;
        let minter = TokenMinter::new(keys.clone(), ISSUER, &algorithms, clock.clone()).unwrap();
        let stack = Stack {
            access: Arc::new(AccessTable::from_descriptor_set(descriptor_set(), &[LOLLIES]).unwrap()),
            verifier: TokenVerifier::new(ISSUER, algorithms, keys, clock),
            gate: VersionGate::new("0.0.1a1".parse().unwrap()),
            limits,
            metrics: Metrics::default(),
        };
        let lollies = Lollies::default();
        let shared = lollies.0.clone();
        let service = stack.layered(Routes::new(lollies));
        Self { stack, service, minter, shared }
    }

    /// Calls an rpc in process, with metadata.
    pub(crate) async fn call(&self, method: &str, metadata: &[(&str, &str)]) -> Result<String, Status> {
        call(self.service.clone(), method, metadata).await
    }
}

/// Calls an rpc over any channel.
pub(crate) async fn call<C>(channel: C, method: &str, metadata: &[(&str, &str)]) -> Result<String, Status>
where
    C: tonic::client::GrpcService<Body>,
    C::ResponseBody: http_body::Body<Data = bytes::Bytes> + Send + 'static,
    <C::ResponseBody as http_body::Body>::Error: Into<diracx_server::BoxError> + Send,
{
    let mut client = tonic::client::Grpc::new(channel);
    client.ready().await.map_err(|_| Status::unavailable("not ready"))?;
    let mut request = Request::new("hello".to_owned());
    for (name, value) in metadata {
        let name = tonic::metadata::MetadataKey::from_bytes(name.as_bytes()).unwrap();
        request.metadata_mut().insert(name, value.parse().unwrap());
    }
    let path = format!("/{LOLLIES}/{method}").parse().unwrap();
    client.unary(request, path, ProstCodec::<String, String>::default()).await.map(Response::into_inner)
}

/// A unary gRPC message as bytes.
pub(crate) fn frame(text: &str) -> Vec<u8> {
    let message = text.to_owned().encode_to_vec();
    let length = u32::try_from(message.len()).unwrap().to_be_bytes();
    [&[0], length.as_slice(), message.as_slice()].concat()
}

/// How long a test waits for what should happen at once.
pub(crate) const SOON: Duration = Duration::from_secs(10);
