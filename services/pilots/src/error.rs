//! What can go wrong in the pilots service. Display is the sentence the caller reads.

use std::time::Duration;

use diracx_client::NotReady;
use diracx_core::{Explain, Explanation, PilotStamp, PilotStatus, Reason};
use diracx_db::{DbError, UnitError, search::SearchError, url::MixedKinds};
use diracx_proto::Invalid;
use tonic::Status;

use crate::policy::Forbidden;

/// The result of anything in this service.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// When to come back to a neighbour that does not answer.
const NEIGHBOUR_RETRY: Duration = Duration::from_secs(5);

/// Why the pilots service could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no such pilot, or the caller may not know that there is.
    #[error("Pilot with stamp '{0}' does not exist")]
    PilotNotFound(PilotStamp),
    /// Some of the pilots of a call that does all or nothing do not exist.
    #[error("At least one pilot does not exist.")]
    PilotsNotFound(Vec<PilotStamp>),
    /// Somebody has this stamp already.
    #[error("Pilot with stamp '{0}' already exists")]
    PilotExists(PilotStamp),
    /// A VO that the configuration does not know.
    #[error("VO '{0}' is not registered in this installation.")]
    UnknownVo(String),
    /// The policy says no.
    #[error(transparent)]
    Forbidden(#[from] Forbidden),
    /// The life of a pilot does not allow the change.
    #[error("Pilot '{pilot}' cannot go from {from} to {to}")]
    IllegalTransition {
        /// Which.
        pilot: PilotStamp,
        /// Where it is.
        from: PilotStatus,
        /// Where it was to go.
        to: PilotStatus,
    },
    /// Only pilots that have ended are forgotten.
    #[error("Pilot '{pilot}' has not ended: it is {status}")]
    NotEnded {
        /// Which.
        pilot: PilotStamp,
        /// Where it is.
        status: String,
    },
    /// A call was repeated with something else in it.
    #[error("this request_id was used for other pilots")]
    RequestIdReused,
    /// A search that cannot be done.
    #[error(transparent)]
    Search(#[from] SearchError),
    /// A request with a field that is wrong.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// The configuration is not there yet.
    #[error(transparent)]
    NotReady(#[from] NotReady),
    /// The jobs service does not do what it was asked.
    #[error("The jobs service does not answer")]
    Jobs(#[source] Box<Status>),
    /// The database.
    #[error(transparent)]
    Db(#[from] DbError),
    /// The database as given in the settings.
    #[error(transparent)]
    Urls(#[from] MixedKinds),
}

impl Explain for Error {
    fn explain(&self) -> Explanation {
        match self {
            Self::PilotNotFound(pilot) => {
                Explanation::not_found(Reason::PilotNotFound).with("pilotStamp", pilot)
            }
            Self::PilotsNotFound(pilots) => {
                // a long list would not fit into the headers of the answer
                let named = pilots.iter().take(10).map(PilotStamp::as_str).collect::<Vec<_>>().join(", ");
                Explanation::not_found(Reason::PilotNotFound).with("pilotStamps", named)
            }
            Self::PilotExists(pilot) => {
                Explanation::already_exists(Reason::PilotAlreadyExists).with("pilotStamp", pilot)
            }
            Self::UnknownVo(vo) => Explanation::invalid_argument(Reason::UnknownVo).with("vo", vo),
            Self::Forbidden(_) => Explanation::permission_denied(Reason::Forbidden),
            Self::IllegalTransition { pilot, from, to } => {
                Explanation::failed_precondition(Reason::IllegalTransition)
                    .with("pilotStamp", pilot)
                    .with("from", from)
                    .with("to", to)
            }
            Self::NotEnded { pilot, status } => Explanation::failed_precondition(Reason::PilotNotEnded)
                .with("pilotStamp", pilot)
                .with("status", status),
            Self::RequestIdReused => Explanation::already_exists(Reason::RequestIdReused),
            Self::Search(error) => error.explain(),
            Self::Invalid(error) => error.explain(),
            Self::NotReady(error) => error.explain(),
            Self::Jobs(_) => Explanation::unavailable(Reason::ServiceUnavailable)
                .with("service", "jobs")
                .retry_after(NEIGHBOUR_RETRY),
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
