//! The corpus of the fuzz targets, each file as an ordinary test: what was once found stays fixed.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test fails by panicking")]

// The targets themselves, so that what is tested here is what is fuzzed.
#[path = "../../fuzz/src/lib.rs"]
#[allow(unreachable_pub, reason = "in its own workspace it is a library")]
mod fuzz;

use std::{
    collections::BTreeSet,
    fs,
    panic::catch_unwind,
    path::{Path, PathBuf},
};

fn place(inside: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz").join(inside)
}

fn names(directory: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(directory).unwrap_or_else(|why| panic!("{}: {why}", directory.display()));
    let stem = |entry: fs::DirEntry| entry.path().file_stem().unwrap().to_string_lossy().into_owned();
    entries.map(|entry| stem(entry.unwrap())).collect()
}

#[test]
fn every_file_of_the_corpus_is_read_without_breaking_a_promise() {
    let mut broken = Vec::new();
    for (name, target) in fuzz::TARGETS {
        let mut files: Vec<_> = fs::read_dir(place("corpus").join(name))
            .unwrap_or_else(|why| panic!("the corpus of {name}: {why}"))
            .map(|entry| entry.unwrap().path())
            .collect();
        files.sort();
        assert!(files.len() >= 12, "the corpus of {name} has only {} files", files.len());
        for file in files {
            let data = fs::read(&file).unwrap();
            if catch_unwind(|| target(&data)).is_err() {
                broken.push(format!("{name}: {}", file.display()));
            }
        }
    }
    assert!(broken.is_empty(), "broken by\n{}", broken.join("\n"));
}

#[test]
fn every_target_has_a_program_and_a_corpus_and_there_are_no_others() {
    let targets: BTreeSet<_> = fuzz::TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(names(&place("fuzz_targets")), targets);
    assert_eq!(names(&place("corpus")), targets);
}
