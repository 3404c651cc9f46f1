//! The auth service as its clients see it: gRPC, a real database on either backend, a real identity provider.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a helper of a test that cannot go on says so")]

mod adopt;
mod audit;
mod authorization;
mod cleaning;
mod component;
mod device;
mod enrichment;
mod idp;
mod issuers;
mod legacy;
mod management;
mod metadata;
mod pilot;
mod refresh;
mod sessions;
mod world;
