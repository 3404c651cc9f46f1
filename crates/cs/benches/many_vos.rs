//! How long it takes to load the configuration of a very large installation, and what it costs in memory.
//!
//! `cargo bench -p diracx-cs` (or with `-- VOS USERS` other numbers). Each step is told by itself: reading YAML, checking the schema, and the
//! document that is served.

#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::cast_precision_loss,
    reason = "a benchmark prints"
)]

use std::{fmt::Write as _, fs, time::Instant};

use diracx_core::config::Config;
use diracx_cs::{ConfigSource, yaml};

/// As administrators write it: one user in five has an address, everybody is in one group, some in two.
fn text(vos: usize, users: usize) -> String {
    let mut text = "DIRAC: {}\nOperations:\n  Defaults:\n    Services:\n      JobScheduling: {MaxRescheduling: 4}\nRegistry:\n".to_owned();
    let subject = |vo: usize, user: usize| format!("{vo:08x}-{user:04x}-4aaa-8aaa-{:012x}", vo * 1000 + user);
    for vo in 0..vos {
        write!(text, "  vo{vo:04}:\n    DefaultGroup: user\n    IdP:\n      URL: https://idp{vo}.example.org\n      ClientID: dirac\n    Users:\n").unwrap();
        for user in 0..users {
            writeln!(text, "      {}:\n        PreferedUsername: user{user}", subject(vo, user)).unwrap();
            if user % 5 == 0 {
                writeln!(text, "        Email: user{user}@vo{vo}.example.org").unwrap();
            }
        }
        text.push_str("    Groups:\n");
        for (group, every) in [("user", 1), ("prod", 20), ("admin", 100)] {
            write!(text, "      {group}:\n        Properties: [NormalUser]\n        Users:\n").unwrap();
            for user in (0..users).step_by(every) {
                writeln!(text, "          - {}", subject(vo, user)).unwrap();
            }
        }
    }
    text
}

/// What the kernel counts for this process, MB.
fn memory(what: &str) -> f64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(what)).unwrap();
    line.trim_start_matches(':').trim().trim_end_matches(" kB").parse::<f64>().unwrap() / 1024.0
}

/// Processor time of this process so far, ms: what it takes when nobody else wants the processor.
fn processor() -> u64 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    let ticks = |field: usize| fields[field].parse::<u64>().unwrap();
    (ticks(11) + ticks(12)) * 10
}

fn main() {
    let numbers: Vec<usize> = std::env::args().filter_map(|argument| argument.parse().ok()).collect();
    let (vos, users) = (numbers.first().copied().unwrap_or(1000), numbers.get(1).copied().unwrap_or(200));
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("default.yml");
    let text = text(vos, users);
    fs::write(&path, &text).unwrap();
    println!("{vos} VOs with {users} users each: {:.1} MB of YAML", text.len() as f64 / 1e6);
    drop(text);

    let before = memory("VmRSS");
    let (started, worked) = (Instant::now(), processor());
    let mut source = ConfigSource::open(path.to_str().unwrap()).unwrap();
    let revision = source.latest().unwrap();
    let config = source.read(&revision).unwrap();
    let read = started.elapsed();
    let document = config.to_document();
    let took = started.elapsed();
    let (after, peak) = (memory("VmRSS"), memory("VmHWM"));
    println!(
        "first load: {:.0} ms, of which the document {:.0} ms; processor time {} ms",
        took.as_secs_f64() * 1e3,
        took.saturating_sub(read).as_secs_f64() * 1e3,
        processor() - worked
    );
    println!(
        "resident: {:.0} MB more than before, {:.0} MB at most; the document has {:.1} MB",
        after - before,
        peak - before,
        document.len() as f64 / 1e6
    );

    for round in 0..3 {
        let text = fs::read_to_string(&path).unwrap();
        let started = Instant::now();
        let value = yaml::parse(&text).unwrap();
        let parsed = started.elapsed();
        let again = Config::from_value(value).unwrap();
        let checked = started.elapsed();
        assert_eq!(again.to_document().len(), document.len());
        let all = started.elapsed();
        println!(
            "round {round}: YAML {:.0} ms, schema {:.0} ms, document {:.0} ms, all {:.0} ms",
            parsed.as_secs_f64() * 1e3,
            checked.saturating_sub(parsed).as_secs_f64() * 1e3,
            all.saturating_sub(checked).as_secs_f64() * 1e3,
            all.as_secs_f64() * 1e3
        );
    }
    println!("resident after that: {:.0} MB more than before", memory("VmRSS") - before);
}
