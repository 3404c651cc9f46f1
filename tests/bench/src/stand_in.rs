//! What DiracX wants to have besides its databases, and nobody measures: an OpenSearch, and a store for sandboxes.
//!
//! One small server stands in for both. It keeps nothing and agrees to everything at once, which is quicker than they
//! could be: a comparison with it is in DiracX's favour.

use std::net::SocketAddr;

use anyhow::Result;
use axum::{Json, Router, body::Bytes};
use serde_json::{Value, json};
use tokio::{net::TcpListener, task::JoinHandle};

/// A stand-in that runs, until this value goes.
pub(crate) struct StandIn {
    /// Its host and port.
    pub(crate) address: SocketAddr,
    server: JoinHandle<()>,
}

impl StandIn {
    /// Starts one on a free port.
    pub(crate) async fn start() -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let server = diracx_server::spawn(async {
            // It serves until it is aborted.
            let _ = axum::serve(listener, Router::new().fallback(agree)).await;
        });
        Ok(Self { address, server })
    }
}

impl Drop for StandIn {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// To OpenSearch's `ping` and to `HeadBucket` any 200 will do; the body answers OpenSearch's `_update`.
async fn agree(_read_whole: Bytes) -> Json<Value> {
    Json(json!({
        "_index": "job_parameters",
        "_id": "1",
        "_version": 1,
        "result": "updated",
        "_shards": {"total": 1, "successful": 1, "failed": 0},
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn it_agrees_to_what_diracx_asks_until_it_goes() {
        let stand_in = StandIn::start().await.unwrap();
        let base = format!("http://{}", stand_in.address);
        let ask = async |method: &str, path: &str| {
            diracx_tests::http::send(method, &format!("{base}{path}"), &[], Some(b"{}".to_vec())).await
        };
        assert_eq!(ask("HEAD", "/").await.unwrap().status, 200);
        assert_eq!(ask("HEAD", "/sandboxes").await.unwrap().status, 200);
        let update = ask("POST", "/job_parameters_dev_0m/_update/1?retry_on_conflict=10").await.unwrap();
        assert_eq!(update.json().unwrap()["result"], "updated");
    }
}
