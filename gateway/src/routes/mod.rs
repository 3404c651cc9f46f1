//! The REST interface of DiracX: one file per router, each route extracts, calls, renders.

mod auth;
mod auth_authorize;
mod auth_legacy;
mod auth_management;
mod auth_token;
pub(crate) mod config;
mod health;
mod home;
mod jobs;
mod jobs_status;
mod pages;
mod well_known;

use crate::routing::Table;

/// Every REST path.
pub(crate) fn table() -> Table {
    let table = home::routes(Table::default());
    let table = health::routes(table);
    let table = well_known::routes(table);
    let table = auth::routes(table);
    let table = config::routes(table);
    jobs::routes(table)
}
