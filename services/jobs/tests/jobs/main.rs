//! The jobs service as its clients see it: gRPC, a real database, the real policy.

mod harness;
mod query;
mod status;
mod submission;
