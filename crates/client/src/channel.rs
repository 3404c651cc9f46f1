//! One channel type for all servers: those in this process and those elsewhere.

use std::{
    error::Error,
    fmt,
    path::{Path, PathBuf},
    str::FromStr,
    sync::Arc,
    time::Duration,
};

use http::Uri;
use tonic::{
    Status,
    body::Body,
    transport::{Certificate, ClientTlsConfig, Endpoint},
};
use tower::{Service, ServiceExt, util::BoxCloneSyncService};

use crate::guarded::Guarded;

/// Any error that can travel.
pub type BoxError = Box<dyn Error + Send + Sync>;

/// What typed clients call through: `JobsServiceClient<AnyChannel>`. Cheap to clone.
///
/// Its error is a [`Status`] and not a [`BoxError`], because futures that hold a boxed error while they
/// wait cannot be spawned: the compiler no longer knows how long the error lives.
pub type AnyChannel = BoxCloneSyncService<http::Request<Body>, http::Response<Body>, Status>;

/// Long enough for the other side of the world, short enough to be told what is wrong.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// A connection that lost its other side is noticed within these two.
const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(20);
const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(10);

/// Where a server is: an `http` or `https` address without a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerAddress(Uri);

/// An address that no server of ours can have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{address:?} is not the address of a server: {problem}")]
pub struct InvalidAddress {
    address: String,
    problem: &'static str,
}

impl FromStr for ServerAddress {
    type Err = InvalidAddress;

    fn from_str(address: &str) -> Result<Self, InvalidAddress> {
        let invalid = |problem| InvalidAddress { address: address.to_owned(), problem };
        let uri: Uri =
            address.parse().map_err(|_| invalid("write it as https://host or http://host:port"))?;
        if !matches!(uri.scheme_str(), Some("http" | "https")) {
            return Err(invalid("it must begin with https:// or http://"));
        }
        if uri.path() != "/" || uri.query().is_some() {
            return Err(invalid("gRPC needs an address without a path"));
        }
        Ok(Self(uri))
    }
}

impl fmt::Display for ServerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.to_string().trim_end_matches('/'))
    }
}

