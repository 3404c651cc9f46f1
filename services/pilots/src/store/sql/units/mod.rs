//! The units of work: a file for each part of the contract of the store.

use super::{
    Store, Tx, access_bar, holder, link, log_line, pilot, refresh_token, request, search, secret, stamp,
    summary,
};

mod change;
mod credential;
mod links;
mod log;
mod query;
mod registration;
mod removal;
