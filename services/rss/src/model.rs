//! Elements and their statuses, in DIRAC's words.
//!
//! What comes out of the database is text: other software may write words that we do not know, and they are shown as
//! they are. What goes in is one of the values here.

use std::str::FromStr;

use chrono::{DateTime, NaiveDate, Utc};

/// DIRAC's word for all VOs, and for everything that can be done with an element.
pub const ALL: &str = "all";
/// DIRAC's word for the system as the one who set a status.
pub const SYSTEM: &str = "rs_svc";
/// How many characters of a user's name the tables hold.
const OWNER_LENGTH: usize = 16;

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$of:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $($(#[$of])* $variant),+ }

        impl $name {
            /// All of them.
            pub const EACH: &'static [Self] = &[$(Self::$variant),+];

            /// DIRAC's word.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }
        }

        impl FromStr for $name {
            type Err = ();

            fn from_str(word: &str) -> Result<Self, ()> {
                Self::EACH.iter().copied().find(|value| value.as_str() == word).ok_or(())
            }
        }
    };
}

words! {
    /// What kind of thing has a status.
    ElementType {
        /// A site.
        Site = "Site",
        /// A computing element.
        Compute = "ComputeElement",
        /// A storage element.
        Storage = "StorageElement",
        /// A file transfer server.
        Fts = "FTS",
    }
}

words! {
    /// What can be done with an element.
    StatusType {
        /// Everything.
        All = "all",
        /// Reading.
        Read = "ReadAccess",
        /// Writing.
        Write = "WriteAccess",
        /// Checking.
        Check = "CheckAccess",
        /// Removing.
        Remove = "RemoveAccess",
    }
}

words! {
    /// Whether an element may be used.
    Value {
        /// Yes.
        Active = "Active",
        /// Yes, with a warning.
        Degraded = "Degraded",
        /// Not yet.
        Probing = "Probing",
        /// No.
        Banned = "Banned",
        /// No: it does not work.
        Error = "Error",
        /// No: nobody knows.
        Unknown = "Unknown",
    }
}

words! {
    /// Which of DIRAC's tables has the row.
    Kind {
        /// `SiteStatus`.
        Site = "Site",
        /// `ResourceStatus`.
        Resource = "Resource",
    }
}

impl ElementType {
    /// The table of its statuses.
    pub fn kind(self) -> Kind {
        if self == Self::Site { Kind::Site } else { Kind::Resource }
    }

    /// What can be done with it.
    pub fn status_types(self) -> &'static [StatusType] {
        match self {
            Self::Storage => &[StatusType::Read, StatusType::Write, StatusType::Check, StatusType::Remove],
            Self::Site | Self::Compute | Self::Fts => &[StatusType::All],
        }
    }
}

impl Value {
    /// Whether an element with it may be used.
    pub fn is_usable(self) -> bool {
        matches!(self, Self::Active | Self::Degraded)
    }
}

/// The key of a row: DIRAC's own, and the table.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RowKey {
    /// The table.
    pub kind: Kind,
    /// The element.
    pub name: String,
    /// What can be done with it.
    pub status_type: String,
    /// The VO, or [`ALL`].
    pub vo: String,
}

/// A status as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// What it is for.
    pub key: RowKey,
    /// The type of the element.
    pub element_type: String,
    /// Whether it may be used.
    pub status: String,
    /// Why.
    pub reason: String,
    /// Since when.
    pub effective: DateTime<Utc>,
    /// Until when it is held; [`never`] for good.
    pub expiration: DateTime<Utc>,
    /// When somebody last looked whether it is right.
    pub last_check: DateTime<Utc>,
    /// Who set it.
    pub owner: String,
}

impl Stored {
    /// The VO it holds for; none for all.
    pub fn vo(&self) -> Option<&str> {
        // DiracX reads an empty VO as all of them
        Some(self.key.vo.as_str()).filter(|vo| !vo.is_empty() && *vo != ALL)
    }

    /// Whether the rows are of one element, and say the same to whoever wants to use it.
    pub fn says_the_same_as(&self, other: &Self) -> bool {
        (&self.element_type, &self.status, &self.reason)
            == (&other.element_type, &other.status, &other.reason)
    }
}

/// A status that will be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Planned {
    /// What it is for.
    pub key: RowKey,
    /// The type of the element.
    pub element_type: String,
    /// Whether it may be used then.
    pub status: String,
    /// Why.
    pub reason: String,
    /// From when on.
    pub effective: DateTime<Utc>,
    /// From when on it is drained for it.
    pub drain_from: Option<DateTime<Utc>>,
    /// Until when; [`never`] for good.
    pub expiration: DateTime<Utc>,
    /// Who planned it.
    pub owner: String,
}

/// What is to be done when a status expires.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Return {
    /// What the status is for.
    pub key: RowKey,
    /// When it expires.
    pub expiration: DateTime<Utc>,
    /// The status that expires: if the row has another one by then, somebody else has decided.
    pub status: String,
    /// What was before; nothing if there was no row.
    pub prior: Option<Prior>,
}

/// What was before a status that expires.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prior {
    /// Whether the element might be used.
    pub status: String,
    /// Why.
    pub reason: String,
    /// Until when that was held.
    pub expiration: DateTime<Utc>,
    /// Who had set it.
    pub owner: String,
}

/// Everything that is kept, except for the past.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Kept {
    /// The statuses.
    pub statuses: Vec<Stored>,
    /// What is planned.
    pub plans: Vec<Planned>,
    /// What expires.
    pub returns: Vec<Return>,
}

/// 9999-12-31 23:59:59: a status that holds for good has this expiration.
pub fn never() -> DateTime<Utc> {
    instant(9999, 12, 31, (23, 59, 59))
}

/// 1000-01-01 00:00:00: a status that nobody has checked was checked then.
pub fn never_checked() -> DateTime<Utc> {
    instant(1000, 1, 1, (0, 0, 0))
}

fn instant(year: i32, month: u32, day: u32, (hour, minute, second): (u32, u32, u32)) -> DateTime<Utc> {
    let date = NaiveDate::from_ymd_opt(year, month, day).unwrap_or_default();
    date.and_hms_opt(hour, minute, second).unwrap_or_default().and_utc()
}

/// As much of a user's name as the tables hold.
pub fn owner(name: &str) -> String {
    name.chars().take(OWNER_LENGTH).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fixed_dates_are_dirac_s() {
        assert_eq!(never().to_rfc3339(), "9999-12-31T23:59:59+00:00");
        assert_eq!(never_checked().to_rfc3339(), "1000-01-01T00:00:00+00:00");
    }

    #[test]
    fn every_word_is_read_as_it_is_written() {
        for value in Value::EACH {
            assert_eq!(value.as_str().parse(), Ok(*value));
        }
        assert_eq!("active".parse::<Value>(), Err(()));
    }
}
