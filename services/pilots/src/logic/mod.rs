//! The rules of the pilots service: no wire types, no SQL.

pub mod exchange;
pub mod log;
pub mod pepper;
pub mod query;
pub mod registration;
pub mod secrets;
pub mod tokens;
