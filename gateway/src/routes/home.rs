//! `GET /`: what this is, for somebody who typed the address into a browser.

use axum::{response::Html, routing::get};

use crate::routing::Table;

pub(super) fn routes(table: Table) -> Table {
    table.at(
        "/",
        "GET",
        get(async || Html(include_str!("home.html").replace("{version}", env!("CARGO_PKG_VERSION")))),
    )
}
