//! Logging in at a real OpenID provider, as people and programs do.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test fails by panicking")]

mod chromium;
mod failing;
mod plain;
mod scene;
