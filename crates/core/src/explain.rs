//! Errors that explain themselves: which kind, which stable reason, which variables.
//!
//! An error type implements [`Explain`]; `diracx-server` turns the explanation into a gRPC status
//! with a `google.rpc.ErrorInfo`, the gateway turns that into DiracX's JSON.

use std::{collections::BTreeMap, time::Duration};

/// The kind of a failure; one to one with the gRPC codes that we use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code {
    /// The request can never work as it is.
    InvalidArgument,
    /// The state of things forbids it now.
    FailedPrecondition,
    /// No token, or a bad one.
    Unauthenticated,
    /// A good token that does not suffice.
    PermissionDenied,
    /// What it speaks of does not exist.
    NotFound,
    /// What it wants to make exists.
    AlreadyExists,
    /// Too much was asked; try later.
    ResourceExhausted,
    /// Something we need is down; try later.
    Unavailable,
    /// It took longer than the caller would wait.
    DeadlineExceeded,
    /// Part of the contract, not served by this version.
    Unimplemented,
    /// Our bug.
    Internal,
}

macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident = $text:literal),+ $(,)?) => {
        /// A stable, machine-readable reason; `ErrorReason` of the protos has the same names.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Reason { $($(#[$doc])* $name),+ }

        impl Reason {
            /// Every reason.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// The name on the wire, `UPPER_SNAKE_CASE`.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text),+ }
            }
        }
    };
}

reasons! {
    /// A field of the request has a value it may not have.
    InvalidField = "INVALID_FIELD",
    /// A search names a column, operator or value that does not exist or does not fit.
    InvalidSearch = "INVALID_SEARCH",
    /// A job description cannot be used.
    InvalidJdl = "INVALID_JDL",
    /// More jobs in one call than allowed.
    TooManyJobs = "TOO_MANY_JOBS",
    /// There is no such job.
    JobNotFound = "JOB_NOT_FOUND",
    /// The status machine does not allow the change.
    IllegalTransition = "ILLEGAL_TRANSITION",
    /// No token was sent.
    TokenMissing = "TOKEN_MISSING",
    /// The authorization header is not `Bearer <token>`.
    AuthorizationHeaderInvalid = "AUTHORIZATION_HEADER_INVALID",
    /// The token's signature, issuer or form is wrong.
    TokenInvalid = "TOKEN_INVALID",
    /// The token was good once.
    TokenExpired = "TOKEN_EXPIRED",
    /// The token may not do this.
    Forbidden = "FORBIDDEN",
    /// The client is older than this server serves.
    ClientVersionUnsupported = "CLIENT_VERSION_UNSUPPORTED",
    /// The client's version is no version.
    ClientVersionInvalid = "CLIENT_VERSION_INVALID",
    /// A scope cannot be understood or granted.
    InvalidScope = "INVALID_SCOPE",
    /// The client id is not the one this installation knows.
    InvalidClient = "INVALID_CLIENT",
    /// A code, state or refresh token is unknown, used or not the caller's.
    InvalidGrant = "INVALID_GRANT",
    /// The person has not finished logging in yet.
    AuthorizationPending = "AUTHORIZATION_PENDING",
    /// A login took too long.
    LoginExpired = "LOGIN_EXPIRED",
    /// A revoked refresh token was used again; its session is closed.
    RefreshTokenReused = "REFRESH_TOKEN_REUSED",
    /// The identity provider of the VO does not answer, or not as it should.
    IdentityProviderFailed = "IDENTITY_PROVIDER_FAILED",
    /// There is no such VO in the configuration.
    UnknownVo = "UNKNOWN_VO",
    /// The configuration is not loaded yet, or cannot be read.
    ConfigurationUnavailable = "CONFIGURATION_UNAVAILABLE",
    /// A database does not answer.
    DatabaseUnavailable = "DATABASE_UNAVAILABLE",
    /// A neighbouring service does not answer.
    ServiceUnavailable = "SERVICE_UNAVAILABLE",
    /// The server has as much work as it can do.
    Overloaded = "OVERLOADED",
    /// The caller's deadline passed.
    DeadlineExceeded = "DEADLINE_EXCEEDED",
    /// This version does not serve the call.
    Unimplemented = "UNIMPLEMENTED",
    /// Our bug; the log has it, under the trace id of the answer.
    Internal = "INTERNAL",
    /// The installation does not give tokens on the word of a DIRAC server.
    LegacyExchangeDisabled = "LEGACY_EXCHANGE_DISABLED",
    /// Too many tries in too short a time.
    TooManyAttempts = "TOO_MANY_ATTEMPTS",
    /// The person did not allow the login.
    LoginDenied = "LOGIN_DENIED",
    /// The job was rescheduled as often as its VO allows.
    RescheduledTooOften = "RESCHEDULED_TOO_OFTEN",
    /// DIRAC has not verified the job.
    JobNotVerified = "JOB_NOT_VERIFIED",
    /// There is no such sandbox.
    SandboxNotFound = "SANDBOX_NOT_FOUND",
    /// The sandbox is larger than the installation allows.
    SandboxTooLarge = "SANDBOX_TOO_LARGE",
    /// The sandbox is assigned to the job already.
    SandboxAlreadyAssigned = "SANDBOX_ALREADY_ASSIGNED",
    /// The bytes are not those that were announced.
    SandboxMismatch = "SANDBOX_MISMATCH",
    /// The time to upload or download is over.
    SandboxUrlExpired = "SANDBOX_URL_EXPIRED",
    /// The store of sandboxes does not answer.
    SandboxStoreUnavailable = "SANDBOX_STORE_UNAVAILABLE",
    /// A `request_id` was used for something else before.
    RequestIdReused = "REQUEST_ID_REUSED",
    /// The answer would be larger than a message may be.
    AnswerTooLarge = "ANSWER_TOO_LARGE",
    /// There is no such pilot.
    PilotNotFound = "PILOT_NOT_FOUND",
    /// A pilot with this stamp is known already.
    PilotAlreadyExists = "PILOT_ALREADY_EXISTS",
    /// The pilot has not ended yet.
    PilotNotEnded = "PILOT_NOT_ENDED",
    /// An element of another type has this name.
    ElementTypeTaken = "ELEMENT_TYPE_TAKEN",
    /// Somebody keeps the status of the element as it is.
    ElementStatusHeld = "ELEMENT_STATUS_HELD",
    /// The element or VO is known with another spelling.
    ElementSpeltOtherwise = "ELEMENT_SPELT_OTHERWISE",
    /// The caller is no pilot with a token of its own.
    NotAPilot = "NOT_A_PILOT",
    /// The log of the pilot is as large as it may be.
    PilotLogFull = "PILOT_LOG_FULL",
}

