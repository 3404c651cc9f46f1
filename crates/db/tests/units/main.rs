//! Units of work, on both backends, compiled from one source.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests and their harness")]

mod mariadb;
mod migrations;
mod sqlite;
