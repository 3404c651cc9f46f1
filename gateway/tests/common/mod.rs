//! A gateway on a real port, in front of services whose answers the test writes.
#![allow(dead_code, reason = "each test file uses its part")]

use std::{net::SocketAddr, sync::Arc, time::Duration};

use axum::Router;
use bytes::{BufMut, Bytes, BytesMut};
use diracx_client::AnyChannel;
use diracx_core::{Clock, SystemClock};
use diracx_gateway::{Backend, Backends, Gateway, GatewaySettings, serve};
use diracx_server::{
    KeyStore, Readiness, TokenMinter, TokenVerifier,
    telemetry::Metrics,
    token::{Algorithm, DEFAULT_ALGORITHMS},
    version_gate::{DEFAULT_MINIMUM, VersionGate},
};
use futures::{StreamExt, stream};
use http::{HeaderMap, HeaderValue};
use http_body::Frame;
use http_body_util::{BodyExt, BodyStream, StreamBody};
use prost::Message;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::oneshot,
};
use tonic::Status;
use tower::service_fn;

const ISSUER: &str = "https://issuer.test/";

/// What a service answers to a call of this path with these headers and this message.
pub(crate) type Script = Arc<dyn Fn(&str, &HeaderMap, Bytes) -> Result<Vec<u8>, Status> + Send + Sync>;

/// A script from a closure.
pub(crate) fn script(
    answer: impl Fn(&str, &HeaderMap, Bytes) -> Result<Vec<u8>, Status> + Send + Sync + 'static,
) -> Script {
    Arc::new(answer)
}

/// An answer of a script.
#[expect(clippy::unnecessary_wraps, reason = "the other answers of scripts are errors")]
pub(crate) fn ok(message: &impl Message) -> Result<Vec<u8>, Status> {
    Ok(message.encode_to_vec())
}

/// A service that is not asked.
pub(crate) fn silent() -> Script {
    script(|path, _, _| Err(Status::unimplemented(path)))
}

fn channel(script: Script) -> AnyChannel {
    AnyChannel::new(service_fn(move |request: http::Request<tonic::body::Body>| {
        let script = script.clone();
        async move {
            let (parts, body) = request.into_parts();
            let body = body.collect().await?.to_bytes();
            let message = if body.len() >= 5 { body.slice(5..) } else { Bytes::new() };
            let answer = script(parts.uri.path(), &parts.headers, message);
            Ok(match answer {
                Ok(message) => response(&message),
                Err(status) => status.into_http(),
            })
        }
    }))
}

fn response(message: &[u8]) -> http::Response<tonic::body::Body> {
    let mut data = BytesMut::with_capacity(message.len() + 5);
    data.put_u8(0);
    data.put_u32(u32::try_from(message.len()).expect("a short message"));
    data.put_slice(message);
    let trailers =
        HeaderMap::from_iter([("grpc-status".parse().expect("a name"), HeaderValue::from_static("0"))]);
    let frames = [Ok::<_, Status>(Frame::data(data.freeze())), Ok(Frame::trailers(trailers))];
    let mut response = http::Response::new(tonic::body::Body::new(StreamBody::new(stream::iter(frames))));
    response.headers_mut().insert("content-type", HeaderValue::from_static("application/grpc"));
    response
}

/// A service that sends back every message of a stream as it comes.
pub(crate) fn echo() -> AnyChannel {
    AnyChannel::new(service_fn(async |request: http::Request<tonic::body::Body>| {
        let ended = async || {
            let trailers = [("grpc-status".parse().expect("a name"), HeaderValue::from_static("0"))];
            Ok::<_, Status>(Frame::trailers(HeaderMap::from_iter(trailers)))
        };
        let words = BodyStream::new(request.into_body()).chain(stream::once(ended()));
        let mut response = http::Response::new(tonic::body::Body::new(StreamBody::new(words)));
        response.headers_mut().insert("content-type", HeaderValue::from_static("application/grpc"));
        Ok(response)
    }))
}

/// The services behind a gateway, and how it treats its callers.
pub(crate) struct Behind {
    pub(crate) auth: Script,
    pub(crate) config: Script,
    pub(crate) jobs: Script,
    /// Instead of the script.
    pub(crate) jobs_channel: Option<AnyChannel>,
    pub(crate) ready: Readiness,
    pub(crate) settings: GatewaySettings,
}

impl Default for Behind {
    fn default() -> Self {
        let (auth, config, jobs) = (silent(), silent(), silent());
        Self {
            auth,
            config,
            jobs,
            jobs_channel: None,
            ready: Readiness::default(),
            settings: GatewaySettings::default(),
        }
    }
}

