//! What can go wrong in the jobs service. Display is the sentence the caller reads.

use diracx_client::NotReady;
use diracx_core::{Explain, Explanation, JobId, Reason, jdl::JdlError};
use diracx_db::{DbError, UnitError, search::SearchError, url::MixedKinds};
use diracx_proto::Invalid;

/// The result of anything in this service.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why the jobs service could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no such job.
    #[error("Job {0} not found")]
    JobNotFound(JobId),
    /// The policy says no.
    #[error("Forbidden")]
    Forbidden,
    /// A VO that the configuration does not know (any more).
    #[error("VO {0} is not known to this installation")]
    UnknownVo(String),
    /// A description that cannot be used.
    #[error(transparent)]
    Jdl(#[from] JdlError),
    /// A search that cannot be done.
    #[error(transparent)]
    Search(#[from] SearchError),
    /// A request with a field that is wrong.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// The configuration is not there yet.
    #[error(transparent)]
    NotReady(#[from] NotReady),
    /// The databases.
    #[error(transparent)]
    Db(#[from] DbError),
    /// The databases as given in the settings.
    #[error(transparent)]
    Urls(#[from] MixedKinds),
}

impl Explain for Error {
    fn explain(&self) -> Explanation {
        match self {
            Self::JobNotFound(id) => Explanation::not_found(Reason::JobNotFound).with("jobId", id),
            Self::Forbidden => Explanation::permission_denied(Reason::Forbidden),
            Self::UnknownVo(vo) => Explanation::permission_denied(Reason::UnknownVo).with("vo", vo),
            Self::Jdl(error) => error.explain(),
            Self::Search(error) => error.explain(),
            Self::Invalid(error) => error.explain(),
            Self::NotReady(error) => error.explain(),
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
