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
mod pilots;
pub(crate) mod sandbox_store;
mod sandboxes;
mod searches;
mod well_known;

use crate::{context::Backends, routing::Table};

/// Every REST path of the services that there are.
pub(crate) fn table(backends: &Backends) -> Table {
    let table = home::routes(Table::default());
    let table = health::routes(table);
    let table = well_known::routes(table);
    let table = auth::routes(table);
    let table = config::routes(table);
    let table = jobs::routes(table);
    let table = sandboxes::routes(table);
    let table = if backends.pilots.is_some() { pilots::routes(table) } else { table };
    sandbox_store::routes(table)
}
