//! One file, one command.

pub(crate) mod config_dump;
pub(crate) mod jobs_search;
pub(crate) mod jobs_status;
pub(crate) mod jobs_submit;
pub(crate) mod jobs_summary;
pub(crate) mod login;
pub(crate) mod logout;
pub(crate) mod whoami;
