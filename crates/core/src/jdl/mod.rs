//! Job descriptions: reading, checking, expanding and printing JDL.
//!
//! Submitted texts pass through here once, in this order:
//!
//! 1. [`expand`] puts each text in brackets, reads it (`reader`), makes several jobs of a
//!    parametric one (`parametric`), cleans the values into a manifest (`value`, `manifest`)
//!    and applies the checks and defaults of the VO (`job`). Everything that can be wrong with a
//!    description is found here.
//! 2. The caller stores the jobs and so learns their numbers.
//! 3. [`JobDescription::finish`] puts the number in and prints what is to be stored.
//!
//! There is one reader. Its work is linear in the text, and text and nesting are bounded, as is what becomes of all
//! texts of a call.
//!
//! # Source
//! DIRAC `JobManifest`, `ParametricJob`, `ClassAdLight` and `JobDBUtils`, whose results are in
//! `tests/data/jdl-examples.json`.

mod attributes;
mod error;
mod job;
mod manifest;
mod number;
mod parametric;
mod payload;
mod platform;
mod reader;
mod record;
mod value;

use std::collections::{BTreeMap, BTreeSet};

pub use error::{JdlError, Position, Problem};
pub use job::{FinishedJob, JobAttributes, JobDescription};
pub use payload::{Payload, payload, with_input_sandbox};

use attributes::Attributes;
use reader::Wrapped;

/// How long a job description may be, in bytes, as submitted and as stored.
pub const MAX_TEXT_BYTES: usize = 1 << 20;

/// How many bytes the jobs of one call may have together, each option counted as [`OPTION_BYTES`] more than its text.
pub const MAX_BYTES_IN_ALL: usize = 64 << 20;

/// What an option takes in memory besides its text.
pub(crate) const OPTION_BYTES: usize = 64;

/// More texts than this are refused before one of them is read, unless as many jobs are allowed.
const MAX_TEXTS: usize = 10_000;

/// How deep records may be nested.
pub const MAX_DEPTH: usize = 64;

/// The numbers a VO sets for its jobs: `Operations/<vo>/JobDescription`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobDescriptionLimits {
    /// CPU time of a job that asks for none, in seconds.
    pub default_cpu_time: i64,
    /// The default is not below this, in seconds.
    pub min_cpu_time: i64,
    /// The default is not above this, in seconds.
    pub max_cpu_time: i64,
    /// Priority of a job that asks for none.
    pub default_priority: i64,
    /// The default is not below this.
    pub min_priority: i64,
    /// The default is not above this.
    pub max_priority: i64,
    /// How many input files a job may have.
    pub max_input_data: usize,
    /// The job types there are.
    pub allowed_job_types: Vec<String>,
}

impl Default for JobDescriptionLimits {
    fn default() -> Self {
        Self {
            default_cpu_time: 86_400,
            min_cpu_time: 100,
            max_cpu_time: 500_000,
            default_priority: 1,
            min_priority: 0,
            max_priority: 10,
            max_input_data: 100,
            allowed_job_types: ["User", "Test", "Hospital"].map(str::to_owned).to_vec(),
        }
    }
}

/// Who submits, and what the VO's configuration says about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubmissionContext {
    /// The submitter's preferred user name.
    pub owner: String,
    /// The submitter's DIRAC group.
    pub owner_group: String,
    /// The submitter's VO.
    pub vo: String,
    /// Limits and defaults.
    pub job_description: JobDescriptionLimits,
    /// `InputDataPolicy/InputDataModule`.
    pub input_data_module: String,
    /// `SoftwareDistModule`.
    pub software_dist_module: String,
    /// For each platform, those that it can run the software of.
    pub os_compatibility: BTreeMap<String, BTreeSet<String>>,
    /// How many jobs one call may bring.
    pub max_jobs: usize,
    /// How many bytes they may have together, usually [`MAX_BYTES_IN_ALL`].
    pub max_bytes: usize,
}