/// A running gateway.
pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    minter: TokenMinter,
    stop: Option<oneshot::Sender<()>>,
    pub(crate) serving: tokio::task::JoinHandle<std::io::Result<()>>,
}

impl Behind {
    pub(crate) async fn start(self) -> Running {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let keys = Arc::new(KeyStore::generate(clock.now()).expect("a key"));
        let algorithms: Vec<Algorithm> = DEFAULT_ALGORITHMS.to_vec();
        let minter =
            TokenMinter::new(keys.clone(), ISSUER, &algorithms, clock.clone()).expect("a signing key");
        let backend = |channel| Backend::in_process(channel, self.ready.clone());
        let gateway = Gateway {
            backends: Backends {
                pilots: None,
                auth: backend(channel(self.auth)),
                config: backend(channel(self.config)),
                jobs: backend(self.jobs_channel.unwrap_or_else(|| channel(self.jobs))),
                rss: None,
            },
            verifier: TokenVerifier::new(ISSUER, algorithms, keys, clock),
            gate: VersionGate::new(DEFAULT_MINIMUM.parse().expect("a version")),
            settings: self.settings.clone(),
            metrics: Metrics::default(),
            extra: Router::new(),
        };
        let router = gateway.into_router().expect("the contract can be reflected");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let (stop, stopped) = oneshot::channel::<()>();
        let serving = tokio::spawn(async move {
            serve(listener, router, &self.settings, None, async {
                // dropping the other end stops the gateway, too
                let _ = stopped.await;
            })
            .await
        });
        Running { address, minter, stop: Some(stop), serving }
    }
}

/// An answer over HTTP/1.1.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("JSON")
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.body.clone()).expect("text")
    }
}

impl Running {
    /// An `Authorization` line for a user.
    pub(crate) fn alice(&self) -> String {
        let claims = json!({
            "jti": "01938f0e-0000-7000-8000-000000000001", "exp": 4_102_444_800_i64, "iss": ISSUER,
            "sub": "alpha:1", "vo": "alpha", "dirac_group": "alpha_user", "dirac_properties": ["NormalUser"],
            "preferred_username": "alice", "dirac_policies": {},
        });
        format!("Authorization: Bearer {}\r\n", self.minter.mint_json(&claims).expect("a token"))
    }

    /// Sends a request with these header lines (each ending in a line break) and this body.
    pub(crate) async fn send(&self, method: &str, path: &str, headers: &str, body: &[u8]) -> Answer {
        let length = body.len();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: gateway.test\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n"
        );
        let raw = self.raw(&[head.as_bytes(), body].concat()).await;
        parse(&raw)
    }

    pub(crate) async fn get(&self, path: &str, headers: &str) -> Answer {
        self.send("GET", path, headers, b"").await
    }

    pub(crate) async fn json(&self, method: &str, path: &str, headers: &str, body: &Value) -> Answer {
        let headers = format!("{headers}Content-Type: application/json\r\n");
        self.send(method, path, &headers, body.to_string().as_bytes()).await
    }

    /// Sends bytes and reads until the gateway hangs up.
    pub(crate) async fn raw(&self, bytes: &[u8]) -> Vec<u8> {
        let mut stream = TcpStream::connect(self.address).await.expect("a connection");
        // the gateway may hang up while we still talk
        let _ = stream.write_all(bytes).await;
        let mut answer = Vec::new();
        let read = tokio::time::timeout(Duration::from_secs(30), stream.read_to_end(&mut answer)).await;
        let _ = read.expect("the gateway hangs up in time");
        answer
    }

    /// Asks the gateway to end.
    pub(crate) fn stop(&mut self) {
        drop(self.stop.take());
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

fn parse(raw: &[u8]) -> Answer {
    let end = raw.windows(4).position(|window| window == b"\r\n\r\n").expect("a head");
    let head = std::str::from_utf8(&raw[..end]).expect("a head of text");
    let mut lines = head.split("\r\n");
    let status = lines.next().and_then(|line| line.split(' ').nth(1)).and_then(|code| code.parse().ok());
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    let chunked = headers.iter().any(|(name, value)| name == "transfer-encoding" && value == "chunked");
    let body = if chunked { unchunked(&raw[end + 4..]) } else { raw[end + 4..].to_vec() };
    Answer { status: status.expect("a status"), headers, body }
}

fn unchunked(mut raw: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    loop {
        let line = raw.windows(2).position(|window| window == b"\r\n").expect("a chunk");
        let size =
            std::str::from_utf8(&raw[..line]).ok().and_then(|text| usize::from_str_radix(text, 16).ok());
        let size = size.expect("a size");
        if size == 0 {
            return body;
        }
        body.extend_from_slice(&raw[line + 2..line + 2 + size]);
        raw = &raw[line + 4 + size..];
    }
}
