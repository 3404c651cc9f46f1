#![doc = include_str!("../README.md")]

pub mod keeper;
pub mod source;
pub mod yaml;

pub use keeper::{ConfigKeeper, Failure, Loaded, Snapshot};
pub use source::{ConfigSource, Revision, SourceError, SourceUrl};
