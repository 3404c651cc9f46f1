//! `cargo xtask demo`: the whole mesh once, from a fresh directory to a table of finished jobs.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::Value;

use crate::{
    children::{Running, Scratch, free_port},
    generated_docs::binaries,
    http, login,
    shell::{cargo, read, root, run as run_program},
};

/// How long the mesh may take until it answers.
const START_PATIENCE: Duration = Duration::from_secs(30);
/// How long all jobs together may take.
const JOBS_PATIENCE: Duration = Duration::from_mins(2);

/// What `cargo xtask demo` can be told.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Leave the mesh running at the end, and print how to use it
    #[arg(long)]
    keep: bool,
    /// Build with optimisations: slower to build, faster to run
    #[arg(long)]
    release: bool,
}

/// Runs the demo. Did every job end where it belongs?
pub(crate) fn run(arguments: &Arguments) -> Result<bool> {
    println!("Building dirac and diracx-standalone");
    let mut build = cargo();
    build.args(["build", "--workspace", "--bin=dirac", "--bin=diracx-standalone"]);
    run_program(if arguments.release { build.arg("--release") } else { &mut build })?;
    let programs = if arguments.release { binaries().with_file_name("release") } else { binaries() };

    let mesh = Mesh::start(&programs)?;
    println!("The mesh answers on {}", mesh.url);
    login::complete(&mut mesh.dirac(&["login", "dev"]), "alice")?;
    println!("Logged in as alice of the VO dev");

    let done: Vec<PathBuf> = [vec![examples("hello.jdl")], bulk()?].concat();
    let mut expected = BTreeMap::new();
    for (files, status) in
        [(&done[..1], "Done"), (&done[1..], "Done"), (&[examples("fails.jdl")][..], "Failed")]
    {
        for job in mesh.submit(files)? {
            expected.insert(job, status);
        }
    }
    let counting = mesh.submit_with(&examples("words.txt"), &[examples("count-words.jdl")])?;
    expected.extend(counting.iter().map(|job| (*job, "Done")));
    let ended = mesh.wait(&expected)?;
    mesh.show(&expected)?;
    let good = judge(&expected, &ended) & mesh.counted(counting[0])?;
    if arguments.keep {
        mesh.keep();
    }
    Ok(good)
}

/// Says how many jobs are where they belong, and names the others.
fn judge(expected: &BTreeMap<i64, &str>, ended: &BTreeMap<i64, String>) -> bool {
    let mut good = true;
    for (job, status) in expected {
        let found = ended.get(job).map_or("unknown", String::as_str);
        if found != *status {
            println!("Job {job} is {found} and should be {status}");
            good = false;
        }
    }
    let failed = expected.values().filter(|status| **status == "Failed").count();
    if good {
        println!("All as it should be: {} Done, {failed} Failed on purpose", expected.len() - failed);
    }
    good
}

fn examples(name: &str) -> PathBuf {
    root().join("examples").join(name)
}

fn bulk() -> Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(examples("bulk")).context("examples/bulk is missing")?;
    let mut files: Vec<_> = entries.map(|entry| Ok(entry?.path())).collect::<Result<_>>()?;
    files.sort();
    Ok(files)
}

/// The standalone of the demo and how to talk to it.
struct Mesh {
    // Dropped in this order: first the program, then its directory.
    standalone: Running,
    scratch: Scratch,
    url: String,
    dirac: PathBuf,
}

impl Mesh {
    fn start(programs: &Path) -> Result<Self> {
        let scratch = Scratch::new("diracx-demo-")?;
        let address = format!("127.0.0.1:{}", free_port()?);
        let log = std::fs::File::create(scratch.path().join("standalone.log"))?;
        let mut command = Command::new(programs.join("diracx-standalone"));
        command.arg("--data-dir").arg(scratch.path().join("data"));
        command.args(["--listen", &address, "--local-executor"]);
        let standalone = Running::start(command.stdout(log.try_clone()?).stderr(log))?;
        let mut mesh =
            Self { standalone, scratch, url: format!("http://{address}"), dirac: programs.join("dirac") };
        mesh.wait_until_ready()?;
        Ok(mesh)
    }

