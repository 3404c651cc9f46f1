//! The rules of logins and tokens; no wire types, no SQL.

pub(crate) mod attempts;
pub(crate) mod authorization;
pub(crate) mod batch;
pub(crate) mod cleaning;
pub(crate) mod component;
pub(crate) mod device;
pub(crate) mod identity;
pub(crate) mod keys;
pub(crate) mod legacy;
pub(crate) mod login;
pub(crate) mod management;
pub(crate) mod pilot;
pub(crate) mod refresh;
pub(crate) mod tokens;
