//! The jobs service as its clients see it: gRPC, a real database, the real policy.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests and their harness")]

mod bounds;
mod every_change;
mod fleet;
mod harness;
mod heartbeat;
mod metadata;
mod pages;
mod pilots;
mod plans;
mod query;
mod removal;
mod reschedule;
mod sandbox;
mod sandbox_cleaning;
mod seed;
mod status;
mod streams;
mod submission;
mod task_queues;
mod watch;

use diracx_testkit::sql;
