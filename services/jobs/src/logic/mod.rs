//! The rules of the jobs service: no wire types, no SQL.

pub mod commands;
pub mod feed;
pub mod heartbeat;
pub mod metadata;
pub mod parameters;
pub mod pilots;
pub mod query;
pub mod removal;
pub mod reschedule;
pub mod sandbox;
pub mod sandbox_cleaning;
pub mod shares;
pub mod status;
pub mod submission;
pub mod task_queues;
pub mod transitions;
pub mod watch;