/// What to tell the caller besides the sentence: kind, reason, variables, and help.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// The kind.
    pub code: Code,
    /// The stable reason.
    pub reason: Reason,
    /// The variables of the sentence, by camelCase name.
    pub variables: BTreeMap<&'static str, String>,
    /// When trying again makes sense.
    pub retry_after: Option<Duration>,
    /// The fields that are wrong: path in the request message, and what is wrong with it.
    pub violations: Vec<(String, String)>,
}

macro_rules! constructors {
    ($($(#[$doc:meta])* $name:ident => $code:ident),+ $(,)?) => {
        $($(#[$doc])* pub fn $name(reason: Reason) -> Self { Self::new(Code::$code, reason) })+
    };
}

impl Explanation {
    /// An explanation without variables.
    pub fn new(code: Code, reason: Reason) -> Self {
        Self { code, reason, variables: BTreeMap::new(), retry_after: None, violations: Vec::new() }
    }

    constructors! {
        /// See [`Code::InvalidArgument`].
        invalid_argument => InvalidArgument,
        /// See [`Code::FailedPrecondition`].
        failed_precondition => FailedPrecondition,
        /// See [`Code::Unauthenticated`].
        unauthenticated => Unauthenticated,
        /// See [`Code::PermissionDenied`].
        permission_denied => PermissionDenied,
        /// See [`Code::NotFound`].
        not_found => NotFound,
        /// See [`Code::AlreadyExists`].
        already_exists => AlreadyExists,
        /// See [`Code::ResourceExhausted`].
        resource_exhausted => ResourceExhausted,
        /// See [`Code::Unavailable`].
        unavailable => Unavailable,
        /// See [`Code::DeadlineExceeded`].
        deadline_exceeded => DeadlineExceeded,
        /// See [`Code::Unimplemented`].
        unimplemented => Unimplemented,
        /// See [`Code::Internal`].
        internal => Internal,
    }

    /// Adds a variable of the sentence.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl ToString) -> Self {
        self.variables.insert(name, value.to_string());
        self
    }

    /// Says when trying again makes sense.
    #[must_use]
    pub fn retry_after(mut self, delay: Duration) -> Self {
        self.retry_after = Some(delay);
        self
    }

    /// Names a field that is wrong.
    #[must_use]
    pub fn violation(mut self, field: impl Into<String>, problem: impl Into<String>) -> Self {
        self.violations.push((field.into(), problem.into()));
        self
    }
}

/// An error that can explain itself. Its `Display` is the sentence the caller reads.
pub trait Explain: std::error::Error {
    /// Kind, reason and variables of this error.
    fn explain(&self) -> Explanation;
}
