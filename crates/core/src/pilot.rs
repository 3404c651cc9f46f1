//! Pilots: what they are called, and where they are in their life.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// The longest stamp, in characters; DIRAC's column has no room for more.
pub const LONGEST_STAMP: usize = 32;

/// What a pilot is called everywhere: whoever makes it chooses the stamp, and it never changes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PilotStamp(String);

/// A text that no pilot is called by.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("must have 1 to {LONGEST_STAMP} characters")]
pub struct InvalidPilotStamp;

impl PilotStamp {
    /// What somebody calls a pilot, who may be wrong: a text that cannot be a stamp is nobody's.
    pub fn said(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for PilotStamp {
    type Error = InvalidPilotStamp;

    fn try_from(text: String) -> Result<Self, InvalidPilotStamp> {
        let fits = !text.is_empty() && text.chars().nth(LONGEST_STAMP).is_none();
        if fits { Ok(Self(text)) } else { Err(InvalidPilotStamp) }
    }
}

impl FromStr for PilotStamp {
    type Err = InvalidPilotStamp;

    fn from_str(text: &str) -> Result<Self, InvalidPilotStamp> {
        text.to_owned().try_into()
    }
}

impl fmt::Display for PilotStamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

macro_rules! pilot_statuses {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {
        /// Where a pilot is in its life. The names are those of DIRAC, on the wire and in the database.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum PilotStatus { $($(#[$doc])* $name),+ }

        impl PilotStatus {
            /// Every status, in the order in which DiracX lists them.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// The name, as DIRAC writes it.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => stringify!($name)),+ }
            }
        }

        impl FromStr for PilotStatus {
            type Err = UnknownPilotStatus;

            fn from_str(text: &str) -> Result<Self, UnknownPilotStatus> {
                match text {
                    $(stringify!($name) => Ok(Self::$name),)+
                    other => Err(UnknownPilotStatus(other.to_owned())),
                }
            }
        }
    };
}

pilot_statuses! {
    /// Handed to a computing element.
    Submitted,
    /// In the queue of the computing element.
    Waiting,
    /// At work on a worker node.
    Running,
    /// Ended well.
    Done,
    /// Ended badly.
    Failed,
    /// Given up by the system.
    Deleted,
    /// Stopped before its end.
    Aborted,
    /// The computing element does not know it any more.
    Unknown,
}

impl PilotStatus {
    /// Whether nothing more happens to the pilot. One that its computing element does not know may turn up again.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Done | Self::Failed | Self::Deleted | Self::Aborted)
    }
}

impl fmt::Display for PilotStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A text that names no status of pilots.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0} is not a status of pilots")]
pub struct UnknownPilotStatus(pub String);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_reads_back_from_its_name() {
        for status in PilotStatus::ALL {
            assert_eq!(status.to_string().parse(), Ok(*status));
        }
        assert_eq!("running".parse::<PilotStatus>(), Err(UnknownPilotStatus("running".into())));
    }

    #[test]
    fn a_stamp_is_counted_in_characters() {
        assert!("ä".repeat(LONGEST_STAMP).parse::<PilotStamp>().is_ok());
        for bad in [String::new(), "a".repeat(LONGEST_STAMP + 1)] {
            assert_eq!(bad.parse::<PilotStamp>(), Err(InvalidPilotStamp), "{bad:?}");
        }
    }
}
