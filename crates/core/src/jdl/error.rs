//! What can be wrong with a job description, and where.

use std::fmt;

use crate::explain::{Explain, Explanation, Reason};

use super::{MAX_DEPTH, MAX_TEXT_BYTES};

/// A place in the text that was submitted; both count from 1, columns in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// The line.
    pub line: u32,
    /// The column.
    pub column: u32,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}", self.line, self.column)
    }
}

/// Why a job description cannot be used. The sentences are those DIRAC writes, where it has one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// An option without a value, or text that is no option.
    #[error("No value for key {0}")]
    NoValue(String),
    /// A record that has no name.
    #[error("Invalid key in JDL")]
    RecordWithoutKey,
    /// A value and a record under one name.
    #[error("Key {0} seems to have a value and open a sub JDL at the same time")]
    ValueBeforeRecord(String),
    /// A record that is closed but not ended.
    #[error("The sub JDL of key {0} is not followed by ;")]
    RecordNotEnded(String),
    /// A `[` without its `]`.
    #[error("A [ is not closed")]
    BracketNotClosed,
    /// Records in records, too many.
    #[error("Sub JDLs are nested deeper than {MAX_DEPTH} levels")]
    TooDeep,
    /// More text than a job description needs.
    #[error("The job description is longer than {MAX_TEXT_BYTES} bytes")]
    TooLong,
    /// A list that begins but does not end.
    #[error("Value '{0}' seems a list but does not end in '}}'")]
    ListNotClosed(String),
    /// Quoted texts side by side.
    #[error("Var {0} : value seems a list but is not separated in commas")]
    ListWithoutCommas(String),
    /// A quote without its partner.
    #[error("Var {0} : value is opened with \" but is not closed")]
    QuoteNotClosed(String),
    /// A path that goes through something that is no record.
    #[error("Entry {0} doesn't seem to be a section")]
    NotASection(String),
    /// A second record of the same name, or a record over a value.
    #[error("Key {0} already exists")]
    KeyExists(String),
    /// A number was needed.
    #[error("{0} must be a number")]
    NotANumber(&'static str),
    /// A number that no database column can take.
    #[error("{0} does not fit into 32 bits")]
    NumberTooLarge(&'static str),
    /// A record where a value was needed.
    #[error("{0} must not be a sub JDL")]
    NotAValue(&'static str),
    /// More input files than the VO allows.
    #[error("Number of Input Data Files ({count}) greater than current limit: {limit}")]
    TooMuchInputData {
        /// As many as there are.
        count: usize,
        /// As many as there may be.
        limit: usize,
    },
    /// The same input file twice.
    #[error("Input Data File {0} is listed more than once")]
    DuplicateInputData(String),
    /// A job type that the VO does not have.
    #[error("{0} is not a valid value for JobType")]
    JobTypeNotAllowed(String),
    /// A text that its database column cannot take.
    #[error("{name} is longer than {limit} characters")]
    ValueTooLong {
        /// The attribute.
        name: &'static str,
        /// What fits.
        limit: usize,
    },
    /// Another VO than the submitter's.
    #[error("Job submission error ( 1503 : Wrong Virtual Organization in JDL)")]
    WrongVirtualOrganization,
    /// The configuration knows no platforms at all.
    #[error("OS compatibility info not found")]
    NoPlatformsConfigured,
    /// None of the platforms is known.
    #[error("No compatible DIRAC platform found for {0}")]
    NoCompatiblePlatform(String),
    /// Parameters that are neither a number nor a list.
    #[error("Parameters in the JDL are not supported")]
    ParametersLeft,
    /// Nothing was submitted.
    #[error("There is no job description")]
    NothingToSubmit,
    /// A job without a payload cannot be run.
    #[error("Executable is missing")]
    NoExecutable,
}

/// How much of what was submitted an error repeats, in characters; errors travel in headers.
const MAX_SHOWN: usize = 200;

/// `text`, or its beginning.
pub(super) fn shown(text: &str) -> String {
    match text.char_indices().nth(MAX_SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// A [`Problem`] at a place, while the text is being worked on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Located {
    pub(super) problem: Problem,
    pub(super) at: Option<Position>,
}

impl Located {
    pub(super) fn at(problem: Problem, at: Position) -> Self {
        Self { problem, at: Some(at) }
    }
}

impl From<Problem> for Located {
    fn from(problem: Problem) -> Self {
        Self { problem, at: None }
    }
}

/// Why jobs were not accepted. `Display` is the sentence the caller reads, as DiracX has it; the
/// explanation carries the cause and its place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JdlError {
    /// A description that cannot be read, or fails a check.
    #[error("JDL syntax error")]
    Refused {
        /// Which of the submitted texts, from 0.
        index: usize,
        /// What is wrong with it.
        cause: Problem,
        /// Where, if the place is in the submitted text.
        at: Option<Position>,
    },
    /// Parameter vectors that do not make a series of jobs.
    #[error("Invalid job description ( 1501 : {message})")]
    Parametric {
        /// Which of the submitted texts, from 0.
        index: usize,
        /// What is wrong with them.
        message: String,
    },
    /// A start, step or factor that is no number.
    #[error("Illegal value for {name} JDL field: {value}")]
    IllegalParameter {
        /// The attribute.
        name: String,
        /// What it holds.
        value: String,
    },
    /// Several texts, one of them parametric.
    #[error("You cannot submit parametric jobs in a bulk fashion")]
    ParametricInBulk {
        /// Which of the submitted texts, from 0.
        index: usize,
    },
    /// More jobs than one call may bring.
    #[error("Normal user cannot submit more than {limit} jobs at once")]
    TooManyJobs {
        /// What is allowed.
        limit: usize,
    },
    /// More text than the jobs of one call may have together.
    #[error("The job descriptions of one call may have {limit} bytes in all: submit fewer jobs at once")]
    TooLarge {
        /// What is allowed.
        limit: usize,
    },
    /// Nobody wants to know any more.
    #[error("Nobody waits for the jobs any more")]
    Abandoned,
}

impl JdlError {
    pub(super) fn refused(index: usize, located: Located) -> Self {
        Self::Refused { index, cause: located.problem, at: located.at }
    }

    /// What is wrong, in more words than `Display` where DiracX is terse.
    pub fn cause(&self) -> String {
        match self {
            Self::Refused { cause, .. } => shown(&cause.to_string()),
            other => other.to_string(),
        }
    }
}

impl Explain for JdlError {
    fn explain(&self) -> Explanation {
        let invalid = Explanation::invalid_argument;
        let field = |index: &usize| format!("jdls[{index}]");
        match self {
            Self::Refused { index, at, .. } => {
                let cause = self.cause();
                let explanation = invalid(Reason::InvalidJdl).with("cause", &cause).with("index", index);
                match at {
                    Some(at) => explanation
                        .with("line", at.line)
                        .with("column", at.column)
                        .violation(field(index), format!("{cause} ({at})")),
                    None => explanation.violation(field(index), cause),
                }
            }
            Self::Parametric { index, message } => invalid(Reason::InvalidJdl)
                .with("cause", message)
                .with("index", index)
                .violation(field(index), message.clone()),
            Self::IllegalParameter { name, value } => invalid(Reason::InvalidJdl)
                .with("cause", self)
                .with("index", 0)
                .with("parameter", name)
                .with("value", value)
                .violation(field(&0), self.to_string()),
            Self::ParametricInBulk { index } => invalid(Reason::InvalidJdl)
                .with("cause", self)
                .with("index", index)
                .violation(field(index), self.to_string()),
            Self::TooManyJobs { limit } => invalid(Reason::TooManyJobs).with("limit", limit),
            Self::TooLarge { limit } => invalid(Reason::TooManyJobs).with("limitBytes", limit),
            Self::Abandoned => Explanation::deadline_exceeded(Reason::DeadlineExceeded),
        }
    }
}
