//! Bytes in a bucket of S3. They never pass through us: clients get forms and URLs that we sign.
//!
//! What we ask S3 ourselves, we ask with URLs of the same kind: is an object there, remove it, is the bucket there,
//! make it. Names reach S3 byte for byte, whatever characters a user name has.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use diracx_core::{Clock, sandbox::Pfn};
use diracx_server::settings::Secret;
use futures::{StreamExt, stream};
use reqwest::{Client, Method, StatusCode, Url};

use super::{
    Announced, ByteStore, Form, Removal, StoreError,
    sigv4::{Presigned, Signer, region_of},
};

/// How long S3 may take to answer one question.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long it may take to be reached.
const CONNECT_PATIENCE: Duration = Duration::from_secs(3);
/// How often a removal is tried.
const ATTEMPTS: u32 = 4;
/// How many removals are under way at a time, at the most.
const MOST_REMOVALS: usize = 32;
/// How long to wait until a bucket is looked for again.
const BUCKET_PAUSE: Duration = Duration::from_secs(10);

/// Who we are for S3, and where it is.
#[derive(Debug, Clone)]
pub struct S3Credentials {
    /// Scheme, host and port.
    pub endpoint: Url,
    /// The id of the key.
    pub key_id: String,
    /// The key.
    pub secret: Secret,
}

/// A bucket.
#[derive(Clone)]
pub struct S3 {
    http: Client,
    signer: Signer,
    /// Without a slash at the end.
    endpoint: String,
    host: String,
    bucket: String,
    connections: usize,
    clock: Arc<dyn Clock>,
}

impl fmt::Debug for S3 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("S3")
            .field("endpoint", &self.endpoint)
            .field("bucket", &self.bucket)
            .finish_non_exhaustive()
    }
}

/// Why there is no bucket to work with.
#[derive(Debug, thiserror::Error)]
pub enum BucketError {
    /// It is not there, and we are not to make it.
    #[error("the bucket {0} does not exist; make it, or set DIRACX_SANDBOX_STORE_AUTO_CREATE_BUCKET to true")]
    Missing(String),
    /// S3 refuses.
    #[error(
        "S3 refuses to show or make the bucket {bucket}: {status}; are the keys in DIRACX_SANDBOX_STORE_S3_CLIENT_KWARGS right?"
    )]
    Refused {
        /// Its name.
        bucket: String,
        /// What S3 said.
        status: StatusCode,
    },
}

impl S3 {
    /// A bucket. Nothing is asked of S3 yet.
    ///
    /// # Errors
    /// There is no TLS to be had.
    pub fn new(
        credentials: &S3Credentials,
        bucket: &str,
        connections: usize,
        clock: Arc<dyn Clock>,
    ) -> reqwest::Result<Self> {
        // The error says that another part of the process has chosen it already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = Client::builder()
            .connect_timeout(CONNECT_PATIENCE)
            .timeout(PATIENCE)
            .pool_max_idle_per_host(connections)
            .redirect(reqwest::redirect::Policy::none())
            .build()?;
        let url = &credentials.endpoint;
        let name = url.host_str().unwrap_or_default();
        let host = url.port().map_or_else(|| name.to_owned(), |port| format!("{name}:{port}"));
        Ok(Self {
            http,
            signer: Signer {
                key_id: credentials.key_id.clone(),
                secret: credentials.secret.expose().to_owned(),
                region: region_of(&host),
            },
            endpoint: format!("{}://{host}", url.scheme()),
            host,
            bucket: bucket.to_owned(),
            connections: connections.max(1),
            clock,
        })
    }

    /// Makes sure that the bucket is there. If S3 cannot be reached, that is looked after from time to time, and
    /// this returns.
    ///
    /// # Errors
    /// S3 says that it is not there, or not for us.
    pub async fn prepare(&self, create: bool) -> Result<(), BucketError> {
        match self.bucket(create).await {
            Ok(()) => Ok(()),
            Err(Ok(error)) => Err(error),
            Err(Err(error)) => {
                tracing::warn!(error = %Causes(&error), "the store of sandboxes cannot be reached yet");
                let this = self.clone();
                diracx_server::spawn(async move { this.prepare_later(create).await });
                Ok(())
            }
        }
    }

    async fn prepare_later(&self, create: bool) {
        loop {
            tokio::time::sleep(BUCKET_PAUSE).await;
            match self.bucket(create).await {
                Ok(()) => return tracing::info!("the store of sandboxes is there now"),
                Err(Ok(error)) => return tracing::error!("sandboxes cannot be stored: {error}"),
                Err(Err(error)) => tracing::debug!(error = %Causes(&error), "the store cannot be reached"),
            }
        }
    }

