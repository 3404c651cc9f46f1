//! Running the program of a job, for real: its own process group, its own directory, a clean environment.

use std::{
    fs::{self, File},
    io::{self, Read, Seek, SeekFrom},
    os::unix::process::ExitStatusExt,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    time::Duration,
};

use diracx_core::{JobId, jdl::Payload};
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::{
    process::{Child, Command},
    sync::watch,
    time::{interval, timeout},
};

use super::{arguments, scratch::Scratch};

/// A program that is asked to end has this long to do so.
const GRACE: Duration = Duration::from_secs(2);

/// Output beyond this ends the job, bytes: the disk belongs to others too.
const MAX_OUTPUT_BYTES: u64 = 1 << 30;

/// How often the size of the output is looked at.
const OUTPUT_CHECK: Duration = Duration::from_secs(1);

/// How much of the end of an output is searched for its last line, bytes.
const TAIL_BYTES: u64 = 4096;

/// What a job inherits of our environment. Nothing else: ours holds passwords and keys.
const INHERITED: [&str; 5] = ["PATH", "LANG", "LC_ALL", "TZ", "USER"];

/// Where to look for programs if we were told nowhere.
const DEFAULT_PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// How a job ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The program ended by itself, or by a signal that was not ours.
    Exited {
        /// Zero is success; absent if a signal ended it.
        code: Option<i32>,
        /// The sentence for the application status.
        summary: String,
    },
    /// The program could not be started, or broke a rule.
    Failed(String),
    /// We ended it, because we were told to.
    Stopped,
}

/// Runs a payload to its end, or until `stop` becomes true.
pub(super) async fn run(
    job: JobId,
    payload: &Payload,
    scratch: &Scratch,
    stop: watch::Receiver<bool>,
) -> Outcome {
    match Running::start(job, payload, scratch) {
        Ok(running) => running.wait(stop).await,
        Err(problem) => Outcome::Failed(problem),
    }
}

struct Running {
    child: Child,
    group: Group,
    output: PathBuf,
    error: PathBuf,
}

/// The process group of a job. Whatever is left of it goes with this value.
struct Group(Option<Pid>);

impl Group {
    fn signal(&self, signal: Signal) {
        if let Some(group) = self.0 {
            // It may be gone already.
            let _ = kill_process_group(group, signal);
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.signal(Signal::KILL);
    }
}

impl Running {
    fn start(job: JobId, payload: &Payload, scratch: &Scratch) -> Result<Self, String> {
        // Sandboxes have been fetched; a bare name is a file that the submitting client did not upload.
        let missing =
            |name: &&String| !name.starts_with("SB:") && scratch.file(name).is_none_or(|file| !file.exists());
        if let Some(file) = payload.input_sandbox.iter().find(missing) {
            return Err(format!("The job wants {file}, which was not uploaded when it was submitted"));
        }
        let words = arguments::split(&payload.arguments).map_err(|error| error.to_string())?;
        let path = std::env::var("PATH").unwrap_or_else(|_| DEFAULT_PATH.to_owned());
        let program = find(&payload.executable, scratch.path(), &path)
            .ok_or_else(|| format!("Executable {} not found", payload.executable))?;
        let name =
            |given: &Option<String>, default: &str| given.clone().unwrap_or_else(|| default.to_owned());
        let (output, stdout) = create(scratch, &name(&payload.std_output, "std.out"))?;
        let (error, stderr) = match name(&payload.std_error, "std.err") {
            same if scratch.file(&same).as_ref() == Some(&output) => {
                (output.clone(), stdout.try_clone().map_err(|error| format!("Cannot open {same}: {error}"))?)
            }
            other => create(scratch, &other)?,
        };
        let child = Command::new(&program)
            .args(words)
            .current_dir(scratch.path())
            .env_clear()
            .envs(INHERITED.iter().filter_map(|name| Some((name, std::env::var_os(name)?))))
            .env("PATH", path)
            .env("HOME", scratch.path())
            .env("TMPDIR", scratch.path())
            .env("JOBID", job.to_string())
            .stdin(Stdio::null())
            .stdout(stdout)
            .stderr(stderr)
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| format!("Executable {} cannot be started: {error}", payload.executable))?;
        let group = Group(child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw));
        Ok(Self { child, group, output, error })
    }

    async fn wait(mut self, mut stop: watch::Receiver<bool>) -> Outcome {
        let mut checks = interval(OUTPUT_CHECK);
        loop {
            tokio::select! {
                ended = self.child.wait() => return match ended {
                    Ok(status) => self.ended(status),
                    Err(error) => Outcome::Failed(format!("The program was lost: {error}")),
                },
                // An executor that is gone means to stop, too.
                () = told(&mut stop) => {
                    self.end().await;
                    return Outcome::Stopped;
                }
                _ = checks.tick() => if self.output_bytes() > MAX_OUTPUT_BYTES {
                    self.end().await;
                    return Outcome::Failed(format!("More than {MAX_OUTPUT_BYTES} bytes of output"));
                },
            }
        }
    }

    /// Asks the whole group to end, then makes it.
    async fn end(&mut self) {
        self.group.signal(Signal::TERM);
        if timeout(GRACE, self.child.wait()).await.is_err() {
            self.group.signal(Signal::KILL);
            let _ = self.child.wait().await;
        }
    }

    fn ended(&self, status: ExitStatus) -> Outcome {
        let failed = !status.success();
        let last = Some(&self.error).filter(|_| failed).and_then(|path| last_line(path));
        let last = last.or_else(|| last_line(&self.output)).unwrap_or_default();
        let how = match (status.code(), status.signal()) {
            (Some(code), _) => format!("Exited {code}"),
            (None, Some(signal)) => format!("Ended by signal {signal}"),
            (None, None) => "Ended".to_owned(),
        };
        let summary = if last.is_empty() { how } else { format!("{how}: {last}") };
        Outcome::Exited { code: status.code(), summary }
    }

    fn output_bytes(&self) -> u64 {
        [&self.output, &self.error]
            .iter()
            .filter_map(|path| fs::metadata(path).ok())
            .map(|metadata| metadata.len())
            .fold(0, u64::saturating_add)
    }
}

