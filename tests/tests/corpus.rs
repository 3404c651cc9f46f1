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

/// How often each file is changed; more with this in the environment, for whoever has the time.
const CHANGES: usize = 40;
const MORE_CHANGES: &str = "DIRACX_TEST_CORPUS_CHANGES";

#[test]
fn what_is_near_the_corpus_breaks_no_promise_either() {
    let changes = std::env::var(MORE_CHANGES).ok().and_then(|count| count.parse().ok()).unwrap_or(CHANGES);
    let mut broken = Vec::new();
    for (name, target) in fuzz::TARGETS {
        let files: Vec<_> =
            fs::read_dir(place("corpus").join(name)).unwrap().map(|entry| entry.unwrap().path()).collect();
        let all: BTreeSet<_> = files.iter().map(|file| fs::read(file).unwrap()).collect();
        let all = Vec::from_iter(all);
        for (file, data) in all.iter().enumerate() {
            let mut dice = Dice(u64::try_from(file).unwrap());
            for _ in 0..changes {
                let changed = changed(&mut dice, data, &all);
                if catch_unwind(|| target(&changed)).is_err() {
                    broken.push(format!("{name}: {:?}", String::from_utf8_lossy(&changed)));
                }
            }
        }
    }
    broken.truncate(20);
    assert!(broken.is_empty(), "broken by\n{}", broken.join("\n"));
}

/// The data with a few changes: bytes that are other ones, gone, doubled, or from elsewhere in the corpus.
fn changed(dice: &mut Dice, data: &[u8], all: &[Vec<u8>]) -> Vec<u8> {
    const PIECES: [&[u8]; 16] = [
        b"\"",
        b"\\",
        b"{",
        b"}",
        b"[",
        b"]",
        b":",
        b",",
        b"\0",
        b"\xff",
        b"-",
        b"1e400",
        b"null",
        b"\\ud800",
        b"99999999999999999999",
        b"+00:00",
    ];
    let mut data = data.to_vec();
    for _ in 0..=dice.below(4) {
        let (from, length) = (dice.below(data.len() + 1), dice.below(8));
        let to = (from + length).min(data.len());
        let piece = match dice.below(4) {
            0 => Vec::new(),
            1 => PIECES[dice.below(PIECES.len())].to_vec(),
            2 => data[from..to].repeat(2),
            _ => {
                let other = &all[dice.below(all.len())];
                let start = dice.below(other.len() + 1);
                other[start..(start + dice.below(24)).min(other.len())].to_vec()
            }
        };
        data.splice(from..to, piece);
    }
    data
}

/// Numbers that look random and are the same each time.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from((self.0 >> 33) % u64::try_from(limit).unwrap()).unwrap()
    }
}

#[test]
fn every_target_has_a_program_and_a_corpus_and_there_are_no_others() {
    let targets: BTreeSet<_> = fuzz::TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(names(&place("fuzz_targets")), targets);
    assert_eq!(names(&place("corpus")), targets);
}
