//! A keep-alive connection that costs next to nothing: what the client uses is not left for the server.

use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::server::READY;

/// A connection to the server, one request at a time.
pub(crate) struct Connection {
    stream: TcpStream,
    received: Vec<u8>,
}

/// An answer: its status, and where in the buffer its body is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Head {
    status: u16,
    body: usize,
    length: usize,
}

impl Connection {
    /// Connects.
    pub(crate) async fn open(address: &str) -> Result<Self> {
        let stream = TcpStream::connect(address).await.with_context(|| format!("cannot reach {address}"))?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, received: Vec::with_capacity(64 << 10) })
    }

    /// Sends a request and reads the answer whole: status and body.
    pub(crate) async fn ask(&mut self, request: &[u8]) -> Result<(u16, &[u8])> {
        self.stream.write_all(request).await.context("the server hung up")?;
        self.received.clear();
        let mut head: Option<Head> = None;
        loop {
            let count = self.stream.read_buf(&mut self.received).await.context("the server hung up")?;
            ensure!(count > 0, "the server closed the connection");
            if head.is_none() {
                head = read_head(&self.received)?;
            }
            if let Some(Head { status, body, length }) = head
                && self.received.len() >= body + length
            {
                ensure!(self.received.len() == body + length, "more came than was asked for");
                return Ok((status, &self.received[body..]));
            }
        }
    }

    /// Asks until the process at the other end is ready. Each of DiracX's workers reads the configuration for itself
    /// when it is asked for the first time, and again when nobody has asked for a while.
    pub(crate) async fn until_ready(&mut self) -> Result<()> {
        let request = request("GET", READY, &[], "");
        for _ in 0..ATTEMPTS {
            if self.ask(&request).await?.0 == 200 {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        bail!("the server is not ready any more")
    }

    /// A header of the last answer.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        find_header(&self.received, name)
    }
}

/// How often a process is asked whether it is ready.
const ATTEMPTS: usize = 200;

fn find_header<'a>(received: &'a [u8], name: &str) -> Option<&'a str> {
    let end = received.windows(4).position(|window| window == b"\r\n\r\n")?;
    let mut headers = std::str::from_utf8(&received[..end]).ok()?.split("\r\n").skip(1);
    headers.find_map(|line| match line.split_once(':') {
        Some((found, value)) if found.eq_ignore_ascii_case(name) => Some(value.trim()),
        _ => None,
    })
}

/// The head of an answer, once all of it is there.
fn read_head(received: &[u8]) -> Result<Option<Head>> {
    let Some(end) = received.windows(4).position(|window| window == b"\r\n\r\n") else { return Ok(None) };
    let text = std::str::from_utf8(&received[..end]).context("headers that are no text")?;
    let mut lines = text.split("\r\n");
    let status = lines.next().and_then(|line| line.strip_prefix("HTTP/1.1 ")).and_then(|rest| rest.get(..3));
    let status: u16 = status.context("not HTTP/1.1")?.parse().context("no status")?;
    let mut length = None;
    for (name, value) in lines.filter_map(|line| line.split_once(':')) {
        if name.eq_ignore_ascii_case("content-length") {
            length = Some(value.trim().parse().context("no length")?);
        } else if name.eq_ignore_ascii_case("transfer-encoding") {
            bail!("an answer in chunks, which this client does not read");
        }
    }
    let length = match length {
        Some(_) if status == 304 => 0,
        Some(length) => length,
        None if matches!(status, 204 | 304) => 0,
        None => bail!("an answer without a length"),
    };
    Ok(Some(Head { status, body: end + 4, length }))
}

/// A request as bytes.
pub(crate) fn request(method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Vec<u8> {
    let mut text = format!("{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: */*\r\n");
    for (name, value) in headers {
        text.extend([*name, ": ", *value, "\r\n"]);
    }
    if !body.is_empty() {
        text.extend(["Content-Length: ", &body.len().to_string(), "\r\n"]);
    }
    text.push_str("\r\n");
    text.push_str(body);
    text.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_read_when_it_is_complete() {
        let whole = b"HTTP/1.1 206 Partial Content\r\nContent-Type: x\r\ncontent-length: 5\r\n\r\nab";
        assert_eq!(read_head(&whole[..40]).unwrap(), None);
        assert_eq!(read_head(whole).unwrap(), Some(Head { status: 206, body: whole.len() - 2, length: 5 }));
    }

    #[test]
    fn an_unchanged_document_has_no_body() {
        let whole = b"HTTP/1.1 304 Not Modified\r\nETag: a\r\n\r\n";
        assert_eq!(read_head(whole).unwrap(), Some(Head { status: 304, body: whole.len(), length: 0 }));
    }

    #[test]
    fn a_header_is_found_by_its_name() {
        let whole = b"HTTP/1.1 304 Not Modified\r\nA: b\r\nETag: abc\r\n\r\netag: body";
        assert_eq!(find_header(whole, "etag"), Some("abc"));
        assert_eq!(find_header(whole, "HTTP/1.1 304 Not Modified"), None);
        assert_eq!(find_header(b"", "etag"), None);
    }

    #[test]
    fn what_cannot_be_read_is_an_error() {
        assert!(read_head(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").is_err());
        assert!(read_head(b"HTTP/1.1 200 OK\r\n\r\n").is_err());
        assert!(read_head(b"SSH-2.0\r\n\r\n").is_err());
    }

    #[test]
    fn a_request_says_how_long_it_is() {
        let bytes = request("POST", "/x", &[("A", "b")], "{}");
        let expected =
            "POST /x HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: */*\r\nA: b\r\nContent-Length: 2\r\n\r\n{}";
        assert_eq!(String::from_utf8(bytes).unwrap(), expected);
    }
}
