//! DiracX's own server beside ours: on the same databases, with the same keys and the same configuration, so that it
//! serves the people who are logged in to ours.
//!
//! It is started as DiracX's images start it, one process for each core where there would be as many pods, but with
//! uvloop and httptools, which the images do without.

use std::{
    ffi::OsStr,
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use serde_json::json;

use crate::{
    place::Place,
    processes,
    server::{free_port, wait_until_ready},
    stand_in::StandIn,
};

/// How long a worker may take to load itself: seconds of processor time, on a busy machine.
const PATIENCE: Duration = Duration::from_mins(2);

/// DiracX's workers, until this value goes.
pub(crate) struct Uvicorn {
    workers: Vec<Child>,
    /// Their hosts and ports.
    pub(crate) addresses: Vec<String>,
    _stand_in: StandIn,
}

impl Uvicorn {
    /// Starts them from their virtual environment and waits until they are ready. `issuer` is the address of ours,
    /// which made what is in `place`.
    pub(crate) async fn start(environment: &Path, place: &Place, issuer: &str) -> Result<Self> {
        let python = environment.join("bin/python");
        ensure!(
            python.is_file(),
            "there is no DiracX in {}; `cargo xtask bench --beside-diracx` installs it",
            environment.display()
        );
        let directory = place.data().with_extension("diracx");
        let configuration = configuration(&directory.join("config"), place.data())?;
        let stand_in = StandIn::start().await?;
        let settings = settings(place, issuer, &configuration, &stand_in)?;
        let mut uvicorn = Self { workers: Vec::new(), addresses: Vec::new(), _stand_in: stand_in };
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let logs: Vec<PathBuf> = (0..cores).map(|worker| directory.join(format!("{worker}.log"))).collect();
        for log in &logs {
            let port = free_port()?;
            uvicorn.workers.push(worker(&python, port, &settings, log)?);
            uvicorn.addresses.push(format!("127.0.0.1:{port}"));
        }
        for ((worker, address), log) in uvicorn.workers.iter_mut().zip(&uvicorn.addresses).zip(&logs) {
            let ready = wait_until_ready(worker, &format!("http://{address}"), PATIENCE).await;
            ready.with_context(|| format!("DiracX's server does not start:\n{}", end_of(log)))?;
        }
        Ok(uvicorn)
    }

    /// The processor time that they have used by now.
    pub(crate) fn cpu_time(&self) -> Option<Duration> {
        self.workers.iter().map(|worker| processes::cpu_time(worker.id())).sum()
    }
}

impl Drop for Uvicorn {
    fn drop(&mut self) {
        for worker in &mut self.workers {
            let _ = worker.kill();
            let _ = worker.wait();
        }
    }
}

fn worker(python: &Path, port: u16, settings: &[(String, String)], log: &Path) -> Result<Child> {
    let output = File::create(log)?;
    let mut command = Command::new(python);
    // Nothing that is meant for ours may reach it.
    for (name, _) in std::env::vars_os().filter(|(name, _)| is_ours(name)) {
        command.env_remove(name);
    }
    command
        .envs(settings.iter().map(|(name, value)| (name, value)))
        .args(["-m", "uvicorn", "--factory", "diracx.routers:create_app", "--host", "127.0.0.1"])
        .args(["--port", &port.to_string(), "--proxy-headers", "--forwarded-allow-ips", "*"])
        .args(["--loop", "uvloop", "--http", "httptools"])
        .stdin(Stdio::null())
        .stdout(output.try_clone()?)
        .stderr(output);
    command.spawn().context("cannot start DiracX's server")
}

fn is_ours(name: &OsStr) -> bool {
    name.to_string_lossy().starts_with("DIRACX_")
}

/// DiracX reads its configuration from git only: a repository with the very file that ours serves.
fn configuration(repository: &Path, ours: &Path) -> Result<PathBuf> {
    fs::create_dir_all(repository)?;
    fs::copy(ours.join("config/default.yml"), repository.join("default.yml"))
        .context("no configuration to share")?;
    for arguments in [
        &["init", "--quiet", "--initial-branch=master"][..],
        &["add", "default.yml"],
        &[
            "-c",
            "user.name=bench",
            "-c",
            "user.email=bench@localhost",
            "-c",
            "commit.gpgsign=false",
            "commit",
            "-qm",
            "All",
        ],
    ] {
        let git = Command::new("git").current_dir(repository).args(arguments).output();
        let git = git.context("git is missing: `apt-get install git`")?;
        ensure!(git.status.success(), "git failed: {}", String::from_utf8_lossy(&git.stderr));
    }
    Ok(repository.to_owned())
}

fn settings(
    place: &Place,
    issuer: &str,
    configuration: &Path,
    stand_in: &StandIn,
) -> Result<Vec<(String, String)>> {
    let data = place.data();
    let elsewhere = format!("http://{}", stand_in.address);
    let store = json!({"endpoint_url": elsewhere, "aws_access_key_id": "-", "aws_secret_access_key": "-"});
    let mut settings = place.environment();
    settings.extend(
        [
            ("DIRACX_CONFIG_BACKEND_URL", format!("git+file://{}", configuration.display())),
            (
                "DIRACX_SERVICE_AUTH_TOKEN_KEYSTORE",
                format!("file://{}", data.join("keystore.json").display()),
            ),
            ("DIRACX_SERVICE_AUTH_TOKEN_ISSUER", issuer.to_owned()),
            ("DIRACX_SERVICE_AUTH_STATE_KEY", fs::read_to_string(data.join("state.key"))?.trim().to_owned()),
            ("DIRACX_SANDBOX_STORE_BUCKET_NAME", "sandboxes".to_owned()),
            ("DIRACX_SANDBOX_STORE_S3_CLIENT_KWARGS", store.to_string()),
            ("DIRACX_OS_DB_JOBPARAMETERSDB", json!({"hosts": elsewhere}).to_string()),
        ]
        .map(|(name, value)| (name.to_owned(), value)),
    );
    Ok(settings)
}

/// The last lines of a log.
fn end_of(log: &Path) -> String {
    let text = fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(15)..].join("\n")
}
