#![doc = include_str!("../README.md")]

pub mod admin;
pub mod commits;
pub mod edit;
pub mod helm_values;
pub mod legacy;
mod places;
pub mod source;
mod tree;
pub mod write;
pub mod yaml;

pub use source::{
    ConfigSource, Document, FetchSettings, MAX_DOCUMENT_BYTES, Revision, SourceError, SourceUrl,
    SourceUrlError,
};
