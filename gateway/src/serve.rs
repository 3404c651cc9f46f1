//! Puts the gateway on a port: HTTP/1.1 and HTTP/2 on the same one, with or without TLS, until it is told to
//! stop.
//!
//! Every connection is bounded in what it may cost: how long until its first request, how large its headers,
//! how many streams, how long it may be silent.

use std::{convert::Infallible, future::Future, io, pin::pin, sync::Arc, time::Duration};

use axum::{Router, body::Body, extract::Request, response::Response};
use hyper::body::Incoming;
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto::Builder,
    service::TowerToHyperService,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::{Semaphore, watch},
};
use tower::ServiceExt;

use crate::{
    attempts::Peer,
    connection::{FirstRequest, Watched},
    public_url::Secure,
    settings::GatewaySettings,
    tls::Tls,
};

/// How long until the first request of a connection is there.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long until the next one of an HTTP/1.1 connection is: longer than proxies keep theirs (60 s), which must
/// be the ones to hang up.
const NEXT_PATIENCE: Duration = Duration::from_secs(75);
/// How long a connection may be silent in both directions. HTTP/2 is kept talking by pings.
const IDLE: Duration = Duration::from_secs(180);
/// A connection that does not answer a ping is closed: its client is gone.
const PING_INTERVAL: Duration = Duration::from_secs(30);
/// How long a ping may take.
const PING_PATIENCE: Duration = Duration::from_secs(20);
/// All headers of a request together; a token has less than 2 KiB.
const MAX_HEADER_BYTES: u32 = 64 * 1024;
/// Requests at the same time on one HTTP/2 connection.
const MAX_STREAMS: u32 = 256;
/// Windows of HTTP/2, large enough for an answer of rows without a pause on a long line.
const STREAM_WINDOW: u32 = 1024 * 1024;
const CONNECTION_WINDOW: u32 = 4 * 1024 * 1024;
/// How long to wait when the machine has no file descriptor left for a new connection.
const EXHAUSTED_PAUSE: Duration = Duration::from_millis(100);

/// Serves `router` until `shutdown` is ready and the requests under way are finished, or the time for that is over.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    settings: &GatewaySettings,
    tls: Option<Tls>,
    shutdown: impl Future<Output = ()>,
) -> io::Result<()> {
    let places = Arc::new(Semaphore::new(settings.max_connections.min(Semaphore::MAX_PERMITS)));
    let (draining, drain) = watch::channel(false);
    let mut shutdown = pin!(shutdown);
    loop {
        let place = tokio::select! {
            place = places.clone().acquire_owned() => place.map_err(io::Error::other)?,
            () = &mut shutdown => break,
        };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = &mut shutdown => break,
        };
        let (stream, peer) = match accepted {
            Ok((stream, peer)) => (stream, Peer(peer)),
            Err(error) => {
                pause(&error).await;
                continue;
            }
        };
        let (router, tls, drain) = (router.clone(), tls.clone(), drain.clone());
        diracx_server::spawn(async move {
            connection(stream, peer, router, tls, drain).await;
            drop(place);
        });
    }
    drop(listener);
    drop(drain);
    tracing::info!("draining: finishing the requests under way");
    // nobody listens only if there are no connections
    let _ = draining.send(true);
    if tokio::time::timeout(settings.drain, draining.closed()).await.is_err() {
        tracing::warn!("requests under way did not finish in time, ending without them");
    }
    Ok(())
}

/// A client that hung up while it waited is its own affair; having no descriptors left is ours, and passes.
async fn pause(error: &io::Error) {
    let of_client =
        [io::ErrorKind::ConnectionAborted, io::ErrorKind::ConnectionReset, io::ErrorKind::Interrupted];
    if !of_client.contains(&error.kind()) {
        tracing::warn!(%error, "cannot accept a connection");
        tokio::time::sleep(EXHAUSTED_PAUSE).await;
    }
}

async fn connection(
    stream: TcpStream,
    peer: Peer,
    router: Router,
    tls: Option<Tls>,
    drain: watch::Receiver<bool>,
) {
    // Small answers must not wait for the client's acknowledgement of earlier ones.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "a connection cannot be set to send at once");
    }
    match tls {
        None => talk(stream, peer, router, false, drain).await,
        Some(tls) => match tokio::time::timeout(PATIENCE, tls.accept(stream)).await {
            Ok(Ok(stream)) => talk(stream, peer, router, true, drain).await,
            Ok(Err(error)) => tracing::debug!(%error, "no TLS connection came about"),
            Err(_) => tracing::debug!("no TLS connection came about in time"),
        },
    }
}

async fn talk<T>(stream: T, peer: Peer, router: Router, secure: bool, mut drain: watch::Receiver<bool>)
where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let first = FirstRequest::default();
    let arrived = first.clone();
    let service = router.map_request(move |mut request: http::Request<Incoming>| {
        arrived.arrived();
        request.extensions_mut().insert(peer);
        if secure {
            request.extensions_mut().insert(Secure);
        }
        let request: Request = request.map(Body::new);
        request
    });
    let service = service.map_result(|result: Result<Response, Infallible>| result);
    let builder = builder();
    let stream = TokioIo::new(Watched::new(stream, first, PATIENCE, IDLE));
    let mut connection = pin!(builder.serve_connection(stream, TowerToHyperService::new(service)));
    let drained = async {
        // an error means that the listener is gone, which is the same
        let _ = drain.wait_for(|draining| *draining).await;
    };
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = drained => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(error, "a connection ended badly");
    }
}

fn builder() -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(NEXT_PATIENCE)
        .max_buf_size(MAX_HEADER_BYTES as usize);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(PING_INTERVAL)
        .keep_alive_timeout(PING_PATIENCE)
        .max_concurrent_streams(MAX_STREAMS)
        .max_header_list_size(MAX_HEADER_BYTES)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW);
    builder
}
