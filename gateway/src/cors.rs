//! Which web pages may read our answers: DiracX's rules, answer by answer.
//!
//! The usual layers differ in what they send (DiracX answers a preflight with `OK`, mirrors the headers that
//! were asked for, refuses with a sentence), so this is our own.

use axum::response::{IntoResponse, Response};
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, StatusCode,
    header::{
        ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
        ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE,
        ACCESS_CONTROL_REQUEST_HEADERS, ACCESS_CONTROL_REQUEST_METHOD, CONTENT_TYPE, ORIGIN, VARY,
    },
};

/// The web pages that may read our answers unless an installation names others: DiracX's.
pub(crate) const DEFAULT_ORIGINS: &str =
    "http://localhost:8000,http://localhost:3000,https://localhost:8000,https://localhost:3000";

const METHODS: [&str; 7] = ["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"];
const METHOD_LIST: HeaderValue = HeaderValue::from_static("DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT");
const MAX_AGE: HeaderValue = HeaderValue::from_static("600");
const YES: HeaderValue = HeaderValue::from_static("true");
const EXPOSED: HeaderValue = HeaderValue::from_static("Content-Range");
/// A gRPC-Web client reads how its call ended from headers when there is no body.
const EXPOSED_GRPC: HeaderValue =
    HeaderValue::from_static("Content-Range, grpc-status, grpc-message, grpc-status-details-bin");
const VARY_ORIGIN: HeaderValue = HeaderValue::from_static("Origin");

/// The rules of an installation.
#[derive(Debug, Clone)]
pub(crate) struct Cors {
    origins: Vec<HeaderValue>,
}

/// What of a request matters for its answer's headers.
#[derive(Debug, Clone)]
pub(crate) struct Asking {
    origin: Option<HeaderValue>,
    grpc_web: bool,
}

impl Asking {
    /// Who asks, and in which protocol.
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let content_type = headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes).unwrap_or_default();
        Self {
            origin: headers.get(ORIGIN).cloned(),
            grpc_web: content_type.starts_with(b"application/grpc-web"),
        }
    }
}

impl Cors {
    /// Rules that let pages of these origins read our answers.
    pub(crate) fn new(origins: impl IntoIterator<Item = HeaderValue>) -> Self {
        Self { origins: origins.into_iter().collect() }
    }

    /// The answer to a preflight; none if the request is not one.
    pub(crate) fn preflight(&self, method: &Method, headers: &HeaderMap) -> Option<Response> {
        let origin = headers.get(ORIGIN)?;
        let wanted = headers.get(ACCESS_CONTROL_REQUEST_METHOD).filter(|_| method == Method::OPTIONS)?;
        let mut refused = Vec::new();
        let origin_known = self.origins.contains(origin);
        if !origin_known {
            refused.push("origin");
        }
        if !METHODS.iter().any(|method| method.as_bytes() == wanted.as_bytes()) {
            refused.push("method");
        }
        let mut response = if refused.is_empty() {
            (StatusCode::OK, "OK").into_response()
        } else {
            (StatusCode::BAD_REQUEST, format!("Disallowed CORS {}", refused.join(", "))).into_response()
        };
        let answer = response.headers_mut();
        if origin_known {
            answer.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        }
        answer.insert(VARY, VARY_ORIGIN);
        answer.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, YES);
        answer.insert(ACCESS_CONTROL_ALLOW_METHODS, METHOD_LIST);
        answer.insert(ACCESS_CONTROL_MAX_AGE, MAX_AGE);
        if let Some(wanted) = headers.get(ACCESS_CONTROL_REQUEST_HEADERS) {
            answer.insert(ACCESS_CONTROL_ALLOW_HEADERS, wanted.clone());
        }
        Some(response)
    }

    /// Adds what lets the page read the answer, or not.
    pub(crate) fn decorate(&self, asking: &Asking, answer: &mut HeaderMap) {
        add_vary(answer);
        let Some(origin) = &asking.origin else { return };
        if self.origins.contains(origin) {
            answer.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        }
        answer.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, YES);
        answer.insert(ACCESS_CONTROL_EXPOSE_HEADERS, if asking.grpc_web { EXPOSED_GRPC } else { EXPOSED });
    }
}

