//! The rules of the pilots service: no wire types, no SQL.

pub mod query;
pub mod registration;
