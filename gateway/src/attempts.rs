//! How often one address may begin a login, or fail at one.
//!
//! Only the gateway knows where a call comes from, so the bound is here and no address is passed on for
//! services to believe. User codes and the keys of DIRAC servers could be guessed, and begun logins fill a table;
//! refresh tokens and codes for tokens are too long to guess, so exchanging them is not counted: a site with
//! thousands of jobs behind one address must not be locked out by some that went wrong. Secrets of pilots are as long,
//! but each try looks into several tables, so failures with them have a bound of their own, which a site does not reach
//! by some pilots that came too late.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr, SocketAddr},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use axum::response::{IntoResponse, Response};
use diracx_core::{Explain, Explanation, Reason};
use diracx_proto::auth::v1::auth_service_server::SERVICE_NAME;
use diracx_server::status::to_status;
use http::{HeaderMap, Method, Request, StatusCode, header::CONTENT_TYPE};

use crate::{
    error::{ERROR_REASON, Refusal},
    grpc::Protocol,
    proxies::{FORWARDED_FOR, TrustedProxies},
};

/// The rpc with which pilots get their tokens.
const GET_PILOT_TOKEN: &str = "/diracx.pilots.v1.PilotsService/GetPilotToken";
/// Failures in a row, and how soon one of them is forgotten.
const FAILURES: Rate = Rate { most: 100.0, every: Duration::from_secs(2) };
/// Logins begun in a row, and how soon another one may be. A login is pending for ten minutes, so that no address
/// has more than about two hundred of them.
const LOGINS: Rate = Rate { most: 100.0, every: Duration::from_secs(5) };
/// Pilots that fail in a row, and how soon one of them is forgotten.
const PILOTS: Rate = Rate { most: 1000.0, every: Duration::from_millis(200) };
/// Addresses remembered at a time.
const ADDRESSES: usize = 50_000;

/// The other side of the connection.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer(pub(crate) SocketAddr);

/// What a call is, as far as it is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// It begins a login.
    Begins,
    /// It goes on with a login that a short code names.
    GoesOn,
    /// It shows a key.
    ShowsKey,
    /// It shows what a pilot has.
    ShowsSecret,
}

impl Kind {
    fn of(method: &Method, path: &str) -> Option<Self> {
        if let Some(rpc) = path.strip_prefix('/').and_then(|path| path.strip_prefix(SERVICE_NAME)) {
            return match rpc {
                "/InitiateDeviceFlow" | "/StartAuthorization" => Some(Self::Begins),
                "/StartDeviceLogin" | "/FinishDeviceLogin" | "/FinishAuthorization" => Some(Self::GoesOn),
                "/ExchangeLegacyToken" | "/IssueComponentToken" => Some(Self::ShowsKey),
                _ => None,
            };
        }
        match path {
            GET_PILOT_TOKEN => Some(Self::ShowsSecret),
            "/api/auth/device" if method == Method::POST => Some(Self::Begins),
            "/api/auth/authorize" => Some(Self::Begins),
            "/api/auth/device" | "/api/auth/device/complete" | "/api/auth/authorize/complete" => {
                Some(Self::GoesOn)
            }
            "/api/auth/legacy-exchange" => Some(Self::ShowsKey),
            _ => None,
        }
    }

    /// Whether the answer is a failure of the caller.
    fn failed(self, response: &Response) -> bool {
        let unknown_key = |response: &Response| {
            response.status() == StatusCode::UNAUTHORIZED || grpc_status(response) == Some(16)
        };
        match self {
            // a DIRAC server asks for users who may not come in, and that is no attack
            Self::ShowsKey | Self::ShowsSecret => unknown_key(response),
            Self::Begins | Self::GoesOn => {
                let refused = [StatusCode::BAD_REQUEST, StatusCode::FORBIDDEN].contains(&response.status());
                let on_rest = refused && response.headers().contains_key(ERROR_REASON);
                on_rest || unknown_key(response) || matches!(grpc_status(response), Some(3 | 5 | 7))
            }
        }
    }
}

/// The status of a gRPC call that failed at once, which is told in the headers.
fn grpc_status(response: &Response) -> Option<u16> {
    response.headers().get("grpc-status")?.to_str().ok()?.parse().ok()
}

/// Too many attempts from one address.
#[derive(Debug, thiserror::Error)]
#[error("Too many attempts, try again later")]
pub(crate) struct TooMany(Duration);

impl Explain for TooMany {
    fn explain(&self) -> Explanation {
        Explanation::resource_exhausted(Reason::TooManyAttempts).retry_after(self.0)
    }
}

impl TooMany {
    /// The answer, in the protocol of the call.
    pub(crate) fn answer(self, protocol: Protocol, headers: &HeaderMap) -> Response {
        if protocol == Protocol::Rest {
            return Refusal::explained(self).into_response();
        }
        let mut response = to_status(self).into_http::<axum::body::Body>();
        if let Some(content_type) = headers.get(CONTENT_TYPE) {
            response.headers_mut().insert(CONTENT_TYPE, content_type.clone());
        }
        response
    }
}

/// So many at once, and one more after each while.
#[derive(Debug, Clone, Copy)]
struct Rate {
    most: f64,
    every: Duration,
}

/// What is left of a rate.
#[derive(Debug, Clone, Copy)]
struct Bucket {
    left: f64,
    at: Instant,
}

