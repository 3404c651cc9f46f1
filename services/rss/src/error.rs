//! What can go wrong in the resource status service.

use std::time::Duration;

use diracx_core::{Explain, Explanation, Reason};
use diracx_db::{DbError, UnitError, url::MixedKinds};
use diracx_proto::Invalid;

use crate::logic::plan::Refusal;

/// When to come back after a database that is away; DiracX says so too.
const RETRY_AFTER: Duration = Duration::from_secs(10);

/// The result of anything the service does.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What can go wrong in the resource status service. Display is the sentence the caller reads.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The caller may not do this.
    #[error("Forbidden")]
    Forbidden,
    /// The caller may do this for his own VO only.
    #[error("{vo} is not your VO, and only a ServiceAdministrator looks after others")]
    OtherVo {
        /// The VO.
        vo: String,
    },
    /// The caller may not do this for all VOs at once.
    #[error("only a ServiceAdministrator sets statuses for all VOs; name your VO to set one for it")]
    AllVos,
    /// The statuses were never read, or so long ago that nobody knows any more.
    #[error("the resource statuses cannot be read{}{cause}", if .cause.is_empty() { "" } else { ": " })]
    NotLoaded {
        /// Why.
        cause: String,
    },
    /// A computing element and a file transfer server cannot have one name.
    #[error("{name} is a {by} already")]
    TypeTaken {
        /// The name.
        name: String,
        /// The type of what has it.
        by: String,
    },
    /// It is known with another spelling, which MySQL would take for the same.
    #[error("{name} is known as {known}")]
    SpeltOtherwise {
        /// As it was given.
        name: String,
        /// As it is known.
        known: String,
    },
    /// Somebody keeps the status as it is.
    #[error("{by} keeps the status of {name} as it is")]
    Held {
        /// The name.
        name: String,
        /// Who.
        by: String,
    },
    /// A request with a field that is wrong.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// The database.
    #[error(transparent)]
    Db(#[from] DbError),
    /// The database as given in the settings.
    #[error(transparent)]
    Urls(#[from] MixedKinds),
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::SpeltOtherwise { name, known } => Self::SpeltOtherwise { name, known },
            Refusal::TypeTaken { name, by } => Self::TypeTaken { name, by },
            Refusal::Held { name, by } => Self::Held { name, by },
        }
    }
}

impl Explain for Error {
    fn explain(&self) -> Explanation {
        match self {
            Self::Forbidden | Self::AllVos => Explanation::permission_denied(Reason::Forbidden),
            Self::OtherVo { vo } => Explanation::permission_denied(Reason::Forbidden).with("vo", vo),
            Self::NotLoaded { .. } => {
                Explanation::unavailable(Reason::DatabaseUnavailable).retry_after(RETRY_AFTER)
            }
            Self::TypeTaken { name, by } => Explanation::already_exists(Reason::ElementTypeTaken)
                .with("name", name)
                .with("elementType", by),
            Self::SpeltOtherwise { name, known } => {
                Explanation::already_exists(Reason::ElementSpeltOtherwise)
                    .with("name", name)
                    .with("knownAs", known)
            }
            Self::Held { name, by } => Explanation::failed_precondition(Reason::ElementStatusHeld)
                .with("name", name)
                .with("tokenOwner", by),
            Self::Invalid(error) => error.explain(),
            Self::Db(error) => error.explain(),
            Self::Urls(_) => Explanation::internal(Reason::Internal),
        }
    }
}

impl UnitError for Error {
    fn db_error(&self) -> Option<&DbError> {
        match self {
            Self::Db(error) => Some(error),
            _ => None,
        }
    }
}