/// What cannot be used to verify servers.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The file or directory of certificates cannot be read.
    #[error("cannot read the certificates in {}", path.display())]
    Read {
        /// The file or directory.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The certificates cannot be used.
    #[error("cannot use TLS")]
    Setup(#[source] tonic::transport::Error),
}

impl ServerAddress {
    /// Whether the connection is encrypted.
    pub fn is_secure(&self) -> bool {
        self.0.scheme_str() == Some("https")
    }

    /// A channel to the server. It connects with the first call, and again whenever that is needed.
    ///
    /// Servers are verified with the certificates in `ca`, a PEM file or a directory of them, or else
    /// with those that the system trusts. Must be called within a runtime.
    ///
    /// # Errors
    /// If the certificates cannot be used.
    pub fn connect(&self, ca: Option<&Path>) -> Result<AnyChannel, TlsError> {
        let mut endpoint = Endpoint::from(self.0.clone())
            .connect_timeout(CONNECT_TIMEOUT)
            .tcp_nodelay(true)
            .tcp_keepalive(Some(KEEP_ALIVE_INTERVAL))
            .http2_keep_alive_interval(KEEP_ALIVE_INTERVAL)
            .keep_alive_timeout(KEEP_ALIVE_TIMEOUT);
        if self.is_secure() {
            let tls = ClientTlsConfig::new();
            let tls = match ca {
                Some(path) => {
                    let read = certificates(path);
                    let pem = read.map_err(|source| TlsError::Read { path: path.to_owned(), source })?;
                    tls.ca_certificate(Certificate::from_pem(pem))
                }
                None => tls.with_native_roots(),
            };
            endpoint = endpoint.tls_config(tls).map_err(TlsError::Setup)?;
        }
        let address = self.to_string();
        let channel = endpoint.connect_lazy().map_err(move |error| {
            Unreachable { address: address.clone(), source: error.into() }.into_status()
        });
        Ok(AnyChannel::new(channel.map_response(|response| response.map(Body::new))))
    }
}

/// All PEM certificates of a file, or of the files of a directory.
fn certificates(path: &Path) -> std::io::Result<Vec<u8>> {
    if !path.is_dir() {
        return std::fs::read(path);
    }
    let mut all = Vec::new();
    for entry in std::fs::read_dir(path)? {
        let file = entry?.path();
        if file.is_file() {
            let text = std::fs::read(file)?;
            if text.windows(27).any(|window| window == b"-----BEGIN CERTIFICATE-----") {
                all.extend(text);
                all.push(b'\n');
            }
        }
    }
    Ok(all)
}

/// A server that does not answer, or not in our language. It is the source of the [`Status`] that the
/// caller gets, which tells it from a server that answers UNAVAILABLE.
#[derive(Debug, thiserror::Error)]
#[error("cannot reach {address}")]
pub struct Unreachable {
    /// Where it should be.
    pub address: String,
    source: BoxError,
}

impl Unreachable {
    /// The failure behind `status`, if it is one of reaching the server.
    pub fn of(status: &Status) -> Option<&Self> {
        status.source()?.downcast_ref()
    }

    /// What happened, in one line.
    pub fn causes(&self) -> String {
        let mut causes = Vec::<String>::new();
        let mut cause = self.source();
        while let Some(error) = cause {
            let text = error.to_string();
            // layers of a client like to repeat each other
            if causes.last().is_none_or(|last| !last.contains(&text)) {
                causes.push(text);
            }
            cause = error.source();
        }
        causes.join(": ")
    }

    fn into_status(self) -> Status {
        let mut status = Status::unavailable(format!("{self}: {}", self.causes()));
        status.set_source(Arc::new(self));
        status
    }
}

/// A channel to a server in this process.
///
/// The caller's deadline holds and a panic is an INTERNAL answer, as they would over the network.
pub fn in_process<S>(service: S) -> AnyChannel
where
    S: Service<http::Request<Body>, Response = http::Response<Body>> + Clone + Send + Sync + 'static,
    S::Error: Into<BoxError> + 'static,
    S::Future: Send + 'static,
{
    AnyChannel::new(Guarded::new(service.map_err(|error| Status::from_error(error.into()))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_that_a_server_can_have_are_accepted() {
        for good in ["http://localhost:8000", "https://diracx.example.org/", "http://[::1]:1"] {
            assert!(good.parse::<ServerAddress>().is_ok(), "{good}");
        }
        for bad in
            ["", "localhost", "localhost:8000", "ftp://host", "http://", "http://host/api", "http://host?x=1"]
        {
            assert!(bad.parse::<ServerAddress>().is_err(), "{bad}");
        }
        assert_eq!("http://host:1/".parse::<ServerAddress>().unwrap().to_string(), "http://host:1");
    }

    #[tokio::test]
    async fn a_server_that_is_not_there_is_told_from_one_that_is_unavailable() {
        let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let address: ServerAddress = format!("http://{closed}").parse().unwrap();
        let mut auth = crate::auth(address.connect(None).unwrap());
        let status = auth.get_jwks(diracx_proto::auth::v1::GetJwksRequest {}).await.unwrap_err();
        assert_eq!(status.code(), tonic::Code::Unavailable);
        let unreachable = Unreachable::of(&status).unwrap();
        assert_eq!(unreachable.address, address.to_string());
        assert!(unreachable.causes().contains("onnection refused"), "{}", unreachable.causes());
        assert!(Unreachable::of(&Status::unavailable("later")).is_none());
    }

    #[tokio::test]
    async fn a_bundle_of_certificates_that_is_not_there_is_named() {
        let address: ServerAddress = "https://localhost:1".parse().unwrap();
        let error = address.connect(Some(Path::new("/nowhere/ca.pem"))).unwrap_err();
        assert_eq!(error.to_string(), "cannot read the certificates in /nowhere/ca.pem");
    }
}
