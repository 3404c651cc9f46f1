//! The address under which the caller reached us, for the absolute URLs in our answers.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use http::{HeaderMap, Uri, header::HOST, request::Parts};

/// Marks requests that came over TLS.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Secure;

/// Scheme and host, such as `https://diracx.example.org`, without a slash at the end.
///
/// A proxy in front tells the outer ones in `X-Forwarded-Proto` and `X-Forwarded-Host`, as DiracX's
/// deployments rely on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PublicUrl(String);

impl PublicUrl {
    /// The address of a path.
    pub(crate) fn at(&self, path: &str) -> String {
        format!("{}{path}", self.0)
    }

    pub(crate) fn of(headers: &HeaderMap, uri: &Uri, secure: bool) -> Self {
        let scheme = match first(headers, "x-forwarded-proto").map(str::to_ascii_lowercase).as_deref() {
            Some("https" | "wss") => "https",
            Some("http" | "ws") => "http",
            _ if secure => "https",
            _ => "http",
        };
        let host = first(headers, "x-forwarded-host")
            .or_else(|| headers.get(HOST).and_then(|host| host.to_str().ok()))
            .filter(|host| is_host(host))
            .or_else(|| uri.authority().map(http::uri::Authority::as_str).filter(|host| is_host(host)))
            .unwrap_or("localhost");
        Self(format!("{scheme}://{host}"))
    }
}

impl<S: Sync> FromRequestParts<S> for PublicUrl {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self::of(&parts.headers, &parts.uri, parts.extensions.get::<Secure>().is_some()))
    }
}

/// The first of a list of values: that of the outermost proxy.
fn first<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name)?.to_str().ok()?.split(',').next().map(str::trim).filter(|text| !text.is_empty())
}

/// A name or address with an optional port. Anything else would be put into our links and is none.
fn is_host(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_' | b':' | b'[' | b']'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(headers: &[(&'static str, &'static str)], secure: bool, expected: &str) {
        let headers = headers
            .iter()
            .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
            .collect::<HeaderMap>();
        assert_eq!(PublicUrl::of(&headers, &Uri::from_static("/x"), secure).at(""), expected);
    }

    #[test]
    fn the_host_that_the_caller_used_comes_back() {
        check(&[("host", "foo.example:99")], false, "http://foo.example:99");
        check(&[("host", "foo.example")], true, "https://foo.example");
        check(&[("host", "[::1]:8000")], false, "http://[::1]:8000");
        check(
            &[("host", "in"), ("x-forwarded-proto", "https, http"), ("x-forwarded-host", "out.example")],
            false,
            "https://out.example",
        );
        check(&[("host", "in"), ("x-forwarded-proto", "gopher")], false, "http://in");
    }

    #[test]
    fn a_host_that_is_none_is_not_repeated() {
        check(&[("host", "\"><script>")], false, "http://localhost");
        check(&[("host", "a/b@c")], false, "http://localhost");
        check(&[], false, "http://localhost");
    }

    #[test]
    fn http_2_has_the_host_in_its_uri() {
        let uri = Uri::from_static("http://h2.example:8000/x");
        assert_eq!(PublicUrl::of(&HeaderMap::new(), &uri, false).at("/y"), "http://h2.example:8000/y");
    }
}
