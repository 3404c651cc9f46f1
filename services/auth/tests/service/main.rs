//! The auth service as its clients see it: gRPC, a real database on either backend, a real identity provider.

mod authorization;
mod device;
mod idp;
mod metadata;
mod refresh;
mod world;
