//! What can go wrong in the jobs service. Display is the sentence the caller reads.

use diracx_client::NotReady;
use diracx_core::{
    Explain, Explanation, JobId, Reason,
    jdl::JdlError,
    sandbox::{LARGEST_SANDBOX, Pfn},
};
use diracx_db::{
    DbError, UnitError,
    search::{MOST_VALUES, SearchError},
    url::MixedKinds,
};
use diracx_proto::Invalid;

use crate::bytes::StoreError;
use crate::logic::watch::WatchError;
use crate::runners::Unanswered;

/// The result of anything in this service.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// How many bytes of texts an answer may have: a little less than what a message takes.
pub(crate) const MOST_BYTES_IN_ANSWER: usize = 60 << 20;

/// When to come back to a neighbour that does not answer.
const NEIGHBOUR_RETRY: std::time::Duration = std::time::Duration::from_secs(5);

/// Why the jobs service could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no such job.
    #[error("Job {0} not found")]
    JobNotFound(JobId),
    /// The policy says no.
    #[error("Forbidden")]
    Forbidden,
    /// A job that DIRAC has not verified cannot be rescheduled.
    #[error("VerifiedFlag is False: Status {status}, Minor Status: {minor_status}")]
    NotVerified {
        /// Which.
        job: JobId,
        /// Its status.
        status: String,
        /// Its minor status.
        minor_status: String,
    },
    /// A job that was rescheduled as often as its VO allows.
    #[error("Maximum number of reschedules exceeded ({limit})")]
    RescheduledTooOften {
        /// Which.
        job: JobId,
        /// How often it may be.
        limit: i64,
    },
    /// A VO that the configuration does not know (any more).
    #[error("VO {0} is not known to this installation")]
    UnknownVo(String),
    /// A description that cannot be used.
    #[error(transparent)]
    Jdl(#[from] JdlError),
    /// More jobs in one stream than its answer could name.
    #[error("one stream makes at the most {limit} jobs; the batches before this one are made")]
    StreamTooLong {
        /// How many.
        limit: usize,
    },
    /// A call was repeated with something else in it.
    #[error("this request_id was used for other job descriptions")]
    RequestIdReused,
    /// What is wrong with a batch of a stream; those before it are made.
    #[error("batch {position}: {error}")]
    InBatch {
        /// Which, from 0.
        position: usize,
        /// What is wrong.
        error: Box<Error>,
    },
    /// More than one message can take.
    #[error("{what} of these jobs have more than {limit}: ask for fewer jobs at once")]
    AnswerTooLarge {
        /// What there is so much of.
        what: &'static str,
        /// How much there may be.
        limit: String,
    },
    /// A search that cannot be done.
    #[error(transparent)]
    Search(#[from] SearchError),
    /// There is no such sandbox.
    #[error("Sandbox with {pfn} and {storage_element} not found")]
    SandboxNotFound {
        /// Its name without the storage element.
        pfn: Pfn,
        /// The storage element.
        storage_element: String,
    },
    /// There is no such sandbox to be assigned.
    #[error("Sandbox not found")]
    NoSandboxToAssign,
    /// The sandbox is assigned to the job already.
    #[error("Sandbox already assigned")]
    SandboxAlreadyAssigned,
    /// The sandbox does not belong to the owner of the job.
    #[error("The sandbox does not belong to the owner of job {0}")]
    ForeignSandbox(JobId),
    /// The sandbox is larger than allowed.
    #[error("Sandbox too large, maximum allowed is {LARGEST_SANDBOX} bytes")]
    SandboxTooLarge,
    /// The name of the sandbox says that it is somebody else's.
    #[error("Invalid PFN. PFN must start with {prefix}")]
    NotYourPfn {
        /// What the caller's begin with.
        prefix: String,
    },
    /// The sandbox is somebody else's.
    #[error("{user} is not the owner of the sandbox")]
    NotSandboxOwner {
        /// Who is not.
        user: String,
    },
    /// The bytes of a sandbox.
    #[error(transparent)]
    Bytes(#[from] StoreError),
    /// A request with a field that is wrong.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// The configuration is not there yet.
    #[error(transparent)]
    NotReady(#[from] NotReady),
    /// Nobody says which pilot runs a job.
    #[error(transparent)]
    Runner(#[from] Unanswered),
    /// A stream of changes that does not begin, or ends.
    #[error(transparent)]
    Watch(#[from] WatchError),
    /// A search for what only pilots know.
    #[error("PilotStamp cannot be searched for: this installation has no pilots")]
    NoPilots,
    /// A search for the jobs of pilots that ran more of them than one search can go through.
    #[error(
        "These pilots ran {count} jobs, and a search goes through {MOST_VALUES} at the most: name fewer pilots"
    )]
    TooManyPilotJobs {
        /// How many they ran.
        count: usize,
    },
    /// The pilots service does not do what it was asked.
    #[error("The pilots service does not answer")]
    Pilots(#[source] Box<tonic::Status>),
    /// The databases.
    #[error(transparent)]
    Db(#[from] DbError),
    /// The databases as given in the settings.
    #[error(transparent)]
    Urls(#[from] MixedKinds),
}

impl Error {
    /// There is too much of something for one answer.
    pub(crate) fn too_large(what: &'static str) -> Self {
        Self::AnswerTooLarge { what, limit: format!("{} MiB", MOST_BYTES_IN_ANSWER >> 20) }
    }
}

impl Explain for Error {
    fn explain(&self) -> Explanation {
        match self {
            Self::JobNotFound(id) => Explanation::not_found(Reason::JobNotFound).with("jobId", id),
            Self::Forbidden => Explanation::permission_denied(Reason::Forbidden),
            Self::NotVerified { job, status, minor_status } => {
                Explanation::failed_precondition(Reason::JobNotVerified)
                    .with("jobId", job)
                    .with("status", status)
                    .with("minorStatus", minor_status)
            }
            Self::RescheduledTooOften { job, limit } => {
                Explanation::failed_precondition(Reason::RescheduledTooOften)
                    .with("jobId", job)
                    .with("limit", limit)
            }
            Self::UnknownVo(vo) => Explanation::permission_denied(Reason::UnknownVo).with("vo", vo),
            Self::SandboxNotFound { pfn, .. } => {
                Explanation::not_found(Reason::SandboxNotFound).with("pfn", pfn)
            }
            Self::NoSandboxToAssign => Explanation::not_found(Reason::SandboxNotFound),
            Self::SandboxAlreadyAssigned => Explanation::already_exists(Reason::SandboxAlreadyAssigned),
            Self::ForeignSandbox(job) => Explanation::permission_denied(Reason::Forbidden).with("jobId", job),
            Self::SandboxTooLarge => {
                Explanation::invalid_argument(Reason::SandboxTooLarge).with("limit", LARGEST_SANDBOX)
            }
            Self::NotYourPfn { prefix } => {
                Explanation::permission_denied(Reason::Forbidden).with("prefix", prefix)
            }
            Self::NotSandboxOwner { user } => {
                Explanation::permission_denied(Reason::Forbidden).with("user", user)
            }
            Self::Bytes(error) => error.explain(),
            Self::Jdl(error) => error.explain(),
            Self::StreamTooLong { limit } => {
                Explanation::invalid_argument(Reason::TooManyJobs).with("limit", limit)
            }
            Self::RequestIdReused => Explanation::already_exists(Reason::RequestIdReused),
            Self::InBatch { position, error } => error.explain().with("batch", position),
            Self::AnswerTooLarge { limit, .. } => {
                Explanation::invalid_argument(Reason::AnswerTooLarge).with("limit", limit)
            }
            Self::Search(error) => error.explain(),
            Self::Invalid(error) => error.explain(),
            Self::NotReady(error) => error.explain(),
            Self::Runner(error) => error.explain(),
            Self::Watch(error) => error.explain(),
            Self::TooManyPilotJobs { .. } => Explanation::invalid_argument(Reason::InvalidSearch)
                .with("parameter", "PilotStamp")
                .with("limit", MOST_VALUES),
            Self::NoPilots => {
                Explanation::invalid_argument(Reason::InvalidSearch).with("parameter", "PilotStamp")
            }
            Self::Pilots(_) => Explanation::unavailable(Reason::ServiceUnavailable)
                .with("service", "pilots")
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
            Self::InBatch { error, .. } => error.db_error(),
            _ => None,
        }
    }
}
