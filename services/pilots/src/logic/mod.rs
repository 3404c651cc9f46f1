//! The rules of the pilots service: no wire types, no SQL.

pub mod credentials;
pub mod ending;
pub mod exchange;
pub mod jobs;
pub mod links;
pub mod log;
pub mod maintenance;
pub mod metadata;
pub mod pepper;
pub mod query;
pub mod registration;
pub mod secrets;
pub mod tokens;
pub mod transitions;