/// Makes jobs of submitted texts: one of each, or several of a single parametric one.
///
/// # Errors
/// The first thing that is wrong. Nothing is accepted unless everything is.
pub fn expand(texts: &[String], context: &SubmissionContext) -> Result<Vec<JobDescription>, JdlError> {
    expand_while(texts, context, || true)
}

/// [`expand`], which gives up as soon as nobody wants the jobs any more.
///
/// # Errors
/// As of [`expand`], and [`JdlError::Abandoned`].
pub fn expand_while(
    texts: &[String],
    context: &SubmissionContext,
    wanted: impl Fn() -> bool,
) -> Result<Vec<JobDescription>, JdlError> {
    if texts.is_empty() {
        return Err(JdlError::refused(0, Problem::NothingToSubmit.into()));
    }
    let too_many = || JdlError::TooManyJobs { limit: context.max_jobs };
    if texts.len() > context.max_jobs.max(MAX_TEXTS) {
        return Err(too_many());
    }
    // In DiracX's order: a text that cannot be read, one that stands for a series, too many of them, and only then
    // what a job may not ask for. Of a text nothing is kept but its job.
    let mut series = None;
    let mut jobs = if texts.len() > context.max_jobs { Err(too_many()) } else { Ok(Jobs::new(context)) };
    for (index, text) in texts.iter().enumerate() {
        if !wanted() {
            return Err(JdlError::Abandoned);
        }
        let refused = |located| JdlError::refused(index, located);
        let text = Wrapped::new(text).map_err(refused)?;
        let record = text.read().map_err(refused)?;
        if series.is_some() {
            continue;
        }
        let attributes = Attributes::from_record(&record);
        series = parametric::vector_length(&attributes, index)
            .map(|length| length.map(|length| (index, attributes, length)))
            .transpose();
        if series.is_none() {
            jobs = jobs.and_then(|jobs| {
                jobs.with(JobDescription::new(text.text, record, false, context).map_err(refused)?)
            });
        }
    }
    let Some(series) = series else { return Ok(jobs?.made) };
    let (index, attributes, length) = series?;
    if texts.len() > 1 {
        return Err(JdlError::ParametricInBulk { index });
    }
    if length > context.max_jobs {
        return Err(too_many());
    }
    if parametric::least_bytes(&attributes).saturating_mul(length) > context.max_bytes {
        return Err(JdlError::TooLarge { limit: context.max_bytes });
    }
    let mut jobs = Jobs::new(context);
    parametric::expand(&attributes, length, |text| {
        if !wanted() {
            return Err(JdlError::Abandoned);
        }
        jobs.add(JobDescription::of_series(&text, context)?)
    })?;
    Ok(jobs.made)
}

/// Jobs, as many as there is room for.
struct Jobs {
    made: Vec<JobDescription>,
    limit: usize,
    bytes: usize,
}

impl Jobs {
    fn new(context: &SubmissionContext) -> Self {
        Self { made: Vec::new(), limit: context.max_bytes, bytes: 0 }
    }

    fn add(&mut self, job: JobDescription) -> Result<(), JdlError> {
        self.bytes = self.bytes.saturating_add(job.bytes());
        if self.bytes > self.limit {
            return Err(JdlError::TooLarge { limit: self.limit });
        }
        self.made.push(job);
        Ok(())
    }

    fn with(mut self, job: JobDescription) -> Result<Self, JdlError> {
        self.add(job)?;
        Ok(self)
    }
}

/// Makes a job anew of the text that was kept when it was submitted, for another run.
///
/// Defaults and the VO's settings are those of now. What a job may ask for is not asked again: it was accepted.
///
/// # Errors
/// The text cannot be read, or belongs to another VO.
pub fn renew(original_jdl: &str, context: &SubmissionContext) -> Result<JobDescription, JdlError> {
    JobDescription::renewed(original_jdl, context)
}
