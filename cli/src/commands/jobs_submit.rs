//! `dirac jobs submit`.

use std::{
    io::Read as _,
    path::{Path, PathBuf},
    time::Duration,
};

use clap::Args;
use diracx_client::{
    AnyChannel, Refusal,
    proto::jobs::v1::{
        self as pb, StreamSubmitJobsRequest, SubmitJobsRequest, SubmittedJob,
        jobs_service_client::JobsServiceClient,
    },
};
use diracx_core::{JobStatus, Reason, jdl};
use serde_json::{Value, json};
use tonic::Status;
use uuid::Uuid;

use crate::{
    arguments::Global,
    failure::Failure,
    output::{Format, print, print_json, tell},
    progress, times,
};

/// Descriptions of one call at the most; more of them go in a stream.
const MOST_IN_CALL: usize = 20;
/// Descriptions in one batch of a stream.
const MOST_IN_BATCH: usize = 500;
/// Bytes of the descriptions in one batch of a stream, unless it is one alone.
const MOST_BYTES_IN_BATCH: usize = 1 << 20;
/// How long a stream may take.
const PATIENCE: Duration = Duration::from_secs(86_400);
/// How often a submission is repeated when the connection breaks.
const ATTEMPTS: u32 = 3;

const EXAMPLES: &str = "\
Examples:
  dirac jobs submit hello.jdl
  dirac jobs submit --input words.txt count-words.jdl
  echo 'Executable = \"/bin/hostname\";' | dirac jobs submit --count 100 -";

/// Submit the jobs that JDL files describe
///
/// All jobs are made, or none. More than 20 are made in batches: if a batch cannot be made, the ones before it stay. A file
/// with parameters makes many jobs.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct SubmitArguments {
    /// Files with a job description each; - is the standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,

    /// How often to submit each description
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    count: u32,

    /// Go on with a submission that broke off: the name that was printed then
    #[arg(long, value_name = "ID")]
    request_id: Option<String>,

    /// File or directory that the jobs read; packed, uploaded and added to their InputSandbox. May be repeated
    #[arg(long, value_name = "PATH")]
    input: Vec<PathBuf>,
}

/// Submits, and shows the numbers of the jobs.
pub(crate) async fn run(global: &Global, arguments: SubmitArguments) -> Result<(), Failure> {
    let SubmitArguments { files, count, request_id, input } = arguments;
    let mut texts = files.iter().map(|file| read(file)).collect::<Result<Vec<_>, _>>()?;
    if !input.is_empty() {
        // What is wrong with a description is said before anything is sent.
        add_input(&texts, &files, "SB:")?;
        let pfn = global.sandboxes()?.upload(input, None, progress::uploading).await?;
        texts = add_input(&texts, &files, &pfn)?;
    }
    let each = count as usize;
    let submission = Submission {
        jdls: texts.iter().flat_map(|text| std::iter::repeat_n(text.as_str(), each)).collect(),
        request_id: request_id.unwrap_or_else(|| Uuid::new_v4().to_string()),
    };
    let client = diracx_client::jobs(global.connect()?);
    let jobs = submission.submit(client).await.map_err(|status| {
        if Failure::is_passing(&status) {
            // Whether it got there nobody knows; asking again by its name makes nothing twice.
            tell(&format!("To go on, repeat the command with: --request-id {}", submission.request_id));
        }
        name_files(status, &files, |place| submission.index(place).map(|index| index / each))
    })?;
    if global.format() == Format::Json {
        return print_json(&Value::Array(jobs.iter().map(job).collect()));
    }
    let ids: Vec<String> = jobs.iter().map(|job| job.job_id.to_string()).collect();
    print(&format!("Inserted {} jobs with ids: {}", ids.len(), ids.join(",")))
}

/// What is submitted, under a name by which it can be repeated.
struct Submission<'t> {
    jdls: Vec<&'t str>,
    request_id: String,
}

/// A description as a refusal names it: the batch, if it was in one, and the place there.
type Place = (Option<usize>, usize);

