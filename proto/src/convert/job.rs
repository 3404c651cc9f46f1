//! The states of a job.

use diracx_core::JobStatus;

use super::Invalid;
use crate::jobs::v1 as pb;

macro_rules! same_states {
    ($($name:ident),+ $(,)?) => {
        impl From<JobStatus> for pb::JobStatus {
            fn from(status: JobStatus) -> Self {
                match status { $(JobStatus::$name => Self::$name),+ }
            }
        }

        impl TryFrom<pb::JobStatus> for JobStatus {
            type Error = Invalid;

            fn try_from(status: pb::JobStatus) -> Result<Self, Invalid> {
                match status {
                    $(pb::JobStatus::$name => Ok(Self::$name),)+
                    pb::JobStatus::Unspecified => Err(Invalid::field("status", "is not said")),
                }
            }
        }
    };
}

same_states! {
    Submitting, Received, Checking, Scouting, Staging, Waiting, Matched, Rescheduled, Running, Stalled,
    Completing, Completed, Done, Failed, Killed, Deleted,
}

impl pb::JobStatus {
    /// The status of a field, which holds a number; `field` is named if it is none of ours.
    pub fn read(field: &str, number: i32) -> Result<JobStatus, Invalid> {
        Self::try_from(number)
            .ok()
            .and_then(|status| JobStatus::try_from(status).ok())
            .ok_or_else(|| Invalid::field(field, "is not a job status"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_has_its_namesake_on_the_wire() {
        for status in JobStatus::ALL {
            let wire = pb::JobStatus::from(*status);
            assert_eq!(wire.as_str_name(), format!("JOB_STATUS_{}", status.as_str().to_uppercase()));
            assert_eq!(pb::JobStatus::read("status", wire.into()), Ok(*status));
        }
    }

    #[test]
    fn a_number_that_is_no_status_is_refused_by_the_name_of_its_field() {
        for number in [0, -1, 17, i32::MAX] {
            let invalid = pb::JobStatus::read("updates[0].records[2].status", number).unwrap_err();
            assert_eq!(invalid.to_string(), "updates[0].records[2].status: is not a job status");
        }
    }
}
