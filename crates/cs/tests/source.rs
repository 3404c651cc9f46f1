//! Configurations read from real git repositories and plain files.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::fs;

use common::{DOCUMENT, Repository, read, with_message};
use diracx_cs::ConfigSource;
use tempfile::TempDir;

#[test]
fn the_document_is_read_from_the_commit_and_the_work_tree_is_left_alone() {
    let repository = Repository::with(DOCUMENT);
    let hash = repository.git(&["rev-parse", "HEAD"]);
    let time = repository.git(&["log", "-1", "--format=%ct"]);
    fs::write(repository.path().join("default.yml"), "uncommitted nonsense: [").unwrap();

    let mut source = ConfigSource::open(&repository.url()).unwrap();
    let revision = source.latest().unwrap();
    assert_eq!(revision.id, hash);
    assert_eq!(revision.modified.timestamp().to_string(), time);
    assert!(read(&mut source).unwrap().contains("Ask the helpdesk"));
    assert_eq!(fs::read_to_string(repository.path().join("default.yml")).unwrap(), "uncommitted nonsense: [");
}

#[test]
fn branches_tags_and_commits_can_be_followed() {
    let repository = Repository::with(&with_message("first"));
    let first = repository.git(&["rev-parse", "HEAD"]);
    repository.git(&["tag", "-a", "v1", "-m", "first"]);
    repository.git(&["checkout", "--quiet", "-b", "feature/two"]);
    repository.commit(&with_message("second"));

    for (revision, expected) in [
        ("?revision=v1", "first"),
        (format!("?revision={first}").as_str(), "first"),
        ("", "first"),
        ("?revision=v1&revision=feature%2Ftwo", "second"),
    ] {
        let mut source = ConfigSource::open(&(repository.url() + revision)).unwrap();
        assert!(read(&mut source).unwrap().contains(expected), "{revision}");
    }
    let mut source = ConfigSource::open(&(repository.url() + "?revision=gone")).unwrap();
    let error = source.latest().unwrap_err().to_string();
    assert!(error.starts_with("revision gone of the configuration does not exist"), "{error}");
}

#[test]
fn what_is_no_repository_is_refused_at_once() {
    let empty = TempDir::new().unwrap();
    let refusal = |url: &str| ConfigSource::open(url).err().unwrap().to_string();
    assert!(refusal(empty.path().to_str().unwrap()).contains("is not a git repository"));
    assert!(refusal("git+file:///no/such/path").contains("is not a git repository"));
    assert!(refusal("file:///no/such/default.yml").starts_with("cannot read /no/such/default.yml"));
    assert!(refusal("git+http://host/cs").contains("is not supported"));
}

#[test]
fn problems_name_file_and_place() {
    #[track_caller]
    fn check(document: &str, expected: &str) {
        let repository = Repository::with(document);
        let error = read(&mut ConfigSource::open(&repository.url()).unwrap()).unwrap_err().to_string();
        assert!(error.starts_with("default.yml of commit ") && error.contains(expected), "{error}");
    }
    check("DIRAC: {}\nRegistry: {\n", "line ");
    check("DIRAC: {}\nRegistry: {lhcb: {}}\n", "Registry.lhcb.DefaultGroup: is required");
    check(
        "DIRAC: {}\nRegistry:\n  lhcb: {}\nTasks: 1\n",
        "line 3, column 3: Registry.lhcb.DefaultGroup: is required; ",
    );
    check(
        "DIRAC: {}\nRegistry:\n  lhcb: {}\nTasks: 1\n",
        "; line 4, column 1: Tasks: is not a known key here",
    );
    check("", "must be a section of keys and values, not empty");

    let without = Repository::new();
    without.git(&["commit", "--quiet", "--allow-empty", "-m", "nothing"]);
    let error = read(&mut ConfigSource::open(&without.url()).unwrap()).unwrap_err().to_string();
    assert!(error.contains("the commit has no such file"), "{error}");
}

#[test]
fn a_plain_file_has_a_revision_that_changes_with_its_content() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("default.yml");
    fs::write(&path, DOCUMENT).unwrap();
    for url in [path.display().to_string(), format!("file://{}", path.display())] {
        let mut source = ConfigSource::open(&url).unwrap();
        let before = source.latest().unwrap();
        assert_eq!(before.id.len(), 40);
        assert!(before.id.chars().all(|digit| digit.is_ascii_hexdigit()));
        assert_eq!(source.latest().unwrap(), before);
        assert_eq!(source.document(&before).unwrap().expand(usize::MAX).unwrap().vos, 1);

        // The same length, so that only the content tells.
        fs::write(&path, with_message("Ask the HELPDESK")).unwrap();
        let after = source.latest().unwrap();
        assert_ne!(after.id, before.id);
        assert!(read(&mut source).unwrap().contains("HELPDESK"));
        fs::write(&path, DOCUMENT).unwrap();
    }
}

#[test]
fn vos_that_are_read_one_by_one_make_the_same_configuration() {
    let vo = |group: &str| {
        format!("{{DefaultGroup: {group}, IdP: {{URL: u, ClientID: c}}, Users: {{}}, Groups: {{}}}}")
    };
    let (one, two) = (vo("one"), vo("two"));
    for text in [
        format!(
            "DIRAC: {{}}\nOperations: {{Defaults: {{Pilot: {{V: 1}}}}, b: {{Pilot: {{W: 2}}}}}}\nRegistry:\n  b: {one}\n  a: {two}\n"
        ),
        format!("Registry:\n  a: {one}\nRegistry:\n  b: {two}\nDIRAC: {{}}\n"),
        format!("DIRAC: {{}}\nRegistry:\n  a: {one}\n  b: {one}\n  a: {two}\n"),
        format!("DIRAC: {{}}\nRegistry:\n  a: 7\n  a: {two}\n"),
        format!("DIRAC: {{}}\nSystems: &vos\n  b: 7\nRegistry:\n  <<: *vos\n  b: {two}\n"),
        format!("DIRAC: {{}}\nSystems: &vos\n  a: {one}\n  b: {one}\nRegistry:\n  <<: *vos\n  b: {two}\n"),
        format!("DIRAC: {{}}\nSystems: &vos\n  a: {one}\nRegistry: *vos\n"),
        format!("DIRAC: {{}}\nSystems: &vos\n  a: {one}\nRegistry: {{c: {one}}}\nRegistry: *vos\n"),
        format!("DIRAC: {{}}\nregistry: &vos\n  a: {one}\nSystems: *vos\n"),
    ] {
        let expected =
            diracx_core::config::Config::from_value(diracx_cs::yaml::parse(&text).unwrap()).unwrap();
        let directory = TempDir::new().unwrap();
        let path = directory.path().join("default.yml");
        fs::write(&path, &text).unwrap();
        let served = read(&mut ConfigSource::open(path.to_str().unwrap()).unwrap()).unwrap();
        let sorted = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
        assert_eq!(sorted(&served), sorted(&expected.to_document()), "{text}");
    }
}
