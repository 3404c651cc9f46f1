//! The life of a pilot: a table, and what follows from it.

use std::fmt;

use diracx_core::PilotStatus;

use PilotStatus::{Aborted, Deleted, Done, Failed, Running, Submitted, Unknown, Waiting};

/// A row of the machine.
#[derive(Debug)]
pub struct Row {
    /// A pilot in this status,
    pub status: PilotStatus,
    /// may go to these.
    pub next: &'static [PilotStatus],
}

/// The machine, in the order of a pilot's life. `docs/reference/pilot-status.md` is written from it.
///
/// A pilot may skip what nobody saw: computing elements are asked now and then. One that its computing element does not
/// know may turn up again. What has ended stays so. DiracX draws a stricter picture and enforces nothing.
///
/// # Source
/// DiracX `docs/dev/explanations/pilots.md`; DIRAC `Client/PilotStatus.py`.
#[rustfmt::skip]
pub static MACHINE: [Row; 8] = [
    Row { status: Submitted, next: &[Waiting, Running, Done, Failed, Aborted, Deleted, Unknown] },
    Row { status: Waiting,   next: &[Running, Done, Failed, Aborted, Deleted, Unknown] },
    Row { status: Running,   next: &[Done, Failed, Aborted, Deleted, Unknown] },
    Row { status: Unknown,   next: &[Submitted, Waiting, Running, Done, Failed, Aborted, Deleted] },
    Row { status: Done,      next: &[] },
    Row { status: Failed,    next: &[] },
    Row { status: Aborted,   next: &[] },
    Row { status: Deleted,   next: &[] },
];

/// The statuses in the database of pilots that may still be at work: those of the machine that are not the end, and
/// one that only old rows have.
pub const AT_WORK: [&str; 5] = ["Submitted", "Waiting", "Running", "Unknown", "Scheduled"];

/// Where a pilot may go from a status.
pub fn allowed(from: PilotStatus) -> &'static [PilotStatus] {
    MACHINE.iter().find(|row| row.status == from).map_or(&[], |row| row.next)
}

/// A status as the database has it. Rows of other software may hold words that we do not know;
/// they stay, and anything may follow them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoredStatus {
    /// One of ours.
    Known(PilotStatus),
    /// Somebody else's word.
    Foreign(String),
}

impl StoredStatus {
    /// Reads the column.
    pub fn read(text: &str) -> Self {
        text.parse().map_or_else(|_| Self::Foreign(text.to_owned()), Self::Known)
    }

    /// Whether nothing more happens to the pilot.
    pub fn is_final(&self) -> bool {
        matches!(self, Self::Known(status) if status.is_final())
    }

    /// Whether a pilot may go to a status, or is there already; else where it is.
    pub fn may_become(&self, asked: PilotStatus) -> Result<(), PilotStatus> {
        match self {
            Self::Known(from) if *from != asked && !allowed(*from).contains(&asked) => Err(*from),
            Self::Known(_) | Self::Foreign(_) => Ok(()),
        }
    }
}

impl fmt::Display for StoredStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Known(status) => status.fmt(f),
            Self::Foreign(text) => f.write_str(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_has_its_row_and_only_the_ends_lead_nowhere() {
        for status in PilotStatus::ALL {
            assert!(MACHINE.iter().any(|row| row.status == *status), "{status}");
            assert_eq!(allowed(*status).is_empty(), status.is_final(), "{status}");
            assert_eq!(AT_WORK.contains(&status.as_str()), !status.is_final(), "{status}");
        }
    }

    #[test]
    fn what_diracx_draws_is_allowed() {
        let drawn = [
            (Submitted, Waiting),
            (Submitted, Aborted),
            (Waiting, Running),
            (Waiting, Aborted),
            (Running, Done),
            (Running, Failed),
            (Running, Aborted),
        ];
        for (from, to) in drawn {
            assert_eq!(StoredStatus::Known(from).may_become(to), Ok(()), "{from} to {to}");
        }
    }

    #[test]
    fn what_has_ended_stays_so_and_words_of_others_stop_nobody() {
        assert_eq!(StoredStatus::read("Done").may_become(Running), Err(Done));
        assert_eq!(StoredStatus::read("Running").may_become(Waiting), Err(Running));
        assert_eq!(StoredStatus::read("Done").may_become(Done), Ok(()));
        assert_eq!(StoredStatus::read("Scheduled").may_become(Waiting), Ok(()));
    }
}
