//! The resource status service as its clients see it: gRPC, a real database, the real policy.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests and their harness")]

mod administer;
mod harness;
mod outage;
mod read;
mod together;
