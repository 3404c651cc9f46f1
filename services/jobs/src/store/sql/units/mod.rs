//! The units of work: a file for each part of the contract of the store.

use super::{
    Store, Tx, changes, dialect, heart_beat_logging, job, job_command, job_event, job_logging, job_parameter,
    joint, next_run, sandbox as sandboxes, sandbox_cleaning, search, submission_request, summary, task_queue,
};

pub(super) mod heartbeat;
mod metadata;
mod query;
mod removal;
mod reschedule;
mod sandbox;
pub(super) mod status;
mod submission;
mod task_queues;
mod watch;