impl Bucket {
    fn full(rate: Rate, now: Instant) -> Self {
        Self { left: rate.most, at: now }
    }

    fn refill(&mut self, rate: Rate, now: Instant) {
        let passed = now.saturating_duration_since(self.at).as_secs_f64();
        self.left = (self.left + passed / rate.every.as_secs_f64()).min(rate.most);
        self.at = now;
    }

    fn take(&mut self) {
        self.left = (self.left - 1.0).max(0.0);
    }

    /// Nothing, or how long until there is something.
    fn must_have(self, rate: Rate) -> Result<(), TooMany> {
        if self.left >= 1.0 { Ok(()) } else { Err(TooMany(rate.every.mul_f64(1.0 - self.left))) }
    }
}

#[derive(Debug, Clone, Copy)]
struct Counts {
    failures: Bucket,
    logins: Bucket,
    pilots: Bucket,
}

impl Counts {
    fn full(now: Instant) -> Self {
        Self {
            failures: Bucket::full(FAILURES, now),
            logins: Bucket::full(LOGINS, now),
            pilots: Bucket::full(PILOTS, now),
        }
    }

    fn refill(&mut self, now: Instant) {
        self.failures.refill(FAILURES, now);
        self.logins.refill(LOGINS, now);
        self.pilots.refill(PILOTS, now);
    }

    /// Whether there is anything to be remembered.
    fn is_full(&self) -> bool {
        self.failures.left >= FAILURES.most
            && self.logins.left >= LOGINS.most
            && self.pilots.left >= PILOTS.most
    }
}

/// Counts by address. Cheap to clone; clones share the counts.
#[derive(Debug, Clone)]
pub(crate) struct Attempts {
    counts: Arc<Mutex<HashMap<IpAddr, Counts>>>,
    proxies: TrustedProxies,
}

/// A call that is counted when it ends.
#[derive(Debug)]
pub(crate) struct Attempt {
    attempts: Attempts,
    address: IpAddr,
    kind: Kind,
}

impl Attempts {
    /// Nobody has tried anything yet. `proxies` are believed when they tell for whom they ask.
    pub(crate) fn new(proxies: TrustedProxies) -> Self {
        Self { counts: Arc::default(), proxies }
    }

    /// Whether this call may be made; `None` if it is not counted.
    pub(crate) fn begin<B>(&self, request: &Request<B>) -> Result<Option<Attempt>, TooMany> {
        let Some(kind) = Kind::of(request.method(), request.uri().path()) else { return Ok(None) };
        let peer = request.extensions().get::<Peer>().copied();
        let address = peer.and_then(|peer| client(peer, request.headers(), &self.proxies));
        let Some(address) = address else { return Ok(None) };
        self.count(address, Instant::now(), |counts| {
            if kind == Kind::ShowsSecret {
                return counts.pilots.must_have(PILOTS);
            }
            counts.failures.must_have(FAILURES)?;
            if kind == Kind::Begins {
                counts.logins.must_have(LOGINS)?;
                counts.logins.take();
            }
            Ok(())
        })
        .inspect_err(|_| {
            tracing::warn!(target: "diracx_audit", audit = "too many attempts", %address, "{address} is turned away");
        })?;
        Ok(Some(Attempt { attempts: self.clone(), address, kind }))
    }

    fn count<T>(&self, address: IpAddr, now: Instant, with: impl FnOnce(&mut Counts) -> T) -> T {
        // nothing panics while the lock is held
        let mut all = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= ADDRESSES && !all.contains_key(&address) {
            make_room(&mut all, now);
        }
        let counts = all.entry(address).or_insert_with(|| Counts::full(now));
        counts.refill(now);
        with(counts)
    }
}

/// Forgets those who have nothing to be remembered for; if that is nobody, everybody: memory is bounded.
fn make_room(all: &mut HashMap<IpAddr, Counts>, now: Instant) {
    all.retain(|_, counts| {
        counts.refill(now);
        !counts.is_full()
    });
    if all.len() >= ADDRESSES {
        all.clear();
    }
}

impl Attempt {
    /// Counts the answer, and notes a failure with the address, which only we know.
    pub(crate) fn ended(self, response: &Response) {
        if !self.kind.failed(response) {
            return;
        }
        self.attempts.count(self.address, Instant::now(), |counts| match self.kind {
            Kind::ShowsSecret => counts.pilots.take(),
            Kind::Begins | Kind::GoesOn | Kind::ShowsKey => counts.failures.take(),
        });
        let trace = response.headers().get("traceparent").and_then(|value| value.to_str().ok());
        let address = self.address;
        tracing::info!(target: "diracx_audit", audit = "failed attempt", %address, trace, "a login from {address} failed");
    }
}

/// The address that is counted; `None` for whoever is on this machine. Of IPv6 addresses a subscriber has a whole
/// network.
fn client(Peer(peer): Peer, headers: &HeaderMap, proxies: &TrustedProxies) -> Option<IpAddr> {
    let address = proxies.client(peer.ip(), headers);
    if address.is_loopback() && !headers.contains_key(FORWARDED_FOR) {
        return None;
    }
    Some(match address {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => IpAddr::V6(network(address)),
    })
}

fn network(address: Ipv6Addr) -> Ipv6Addr {
    Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX))
}

#[cfg(test)]
#[path = "attempts_tests.rs"]
mod tests;