async fn told(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}

/// A program by its absolute path, in the job's directory, or in the search path; in this order.
fn find(executable: &str, directory: &Path, path: &str) -> Option<PathBuf> {
    let is_file = |candidate: &PathBuf| candidate.is_file();
    if Path::new(executable).is_absolute() {
        return Some(PathBuf::from(executable)).filter(is_file);
    }
    let own = Some(directory.join(executable)).filter(is_file);
    if own.is_some() || executable.contains('/') {
        return own;
    }
    std::env::split_paths(path).map(|place| place.join(executable)).find(is_file)
}

fn create(scratch: &Scratch, name: &str) -> Result<(PathBuf, File), String> {
    let path = scratch.file(name).ok_or_else(|| format!("{name} is no file name for the output of a job"))?;
    let open = || {
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        File::options().create(true).append(true).open(&path)
    };
    let file = open().map_err(|error| format!("Cannot open {name}: {error}"))?;
    Ok((path, file))
}

/// The last line of a file that has anything on it.
fn last_line(path: &Path) -> Option<String> {
    let tail = || -> io::Result<Vec<u8>> {
        let mut file = File::open(path)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(TAIL_BYTES)))?;
        let mut bytes = Vec::new();
        file.take(TAIL_BYTES).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    let text = String::from_utf8_lossy(&tail().ok()?).into_owned();
    let line = text.lines().rev().map(str::trim).find(|line| !line.is_empty())?;
    Some(line.chars().map(|c| if c.is_control() { ' ' } else { c }).collect())
}

/// Kills the processes whose working directory is inside `directory`: nobody else works there.
pub(super) fn kill_everything_below(directory: &Path) {
    let Ok(processes) = fs::read_dir("/proc") else { return };
    for entry in processes.flatten() {
        let id = entry.file_name().to_str().and_then(|name| name.parse().ok()).and_then(Pid::from_raw);
        let inside = fs::read_link(entry.path().join("cwd")).is_ok_and(|cwd| cwd.starts_with(directory));
        if let Some(id) = id
            && inside
        {
            tracing::warn!("ending process {} of a job that an earlier executor left", id.as_raw_nonzero());
            let _ = rustix::process::kill_process(id, Signal::KILL);
        }
    }
}

#[cfg(test)]
#[path = "process_tests.rs"]
mod tests;
