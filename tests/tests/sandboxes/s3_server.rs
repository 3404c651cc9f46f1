//! A server that speaks S3 and checks signatures, policies and checksums. It keeps its objects in files.

use std::path::PathBuf;

use diracx_tests::proxy::Proxy;
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use s3s::{auth::SimpleAuth, service::S3ServiceBuilder};
use s3s_fs::FileSystem;
use serde_json::json;
use tempfile::TempDir;
use tokio::{net::TcpListener, task::JoinHandle};

const KEY_ID: &str = "diracx";
pub(crate) const SECRET: &str = "only for tests";
pub(crate) const BUCKET: &str = "sandboxes-of-tests";

/// The server, on a way that can be cut.
pub(crate) struct S3Server {
    pub(crate) way: Proxy,
    directory: TempDir,
    task: JoinHandle<()>,
}

impl S3Server {
    pub(crate) async fn start() -> Self {
        let directory = TempDir::new().unwrap();
        let mut service = S3ServiceBuilder::new(FileSystem::new(directory.path()).unwrap());
        service.set_auth(SimpleAuth::from_single(KEY_ID, SECRET));
        let service = service.build();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let way = Proxy::start(&listener.local_addr().unwrap().to_string()).await.unwrap();
        let task = tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(socket), service.clone()));
            }
        });
        Self { way, directory, task }
    }

    /// The settings of a system that keeps its sandboxes here, with this key.
    pub(crate) fn settings(&self, secret: &str, create_bucket: bool) -> Vec<(String, String)> {
        let kwargs = json!({
            "endpoint_url": format!("http://{}", self.way.address),
            "aws_access_key_id": KEY_ID,
            "aws_secret_access_key": secret,
        });
        [
            ("S3_CLIENT_KWARGS", kwargs.to_string()),
            ("BUCKET_NAME", BUCKET.to_owned()),
            ("AUTO_CREATE_BUCKET", create_bucket.to_string()),
        ]
        .map(|(name, value)| (format!("DIRACX_SANDBOX_STORE_{name}"), value))
        .to_vec()
    }

    /// The file that stands for the bucket.
    pub(crate) fn bucket(&self) -> PathBuf {
        self.directory.path().join(BUCKET)
    }
}

impl Drop for S3Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}