    fn wait_until_ready(&mut self) -> Result<()> {
        let deadline = Instant::now() + START_PATIENCE;
        let log = self.scratch.path().join("standalone.log");
        loop {
            if http::get(&format!("{}/api/health/ready", self.url)).is_ok_and(|answer| answer.status == 200) {
                return Ok(());
            }
            let ended = self.standalone.ended()?;
            if ended.is_some() || Instant::now() > deadline {
                let log = std::fs::read_to_string(log).unwrap_or_default();
                bail!("diracx-standalone does not answer ({ended:?}); it said:\n{log}");
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn dirac(&self, arguments: &[&str]) -> Command {
        let mut dirac = Command::new(&self.dirac);
        dirac.args(arguments).env("DIRACX_URL", &self.url);
        dirac.env("DIRACX_CREDENTIALS_PATH", self.scratch.path().join("credentials.json"));
        dirac
    }

    fn submit(&self, files: &[PathBuf]) -> Result<Vec<i64>> {
        Self::submitted(self.dirac(&["--output", "json", "jobs", "submit"]), files)
    }

    /// Submits jobs that read a file.
    fn submit_with(&self, input: &Path, files: &[PathBuf]) -> Result<Vec<i64>> {
        let mut dirac = self.dirac(&["--output", "json", "jobs", "submit", "--input"]);
        dirac.arg(input);
        Self::submitted(dirac, files)
    }

    /// Fetches what a job has counted, and says whether it is right.
    fn counted(&self, job: i64) -> Result<bool> {
        let directory = self.scratch.path().join("fetched");
        read(self.dirac(&["sandbox", "get", &job.to_string(), "--dir"]).arg(&directory))?;
        let count =
            std::fs::read_to_string(directory.join("count.txt")).context("the job returned no count")?;
        let words = std::fs::read_to_string(examples("words.txt"))?.split_whitespace().count();
        println!("Job {job} read words.txt and returned count.txt: {}", count.trim());
        Ok(count.trim() == words.to_string())
    }

    fn submitted(mut dirac: Command, files: &[PathBuf]) -> Result<Vec<i64>> {
        let answer = read(dirac.args(files))?;
        let answer: Value = serde_json::from_str(&answer).context("dirac jobs submit did not print JSON")?;
        let jobs: Vec<i64> = job_ids(&answer);
        ensure!(jobs.len() == files.len(), "{} files gave {} jobs: {answer}", files.len(), jobs.len());
        println!("Submitted {}", jobs.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "));
        Ok(jobs)
    }

    fn search(&self, jobs: &BTreeMap<i64, &str>, output: &str) -> Command {
        let ids = jobs.keys().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        let condition = format!("JobID in [{ids}]");
        let mut dirac =
            self.dirac(&["--output", output, "jobs", "search", "--per-page", "100", "--condition"]);
        dirac.arg(condition);
        dirac
    }

    /// Waits until no job can change any more, and returns where each is.
    fn wait(&self, jobs: &BTreeMap<i64, &str>) -> Result<BTreeMap<i64, String>> {
        let style = ProgressStyle::with_template("{spinner} {bar:30} {pos} of {len} jobs are final  {msg}")?;
        let bar = ProgressBar::new(jobs.len() as u64).with_style(style);
        let deadline = Instant::now() + JOBS_PATIENCE;
        loop {
            let rows = read(&mut self.search(jobs, "json"))?;
            let rows: Vec<Value> =
                serde_json::from_str(&rows).context("dirac jobs search did not print JSON")?;
            let now: BTreeMap<i64, String> = rows.iter().filter_map(status_of).collect();
            let open: Vec<_> = now.values().filter(|status| !is_final(status)).cloned().collect();
            bar.set_position((now.len() - open.len()) as u64);
            bar.set_message(open.first().cloned().unwrap_or_default());
            if open.is_empty() && now.len() == jobs.len() {
                bar.finish_and_clear();
                return Ok(now);
            }
            if Instant::now() > deadline {
                bar.abandon();
                bail!("after {} s some jobs are still not final: {now:?}", JOBS_PATIENCE.as_secs());
            }
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    fn show(&self, jobs: &BTreeMap<i64, &str>) -> Result<()> {
        // It draws the table as wide as the terminal is, so it gets the terminal itself.
        let status = self.search(jobs, "table").status().context("cannot run dirac")?;
        ensure!(status.success(), "dirac jobs search ended with {status}");
        Ok(())
    }

    fn keep(self) {
        let dirac = self.dirac.display();
        let process = self.standalone.let_go();
        let directory = self.scratch.let_go();
        println!("\nThe mesh goes on running on {} (process {process}). To use it:\n", self.url);
        println!("  export DIRACX_URL={}", self.url);
        println!("  export DIRACX_CREDENTIALS_PATH={}/credentials.json", directory.display());
        println!("  {dirac} whoami");
        println!("  {dirac} jobs submit examples/hello.jdl");
        println!("  {dirac} jobs search\n");
        println!("Its files are in {}. To stop it: kill {process}", directory.display());
    }
}

fn job_ids(answer: &Value) -> Vec<i64> {
    answer.as_array().into_iter().flatten().filter_map(|job| job["JobID"].as_i64()).collect()
}

fn status_of(row: &Value) -> Option<(i64, String)> {
    Some((row["JobID"].as_i64()?, row["Status"].as_str()?.to_owned()))
}

fn is_final(status: &str) -> bool {
    matches!(status, "Done" | "Failed" | "Killed" | "Completed" | "Deleted")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_demo_fails_when_a_job_that_should_fail_is_done() {
        let expected = BTreeMap::from([(1, "Done"), (2, "Failed")]);
        let ended = |second: &str| BTreeMap::from([(1, "Done".to_owned()), (2, second.to_owned())]);
        assert!(judge(&expected, &ended("Failed")));
        assert!(!judge(&expected, &ended("Done")));
    }

    #[test]
    fn the_demo_fails_when_a_job_is_lost() {
        assert!(!judge(&BTreeMap::from([(1, "Done")]), &BTreeMap::new()));
    }

    #[test]
    fn there_are_ten_jobs_in_the_bulk() {
        assert_eq!(bulk().unwrap().len(), 10);
    }
}
