//! The keeper over real git repositories.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path, process::Command, sync::Arc, time::Duration};

use diracx_config::{ConfigKeeper, ConfigSource, FetchSettings, Refresh, settings::SourceSettings};
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
    let refresh = Refresh { stale_after: Duration::ZERO, ..NEVER.into() };
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

/// Where the repository is for who comes over ssh: a program that stands in for it runs git on this machine.
fn behind_ssh(repository: &Repository, directory: &Path) -> (String, FetchSettings) {
    let program = directory.join("ssh");
    let script =
        "#!/bin/sh\nuntil case $1 in *@*) true;; *) false;; esac; do shift; done\nshift\nexec sh -c \"$*\"\n";
    fs::write(&program, script).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let url = format!("git+ssh://git@host{}", repository.path().display());
    let fetch =
        FetchSettings { ssh_command: Some(program.display().to_string()), ..FetchSettings::default() };
    (url, fetch)
}

#[tokio::test]
async fn a_branch_that_vanishes_from_a_remote_is_told_and_followed_again_when_it_is_back() {
    let directory = TempDir::new().unwrap();
    let repository = Repository::with(&with_message("first"));
    repository.git(&["checkout", "--quiet", "-b", "other"]);
    let (url, fetch) = behind_ssh(&repository, directory.path());
    let source = ConfigSource::open_with(&url, fetch).unwrap();
    let keeper = ConfigKeeper::start(source, Arc::new(SystemClock), NEVER).await;
    let metrics = Metrics::default();
    diracx_config::observe(&keeper, Readiness::default(), &metrics, Arc::new(SystemClock));
    let good = keeper.loaded().unwrap();

    let fails = async |expected: &str| {
        keeper.refresh().await;
        let state = keeper.snapshot();
        assert!(Arc::ptr_eq(&good, state.loaded.as_ref().unwrap()), "the last good one stays");
        let problem = state.failure.expect("a failure").message;
        assert!(problem.contains(expected), "{problem}");
        assert!(metrics.render().contains("diracx_config_refresh_failing 1\n"));
    };
    let missing = "revision master of the configuration does not exist";
    repository.git(&["branch", "--quiet", "-D", "master"]);
    fails(missing).await;
    fails(missing).await;
    // A branch whose name begins in the same way is another one.
    repository.git(&["branch", "--quiet", "master-of-old", &good.revision.id]);
    fails(missing).await;

    repository.git(&["branch", "--quiet", "master", &good.revision.id]);
    keeper.refresh().await;
    assert_eq!(keeper.snapshot().failure, None, "the same commit is back");
    assert!(Arc::ptr_eq(&good, &keeper.loaded().unwrap()));

    repository.git(&["branch", "--quiet", "-M", "master", "main"]);
    fails(missing).await;
    repository.git(&["branch", "--quiet", "-M", "main", "master"]);
    repository.git(&["checkout", "--quiet", "master"]);
    repository.commit("Registry: [");
    fails("default.yml of commit").await;
    repository.git(&["reset", "--quiet", "--hard", &good.revision.id]);
    repository.git(&["commit", "--quiet", "--amend", "-m", "another history"]);
    let forced = repository.commit(&with_message("forced"));
    keeper.refresh().await;
    assert_eq!((keeper.loaded().unwrap().revision.id.clone(), keeper.snapshot().failure), (forced, None));
    assert!(metrics.render().contains("diracx_config_refresh_failing 0\n"));
}

#[tokio::test]
async fn what_cannot_be_sent_is_not_served() {
    let repository = Repository::with(DOCUMENT);
    let refresh = Refresh { most_bytes: 20_000, ..NEVER.into() };
    let source = ConfigSource::open(&repository.url()).unwrap();
    let keeper = ConfigKeeper::start(source, Arc::new(SystemClock), refresh).await;
    let good = keeper.loaded().unwrap();
    assert!(good.document.len() < 20_000 - 1024, "{}", good.document.len());

    repository.commit(&with_message(&"long ".repeat(4000)));
    keeper.refresh().await;
    let state = keeper.snapshot();
    assert!(Arc::ptr_eq(&good, &state.loaded.unwrap()));
    let problem = state.failure.unwrap().message;
    assert!(problem.ends_with("it has more than 18976 bytes, the most that can be sent"), "{problem}");
}

#[tokio::test]
async fn a_revision_that_is_no_good_is_not_read_again_and_its_problem_stays() {
    let repository = Repository::with(DOCUMENT);
    let keeper = keeper(&repository.url()).await;
    repository.commit("Registry: [");
    keeper.refresh().await;
    let first = keeper.snapshot().failure.unwrap();

    // Whoever reads it again finds that it is not there any more.
    let blob = repository.git(&["rev-parse", "HEAD:default.yml"]);
    fs::remove_file(repository.path().join(".git/objects").join(&blob[..2]).join(&blob[2..])).unwrap();
    let mut changes = keeper.subscribe();
    changes.mark_unchanged();
    keeper.refresh().await;
    assert_eq!(keeper.snapshot().failure.unwrap(), first, "with the time since when");
    assert!(!changes.has_changed().unwrap(), "nobody is woken for what is known");
}

fn settings(url: &str, fetch: FetchSettings, cache: &Path) -> SourceSettings {
    SourceSettings { url: url.into(), refresh: NEVER.into(), fetch, cache: Some(cache.to_owned()) }
}

async fn follow(settings: &SourceSettings) -> ConfigKeeper {
    let keeper = settings.follow(Arc::new(SystemClock), usize::MAX).unwrap();
    keeper.first_look().await;
    keeper
}

#[tokio::test]
async fn a_process_that_starts_while_the_source_is_away_serves_what_an_earlier_one_kept() {
    let directory = TempDir::new().unwrap();
    let repository = Repository::with(&with_message("first"));
    let hidden = repository.path().with_extension("hidden");
    let cache = directory.path().join("cache");
    let (remote, fetch) = behind_ssh(&repository, directory.path());
    for url in [repository.url(), remote] {
        let settings = settings(&url, fetch.clone(), &cache);
        let good = follow(&settings).await.loaded().unwrap();

        fs::rename(repository.path(), &hidden).unwrap();
        let keeper = follow(&settings).await;
        let mut states = keeper.subscribe();
        let state = states.wait_for(|state| state.loaded.is_some()).await.unwrap().clone();
        let loaded = state.loaded.unwrap();
        assert_eq!((&loaded.revision, &loaded.document), (&good.revision, &good.document));
        assert!(state.kept && state.failure.is_some() && state.checked.is_some());

        // Nothing is kept for another source.
        let other =
            SourceSettings { url: format!("{url}?revision=other").as_str().into(), ..settings.clone() };
        if let Ok(keeper) = other.follow(Arc::new(SystemClock), usize::MAX) {
            keeper.first_look().await;
            assert!(keeper.loaded().is_none());
        }

        fs::rename(&hidden, repository.path()).unwrap();
        keeper.refresh().await;
        let state = keeper.snapshot();
        assert!(!state.kept && state.failure.is_none());
        assert_eq!(state.loaded.unwrap().revision, good.revision);
    }
    // A file that somebody has spoilt is as none.
    for file in fs::read_dir(&cache).unwrap() {
        fs::write(file.unwrap().path(), "# revision x of 12\nRegistry: [").unwrap();
    }
    fs::rename(repository.path(), &hidden).unwrap();
    let keeper = follow(&settings(&repository.url(), fetch, &cache)).await;
    assert!(keeper.loaded().is_none());
    fs::rename(&hidden, repository.path()).unwrap();
    keeper.refresh().await;
    assert!(keeper.loaded().is_some());
}
