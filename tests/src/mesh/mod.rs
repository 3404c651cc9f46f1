//! The system under test, in either of its two forms, behind one interface.

mod binaries;
mod database;
mod laptop;
mod process;
mod settings;

use std::{
    collections::BTreeSet,
    path::PathBuf,
    sync::{Mutex, PoisonError},
};

use anyhow::{Context as _, Result, bail};
use serde_json::json;
use tempfile::TempDir;

pub use binaries::program;
pub use database::{Database, Store};
pub use laptop::Laptop;
pub use process::Process;

use crate::{
    dirac::Dirac,
    http::{Answer, send},
    identity_provider::IdentityProvider,
    replay::{Outcome, Server, Tokens, Transcript, Validation},
    tokens::{Key, data, random},
};

/// How the system is cut into processes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// All in one process.
    Standalone,
    /// One process a service, wired over TCP.
    Processes,
}

/// A running system with the configuration, identities and settings of the recordings.
pub struct Mesh {
    /// Where REST, gRPC-Web and gRPC are served, without a slash at the end.
    pub base: String,
    /// The identity provider of the recordings.
    pub identity_provider: IdentityProvider,
    /// Its databases.
    pub database: Database,
    /// The tokens of everybody in the recordings.
    pub tokens: Tokens,
    /// What signs its tokens.
    pub key: Key,
    /// Its processes; the one with the public address comes last.
    pub processes: Vec<Process>,
    form: Form,
    environment: Vec<(String, String)>,
    address: String,
    directory: TempDir,
}

impl Mesh {
    /// Starts a system of its own, with empty databases.
    ///
    /// # Errors
    /// If a process does not become ready.
    pub async fn start(form: Form, store: Store) -> Result<Self> {
        let identity_provider = IdentityProvider::start().await?;
        let url = identity_provider.base.clone();
        Self::make(form, Database::create(store), free_port()?, identity_provider, &url, &[]).await
    }

    /// Starts a system on databases that the caller has prepared, with further settings.
    ///
    /// # Errors
    /// If a process does not become ready.
    pub async fn start_on(form: Form, database: Database, settings: &[(String, String)]) -> Result<Self> {
        let identity_provider = IdentityProvider::start().await?;
        let url = identity_provider.base.clone();
        Self::make(form, database, free_port()?, identity_provider, &url, settings).await
    }

    /// Starts a standalone on a port of the caller's choice, whose people log in at another identity provider,
    /// with further settings.
    ///
    /// # Errors
    /// If it does not become ready.
    pub async fn start_at(port: u16, login_at: &str, settings: &[(&str, &str)]) -> Result<Self> {
        let unused = IdentityProvider::start().await?;
        let settings: Vec<_> =
            settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let database = Database::create(Store::Sqlite);
        Self::make(Form::Standalone, database, port, unused, login_at, &settings).await
    }

    async fn make(
        form: Form,
        database: Database,
        port: u16,
        identity_provider: IdentityProvider,
        login_at: &str,
        settings: &[(String, String)],
    ) -> Result<Self> {
        let directory = TempDir::new()?;
        let key = Key::generate()?;
        let mut environment = settings::environment(directory.path(), login_at, &database, &key).await?;
        environment.extend_from_slice(settings);
        let address = format!("127.0.0.1:{port}");
        let mut mesh = Self {
            base: format!("http://{address}"),
            identity_provider,
            database,
            tokens: key.tokens()?,
            key,
            processes: Vec::new(),
            form,
            environment,
            address,
            directory,
        };
        mesh.boot().await?;
        Ok(mesh)
    }

    /// Starts the processes, on what the databases hold by now.
    ///
    /// # Errors
    /// If one does not become ready.
    pub async fn boot(&mut self) -> Result<()> {
        self.processes = match self.form {
            Form::Standalone => {
                settings::standalone(self.directory.path(), &self.address, &self.environment)?
            }
            Form::Processes => {
                settings::processes(self.directory.path(), &self.address, &self.environment).await?
            }
        };
        let health = format!("{}/api/health/ready", self.base);
        let front = self.processes.last_mut().context("a mesh without processes")?;
        front.wait_until_ready(&health).await
    }

    /// Changes a setting, from the next [`boot`](Self::boot) on.
    pub fn set(&mut self, name: &str, value: &str) {
        self.environment.retain(|(known, _)| known != name);
        self.environment.push((name.to_owned(), value.to_owned()));
    }

    /// Starts another standalone with the same databases and settings, and returns where it is served.
    ///
    /// # Errors
    /// If it does not become ready.
    pub async fn replica(&mut self) -> Result<String> {
        let directory = self.scratch("replica");
        std::fs::create_dir(&directory)?;
        let address = format!("127.0.0.1:{}", free_port()?);
        let base = format!("http://{address}");
        let mut replica = settings::standalone(&directory, &address, &self.environment)?;
        for process in &mut replica {
            process.wait_until_ready(&format!("{base}/api/health/ready")).await?;
        }
        // The one with the public address stays the last.
        self.processes.splice(0..0, replica);
        Ok(base)
    }

    /// SIGKILL for every process at once.
    ///
    /// # Errors
    /// If one had gone before.
    pub async fn kill(&mut self) -> Result<()> {
        for process in &mut self.processes {
            process.kill().await?;
        }
        Ok(())
    }