impl Submission<'_> {
    async fn submit(&self, mut client: JobsServiceClient<AnyChannel>) -> Result<Vec<SubmittedJob>, Status> {
        let mut failed = 0;
        loop {
            let result = self.submit_once(&mut client).await;
            match result {
                Err(status) if failed < ATTEMPTS && Failure::is_passing(&status) => failed += 1,
                result => return result,
            }
            tokio::time::sleep(Duration::from_millis(200) * failed).await;
        }
    }

    async fn submit_once(
        &self,
        client: &mut JobsServiceClient<AnyChannel>,
    ) -> Result<Vec<SubmittedJob>, Status> {
        let owned = |jdls: &[&str]| jdls.iter().map(|jdl| (*jdl).to_owned()).collect();
        if self.jdls.len() <= MOST_IN_CALL {
            let request = SubmitJobsRequest { jdls: owned(&self.jdls), request_id: self.request_id.clone() };
            match client.submit_jobs(request).await {
                Err(status) if is_for_a_stream(&status) => {}
                answer => return Ok(answer?.into_inner().jobs),
            }
        }
        let message = |jdls: &[&str]| StreamSubmitJobsRequest {
            request_id: self.request_id.clone(),
            jdls: owned(jdls),
        };
        let messages: Vec<_> = batches(&self.jdls).into_iter().map(message).collect();
        let mut call = tonic::Request::new(futures::stream::iter(messages));
        call.set_timeout(PATIENCE);
        let answer = client.stream_submit_jobs(call).await?.into_inner();
        let of_batch = |batch: pb::SubmittedBatch| {
            let pb::SubmittedBatch { job_ids, status, minor_status, submission_time, .. } = batch;
            job_ids.into_iter().map(move |job_id| SubmittedJob {
                job_id,
                status,
                minor_status: minor_status.clone(),
                submission_time,
            })
        };
        Ok(answer.batches.into_iter().flat_map(of_batch).collect())
    }

    /// Which of all descriptions is meant.
    fn index(&self, (batch, place): Place) -> Option<usize> {
        let Some(batch) = batch else { return Some(place) };
        let before: usize = batches(&self.jdls).get(..batch)?.iter().map(|batch| batch.len()).sum();
        Some(before + place)
    }
}

/// Whether a call is refused that may go as a stream: one description has many parameters, or the installation allows
/// less; or it was a stream when its jobs were made, and a call does not bring what the first batch brought.
fn is_for_a_stream(status: &Status) -> bool {
    let refusal = Refusal::of(status);
    refusal.is(Reason::TooManyJobs) || refusal.is(Reason::RequestIdReused)
}

/// The descriptions in batches, always the same ones. A description that may have parameters is alone.
fn batches<'s, 't>(jdls: &'s [&'t str]) -> Vec<&'s [&'t str]> {
    let alone = |jdl: &str| jdl.to_ascii_lowercase().contains("parameters");
    let mut batches = Vec::new();
    let (mut start, mut bytes) = (0, 0);
    for (i, jdl) in jdls.iter().enumerate() {
        let full = i - start == MOST_IN_BATCH || bytes + jdl.len() > MOST_BYTES_IN_BATCH;
        if i > start && (full || alone(jdl) || alone(jdls[i - 1])) {
            batches.push(&jdls[start..i]);
            (start, bytes) = (i, 0);
        }
        bytes += jdl.len();
    }
    batches.push(&jdls[start..]);
    batches
}

/// The descriptions with one more name in their `InputSandbox`.
fn add_input(jdls: &[String], files: &[PathBuf], name: &str) -> Result<Vec<String>, Failure> {
    let add = |(jdl, file): (&String, &PathBuf)| {
        jdl::with_input_sandbox(jdl, name)
            .map_err(|error| Failure::Usage(format!("{}: {}", file.display(), error.cause())))
    };
    jdls.iter().zip(files).map(add).collect()
}

fn read(file: &Path) -> Result<String, Failure> {
    let mut text = String::new();
    let result = if file == Path::new("-") {
        std::io::stdin().lock().read_to_string(&mut text).map(|_| ())
    } else {
        std::fs::read_to_string(file).map(|contents| text = contents)
    };
    result.map_err(|error| Failure::Usage(format!("cannot read {}: {error}", file.display())))?;
    // The server would make a job of it, as DiracX does; nobody who names a file wants that.
    if text.trim().is_empty() {
        return Err(Failure::Usage(format!("{} is empty: there is no job in it", file.display())));
    }
    Ok(text)
}

/// Tells people which of their files is meant by `jdls[2]`.
fn name_files(status: Status, files: &[PathBuf], index: impl Fn(Place) -> Option<usize>) -> Failure {
    let refusal = Refusal::of(&status);
    let batch = refusal.variables.get("batch").and_then(|batch| batch.parse().ok());
    let file = |field: &str| {
        let place: usize = field.strip_prefix("jdls[")?.strip_suffix(']')?.parse().ok()?;
        files.get(index((batch, place))?)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_are_bounded_and_parameters_are_alone() {
        let sizes = |jdls: &[&str]| batches(jdls).iter().map(|batch| batch.len()).collect::<Vec<_>>();
        assert_eq!(sizes(&["a"; 1_001]), [500, 500, 1]);
        assert_eq!(sizes(&["a", "a", "PARAMETERS = 3;", "a", "Parameters = 2;"]), [2, 1, 1, 1]);
        let large = "x".repeat(600_000);
        assert_eq!(sizes(&["a", &large, &large, "a"]), [2, 2]);
        let larger = "x".repeat(2 << 20);
        assert_eq!(sizes(&[&larger, "a"]), [1, 1]);
    }

    #[test]
    fn a_description_is_found_behind_the_batches_before_it() {
        let submission = Submission { jdls: vec!["a"; 1_001], request_id: String::new() };
        assert_eq!(submission.index((None, 7)), Some(7));
        assert_eq!(submission.index((Some(0), 7)), Some(7));
        assert_eq!(submission.index((Some(2), 0)), Some(1_000));
        assert_eq!(submission.index((Some(9), 0)), None);
    }
}