/// `Vary: Origin`, also without an origin: a cache must not give that answer to a page of another one.
fn add_vary(answer: &mut HeaderMap) {
    let name: HeaderName = VARY;
    let merged = answer.get(&name).and_then(|old| old.to_str().ok()).map(|old| format!("{old}, Origin"));
    let value = merged.and_then(|text| HeaderValue::try_from(text).ok()).unwrap_or(VARY_ORIGIN);
    answer.insert(name, value);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cors() -> Cors {
        Cors::new(DEFAULT_ORIGINS.split(',').map(HeaderValue::from_static))
    }

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect()
    }

    fn text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
        headers.get(name).map(|value| value.to_str().unwrap())
    }

    #[test]
    fn preflights_are_answered_by_origin_and_method() {
        let check = |origin, method, status: u16, allowed: Option<&str>| {
            let asked = headers(&[
                ("origin", origin),
                ("access-control-request-method", method),
                ("access-control-request-headers", "authorization,content-type"),
            ]);
            let response = cors().preflight(&Method::OPTIONS, &asked).expect("a preflight");
            assert_eq!(response.status(), status, "{origin} {method}");
            let answer = response.headers();
            assert_eq!(text(answer, ACCESS_CONTROL_ALLOW_ORIGIN), allowed);
            assert_eq!(text(answer, VARY), Some("Origin"));
            assert_eq!(text(answer, ACCESS_CONTROL_ALLOW_CREDENTIALS), Some("true"));
            assert_eq!(text(answer, ACCESS_CONTROL_ALLOW_HEADERS), Some("authorization,content-type"));
            assert_eq!(text(answer, ACCESS_CONTROL_MAX_AGE), Some("600"));
            assert_eq!(text(answer, CONTENT_TYPE), Some("text/plain; charset=utf-8"));
        };
        check("http://localhost:8000", "POST", 200, Some("http://localhost:8000"));
        check("https://localhost:3000", "PATCH", 200, Some("https://localhost:3000"));
        check("http://evil.invalid", "POST", 400, None);
        check("null", "POST", 400, None);
        check("http://localhost:8000", "BREW", 400, Some("http://localhost:8000"));
        check("http://evil.invalid", "BREW", 400, None);
    }

    #[test]
    fn what_is_no_preflight_goes_on() {
        let no_origin = headers(&[("access-control-request-method", "POST")]);
        let no_method = headers(&[("origin", "http://localhost:8000")]);
        let both = headers(&[("origin", "http://localhost:8000"), ("access-control-request-method", "POST")]);
        assert!(cors().preflight(&Method::OPTIONS, &no_origin).is_none());
        assert!(cors().preflight(&Method::OPTIONS, &no_method).is_none());
        assert!(cors().preflight(&Method::POST, &both).is_none());
    }

    #[test]
    fn simple_answers_name_known_origins_only() {
        let check = |asked: &[(&'static str, &'static str)], allowed, credentials, exposed| {
            let mut answer = HeaderMap::new();
            cors().decorate(&Asking::of(&headers(asked)), &mut answer);
            assert_eq!(text(&answer, ACCESS_CONTROL_ALLOW_ORIGIN), allowed, "{asked:?}");
            assert_eq!(text(&answer, ACCESS_CONTROL_ALLOW_CREDENTIALS), credentials, "{asked:?}");
            assert_eq!(text(&answer, ACCESS_CONTROL_EXPOSE_HEADERS), exposed, "{asked:?}");
            assert_eq!(text(&answer, VARY), Some("Origin"));
        };
        let known = ("origin", "http://localhost:3000");
        check(&[known], Some(known.1), Some("true"), Some("Content-Range"));
        check(&[("origin", "http://evil.invalid")], None, Some("true"), Some("Content-Range"));
        check(&[], None, None, None);
        check(
            &[known, ("content-type", "application/grpc-web+proto")],
            Some(known.1),
            Some("true"),
            Some("Content-Range, grpc-status, grpc-message, grpc-status-details-bin"),
        );
    }

    #[test]
    fn other_reasons_to_vary_stay() {
        let mut answer = headers(&[("vary", "Authorization")]);
        cors().decorate(&Asking::of(&HeaderMap::new()), &mut answer);
        assert_eq!(text(&answer, VARY), Some("Authorization, Origin"));
    }
}
