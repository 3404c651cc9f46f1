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
mod openapi;
mod pages;
mod pilots;
mod rss;
pub(crate) mod sandbox_store;
mod sandboxes;
mod searches;
mod well_known;

use crate::routing::Table;

/// What an installation may be without.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Optional {
    pub(crate) pilots: bool,
    pub(crate) rss: bool,
}

/// Every REST path of the services that there are.
pub(crate) fn table(there_are: Optional) -> Table {
    let table = home::routes(Table::default());
    let table = health::routes(table);
    let table = well_known::routes(table);
    let table = auth::routes(table);
    let table = config::routes(table);
    let table = jobs::routes(table);
    let table = sandboxes::routes(table);
    let table = if there_are.pilots { pilots::routes(table) } else { table };
    let table = if there_are.rss { rss::routes(table) } else { table };
    openapi::routes(sandbox_store::routes(table))
}
