//! Configurations that are changed by commits, in real git repositories.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::fs;

use common::{DOCUMENT, Repository};
use diracx_cs::{
    admin::Change,
    commits::{self, Repository as Commits},
};
use tempfile::TempDir;

fn group(name: &str) -> Change {
    Change::AddGroup {
        vo: "alpha".to_owned(),
        group: name.to_owned(),
        properties: vec!["NormalUser".to_owned()],
    }
}

fn change(location: &str, change: &Change) {
    let repository = Commits::open(location).unwrap();
    let head = repository.head().unwrap();
    let changed = change.apply(&head.text).unwrap();
    repository.commit(head, &changed.text, &changed.message).unwrap();
}

fn refusal(location: &str) -> String {
    match Commits::open(location).and_then(|repository| repository.head()) {
        Ok(_) => panic!("{location} can be changed"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn a_change_is_one_commit_of_one_file_and_leaves_the_work_tree_clean() {
    let repository = Repository::with(DOCUMENT);
    fs::write(repository.path().join("other"), "staged, not committed").unwrap();
    repository.git(&["add", "other"]);
    change(repository.path().to_str().unwrap(), &group("admins"));
    assert_eq!(repository.git(&["log", "-1", "--format=%s"]), "Added group admins in alpha");
    assert_eq!(repository.git(&["show", "--format=", "--name-only", "HEAD"]), "default.yml");
    assert_eq!(repository.git(&["status", "--porcelain"]), "A  other");
    assert_eq!(repository.git(&["rev-parse", "--abbrev-ref", "HEAD"]), "master");
    repository.git(&["fsck", "--strict"]);
    let text = fs::read_to_string(repository.path().join("default.yml")).unwrap();
    assert_eq!(
        text,
        format!("{DOCUMENT}      admins:\n        Properties:\n          - NormalUser\n        Users: []\n")
    );
}

#[test]
fn the_branch_that_is_named_is_changed_and_the_work_tree_stays_as_it_is() {
    let repository = Repository::with(DOCUMENT);
    repository.git(&["branch", "next"]);
    let path = repository.path().to_str().unwrap();
    change(&format!("{}?revision=next", repository.url()), &group("admins"));
    assert_eq!(repository.git(&["log", "--format=%s", "master..next"]), "Added group admins in alpha");
    assert_eq!(repository.git(&["status", "--porcelain"]), "");
    repository.git(&["checkout", "--quiet", "next"]);
    change(path, &group("others"));
    assert_eq!(repository.git(&["rev-list", "--count", "master..next"]), "2");
    assert!(refusal(&format!("{path}?revision=gone")).ends_with("there is no branch gone"));
    repository.git(&["checkout", "--quiet", "--detach"]);
    assert!(refusal(path).contains("no branch is checked out"));
    assert!(
        refusal("git+https://u:secret@host/cs").starts_with("git+https://***@host/cs?revision=master cannot")
    );
}

#[test]
fn what_somebody_else_has_changed_is_not_lost() {
    let repository = Repository::with(DOCUMENT);
    let path = repository.path().to_str().unwrap();
    let slow = Commits::open(path).unwrap();
    let head = slow.head().unwrap();
    change(path, &group("quick"));
    let changed = group("slow").apply(&head.text).unwrap();
    assert!(slow.commit(head, &changed.text, &changed.message).is_err());
    assert_eq!(repository.git(&["status", "--porcelain"]), "");
    assert_eq!(repository.git(&["log", "-1", "--format=%s"]), "Added group quick in alpha");

    fs::write(repository.path().join("default.yml"), "# mine\n").unwrap();
    assert!(refusal(path).contains("changes that are not committed"));
}

#[test]
fn a_repository_is_made_where_nothing_is() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("a/cs");
    assert_eq!(commits::create(path.to_str().unwrap()).unwrap(), path.join("default.yml"));
    let made = Repository::at(&path);
    assert_eq!(made.git(&["log", "--format=%s"]), "Initial commit");
    assert_eq!(made.git(&["status", "--porcelain", "--branch"]), "## master");
    let again = commits::create(path.to_str().unwrap()).unwrap_err().to_string();
    assert_eq!(again, format!("Directory {} already exists", path.display()));
}