    /// The inner error says that S3 cannot be reached.
    async fn bucket(&self, create: bool) -> Result<(), Result<BucketError, StoreError>> {
        let path = format!("/{}", self.bucket);
        let refused = |status| Err(Ok(BucketError::Refused { bucket: self.bucket.clone(), status }));
        match self.ask(Method::HEAD, &path).await.map_err(Err)? {
            StatusCode::NOT_FOUND if create => match self.ask(Method::PUT, &path).await.map_err(Err)? {
                // Another process has made it meanwhile.
                StatusCode::CONFLICT => Ok(()),
                status if status.is_success() => Ok(()),
                status => refused(status),
            },
            StatusCode::NOT_FOUND => Err(Ok(BucketError::Missing(self.bucket.clone()))),
            status if status.is_success() => Ok(()),
            status => refused(status),
        }
    }

    fn url(&self, method: &Method, path: &str, now: DateTime<Utc>, validity: Duration) -> String {
        let request =
            Presigned { method: method.as_str(), host: &self.host, path, expires: validity.as_secs() };
        format!("{}{}", self.endpoint, self.signer.presign(now, &request))
    }

    fn path(&self, pfn: &Pfn) -> String {
        format!("/{}/{}", self.bucket, pfn.key())
    }

    /// What S3 says to a request of our own. That it is out of order is an error.
    async fn ask(&self, method: Method, path: &str) -> Result<StatusCode, StoreError> {
        let url = self.url(&method, path, self.clock.now(), PATIENCE * 6);
        let answer = self.http.request(method, url).send().await;
        // The URL is a permission, and stays out of the log.
        let status = answer.map_err(|error| StoreError::Unavailable(error.without_url().into()))?.status();
        if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS {
            return Err(StoreError::Unavailable(format!("S3 answers {status}").into()));
        }
        Ok(status)
    }

    /// Removes an object, in some attempts. That S3 refuses is an answer, and not an error.
    async fn removed(&self, pfn: &Pfn) -> Result<Option<StatusCode>, StoreError> {
        let path = self.path(pfn);
        let mut attempt = 1;
        loop {
            let error = match self.ask(Method::DELETE, &path).await {
                Ok(StatusCode::NOT_FOUND) => return Ok(None),
                Ok(status) if status.is_success() => return Ok(None),
                Ok(status) => return Ok(Some(status)),
                Err(error) => error,
            };
            if attempt == ATTEMPTS {
                return Err(error);
            }
            tokio::time::sleep(Duration::from_millis(200) * 2_u32.pow(attempt)).await;
            attempt += 1;
        }
    }
}

#[async_trait]
impl ByteStore for S3 {
    fn sign_upload(
        &self,
        announced: &Announced,
        now: DateTime<Utc>,
        validity: Duration,
    ) -> Result<Form, StoreError> {
        let validity = TimeDelta::from_std(validity).unwrap_or(TimeDelta::MAX);
        let fields = self.signer.form(now, announced, validity);
        Ok(Form { url: format!("{}/{}", self.endpoint, self.bucket), fields })
    }

    fn sign_download(&self, pfn: &Pfn, now: DateTime<Utc>, validity: Duration) -> Result<String, StoreError> {
        Ok(self.url(&Method::GET, &self.path(pfn), now, validity))
    }

    async fn has(&self, pfn: &Pfn) -> Result<bool, StoreError> {
        match self.ask(Method::HEAD, &self.path(pfn)).await? {
            StatusCode::NOT_FOUND => Ok(false),
            status if status.is_success() => Ok(true),
            status => Err(StoreError::Unavailable(
                format!("S3 answers {status} to a question for an object").into(),
            )),
        }
    }

    async fn remove(&self, pfns: Vec<Pfn>) -> Removal {
        // When S3 is away, one request finds out, and not every one of thousands.
        let away = AtomicBool::new(false);
        let away = &away;
        let left = stream::iter(pfns)
            .map(async |pfn| {
                if away.load(Ordering::Relaxed) {
                    return Some(pfn);
                }
                match self.removed(&pfn).await {
                    Ok(None) => return None,
                    Ok(Some(status)) => tracing::warn!(%status, "S3 refuses to remove an object"),
                    Err(error) => {
                        away.store(true, Ordering::Relaxed);
                        tracing::warn!(error = %Causes(&error), "objects of S3 cannot be removed");
                    }
                }
                Some(pfn)
            })
            .buffer_unordered(self.connections.min(MOST_REMOVALS))
            .filter_map(std::future::ready)
            .collect()
            .await;
        Removal { left, away: away.load(Ordering::Relaxed) }
    }
}

/// An error with all its causes, in one line.
struct Causes<'e>(&'e dyn std::error::Error);

impl fmt::Display for Causes<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut cause = self.0.source();
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}

#[cfg(test)]
#[path = "s3_tests.rs"]
mod tests;
