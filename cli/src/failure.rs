//! What went wrong: one sentence for people, the next step, and an exit code for scripts.

use std::{fmt::Write as _, process::ExitCode};

use diracx_api::SandboxError;
use diracx_client::{Refusal, Unreachable, VERSION};
use diracx_core::Reason;
use tonic::{Code, Status};

use crate::output::tell;

/// It worked.
pub(crate) const SUCCESS: u8 = 0;
/// The server refused or failed.
pub(crate) const REFUSED: u8 = 1;
/// The command is wrong.
pub(crate) const USAGE: u8 = 2;
/// Not logged in, or not any more.
pub(crate) const NOT_LOGGED_IN: u8 = 3;
/// The server cannot be reached, or did not answer in time.
pub(crate) const UNREACHABLE: u8 = 4;
/// The jobs have ended, but not all of them well.
pub(crate) const NOT_DONE: u8 = 5;
/// The jobs have not ended in the time given.
pub(crate) const NOT_ENDED: u8 = 6;
/// Somebody pressed Ctrl-C; what shells say of a program that SIGINT ends.
pub(crate) const INTERRUPTED: u8 = 130;

/// Why a command did not do what it should.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The server, or the way to it.
    Status(Status),
    /// The command asks for something that cannot be.
    Usage(String),
    /// Something else.
    Other(String),
    /// What was asked for is printed, but not all of it was found. Said already.
    Incomplete,
    /// Jobs that were waited for have ended, but not all of them well. Said already.
    NotDone,
    /// Jobs that were waited for have not ended in time.
    NotEnded(String),
    /// Somebody does not want to wait any longer.
    Interrupted,
    /// Whoever read our output has gone. No reason to complain.
    NobodyReads,
}

impl From<Status> for Failure {
    fn from(status: Status) -> Self {
        Self::Status(status)
    }
}

impl From<SandboxError> for Failure {
    fn from(error: SandboxError) -> Self {
        match error {
            SandboxError::Status(status) => Self::Status(status),
            SandboxError::Archive(error) => Self::Other(error.to_string()),
            other => Self::Other(format!("{other}\nTry again; what has arrived need not be sent again.")),
        }
    }
}

impl Failure {
    /// Whether the way to the server broke, or the server went away, so that trying again makes sense.
    pub(crate) fn is_passing(status: &Status) -> bool {
        Unreachable::of(status).is_some() || matches!(status.code(), Code::Unavailable | Code::Unknown)
    }

    /// Tells what went wrong, and gives the exit code.
    pub(crate) fn report(&self) -> ExitCode {
        let (code, message) = self.explain();
        if !message.is_empty() {
            tell(&message);
        }
        ExitCode::from(code)
    }

    /// The exit code, and what to tell.
    fn explain(&self) -> (u8, String) {
        match self {
            Self::Status(status) => explain_status(status),
            Self::Usage(message) => (USAGE, format!("error: {message}")),
            Self::Other(message) => (REFUSED, format!("error: {message}")),
            Self::Incomplete => (REFUSED, String::new()),
            Self::NotDone => (NOT_DONE, String::new()),
            Self::NotEnded(message) => (NOT_ENDED, format!("error: {message}")),
            Self::Interrupted => (INTERRUPTED, String::new()),
            Self::NobodyReads => (SUCCESS, String::new()),
        }
    }
}

fn explain_status(status: &Status) -> (u8, String) {
    if let Some(unreachable) = Unreachable::of(status) {
        let causes = unreachable.causes();
        let hint = "Is DIRACX_URL right, and is the server up?";
        return (UNREACHABLE, format!("error: {unreachable}: {causes}\n{hint}"));
    }
    let refusal = Refusal::of(status);
    if refusal.is(Reason::TokenMissing) {
        return (NOT_LOGGED_IN, "error: you are not logged in\nLog in with: dirac login [VO]".to_owned());
    }
    let mut message = format!("error: {}", sentence(status, &refusal));
    let (code, hint) = next_step(status, &refusal);
    if !hint.is_empty() {
        // writing to a String cannot fail
        let _ = write!(message, "\n{hint}");
    }
    (code, message)
}

