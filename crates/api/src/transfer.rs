//! Bytes to the store and from it, by HTTP, with URLs that are permission enough.

use std::{
    collections::VecDeque,
    convert::Infallible,
    io::Write as _,
    path::Path,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use diracx_client::proto::jobs::v1::SandboxUpload;
use diracx_core::sandbox::LARGEST_SANDBOX;
use http_body::{Body, Frame, SizeHint};
use reqwest::{Certificate, Client, Response, header::CONTENT_TYPE};
use sha2::{Digest, Sha256};
use tempfile::NamedTempFile;
use uuid::Uuid;

/// How long a connection may take, and how long it may be silent.
const CONNECT_PATIENCE: Duration = Duration::from_secs(10);
const READ_PATIENCE: Duration = Duration::from_secs(60);
/// How much goes into the connection at once.
const PIECE: usize = 64 * 1024;

/// Told how many more bytes have gone.
pub type Progress = Arc<dyn Fn(u64) + Send + Sync>;

/// Why bytes did not arrive.
#[derive(Debug, thiserror::Error)]
pub enum TransferError {
    /// The store cannot be reached, or broke off.
    #[error("cannot reach the store of sandboxes: {0}")]
    Unreachable(String),
    /// The store refuses.
    #[error("the store of sandboxes answers {status}: {text}")]
    Refused {
        /// The status.
        status: u16,
        /// What it says.
        text: String,
    },
    /// A file of ours.
    #[error("cannot use a temporary file: {0}")]
    File(#[from] std::io::Error),
    /// The bytes are others than their name says.
    #[error("the sandbox is damaged: its SHA-256 is {found}, not {expected}")]
    Damaged {
        /// That of its name.
        expected: String,
        /// That of the bytes.
        found: String,
    },
    /// More than any sandbox.
    #[error("the store sends more than the {LARGEST_SANDBOX} bytes that a sandbox may have")]
    Endless,
    /// The certificates.
    #[error("cannot use the certificates to verify the store with: {0}")]
    Certificates(String),
}

impl TransferError {
    /// Whether it may be gone when the same is tried again.
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Unreachable(_) => true,
            Self::Refused { status, .. } => *status >= 500 || *status == 429,
            Self::File(_) | Self::Damaged { .. } | Self::Endless | Self::Certificates(_) => false,
        }
    }
}

impl From<reqwest::Error> for TransferError {
    fn from(error: reqwest::Error) -> Self {
        // The URL is a permission, which nobody shall read over a shoulder.
        let error = error.without_url();
        let mut text = error.to_string();
        let mut cause = std::error::Error::source(&error);
        while let Some(inner) = cause {
            text = format!("{text}: {inner}");
            cause = inner.source();
        }
        Self::Unreachable(text)
    }
}

/// Brings bytes to the store and back. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Transfer {
    http: Client,
    base: String,
}

impl Transfer {
    /// A way to the store of the DiracX at `base`, whose certificate is verified with those in `ca`, too.
    ///
    /// # Errors
    /// The certificates cannot be read.
    pub fn new(base: &str, ca: Option<&Path>) -> Result<Self, TransferError> {
        // The error says that another part of the program has chosen it already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut builder = Client::builder()
            .connect_timeout(CONNECT_PATIENCE)
            .read_timeout(READ_PATIENCE)
            .redirect(reqwest::redirect::Policy::none());
        if let Some(path) = ca.filter(|path| path.is_file()) {
            let pem = std::fs::read(path).map_err(|error| TransferError::Certificates(error.to_string()))?;
            let certificates = Certificate::from_pem_bundle(&pem)
                .map_err(|error| TransferError::Certificates(error.to_string()))?;
            for certificate in certificates {
                builder = builder.add_root_certificate(certificate);
            }
        }
        Ok(Self { http: builder.build()?, base: base.trim_end_matches('/').to_owned() })
    }

    /// URLs that begin with a slash are on the server that was asked.
    fn absolute(&self, url: &str) -> String {
        if url.starts_with('/') { format!("{}{url}", self.base) } else { url.to_owned() }
    }

    /// Sends a file with its form.
    ///
    /// # Errors
    /// The store does not take it.
    pub async fn upload(
        &self,
        upload: &SandboxUpload,
        bytes: Bytes,
        progress: Progress,
    ) -> Result<(), TransferError> {
        let boundary = Uuid::new_v4().simple().to_string();
        let mut head = Vec::new();
        for field in &upload.fields {
            write!(
                head,
                "--{boundary}\r\nContent-Disposition: form-data; name=\"{}\"\r\n\r\n{}\r\n",
                field.name, field.value
            )?;
        }
        write!(
            head,
            "--{boundary}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"file\"\r\n\
             Content-Type: application/octet-stream\r\n\r\n"
        )?;
        let tail = format!("\r\n--{boundary}--\r\n");
        let body = Pieces::new([Bytes::from(head), bytes, Bytes::from(tail)], progress);
        let request = self
            .http
            .post(self.absolute(&upload.url))
            .header(CONTENT_TYPE, format!("multipart/form-data; boundary={boundary}"))
            .body(reqwest::Body::wrap(body));
        good(request.send().await?).await.map(drop)
    }

    /// Fetches a file whose SHA-256 is known.
    ///
    /// # Errors
    /// The store does not give it, or it is damaged.
    pub async fn download(
        &self,
        url: &str,
        sha256: &str,
        progress: Progress,
    ) -> Result<NamedTempFile, TransferError> {
        let mut answer = good(self.http.get(self.absolute(url)).send().await?).await?;
        let mut file = NamedTempFile::new()?;
        let (mut hash, mut size) = (Sha256::new(), 0_u64);
        while let Some(piece) = answer.chunk().await? {
            size += piece.len() as u64;
            if size > LARGEST_SANDBOX.unsigned_abs() {
                return Err(TransferError::Endless);
            }
            hash.update(&piece);
            file.write_all(&piece)?;
            progress(piece.len() as u64);
        }
        let found = format!("{:x}", hash.finalize());
        if found != sha256 {
            return Err(TransferError::Damaged { expected: sha256.to_owned(), found });
        }
        Ok(file)
    }
}

async fn good(answer: Response) -> Result<Response, TransferError> {
    let status = answer.status();
    if status.is_success() {
        return Ok(answer);
    }
    let text = answer.text().await.unwrap_or_default();
    Err(TransferError::Refused { status: status.as_u16(), text: text.trim().chars().take(500).collect() })
}

/// A body of known length, which S3 wants, in pieces, so that its progress can be seen.
struct Pieces {
    parts: VecDeque<Bytes>,
    left: u64,
    progress: Progress,
}

impl Pieces {
    fn new(parts: impl IntoIterator<Item = Bytes>, progress: Progress) -> Self {
        let parts: VecDeque<Bytes> = parts.into_iter().filter(|part| !part.is_empty()).collect();
        let left = parts.iter().map(|part| part.len() as u64).sum();
        Self { parts, left, progress }
    }
}

impl Body for Pieces {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let Some(front) = self.parts.front_mut() else { return Poll::Ready(None) };
        let piece = front.split_to(front.len().min(PIECE));
        if front.is_empty() {
            self.parts.pop_front();
        }
        self.left -= piece.len() as u64;
        (self.progress)(piece.len() as u64);
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.parts.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}
