//! The states of a pilot, and its stamp.

use diracx_core::{PilotStamp, PilotStatus};

use super::Invalid;
use crate::pilots::v1 as pb;

macro_rules! same_states {
    ($($name:ident),+ $(,)?) => {
        impl From<PilotStatus> for pb::PilotStatus {
            fn from(status: PilotStatus) -> Self {
                match status { $(PilotStatus::$name => Self::$name),+ }
            }
        }

        impl TryFrom<pb::PilotStatus> for PilotStatus {
            type Error = Invalid;

            fn try_from(status: pb::PilotStatus) -> Result<Self, Invalid> {
                match status {
                    $(pb::PilotStatus::$name => Ok(Self::$name),)+
                    pb::PilotStatus::Unspecified => Err(Invalid::field("status", "is not said")),
                }
            }
        }
    };
}

same_states! { Submitted, Waiting, Running, Done, Failed, Deleted, Aborted, Unknown }

impl pb::PilotStatus {
    /// The status of a field, which holds a number; `field` is named if it is none of ours.
    pub fn read(field: &str, number: i32) -> Result<PilotStatus, Invalid> {
        Self::try_from(number)
            .ok()
            .and_then(|status| PilotStatus::try_from(status).ok())
            .ok_or_else(|| Invalid::field(field, "is not a status of pilots"))
    }
}

/// The stamp of a field; `field` is named if it cannot be one.
pub fn stamp(field: impl Into<String>, text: String) -> Result<PilotStamp, Invalid> {
    PilotStamp::try_from(text).map_err(|problem| Invalid::field(field, problem.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_has_its_namesake_on_the_wire() {
        for status in PilotStatus::ALL {
            let wire = pb::PilotStatus::from(*status);
            assert_eq!(wire.as_str_name(), format!("PILOT_STATUS_{}", status.as_str().to_uppercase()));
            assert_eq!(pb::PilotStatus::read("status", wire.into()), Ok(*status));
        }
        for number in [0, -1, 9] {
            assert!(pb::PilotStatus::read("status", number).is_err(), "{number}");
        }
    }
}