/// The server's sentence, and what it knows more precisely.
fn sentence(status: &Status, refusal: &Refusal) -> String {
    let mut text = status.message().to_owned();
    if text.is_empty() {
        text = format!("the server answers {:?} and says no more", status.code());
    }
    for (field, problem) in &refusal.violations {
        if !text.contains(problem.as_str()) {
            let _ = write!(text, "\n  {field}: {problem}");
        }
    }
    text
}

fn next_step(status: &Status, refusal: &Refusal) -> (u8, String) {
    let again = "Log in again with: dirac login [VO]";
    if refusal.is(Reason::ClientVersionUnsupported) {
        let needed = refusal.variables.get("minimum").map_or("a newer one", String::as_str);
        return (REFUSED, format!("This is dirac {VERSION}; the server wants {needed}. Please upgrade."));
    }
    if [Reason::InvalidGrant, Reason::LoginExpired, Reason::LoginDenied]
        .into_iter()
        .any(|reason| refusal.is(reason))
    {
        return (NOT_LOGGED_IN, again.to_owned());
    }
    match status.code() {
        Code::Unauthenticated => (NOT_LOGGED_IN, again.to_owned()),
        Code::PermissionDenied => {
            let hint = "It may be somebody else's, or not exist. See who you are with: dirac whoami\n\
                        To act in another group: dirac login [VO] --group GROUP";
            (REFUSED, hint.to_owned())
        }
        Code::DeadlineExceeded => (UNREACHABLE, "The server takes too long. Try again later.".to_owned()),
        Code::Unavailable | Code::ResourceExhausted => {
            let hint = refusal.retry_after.map(|delay| format!("Try again in {} s.", delay.as_secs().max(1)));
            (REFUSED, hint.unwrap_or_else(|| "Try again later.".to_owned()))
        }
        _ => (REFUSED, String::new()),
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::HashMap, time::Duration};

    use tonic_types::{ErrorDetails, StatusExt as _};

    use super::*;

    fn refused(code: Code, sentence: &str, reason: Reason, variables: &[(&str, &str)]) -> Status {
        let variables: HashMap<String, String> =
            variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let mut details = ErrorDetails::with_error_info(reason.as_str(), "diracx", variables);
        details.set_retry_info(Some(Duration::from_secs(10)));
        if reason == Reason::InvalidJdl {
            details.add_bad_request_violation("jdls[1]", "No value for key A (line 2, column 3)");
        }
        Status::with_error_details(code, sentence, details)
    }

    #[test]
    fn every_failure_has_its_exit_code_and_names_the_next_step() {
        let check = |status: Status, code: u8, words: &str| {
            let (found, message) = Failure::from(status).explain();
            assert_eq!(found, code, "{message}");
            assert!(message.contains(words), "{message}");
        };
        let missing =
            refused(Code::Unauthenticated, "Authorization header is missing", Reason::TokenMissing, &[]);
        check(missing, NOT_LOGGED_IN, "dirac login");
        let expired = refused(Code::Unauthenticated, "Invalid JWT", Reason::TokenExpired, &[]);
        check(expired, NOT_LOGGED_IN, "again with: dirac login");
        let old = Reason::ClientVersionUnsupported;
        check(refused(Code::FailedPrecondition, "too old", old, &[("minimum", "9.9")]), REFUSED, "wants 9.9");
        check(refused(Code::PermissionDenied, "Forbidden", Reason::Forbidden, &[]), REFUSED, "--group");
        check(refused(Code::Unavailable, "down", Reason::DatabaseUnavailable, &[]), REFUSED, "in 10 s");
        check(
            refused(Code::InvalidArgument, "JDL syntax error", Reason::InvalidJdl, &[]),
            REFUSED,
            "line 2, column 3",
        );
        check(Status::deadline_exceeded("late"), UNREACHABLE, "too long");
        check(Status::unknown(""), REFUSED, "Unknown");
    }
}
