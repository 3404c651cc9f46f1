//! What the configuration of a very large installation costs, in time and in memory: the config service, which makes of
//! YAML the document that it serves, and each of those who follow it, who make of the document what they work with.
//!
//! `cargo bench -p diracx-cs` (or with `-- VOS USERS` other numbers). Each side is measured in a process of its own, with
//! the allocator that our programs have.

#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::cast_precision_loss,
    reason = "a benchmark prints"
)]

use std::{
    fmt::Write as _,
    fs,
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use diracx_core::config::Config;
use diracx_cs::ConfigSource;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// What it may cost.
const TIME: Duration = Duration::from_secs(1);
const MEGABYTES: f64 = 100.0;
/// How often each side is measured; the best counts, as others want the processor too.
const ROUNDS: usize = 3;

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

/// What one side cost: ms, ms of the processor, MB that stay, MB at most.
fn cost<T>(work: impl FnOnce() -> T) -> T {
    let before = memory("VmRSS");
    let (started, worked) = (Instant::now(), processor());
    let result = work();
    let took = started.elapsed();
    println!(
        "{} {} {} {}",
        took.as_millis(),
        processor() - worked,
        memory("VmRSS") - before,
        memory("VmHWM") - before
    );
    result
}

/// As the config service does.
fn serve(path: &Path) {
    let (document, _) = cost(|| {
        let mut source = ConfigSource::open(path.to_str().unwrap()).unwrap();
        let revision = source.latest().unwrap();
        let served = source.document(&revision).unwrap().expand(usize::MAX).unwrap();
        (served.document, source)
    });
    fs::write(path.with_extension("json"), document).unwrap();
}

/// As everybody who follows it does. The document is in memory as it would be when it has arrived.
fn follow(path: &Path) {
    let config = cost(|| {
        let document = fs::read_to_string(path.with_extension("json")).unwrap();
        Config::from_document(&document).unwrap()
    });
    assert!(!config.registry.is_empty());
}

/// One row, of the round that took the least of the processor.
fn row(side: &str, path: &Path) {
    let mut best: Option<Vec<f64>> = None;
    for _ in 0..ROUNDS {
        let output = Command::new(std::env::current_exe().unwrap()).arg(side).arg(path).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let numbers: Vec<f64> = String::from_utf8(output.stdout)
            .unwrap()
            .split_whitespace()
            .map(|number| number.parse().unwrap())
            .collect();
        if best.as_ref().is_none_or(|best| numbers[1] < best[1]) {
            best = Some(numbers);
        }
    }
    let numbers = best.unwrap();
    let (time, worked, stays, peak) = (numbers[0], numbers[1], numbers[2], numbers[3]);
    let met = time < TIME.as_millis() as f64 && peak < MEGABYTES;
    println!(
        "| {side} | {time:.0} | {worked:.0} | {stays:.0} | {peak:.0} | {} |",
        if met { "met" } else { "missed" }
    );
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.as_slice() {
        [side, path] if side == "config service" => return serve(Path::new(path)),
        [side, path] if side == "follower" => return follow(Path::new(path)),
        _ => {}
    }
    let numbers: Vec<usize> = arguments.iter().filter_map(|argument| argument.parse().ok()).collect();
    let (vos, users) = (numbers.first().copied().unwrap_or(1000), numbers.get(1).copied().unwrap_or(200));
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("default.yml");
    fs::write(&path, text(vos, users)).unwrap();
    let size = |path: &Path| fs::metadata(path).unwrap().len() as f64 / 1e6;
    let load = fs::read_to_string("/proc/loadavg").unwrap();
    println!("{vos} VOs with {users} users each: {:.1} MB of YAML; load {}", size(&path), load.trim());
    println!("target: less than {} ms and {MEGABYTES} MB at most\n", TIME.as_millis());
    println!("| | ms | of the processor | MB that stay | MB at most | |\n|---|---|---|---|---|---|");
    row("config service", &path);
    row("follower", &path);
    println!("\nthe document has {:.1} MB", size(&path.with_extension("json")));
}
