//! The keeper over real git repositories.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::{fs, path::Path, process::Command, sync::Arc, time::Duration};

use diracx_config::{ConfigKeeper, ConfigSource, Refresh};
use diracx_core::SystemClock;
use diracx_server::{Readiness, telemetry::Metrics};
use tempfile::TempDir;

const DOCUMENT: &str = include_str!("data/default.yml");

/// A repository whose every commit holds one `default.yml`.
struct Repository(TempDir);

impl Repository {
    fn new() -> Self {
        let repository = Self(TempDir::new().unwrap());
        repository.git(&["init", "--quiet", "--initial-branch", "master"]);
        repository
    }

    fn with(document: &str) -> Self {
        let repository = Self::new();
        repository.commit(document);
        repository
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn url(&self) -> String {
        format!("git+file://{}", self.path().display())
    }

    fn git(&self, arguments: &[&str]) -> String {
        let output = Command::new("git")
            .args(["-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false"])
            .arg("-C")
            .arg(self.path())
            .args(arguments)
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .output()
            .unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    fn commit(&self, document: &str) -> String {
        fs::write(self.path().join("default.yml"), document).unwrap();
        self.git(&["add", "default.yml"]);
        self.git(&["commit", "--quiet", "--allow-empty", "-m", "change"]);
        self.git(&["rev-parse", "HEAD"])
    }
}

/// Long enough that only explicit refreshes happen in a test.
const NEVER: Duration = Duration::from_secs(86_400);

async fn keeper(url: &str) -> ConfigKeeper {
    ConfigKeeper::start(ConfigSource::open(url).unwrap(), Arc::new(SystemClock), NEVER).await
}

fn with_message(message: &str) -> String {
    DOCUMENT.replace("Ask the alpha helpdesk", message)
}

#[tokio::test]
async fn a_new_commit_is_served_after_a_refresh_and_an_old_one_again_after_a_forced_push() {
    let repository = Repository::with(&with_message("first"));
    let keeper = keeper(&repository.url()).await;
    let first = keeper.loaded().unwrap();
    keeper.refresh().await;
    assert!(Arc::ptr_eq(&first, &keeper.loaded().unwrap()), "nothing new, nothing read");

    let mut changes = keeper.subscribe();
    changes.mark_unchanged();
    let second = repository.commit(&with_message("second"));
    keeper.refresh().await;
    assert!(changes.has_changed().unwrap());
    assert_eq!(keeper.loaded().unwrap().revision.id, second);
    assert!(keeper.loaded().unwrap().document.contains("second"));

    repository.git(&["reset", "--quiet", "--hard", &first.revision.id]);
    repository.git(&["gc", "--quiet", "--prune=now"]);
    keeper.refresh().await;
    assert_eq!(keeper.loaded().unwrap().revision, first.revision);
}

#[tokio::test]
async fn a_broken_commit_or_a_vanished_repository_keeps_the_last_good_configuration() {
    let repository = Repository::with(DOCUMENT);
    let keeper = keeper(&repository.url()).await;
    let good = keeper.loaded().unwrap();

    repository.commit("Registry: [");
    keeper.refresh().await;
    let broken = keeper.snapshot();
    assert!(Arc::ptr_eq(&good, &broken.loaded.unwrap()));
    assert!(broken.failure.unwrap().message.contains("default.yml of commit"));

    let hidden = repository.path().with_extension("hidden");
    fs::rename(repository.path(), &hidden).unwrap();
    keeper.refresh().await;
    let gone = keeper.snapshot();
    assert!(Arc::ptr_eq(&good, &gone.loaded.unwrap()));
    assert!(gone.failure.unwrap().message.contains("is not a git repository"));

    fs::rename(&hidden, repository.path()).unwrap();
    let repaired = repository.commit(&with_message("repaired"));
    keeper.refresh().await;
    let healthy = keeper.snapshot();
    assert_eq!(healthy.loaded.unwrap().revision.id, repaired);
    assert_eq!(healthy.failure, None);
}

#[tokio::test]
async fn a_configuration_that_is_broken_from_the_start_is_served_once_it_is_mended() {
    let repository = Repository::with("DIRAC: {}");
    let keeper = ConfigKeeper::start(
        ConfigSource::open(&repository.url()).unwrap(),
        Arc::new(SystemClock),
        Duration::from_millis(10),
    )
    .await;
    assert!(keeper.loaded().is_none());
    assert!(keeper.snapshot().failure.unwrap().message.contains("Registry: is required"));

    let mut changes = keeper.subscribe();
    repository.commit(DOCUMENT);
    let waited = changes.wait_for(|state| state.loaded.is_some());
    assert!(tokio::time::timeout(Duration::from_secs(20), waited).await.is_ok());
}

#[tokio::test]
async fn a_configuration_that_nobody_confirms_is_served_and_counts_as_stale() {
    let repository = Repository::with(DOCUMENT);
    let refresh = Refresh { every: NEVER, stale_after: Duration::ZERO };
    let source = ConfigSource::open(&repository.url()).unwrap();
    let keeper = ConfigKeeper::start(source, Arc::new(SystemClock), refresh).await;
    let (readiness, metrics) = (Readiness::default(), Metrics::default());
    diracx_config::observe(&keeper, readiness.clone(), &metrics, Arc::new(SystemClock));
    let numbers = || metrics.render();
    assert!(numbers().contains("diracx_config_stale 0\n"));

    let hidden = repository.path().with_extension("hidden");
    fs::rename(repository.path(), &hidden).unwrap();
    keeper.refresh().await;
    assert!(keeper.snapshot().stale && keeper.loaded().is_some());
    assert!(readiness.is_ready(), "a replica does not go away because the repository does");
    let said = numbers();
    assert!(said.contains("diracx_config_stale 1\n"), "{said}");
    assert!(said.contains("diracx_config_refresh_failing 1\n"), "{said}");

    fs::rename(&hidden, repository.path()).unwrap();
    keeper.refresh().await;
    assert!(!keeper.snapshot().stale);
    assert!(numbers().contains("diracx_config_stale 0\n"));
}
