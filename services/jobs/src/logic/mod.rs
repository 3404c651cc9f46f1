//! The rules of the jobs service: no wire types, no SQL.

pub mod query;
pub mod status;
pub mod submission;
pub mod transitions;
