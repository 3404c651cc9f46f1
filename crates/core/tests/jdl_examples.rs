//! The jobs that DIRAC's own code makes of many job descriptions, and ours beside them.
//!
//! `JDL_EXAMPLES` names another file of the same form to run instead.

use std::collections::{BTreeMap, BTreeSet};

use diracx_core::{
    Explain, JobId,
    jdl::{FinishedJob, JdlError, JobDescriptionLimits, MAX_BYTES_IN_ALL, SubmissionContext, expand},
};
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Deserialize)]
struct Examples {
    context: Context,
    examples: Vec<Example>,
}

#[derive(Deserialize)]
struct Context {
    owner: String,
    owner_group: String,
    vo: String,
    job_description: Limits,
    input_data_module: String,
    software_dist_module: String,
    os_compatibility: BTreeMap<String, BTreeSet<String>>,
    max_jobs_per_submission: usize,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Limits {
    #[serde(rename = "DefaultCPUTime")]
    default_cpu_time: i64,
    #[serde(rename = "MinCPUTime")]
    min_cpu_time: i64,
    #[serde(rename = "MaxCPUTime")]
    max_cpu_time: i64,
    default_priority: i64,
    min_priority: i64,
    max_priority: i64,
    max_input_data: usize,
    allowed_job_types: Vec<String>,
}

#[derive(Deserialize)]
struct Example {
    name: String,
    input: Input,
    expanded: Option<Vec<Expanded>>,
    error: Option<Failure>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Input {
    One(String),
    Bulk(Vec<String>),
}

#[derive(Deserialize)]
struct Expanded {
    original_jdl: String,
    manifest_jdl: String,
    jdl: String,
    attributes: BTreeMap<String, Value>,
    input_data: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct Failure {
    http_status: Option<u16>,
    detail: Option<String>,
    cause: Option<String>,
}

impl From<Context> for SubmissionContext {
    fn from(context: Context) -> Self {
        let limits = context.job_description;
        Self {
            owner: context.owner,
            owner_group: context.owner_group,
            vo: context.vo,
            job_description: JobDescriptionLimits {
                default_cpu_time: limits.default_cpu_time,
                min_cpu_time: limits.min_cpu_time,
                max_cpu_time: limits.max_cpu_time,
                default_priority: limits.default_priority,
                min_priority: limits.min_priority,
                max_priority: limits.max_priority,
                max_input_data: limits.max_input_data,
                allowed_job_types: limits.allowed_job_types,
            },
            input_data_module: context.input_data_module,
            software_dist_module: context.software_dist_module,
            os_compatibility: context.os_compatibility,
            max_jobs: context.max_jobs_per_submission,
            max_bytes: MAX_BYTES_IN_ALL,
        }
    }
}

type Job = (String, bool, String, FinishedJob);

fn submit(input: &Input, context: &SubmissionContext) -> Result<Vec<Job>, JdlError> {
    let texts = match input {
        Input::One(text) => vec![text.clone()],
        Input::Bulk(texts) => texts.clone(),
    };
    let jobs = expand(&texts, context)?;
    let finish = |(job, id): (&diracx_core::jdl::JobDescription, i64)| {
        let id = JobId(id);
        Ok((job.original_jdl.clone(), job.parametric, job.manifest_jdl(id)?, job.finish(id)?))
    };
    jobs.iter().zip(1..).map(finish).collect()
}

/// The columns of a job as the examples list them.
fn columns(parametric: bool, job: &FinishedJob) -> BTreeMap<String, Value> {
    let (status, minor) = if parametric {
        ("Submitting", "Bulk transaction confirmation")
    } else {
        ("Received", "Job accepted")
    };
    let mut columns = BTreeMap::from([
        ("UserPriority".to_owned(), json!(job.attributes.user_priority)),
        ("VerifiedFlag".to_owned(), json!(true)),
        ("Status".to_owned(), json!(status)),
        ("MinorStatus".to_owned(), json!(minor)),
    ]);
    let attributes = &job.attributes;
    let optional = [
        ("JobName", &attributes.job_name),
        ("JobType", &attributes.job_type),
        ("JobGroup", &attributes.job_group),
        ("Site", &attributes.site),
    ];
    for (name, value) in optional {
        if let Some(value) = value {
            columns.insert(name.to_owned(), json!(value));
        }
    }
    columns
}

fn same_jobs(expected: &[Expanded], jobs: &[Job]) -> Result<(), String> {
    if jobs.len() != expected.len() {
        return Err(format!("{} jobs instead of {}", jobs.len(), expected.len()));
    }
    for (expected, (original, parametric, manifest, job)) in expected.iter().zip(jobs) {
        let differ =
            |what: &str, left: &str, right: &str| format!("{what}\nexpected {left}\ngot      {right}");
        for (what, left, right) in [
            ("original_jdl", &expected.original_jdl, original),
            ("manifest_jdl", &expected.manifest_jdl, manifest),
            ("jdl", &expected.jdl, &job.jdl),
        ] {
            if left != right {
                return Err(differ(what, left, right));
            }
        }
        let columns = columns(*parametric, job);
        if columns != expected.attributes {
            return Err(format!("attributes {columns:?} instead of {:?}", expected.attributes));
        }
        if job.input_data != expected.input_data {
            return Err(format!("input data {:?} instead of {:?}", job.input_data, expected.input_data));
        }
    }
    Ok(())
}

fn same_failure(expected: &Failure, result: &Result<Vec<Job>, JdlError>) -> Result<(), String> {
    let error = match result {
        Err(error) => error,
        // where DIRAC never ends or falls over, an answer of either kind is an improvement
        Ok(_) if expected.http_status.is_none_or(|status| status >= 500) => return Ok(()),
        Ok(jobs) => {
            return Err(format!("accepted as {} jobs, not refused: {:?}", jobs.len(), expected.cause));
        }
    };
    if let Some(detail) = &expected.detail
        && error.to_string() != *detail
    {
        return Err(format!("{error:?} instead of {detail:?}"));
    }
    // Python's own exceptions are told in our words
    let cause = expected.cause.as_deref().unwrap_or_default();
    let cause = cause.strip_prefix("NotImplementedError: ").unwrap_or(cause);
    let pythons = cause.split(['(', ':']).next().is_some_and(|word| word.ends_with("Error"));
    if expected.http_status.is_some() && !pythons && error.cause() != cause && error.to_string() != cause {
        return Err(format!("cause {:?} instead of {cause:?}", error.cause()));
    }
    if error.explain().variables.is_empty() {
        return Err(format!("{error:?} explains nothing"));
    }
    Ok(())
}

#[test]
fn the_same_jobs_are_made_of_every_example() {
    let path = std::env::var("JDL_EXAMPLES")
        .unwrap_or_else(|_| concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/jdl-examples.json").to_owned());
    let text = std::fs::read_to_string(&path).unwrap();
    let Examples { context, examples } = serde_json::from_str(&text).unwrap();
    let context = SubmissionContext::from(context);
    let mut differences = Vec::new();
    for example in &examples {
        let result = submit(&example.input, &context);
        let same = match (&example.expanded, &example.error) {
            (Some(expected), _) => match &result {
                Ok(jobs) => same_jobs(expected, jobs),
                Err(error) => Err(format!("refused: {}", error.cause())),
            },
            (None, Some(failure)) => same_failure(failure, &result),
            (None, None) => Err("neither jobs nor an error are expected".to_owned()),
        };
        if let Err(difference) = same {
            differences.push(format!("## {}\n{difference}", example.name));
        }
    }
    assert!(!examples.is_empty(), "{path} has no examples");
    let (n, all) = (differences.len(), examples.len());
    assert!(differences.is_empty(), "{n} of {all} examples differ:\n{}", differences.join("\n"));
}
