//! The jobs service as its clients see it: gRPC, a real database, the real policy.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests and their harness")]

mod harness;
mod query;
mod status;
mod submission;
