//! `cargo xtask test`: what the build server checks, in the order in which mistakes show soonest.

mod login_tools;
mod python_clients;

use anyhow::Result;

use crate::{
    databases::{self, Databases},
    dependencies,
    generated_docs::{self, PROGRAMS},
    report::{Ended, Report},
    shell::{self, cargo, in_ci, program},
    skips::Skips,
    tools::{self, Tool},
};

/// What `cargo xtask test` can be told.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Run only these steps
    #[arg(value_enum)]
    steps: Vec<Step>,
}

/// A step. The order here is the order of the run.
#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Step {
    /// cargo fmt
    Format,
    /// The table of who uses whom
    Dependencies,
    /// buf lint, buf format, and buf breaking against the last release
    Proto,
    /// cargo-deny: licences, banned crates, sources
    Deny,
    /// clippy, warnings are errors
    Clippy,
    /// The programs, which the next steps need
    Programs,
    /// docs/reference against the programs' help
    Docs,
    /// A MariaDB, a Redis, an OpenID provider, Chromium and DiracX's clients, then every test, then the examples in the documentation
    Tests,
}

/// Runs the steps and says whether all went well.
pub(crate) fn run(arguments: &Arguments) -> bool {
    let all = <Step as clap::ValueEnum>::value_variants();
    let wanted = |step: &Step| arguments.steps.is_empty() || arguments.steps.contains(step);
    println!("cargo xtask test, {}", if in_ci() { "as the build server does it" } else { "outside CI" });
    let mut report = Report::default();
    for step in all.iter().filter(|step| wanted(step)) {
        match step {
            Step::Format => report.step("format", || cargo_step(&["fmt", "--all", "--check", "--", "-l"])),
            Step::Dependencies => report.step("dependencies", || done(dependencies::check())),
            Step::Proto => report.step("proto", check_protos),
            Step::Deny => report.step("deny", deny),
            Step::Clippy => report.step("clippy", || {
                cargo_step(&["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"])
            }),
            Step::Programs => {
                report.step("programs", || cargo_step(&[&["build", "--locked"], PROGRAMS].concat()));
            }
            Step::Docs => report.step("generated docs", || done(generated_docs::check())),
            Step::Tests => test(&mut report),
        }
    }
    report.finish()
}

fn cargo_step(arguments: &[&str]) -> Result<Ended> {
    done(shell::run(cargo().args(arguments)))
}

fn done(outcome: Result<()>) -> Result<Ended> {
    outcome.map(|()| Ended::Passed)
}

fn check_protos() -> Result<Ended> {
    let buf = match tools::buf()? {
        Tool::At(buf) => buf,
        Tool::Missing(how) => return Ok(Ended::Skipped(how)),
    };
    shell::run(program(&buf).arg("lint"))?;
    shell::run(program(&buf).args(["format", "--diff", "--exit-code"]))?;
    match last_release() {
        Some(release) => shell::run(program(&buf).args(["breaking", "--against", &release]))?,
        None => println!("  no release is tagged, so there is nothing that could break"),
    }
    Ok(Ended::Passed)
}

/// The newest tag below us, as buf takes it.
fn last_release() -> Option<String> {
    let git = |arguments: &[&str]| shell::read(program("git").args(arguments)).ok();
    let tag = git(&["describe", "--tags", "--abbrev=0"])?;
    // In a work tree of its own `.git` is not the repository.
    let repository = git(&["rev-parse", "--path-format=absolute", "--git-common-dir"])?;
    Some(format!("{}#tag={}", repository.trim(), tag.trim()))
}

fn deny() -> Result<Ended> {
    println!("  advisories are left out here; run `cargo deny check advisories` where the network allows it");
    match tools::cargo_deny()? {
        Tool::At(deny) => {
            let arguments =
                ["--color", "never", "check", "--hide-inclusion-graph", "licenses", "bans", "sources"];
            done(shell::run(program(deny).args(arguments)))
        }
        Tool::Missing(how) => Ok(Ended::Skipped(how)),
    }
}

fn test(report: &mut Report) {
    let mut databases = Databases::default();
    report.step("MariaDB", || databases.mariadb());
    report.step("Redis", || databases.redis());
    report.step("OpenID provider", login_tools::openid_provider);
    report.step("Chromium", login_tools::chromium);
    report.step("DiracX's clients", python_clients::python_clients);
    let mut environment = databases.environment.clone();
    if report.has_passed("programs") {
        environment.push(("DIRACX_TEST_PROGRAMS_ARE_BUILT", "true".to_owned()));
    }
    let skips = match Skips::new() {
        Ok(skips) => skips,
        Err(error) => return report.step("tests", || Err(error)),
    };
    environment.extend(skips.environment(|step| report.has_passed(step)));
    let no_mariadb = !environment.iter().any(|(name, _)| *name == databases::MYSQL_URL);
    report.step("tests", || {
        let mut command = cargo();
        if tools::has_nextest() {
            let profile = if in_ci() { "ci" } else { "default" };
            command.args([
                "nextest",
                "run",
                "--workspace",
                "--locked",
                "--no-fail-fast",
                "--profile",
                profile,
            ]);
            if no_mariadb {
                command.args(["-E", "not test(mariadb)"]);
            }
        } else {
            println!("  cargo-nextest is not here; cargo test runs the same tests");
            command.args(["test", "--workspace", "--locked", "--no-fail-fast", "--lib", "--bins", "--tests"]);
            if no_mariadb {
                command.args(["--", "--skip", "mariadb"]);
            }
        }
        done(shell::run(command.envs(environment.iter().cloned())))
    });
    report.skipped_tests(skips.summary());
    if no_mariadb {
        report.skipped_tests(["all tests with mariadb in their names".to_owned()]);
    }
    report.step("documentation examples", || {
        done(shell::run(
            cargo()
                .args(["test", "--workspace", "--locked", "--doc", "--quiet"])
                .envs(environment.iter().cloned()),
        ))
    });
}
