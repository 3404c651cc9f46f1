//! A way to a server that can be cut, and mended again.

use std::{net::SocketAddr, sync::Arc};

use anyhow::Result;
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinHandle,
};

/// Passes TCP connections on.
pub struct Proxy {
    /// Where it listens.
    pub address: SocketAddr,
    is_cut: Arc<watch::Sender<bool>>,
    task: JoinHandle<()>,
}

impl Proxy {
    /// Starts one in front of `server`, a `host:port`.
    ///
    /// # Errors
    /// If there is no port to listen on.
    pub async fn start(server: &str) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let is_cut = Arc::new(watch::Sender::new(false));
        let (server, cut) = (server.to_owned(), Arc::clone(&is_cut));
        let task = tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                tokio::spawn(pass(near, server.clone(), cut.subscribe()));
            }
        });
        Ok(Self { address, is_cut, task })
    }

    /// Ends every connection, and each further one as soon as it is made.
    pub fn cut(&self) {
        self.is_cut.send_replace(true);
    }

    /// From now on connections are passed on again.
    pub fn mend(&self) {
        self.is_cut.send_replace(false);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
        self.cut();
    }
}

async fn pass(mut near: TcpStream, server: String, mut cut: watch::Receiver<bool>) {
    let passed = async {
        let mut far = TcpStream::connect(server).await?;
        copy_bidirectional(&mut near, &mut far).await
    };
    tokio::select! {
        biased;
        _ = cut.wait_for(|cut| *cut) => {}
        _ = passed => {}
    }
}
