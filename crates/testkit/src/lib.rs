#![doc = include_str!("../README.md")]

pub mod actor;
pub mod clock;
pub mod database;
pub mod keys;
pub mod log;
pub mod sql;

pub use actor::Actor;
pub use clock::MockClock;
pub use database::TestDatabase;
pub use keys::{BadToken, TestIssuer};
pub use log::KeptLog;
