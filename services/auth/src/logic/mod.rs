//! The rules of logins and tokens; no wire types, no SQL.

pub(crate) mod authorization;
pub(crate) mod device;
pub(crate) mod identity;
pub(crate) mod login;
pub(crate) mod refresh;
pub(crate) mod tokens;
