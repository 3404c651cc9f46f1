//! The states of a job, spelled as DIRAC spells them.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

macro_rules! job_statuses {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {
        /// Where a job is in its life. The names are those of DIRAC, on the wire and in the database.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum JobStatus { $($(#[$doc])* $name),+ }

        impl JobStatus {
            /// Every status, in the order of a job's life.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// The name, as DIRAC writes it.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => stringify!($name)),+ }
            }
        }

        impl FromStr for JobStatus {
            type Err = UnknownJobStatus;

            fn from_str(text: &str) -> Result<Self, UnknownJobStatus> {
                match text {
                    $(stringify!($name) => Ok(Self::$name),)+
                    other => Err(UnknownJobStatus(other.to_owned())),
                }
            }
        }
    };
}

job_statuses! {
    /// Part of a parametric bulk that is not confirmed yet.
    Submitting,
    /// Accepted, nothing done yet.
    Received,
    /// Its description is being checked.
    Checking,
    /// A scout of its bulk runs first. Only legacy DIRAC writes it.
    Scouting,
    /// Its input is being brought to disk.
    Staging,
    /// In a task queue, for a pilot to take.
    Waiting,
    /// A pilot took it.
    Matched,
    /// Sent back to the beginning.
    Rescheduled,
    /// Its payload runs.
    Running,
    /// No sign of life for a while.
    Stalled,
    /// The payload ended, its output is being stored.
    Completing,
    /// The payload ended, something of its output is still missing.
    Completed,
    /// Ended well.
    Done,
    /// Ended badly.
    Failed,
    /// Ended by somebody's wish.
    Killed,
    /// To be forgotten.
    Deleted,
}

impl JobStatus {
    /// Whether nothing more happens to the job by itself.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Done | Self::Completed | Self::Failed | Self::Killed | Self::Deleted)
    }
}

impl fmt::Display for JobStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A text that names no job status.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0} is not a job status")]
pub struct UnknownJobStatus(pub String);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_reads_back_from_its_name() {
        for status in JobStatus::ALL {
            assert_eq!(status.to_string().parse(), Ok(*status));
        }
        assert_eq!("running".parse::<JobStatus>(), Err(UnknownJobStatus("running".into())));
    }
}
