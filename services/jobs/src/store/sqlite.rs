//! The store on SQLite: the query code of this folder, compiled for it.

use diracx_db::sqlite::{Conn, Databases, Tx, dialect, search, summary};

#[path = "job.rs"]
mod job;
#[path = "job_command.rs"]
mod job_command;
#[path = "job_logging.rs"]
mod job_logging;
#[path = "submission_request.rs"]
mod submission_request;
#[path = "units.rs"]
mod units;

pub(super) use units::Store;
