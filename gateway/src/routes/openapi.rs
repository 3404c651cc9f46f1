//! `GET /api/openapi.json`: DiracX's own description of the interface, of what this installation serves.

use axum::routing::get;
use bytes::Bytes;
use http::StatusCode;
use serde_json::{Value, json};

use crate::{
    render::json_bytes,
    routing::{Table, matches},
};

/// As DiracX 0.4.0 serves it.
const DESCRIPTION: &str = include_str!("openapi.json");

/// To be added last: it describes the paths that are there.
pub(super) fn routes(table: Table) -> Table {
    let description = description(table.paths());
    table.at("/api/openapi.json", "GET", get(async move || json_bytes(StatusCode::OK, description.clone())))
}

fn description(served: &[(&str, &str)]) -> Bytes {
    let mut document: Value = serde_json::from_str(DESCRIPTION).unwrap_or_default();
    document["info"] = json!({ "title": "DiracX", "version": env!("CARGO_PKG_VERSION") });
    document["servers"] = json!([{ "url": "/" }]);
    if let Some(paths) = document["paths"].as_object_mut() {
        paths.retain(|described, _| served.iter().any(|(path, _)| matches(path, described)));
    }
    Bytes::from(document.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_served_is_not_described() {
        let served = [("/api/config/", "GET"), ("/api/jobs/{job}/sandbox", "GET")];
        let document: Value = serde_json::from_slice(&description(&served)).unwrap();
        let paths: Vec<_> = document["paths"].as_object().unwrap().keys().collect();
        assert_eq!(paths, ["/api/config/", "/api/jobs/{job_id}/sandbox"]);
        assert_eq!(document["info"]["version"], env!("CARGO_PKG_VERSION"));
    }
}
