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
mod jobs_heartbeat;
mod jobs_metadata;
mod jobs_reschedule;
mod jobs_status;
mod pages;
mod rss;
pub(crate) mod sandbox_store;
mod sandboxes;
mod well_known;

use crate::routing::Table;

/// Every REST path; those of resource statuses only if there are any.
pub(crate) fn table(with_rss: bool) -> Table {
    let table = home::routes(Table::default());
    let table = health::routes(table);
    let table = well_known::routes(table);
    let table = auth::routes(table);
    let table = config::routes(table);
    let table = jobs::routes(table);
    let table = sandboxes::routes(table);
    let table = if with_rss { rss::routes(table) } else { table };
    sandbox_store::routes(table)
}
