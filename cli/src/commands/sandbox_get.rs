//! `dirac sandbox get`.

use std::path::PathBuf;

use clap::Args;
use diracx_api::{Limits, Which};
use diracx_core::JobId;
use serde_json::{Value, json};

use crate::{
    arguments::Global,
    failure::Failure,
    output::{Format, print, print_json, tell},
    progress,
};

/// Fetch the files that a job wrote, and unpack them
///
/// A file that is there already is not overwritten: the command fails.
#[derive(Debug, Args)]
pub(crate) struct GetArguments {
    /// Number of a job
    #[arg(value_name = "JOB")]
    job: i64,

    /// The files that the job reads, instead of those that it wrote
    #[arg(long, conflicts_with = "output_sandbox")]
    input: bool,

    /// The files that the job wrote; this is the default
    #[arg(long = "output-files", id = "output_sandbox")]
    output: bool,

    /// Where to put them [default: a directory named after the job]
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

/// Fetches, unpacks, and tells which files there are now.
pub(crate) async fn run(global: &Global, arguments: GetArguments) -> Result<(), Failure> {
    let GetArguments { job, input, output: _, dir } = arguments;
    let which = if input { Which::Input } else { Which::Output };
    let sandboxes = global.sandboxes()?;
    let pfns = sandboxes.of_job(JobId(job), which).await?;
    if pfns.is_empty() {
        let what = if input { "reads no sandbox" } else { "has no output sandbox (yet)" };
        return Err(Failure::Other(format!("job {job} {what}\nSee how it is: dirac jobs status {job}")));
    }
    let dir = dir.unwrap_or_else(|| PathBuf::from(job.to_string()));
    let mut files = Vec::new();
    for pfn in &pfns {
        let unpacked = sandboxes.fetch(pfn, &dir, Limits::default(), progress::downloading()).await?;
        for name in unpacked.left_out {
            tell(&format!("left out {name}, which is neither a file nor a directory"));
        }
        files.extend(unpacked.files.into_iter().map(|file| dir.join(file)));
    }
    if global.format() == Format::Json {
        let files: Vec<Value> = files.iter().map(|file| json!(file.display().to_string())).collect();
        return print_json(&Value::Array(files));
    }
    files.iter().try_for_each(|file| print(&file.display().to_string()))
}
