//! The pilots service as its clients see it: gRPC, a real database, the real policy, the real jobs service beside it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests and their harness")]

mod adoption;
mod audit;
mod credentials;
mod ending;
mod harness;
mod links;
mod log;
mod maintenance;
mod metadata;
mod query;
mod registration;
mod revocation;

use diracx_testkit::sql;
