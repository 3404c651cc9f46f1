//! `dirac jobs submit`.

use std::{
    io::Read as _,
    path::{Path, PathBuf},
};

use clap::Args;
use diracx_client::proto::jobs::v1::{self as pb, SubmitJobsRequest, SubmittedJob};
use diracx_core::JobStatus;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    arguments::Global,
    failure::Failure,
    output::{Format, print, print_json},
    times,
};

/// Submit the jobs that JDL files describe
///
/// All jobs are made, or none. One file with parameters makes many jobs.
#[derive(Debug, Args)]
pub(crate) struct SubmitArguments {
    /// Files with a job description each; - is the standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

/// Submits, and shows the numbers of the jobs.
pub(crate) async fn run(global: &Global, arguments: SubmitArguments) -> Result<(), Failure> {
    let jdls = arguments.files.iter().map(|file| read(file)).collect::<Result<Vec<_>, _>>()?;
    let request = SubmitJobsRequest { jdls, request_id: Uuid::new_v4().to_string() };
    let result = diracx_client::jobs(global.connect()?).submit_jobs(request).await;
    let jobs = result.map_err(|status| name_files(status, &arguments.files))?.into_inner().jobs;
    if global.format() == Format::Json {
        return print_json(&Value::Array(jobs.iter().map(job).collect()));
    }
    let ids: Vec<String> = jobs.iter().map(|job| job.job_id.to_string()).collect();
    print(&format!("Inserted {} jobs with ids: {}", ids.len(), ids.join(",")))
}

fn read(file: &Path) -> Result<String, Failure> {
    let mut text = String::new();
    let result = if file == Path::new("-") {
        std::io::stdin().lock().read_to_string(&mut text).map(|_| ())
    } else {
        std::fs::read_to_string(file).map(|contents| text = contents)
    };
    result.map_err(|error| Failure::Usage(format!("cannot read {}: {error}", file.display())))?;
    Ok(text)
}

/// Tells people which of their files is meant by `jdls[2]`.
fn name_files(status: tonic::Status, files: &[PathBuf]) -> Failure {
    let refusal = diracx_client::Refusal::of(&status);
    let file = |field: &str| {
        let index: usize = field.strip_prefix("jdls[")?.strip_suffix(']')?.parse().ok()?;
        files.get(index)
    };
    let named: Vec<String> = refusal
        .violations
        .iter()
        .filter_map(|(field, problem)| Some(format!("{}: {problem}", file(field)?.display())))
        .collect();
    if named.is_empty() {
        return status.into();
    }
    Failure::Other(format!("{}\n  {}", status.message(), named.join("\n  ")))
}

/// A job as DiracX's REST interface shows it.
fn job(job: &SubmittedJob) -> Value {
    let status = pb::JobStatus::try_from(job.status).ok().and_then(|status| JobStatus::try_from(status).ok());
    let time = job.submission_time.as_ref().and_then(|time| times::from_wire(time.seconds, time.nanos));
    json!({
        "JobID": job.job_id,
        "Status": status.map(JobStatus::as_str),
        "MinorStatus": job.minor_status,
        "TimeStamp": time.map(times::written),
    })
}
