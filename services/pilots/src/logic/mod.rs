//! The rules of the pilots service: no wire types, no SQL.

pub mod credentials;
pub mod ending;
pub mod jobs;
pub mod links;
pub mod maintenance;
pub mod metadata;
pub mod query;
pub mod registration;
pub mod transitions;
