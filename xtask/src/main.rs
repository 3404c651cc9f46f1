#![doc = include_str!("../README.md")]
//!
//! This file: the commands and nothing else.

#![expect(clippy::print_stdout, reason = "this program talks to a person")]

mod bench;
mod bench_start;
mod children;
mod databases;
mod demo;
mod dependencies;
mod fuzz;
mod generated_docs;
mod http;
mod login;
mod report;
mod shell;
mod skips;
mod steps;
mod tools;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Our chores: the checks, the demo, the generated documents.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", version)]
struct Arguments {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Subcommand)]
enum Chore {
    /// Check everything that the build server checks
    ///
    /// Outside CI a missing optional tool is named with the command that installs it, and its step
    /// counts as skipped. With CI=true in the environment nothing is skipped: what is missing is
    /// installed, or the step fails.
    Test(steps::Arguments),
    /// Run the whole mesh once: log in, submit the jobs of examples/, wait, show the table
    Demo(demo::Arguments),
    /// Print which crate uses which, and fail when that is not the table of xtask/src/dependencies.rs
    CheckDeps,
    /// Write docs/reference/ anew: settings and commands from the programs' help, access by trying
    Docs,
    /// Run each fuzz target for a minute; what they find is kept in fuzz/artifacts
    Fuzz(fuzz::Arguments),
    /// Measure what the release programs serve, beside the bare SQL and DiracX: a table for docs/performance.md
    Bench(bench::Arguments),
    /// Measure the cold start of the standalone (release build) and its memory when idle
    BenchStart(bench_start::Arguments),
}

fn main() -> ExitCode {
    let chore = Arguments::parse().chore;
    let outcome = children::stop_on_signals().and_then(|()| match chore {
        Chore::Test(arguments) => Ok(steps::run(&arguments)),
        Chore::Demo(arguments) => demo::run(&arguments),
        Chore::CheckDeps => dependencies::check().map(|()| true),
        Chore::Docs => generated_docs::write().map(|()| true),
        Chore::Fuzz(arguments) => fuzz::run_targets(&arguments).map(|()| true),
        Chore::Bench(arguments) => bench::run(&arguments),
        Chore::BenchStart(arguments) => bench_start::run(&arguments).map(|()| true),
    });
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            children::give_way_to_signals();
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
