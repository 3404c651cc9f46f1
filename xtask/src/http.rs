//! Just enough HTTP/1.1 to ask a server on the loopback interface: one GET per connection.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    time::Duration,
};

use anyhow::{Context as _, Result, bail};

/// How long one answer may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// An answer, as far as anybody here looks at it.
#[derive(Debug)]
pub(crate) struct Answer {
    /// The status code.
    pub(crate) status: u16,
    /// Where a redirect leads.
    pub(crate) location: Option<String>,
    /// The body, still in chunks if it came in chunks.
    pub(crate) body: String,
}

/// Gets a `http://` URL without following redirects.
pub(crate) fn get(url: &str) -> Result<Answer> {
    let rest = url.strip_prefix("http://").with_context(|| format!("{url} is not a http:// address"))?;
    let (host, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
    let mut stream = TcpStream::connect(host).with_context(|| format!("cannot reach {host}"))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nAccept: */*\r\n\r\n")?;
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).with_context(|| format!("{url} did not answer"))?;
    parse(&String::from_utf8_lossy(&bytes)).with_context(|| format!("{url} did not answer in HTTP"))
}

fn parse(text: &str) -> Option<Answer> {
    let (head, body) = text.split_once("\r\n\r\n")?;
    let mut lines = head.lines();
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let location = lines
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("location"))
        .map(|(_, value)| value.trim().to_owned());
    Some(Answer { status, location, body: body.to_owned() })
}

/// Follows redirects to the end, each address changed by `visit` first.
pub(crate) fn browse(url: &str, visit: impl Fn(&str) -> String) -> Result<Answer> {
    let mut url = visit(url);
    for _ in 0..10 {
        let answer = get(&url)?;
        let Some(location) = answer.location.as_ref().filter(|_| (300..400).contains(&answer.status)) else {
            return Ok(answer);
        };
        url = visit(&absolute(&url, location));
    }
    bail!("too many redirects, the last to {url}")
}

fn absolute(from: &str, location: &str) -> String {
    if !location.starts_with('/') {
        return location.to_owned();
    }
    let end = from[7..].find(['/', '?']).map_or(from.len(), |at| at + 7);
    format!("{}{location}", &from[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_taken_apart() {
        let answer = parse("HTTP/1.1 307 Temporary Redirect\r\nLocation: /x?y=1\r\n\r\nbody").unwrap();
        assert_eq!(
            (answer.status, answer.location.as_deref(), answer.body.as_str()),
            (307, Some("/x?y=1"), "body")
        );
    }

    #[test]
    fn a_redirect_without_a_host_stays_on_the_host() {
        assert_eq!(absolute("http://127.0.0.1:8/a?b", "/c"), "http://127.0.0.1:8/c");
        assert_eq!(absolute("http://127.0.0.1:8/a", "http://h/c"), "http://h/c");
    }
}
