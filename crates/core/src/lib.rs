#![doc = include_str!("../README.md")]

pub mod cfg;
pub mod clock;
pub mod config;
pub mod explain;
pub mod id;
pub mod jdl;
pub mod job_status;
pub mod pilot;
pub mod property;
pub mod sandbox;
pub mod scope;
pub mod search;
pub mod version;

pub use clock::{Clock, SystemClock};
pub use explain::{Code, Explain, Explanation, Reason};
pub use id::JobId;
pub use job_status::JobStatus;
pub use pilot::{PilotStamp, PilotStatus};
pub use version::Version;
