//! `cargo xtask fuzz`: each fuzz target for a while, with cargo-fuzz.

use anyhow::{Context as _, Result, bail, ensure};

use crate::{
    shell::{forget_ourselves, program, root, run},
    tools,
};

/// What `cargo xtask fuzz` can be told.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// How long each target runs, in seconds
    #[arg(long, default_value_t = 60)]
    seconds: u32,
    /// Run only this target
    target: Option<String>,
}

/// Runs the targets one after the other and fails after the last if one of them found something.
pub(crate) fn run_targets(arguments: &Arguments) -> Result<()> {
    let targets = targets()?;
    let wanted = match &arguments.target {
        None => targets,
        Some(target) if targets.contains(target) => vec![target.clone()],
        Some(target) => bail!("there is no target {target}; there are {}", targets.join(", ")),
    };
    let cargo_fuzz = tools::cargo_fuzz()?;
    let mut found = Vec::new();
    for target in wanted {
        println!("{target}, for {} s", arguments.seconds);
        // What is found new goes into a directory that git ignores, the first of the two; the kept corpus is
        // the other. Everything is safe code, so the time goes into running instead of checking addresses.
        let fresh = root().join("fuzz/target/found").join(&target);
        std::fs::create_dir_all(&fresh)?;
        let mut command = program(&cargo_fuzz);
        forget_ourselves(&mut command);
        let outcome = run(command
            .current_dir(root().join("fuzz"))
            // Coverage for the fuzzer is unstable in name only; this lets the pinned compiler give it.
            .env("RUSTC_BOOTSTRAP", "1")
            .args(["fuzz", "run", "--sanitizer", "none", "-O"])
            .arg(&target)
            .arg(&fresh)
            .arg(format!("corpus/{target}"))
            .args(["--", "-timeout=10", "-rss_limit_mb=2048", "-max_len=16384", "-print_final_stats=1"])
            .arg(format!("-max_total_time={}", arguments.seconds)));
        if let Err(problem) = outcome {
            println!("  {problem:#}");
            found.push(target);
        }
    }
    ensure!(
        found.is_empty(),
        "{} found something: see fuzz/artifacts; what is fixed belongs into fuzz/corpus",
        found.join(", ")
    );
    Ok(())
}

fn targets() -> Result<Vec<String>> {
    let entries = std::fs::read_dir(root().join("fuzz/fuzz_targets")).context("fuzz/fuzz_targets")?;
    let mut targets = Vec::new();
    for entry in entries {
        let path = entry?.path();
        targets.extend(path.file_stem().map(|stem| stem.to_string_lossy().into_owned()));
    }
    targets.sort();
    Ok(targets)
}
