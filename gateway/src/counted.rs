//! REST requests in the numbers of the process: by route, never by what a caller sent.

use std::{sync::Arc, time::Duration};

use diracx_server::telemetry::{Metrics, Series};
use http::{Method, StatusCode};
use tonic::Code;

use crate::routing::matches;

/// Counts requests.
#[derive(Debug)]
pub(crate) struct Counted {
    metrics: Metrics,
    routes: Vec<(&'static str, Method, Arc<Series>)>,
    other: Arc<Series>,
}

impl Counted {
    /// A series for each path and method; everything else shares one.
    pub(crate) fn new(metrics: &Metrics, routes: &[(&'static str, &'static str)]) -> Self {
        let each = routes.iter().flat_map(|(path, allow)| {
            let methods = allow.split(", ").filter_map(|method| method.parse::<Method>().ok());
            methods.map(move |method| (*path, method))
        });
        let series = |path: &str, method: &Method| metrics.series("rest", &format!("{method} {path}"));
        let routes = each.map(|(path, method)| (path, method.clone(), series(path, &method))).collect();
        Self { metrics: metrics.clone(), routes, other: metrics.series("rest", "other") }
    }

    /// The series of a request.
    pub(crate) fn series(&self, method: &Method, path: &str) -> Arc<Series> {
        let found = self.routes.iter().find(|(pattern, known, _)| known == method && matches(pattern, path));
        found.map_or(&self.other, |(_, _, series)| series).clone()
    }

    /// A request has been answered.
    pub(crate) fn answered(&self, series: &Series, status: StatusCode, took: Duration) {
        self.metrics.observe(series, code(status), took);
    }
}

/// The nearest gRPC code: the numbers of REST and gRPC are read together.
fn code(status: StatusCode) -> Code {
    match status.as_u16() {
        ..400 => Code::Ok,
        401 => Code::Unauthenticated,
        403 => Code::PermissionDenied,
        404 | 405 => Code::NotFound,
        409 => Code::AlreadyExists,
        416 => Code::OutOfRange,
        429 => Code::ResourceExhausted,
        400..=499 => Code::InvalidArgument,
        500 => Code::Internal,
        501 => Code::Unimplemented,
        502 | 503 => Code::Unavailable,
        504 => Code::DeadlineExceeded,
        _ => Code::Internal,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_counted_by_route_and_strangers_share_a_series() {
        let metrics = Metrics::default();
        let counted = Counted::new(
            &metrics,
            &[("/api/auth/device", "GET, POST"), ("/api/jobs/{job_id}/sandbox", "GET")],
        );
        for (method, path) in [
            (Method::POST, "/api/auth/device"),
            (Method::GET, "/api/jobs/5/sandbox"),
            (Method::PUT, "/api/auth/device"),
            (Method::GET, "/made-up"),
        ] {
            counted.answered(&counted.series(&method, path), StatusCode::OK, Duration::from_millis(1));
        }
        let text = metrics.render();
        for series in ["POST /api/auth/device", "GET /api/jobs/{job_id}/sandbox", "other"] {
            assert!(text.contains(series), "{series} in {text}");
        }
        assert!(!text.contains("made-up") && !text.contains("PUT"), "{text}");
    }
}