    /// Sends a request as somebody of the recordings, or as nobody if the name is empty.
    ///
    /// # Errors
    /// If there is no answer.
    pub async fn request(&self, who: &str, method: &str, path: &str, body: Option<String>) -> Result<Answer> {
        let mut headers = Vec::new();
        if let Some(token) = self.tokens.get(who) {
            headers.push(("Authorization".to_owned(), format!("Bearer {token}")));
        }
        if body.is_some() {
            headers.push(("Content-Type".to_owned(), "application/json".to_owned()));
        }
        send(method, &format!("{}{path}", self.base), &headers, body.map(String::into_bytes)).await
    }

    /// Replays those steps of a recording that `wanted` names.
    ///
    /// # Errors
    /// If there is no such recording.
    pub async fn replay(
        &self,
        recording: &str,
        validation: Validation,
        wanted: impl Fn(&str) -> bool,
    ) -> Result<Vec<Outcome>> {
        let transcript = Transcript::read(&data("transcripts").join(format!("{recording}.jsonl")))?;
        let server = Server {
            base: &self.base,
            identity_provider: &self.identity_provider.base,
            tokens: &self.tokens,
            validation,
        };
        Ok(transcript.replay(&server, wanted).await)
    }

    /// The `dirac` of somebody who uses this mesh.
    pub fn dirac(&self) -> Dirac {
        Dirac::new(&self.base, self.scratch("credentials.json"))
    }

    /// The `dirac` of somebody of the recordings, who is logged in.
    ///
    /// # Errors
    /// If nobody has that name.
    pub fn dirac_of(&self, who: &str) -> Result<Dirac> {
        let token = self.tokens.get(who).with_context(|| format!("nobody is called {who}"))?;
        let credentials = self.scratch(&format!("credentials-of-{who}.json"));
        let text = json!({"access_token": token, "refresh_token": null, "expires_on": 4_102_444_800_i64});
        std::fs::write(&credentials, text.to_string())?;
        Ok(Dirac::new(&self.base, credentials))
    }

    /// A place for files that goes with the mesh.
    pub fn scratch(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// What the processes have said that somebody should know: no plain information.
    pub fn complaints(&self) -> String {
        let all: String = self.processes.iter().map(Process::log).collect();
        let kept =
            all.lines().filter(|line| !line.contains(r#""level":"INFO""#)).map(|line| format!("{line}\n"));
        kept.collect()
    }
}

/// A port of the loopback interface that is free, of those that the system gives nobody unasked: it stays free
/// however many connections are made meanwhile.
///
/// A port is free until somebody listens on it, so two tests must not be given the same one: tests that nextest runs at
/// the same time look for it in different ranges, and a process is given none twice.
///
/// # Errors
/// If there is none.
pub fn free_port() -> Result<u16> {
    static GIVEN: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());
    let slot = std::env::var("NEXTEST_TEST_GLOBAL_SLOT").ok().and_then(|slot| slot.parse::<u16>().ok());
    let (first, count) = slot.map_or((10_000, 20_000), |slot| (10_000 + slot % 50 * 400, 400));
    let mut given = GIVEN.lock().unwrap_or_else(PoisonError::into_inner);
    for _ in 0..1_000 {
        let port = first + u16::from_be_bytes(random::<2>()?) % count;
        if std::net::TcpListener::bind(("127.0.0.1", port)).is_ok() && given.insert(port) {
            return Ok(port);
        }
    }
    bail!("no free port")
}

/// Makes a test of one body for each form of the mesh on each kind of database.
///
/// ```ignore
/// on_every_mesh! {
///     async fn whoever_has_a_token_may_ask_who_he_is(mesh: Mesh) { … }
/// }
/// ```
#[macro_export]
macro_rules! on_every_mesh {
    ($($(#[$meta:meta])* async fn $name:ident($mesh:ident: Mesh) $body:block)+) => {$(
        $crate::mesh_test!($name, $mesh, $body, [
            (standalone_on_sqlite, Standalone, Sqlite),
            (standalone_on_mariadb, Standalone, MariaDb),
            (processes_on_sqlite, Processes, Sqlite),
            (processes_on_mariadb, Processes, MariaDb),
        ]);
    )+};
}

/// As [`on_every_mesh`], for what does not depend on the database.
#[macro_export]
macro_rules! on_both_forms {
    ($($(#[$meta:meta])* async fn $name:ident($mesh:ident: Mesh) $body:block)+) => {$(
        $crate::mesh_test!($name, $mesh, $body, [
            (standalone, Standalone, Sqlite),
            (processes, Processes, Sqlite),
        ]);
    )+};
}

/// What [`on_every_mesh`] and [`on_both_forms`] are made of.
#[macro_export]
macro_rules! mesh_test {
    ($name:ident, $mesh:ident, $body:block, [$(($case:ident, $form:ident, $store:ident),)+]) => {
        mod $name {
            #[allow(unused_imports, reason = "not every body uses everything around it")]
            use super::*;

            #[allow(unused_mut, reason = "not every body restarts its mesh")]
            async fn body(mut $mesh: $crate::mesh::Mesh) $body

            $(
                #[tokio::test(flavor = "multi_thread")]
                async fn $case() {
                    let (form, store) = ($crate::mesh::Form::$form, $crate::mesh::Store::$store);
                    body($crate::mesh::Mesh::start(form, store).await.expect("a mesh")).await;
                }
            )+
        }
    };
}
