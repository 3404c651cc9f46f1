//! How long the command lines take, from their start to their end: ours, and DiracX's own against the same server where it
//! is installed.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use diracx_tests::tools;
use serde_json::json;

use crate::{
    report::{millis, number},
    server::Tokens,
    statistics::percentile,
};

/// How often each command is run.
const RUNS: usize = 60;
/// How often, where each run takes its time.
const FEW_RUNS: usize = 5;
/// How many jobs are submitted at a time.
const JOBS: usize = 1000;
/// Of which versions DiracX's command line is measured, if it is installed.
const VERSIONS: [&str; 2] = ["0.4.0", "0.7.0"];

/// A command line, and whoever uses it.
struct Program {
    name: String,
    path: PathBuf,
    is_ours: bool,
}

impl Program {
    /// Ours, and all of DiracX's that are installed.
    fn all(programs: &Path) -> Vec<Self> {
        let ours = Self { name: "dirac".to_owned(), path: programs.join("dirac"), is_ours: true };
        let theirs = VERSIONS.into_iter().filter_map(|version| {
            let path = tools::diracx_client(version)?.join("bin/dirac");
            Some(Self { name: format!("DiracX {version}"), path, is_ours: false })
        });
        std::iter::once(ours).chain(theirs).collect()
    }
}

/// What is measured.
struct Task {
    name: String,
    arguments: Vec<String>,
    /// Whether DiracX's command line can do it.
    is_shared: bool,
    runs: usize,
    /// For ours, ms.
    target: f64,
}

/// Where it is measured.
pub(crate) struct Scene<'a> {
    /// Of our programs.
    pub(crate) programs: &'a Path,
    /// The server.
    pub(crate) base: String,
    /// Somebody who is logged in.
    pub(crate) tokens: &'a Tokens,
    /// How many jobs there are.
    pub(crate) stored: i64,
    /// For files.
    pub(crate) directory: &'a Path,
}

impl Scene<'_> {
    /// Prints how long the commands take.
    pub(crate) fn measure(&self) -> Result<()> {
        let programs = Program::all(self.programs);
        let credentials = json!({
            "access_token": self.tokens.access,
            "refresh_token": self.tokens.refresh,
            // long enough for nobody to refresh while the clock runs
            "expires_on": 4_102_444_800_i64,
        });
        std::fs::write(self.credentials(), credentials.to_string())?;
        let others: Vec<&str> = programs.iter().skip(1).map(|program| program.name.as_str()).collect();
        let heads: String = others.iter().map(|name| format!(" {name} ms | × |")).collect();
        println!("\n| command | median ms | p95 ms | target ms | |{heads}");
        println!("|---|---|---|---|---|{}", "---|---|".repeat(others.len()));
        for task in self.tasks()? {
            self.row(&programs, &task)?;
        }
        Ok(())
    }

    fn credentials(&self) -> PathBuf {
        self.directory.join("credentials.json")
    }

    fn tasks(&self) -> Result<Vec<Task>> {
        let words = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect::<Vec<_>>();
        let task = |arguments: &[&str], is_shared, target| Task {
            name: format!("dirac {}", arguments.join(" ")),
            arguments: words(arguments),
            is_shared,
            runs: RUNS,
            target,
        };
        let search = Task {
            name: format!("dirac jobs search, of {} jobs", number_of(self.stored)),
            ..task(&["jobs", "search"], true, 60.0)
        };
        let mut submit = words(&["jobs", "submit"]);
        for job in 0..JOBS {
            let file = self.directory.join(format!("{job}.jdl"));
            std::fs::write(&file, format!("Executable = \"/bin/echo\";\nJobName = \"n{job}\";\n"))?;
            submit.push(file.display().to_string());
        }
        let submit = Task {
            name: format!("dirac jobs submit, {} jobs", number_of(i64::try_from(JOBS)?)),
            arguments: submit,
            is_shared: true,
            runs: FEW_RUNS,
            target: 2000.0,
        };
        Ok(vec![task(&["--version"], false, 10.0), task(&["whoami"], true, 60.0), search, submit])
    }

    fn row(&self, programs: &[Program], task: &Task) -> Result<()> {
        let mut ours = 0.0;
        let mut line = String::new();
        for program in programs {
            if !program.is_ours && !task.is_shared {
                line += " - | - |";
                continue;
            }
            // Python takes its time to start.
            let runs = if program.is_ours { task.runs } else { FEW_RUNS };
            let mut times = (0..runs).map(|_| self.time(program, task)).collect::<Result<Vec<Duration>>>()?;
            times.sort_unstable();
            let median = millis(percentile(&times, 50));
            if program.is_ours {
                ours = median;
                let verdict = if median < task.target { "met" } else { "missed" };
                let slow = number(millis(percentile(&times, 95)));
                line = format!(
                    "| {} | {} | {slow} | < {} | {verdict} |",
                    task.name,
                    number(median),
                    task.target
                );
            } else {
                line = format!("{line} {} | {:.0} |", number(median), median / ours);
            }
        }
        println!("{line}");
        Ok(())
    }

    fn time(&self, program: &Program, task: &Task) -> Result<Duration> {
        let mut command = Command::new(&program.path);
        command.args(&task.arguments).stdin(Stdio::null()).env_clear();
        command.envs(std::env::var_os("PATH").map(|path| ("PATH", path)));
        command.env("HOME", self.directory).env("DIRACX_URL", &self.base);
        command.env("DIRACX_CREDENTIALS_PATH", self.credentials());
        let begin = Instant::now();
        let output = command.output().with_context(|| format!("cannot start {}", program.name))?;
        let time = begin.elapsed();
        let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        // DiracX's ends well although it could not do what it should, and says so.
        let worked = output.status.success() && !said(&output.stdout).contains('❌');
        ensure!(
            worked,
            "{}: {} failed: {}{}",
            program.name,
            task.name,
            said(&output.stdout),
            said(&output.stderr)
        );
        Ok(time)
    }
}

#[expect(clippy::cast_precision_loss, reason = "far from 2^53")]
fn number_of(count: i64) -> String {
    number(count as f64)
}
