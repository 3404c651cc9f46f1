//! The units of work: a file for each part of the contract of the store.

use super::{Store, Tx, link, pilot, request, search, stamp, summary};

mod change;
mod links;
mod query;
mod registration;
mod removal;
