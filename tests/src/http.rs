//! A minimal HTTP/1.1 client: one request per connection, nothing followed, nothing retried.

use std::{fmt::Write as _, time::Duration};

use anyhow::{Context as _, Result, anyhow};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::{
    Request,
    body::Incoming,
    client::conn::http1::{self, SendRequest},
    header::HeaderMap,
};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;

/// How long an answer may take before the test counts it as a hang.
const PATIENCE: Duration = Duration::from_mins(1);

/// What the server answered.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The headers; of one that is sent twice, the last counts.
    pub headers: HeaderMap,
    /// The body as text.
    pub text: String,
}

impl Answer {
    /// A header, if it was sent.
    pub fn header(&self, name: &str) -> Option<String> {
        let last = self.headers.get_all(name).iter().next_back()?;
        Some(String::from_utf8_lossy(last.as_bytes()).into_owned())
    }

    /// The body, if it is JSON.
    pub fn json(&self) -> Option<Value> {
        serde_json::from_str(&self.text).ok()
    }
}

/// Sends one request to a `http://` URL.
///
/// # Errors
/// If the server cannot be reached, does not speak HTTP, or takes longer than a minute.
pub async fn send(
    method: &str,
    url: &str,
    headers: &[(String, String)],
    body: Option<Vec<u8>>,
) -> Result<Answer> {
    let asked = format!("{method} {url}");
    let answer = tokio::time::timeout(PATIENCE, exchange(method, url, headers, body)).await;
    answer.map_err(|_| anyhow!("{asked}: no answer within {} s", PATIENCE.as_secs()))?.context(asked)
}

async fn exchange(
    method: &str,
    url: &str,
    headers: &[(String, String)],
    body: Option<Vec<u8>>,
) -> Result<Answer> {
    let rest = url.strip_prefix("http://").context("only http:// is spoken here")?;
    let (host, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
    let stream = TcpStream::connect(host).await.context("cannot connect")?;
    stream.set_nodelay(true)?;
    let (mut sender, connection) = http1::handshake::<_, Full<Bytes>>(TokioIo::new(stream)).await?;
    let mut request = Request::builder().method(method).uri(path).header("host", host);
    for (name, value) in headers {
        request = request.header(name, value);
    }
    let exchange =
        async { read(sender.send_request(request.body(Full::from(body.unwrap_or_default()))?).await?).await };
    tokio::pin!(exchange);
    // The connection is the one that reads and writes; it may end before the answer is whole.
    tokio::select! {
        answer = &mut exchange => answer,
        ended = connection => match ended {
            Ok(()) => exchange.await,
            Err(error) => Err(error.into()),
        },
    }
}

/// A connection that is kept for several requests, one after the other.
pub struct Connection {
    host: String,
    sender: Option<SendRequest<Full<Bytes>>>,
}

impl Connection {
    /// To the server at a `http://` URL without a path.
    pub fn to(base: &str) -> Self {
        Self { host: base.trim_start_matches("http://").to_owned(), sender: None }
    }

    /// Sends a request and waits for its answer. If the server has closed the connection meanwhile, it goes over a
    /// new one.
    ///
    /// # Errors
    /// If the server cannot be reached or does not answer.
    pub async fn send(
        &mut self,
        method: &str,
        target: &str,
        headers: &[(String, String)],
        body: Option<Vec<u8>>,
    ) -> Result<Answer> {
        let body = Bytes::from(body.unwrap_or_default());
        if let Some(mut old) = self.sender.take()
            && old.ready().await.is_ok()
            && let Ok(answer) = self.ask(old, method, target, headers, body.clone()).await
        {
            return Ok(answer);
        }
        let stream = TcpStream::connect(&self.host).await.context("cannot connect")?;
        stream.set_nodelay(true)?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        self.ask(sender, method, target, headers, body).await
    }

    async fn ask(
        &mut self,
        mut sender: SendRequest<Full<Bytes>>,
        method: &str,
        target: &str,
        headers: &[(String, String)],
        body: Bytes,
    ) -> Result<Answer> {
        let mut request = Request::builder().method(method).uri(target).header("host", &self.host);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let answer = read(sender.send_request(request.body(Full::from(body))?).await?).await?;
        self.sender = Some(sender);
        Ok(answer)
    }
}

async fn read(answer: hyper::Response<Incoming>) -> Result<Answer> {
    let (head, body) = answer.into_parts();
    let body = body.collect().await?.to_bytes();
    let text = String::from_utf8_lossy(&body).into_owned();
    Ok(Answer { status: head.status.as_u16(), headers: head.headers, text })
}

/// Encodes pairs as a query or form, as browsers do.
pub fn form<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let encoded = pairs.into_iter().map(|(name, value)| format!("{}={}", encode(name), encode(value)));
    encoded.collect::<Vec<_>>().join("&")
}

fn encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'_' | b'.' | b'-' | b'~' => out.push(byte.into()),
            b' ' => out.push('+'),
            other => drop(write!(out, "%{other:02X}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::form;

    #[test]
    fn a_form_is_encoded_as_a_browser_does() {
        assert_eq!(
            form([("scope", "vo:a group:b"), ("x", "ü&=~")]),
            "scope=vo%3Aa+group%3Ab&x=%C3%BC%26%3D~"
        );
    }
}
