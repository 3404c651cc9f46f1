//! The table of REST paths, and what DiracX answers to what is not in it.

use std::sync::Arc;

use axum::{
    Router,
    extract::Request,
    response::{IntoResponse, Response},
    routing::MethodRouter,
};
use http::{
    HeaderValue, StatusCode, Uri,
    header::{ALLOW, LOCATION},
};

use crate::{
    context::Context,
    error::Refusal,
    public_url::{PublicUrl, Secure},
};

/// REST paths with their handlers.
#[derive(Default)]
pub(crate) struct Table {
    router: Router<Context>,
    paths: Vec<(&'static str, &'static str)>,
}

impl Table {
    /// Adds a path. `allow` names its methods: any other one is a 405 that lists them, `HEAD`, too, unless it is named.
    pub(crate) fn at(
        mut self,
        path: &'static str,
        allow: &'static str,
        handlers: MethodRouter<Context>,
    ) -> Self {
        let refuse = move || async move { method_not_allowed(allow) };
        self.paths.push((path, allow));
        let handlers = if allow.contains("HEAD") { handlers } else { handlers.head(refuse) };
        self.router = self.router.route(path, handlers.fallback(refuse));
        self
    }

    /// Every path with its methods.
    pub(crate) fn paths(&self) -> &[(&'static str, &'static str)] {
        &self.paths
    }

    /// The router. A path that exists only with (or without) a slash at its end redirects there; any other is a 404.
    pub(crate) fn into_router(self) -> Router<Context> {
        let paths: Arc<[&'static str]> = self.paths.into_iter().map(|(path, _)| path).collect();
        self.router.fallback(move |request: Request| {
            let response = not_found(&paths, &request);
            async move { response }
        })
    }
}

fn method_not_allowed(allow: &'static str) -> Response {
    let mut response = Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed").into_response();
    response.headers_mut().insert(ALLOW, HeaderValue::from_static(allow));
    response
}

fn not_found(paths: &[&str], request: &Request) -> Response {
    let uri = request.uri();
    if let Some(other) =
        with_other_slash(uri.path()).filter(|other| paths.iter().any(|path| matches(path, other)))
    {
        let secure = request.extensions().get::<Secure>().is_some();
        let target = PublicUrl::of(request.headers(), uri, secure).at(&other) + &query(uri);
        if let Ok(location) = HeaderValue::try_from(target) {
            let mut response = StatusCode::TEMPORARY_REDIRECT.into_response();
            response.headers_mut().insert(LOCATION, location);
            return response;
        }
    }
    Refusal::new(StatusCode::NOT_FOUND, "Not Found").into_response()
}

fn query(uri: &Uri) -> String {
    uri.query().map(|query| format!("?{query}")).unwrap_or_default()
}

fn with_other_slash(path: &str) -> Option<String> {
    match path.strip_suffix('/') {
        Some("") => None,
        Some(without) => Some(without.trim_end_matches('/').to_owned()),
        None => Some(format!("{path}/")),
    }
}

/// Whether a path fits a pattern, whose segments in braces fit anything.
pub(crate) fn matches(pattern: &str, path: &str) -> bool {
    let mut segments = path.split('/');
    let fits = pattern.split('/').all(|wanted| {
        segments
            .next()
            .is_some_and(|segment| segment == wanted || (wanted.starts_with('{') && !segment.is_empty()))
    });
    fits && segments.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATHS: [&str; 3] = ["/api/config/", "/api/jobs/search", "/api/jobs/{job_id}/sandbox"];

    fn check(path: &str, expected: Result<u16, &str>) {
        let request =
            Request::builder().uri(path).header("host", "h").body(axum::body::Body::empty()).unwrap();
        let response = not_found(&PATHS, &request);
        let location = response.headers().get(LOCATION).map(|value| value.to_str().unwrap());
        match expected {
            Ok(status) => assert_eq!((response.status().as_u16(), location), (status, None), "{path}"),
            Err(target) => assert_eq!((response.status().as_u16(), location), (307, Some(target)), "{path}"),
        }
    }

    #[test]
    fn a_slash_too_many_or_too_few_redirects() {
        check("/api/config", Err("http://h/api/config/"));
        check("/api/config?x=1&y=%20", Err("http://h/api/config/?x=1&y=%20"));
        check("/api/jobs/search/", Err("http://h/api/jobs/search"));
        check("/api/jobs/5/sandbox/", Err("http://h/api/jobs/5/sandbox"));
    }

    #[test]
    fn everything_else_is_not_found() {
        for path in ["/api/nothing-here", "/", "//", "/api/jobs", "/api/jobs//sandbox/", "/api/config/x"] {
            check(path, Ok(404));
        }
    }
}
