//! One file, one command.

mod all_jobs;
pub(crate) mod config_dump;
pub(crate) mod config_status;
mod internal;
pub(crate) mod internal_add_group;
pub(crate) mod internal_add_user;
pub(crate) mod internal_add_vo;
pub(crate) mod internal_cs_sync;
pub(crate) mod internal_generate_cs;
pub(crate) mod jobs_delete;
pub(crate) mod jobs_kill;
pub(crate) mod jobs_parameters;
pub(crate) mod jobs_reschedule;
pub(crate) mod jobs_search;
pub(crate) mod jobs_status;
pub(crate) mod jobs_submit;
pub(crate) mod jobs_summary;
pub(crate) mod jobs_wait;
pub(crate) mod jobs_watch;
pub(crate) mod login;
pub(crate) mod logout;
pub(crate) mod rss_cancel;
pub(crate) mod rss_history;
pub(crate) mod rss_list;
pub(crate) mod rss_set;
pub(crate) mod sandbox_get;
pub(crate) mod whoami;
