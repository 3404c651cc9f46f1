//! Settings: from arguments, environment and dotenv files, and everything that is wrong with them.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test that cannot go on says so")]

use diracx_server::settings::{
    Environment, Failure, Problems, Resolve, ServerArgs, ServerSettings, TelemetryArgs, TelemetrySettings,
    TokenArgs, TokenSettings, boolean, parse_settings_from, settings_without_effect,
};
use diracx_server::token::{Algorithm, KeyKind, rotate_key};

mod common;

/// A process.
#[derive(Debug, clap::Parser)]
struct Args {
    #[command(flatten)]
    server: ServerArgs,
    #[command(flatten)]
    telemetry: TelemetryArgs,
    #[command(flatten)]
    token: TokenArgs,
}

#[derive(Debug)]
struct Settings {
    server: ServerSettings,
    telemetry: TelemetrySettings,
    token: TokenSettings,
}

impl Resolve for Args {
    type Settings = Settings;

    fn resolve(self, environment: &Environment, problems: &mut Problems) -> Option<Settings> {
        let server = self.server.resolve(environment, problems);
        let telemetry = self.telemetry.resolve(environment, problems);
        let token = self.token.resolve(environment, problems);
        Some(Settings { server: server?, telemetry: telemetry?, token: token? })
    }
}

fn parse(arguments: &[&str], variables: &[(&str, &str)]) -> Result<Settings, Vec<String>> {
    let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let (environment, problems) = Environment::from_variables(variables);
    let arguments = ["diracx-test"].iter().chain(arguments).copied();
    parse_settings_from::<Args>(arguments, &environment, problems).map_err(|failure| match failure {
        Failure::Problems(problems) => problems.all().to_vec(),
        Failure::CommandLine(error) => vec![error.to_string()],
    })
}

fn keystore() -> String {
    rotate_key(None, KeyKind::Ed25519, common::noon()).unwrap()
}

const KEYSTORE: &str = "DIRACX_SERVICE_AUTH_TOKEN_KEYSTORE";
const ISSUER: &str = "DIRACX_SERVICE_AUTH_TOKEN_ISSUER";

#[test]
fn what_diracx_needs_suffices() {
    let keystore = keystore();
    let settings = parse(&[], &[(KEYSTORE, &keystore), (ISSUER, "http://issuer.invalid/")]).unwrap();
    assert_eq!(settings.server.serve.listen.to_string(), "127.0.0.1:50051");
    assert_eq!(settings.server.serve.metrics_listen, None);
    assert_eq!(settings.server.gate.minimum().to_string(), "0.0.1a1");
    assert_eq!(settings.token.algorithms, [Algorithm::Rs256, Algorithm::Ed25519]);
    assert!(!settings.telemetry.otel.enabled);
    assert!(!format!("{settings:?}").contains("\"d\""), "private keys must not be shown");
}

#[test]
fn arguments_win_over_variables_and_names_are_found_whatever_their_case() {
    let keystore = keystore();
    let settings = parse(
        &["--listen", "127.0.0.1:1", "--otel-enabled"],
        &[
            (KEYSTORE, &keystore),
            ("diracx_service_auth_token_issuer", "http://issuer.invalid/"),
            ("DIRACX_LISTEN", "127.0.0.1:2"),
            ("DIRACX_METRICS_LISTEN", "127.0.0.1:3"),
            ("DIRACX_OTEL_HEADERS", r#"{"x-key": "secret"}"#),
            ("DIRACX_OTEL_GRPC_INSECURE", "Off"),
            ("DIRACX_SERVICE_AUTH_TOKEN_ALLOWED_ALGORITHMS", r#"["Ed25519"]"#),
        ],
    )
    .unwrap();
    assert_eq!(settings.server.serve.listen.port(), 1);
    assert_eq!(settings.server.serve.metrics_listen.unwrap().port(), 3);
    assert_eq!(settings.token.issuer, "http://issuer.invalid/");
    assert_eq!(settings.token.algorithms, [Algorithm::Ed25519]);
    assert!(settings.telemetry.otel.enabled && !settings.telemetry.otel.insecure);
    assert_eq!(settings.telemetry.otel.headers, [("x-key".to_owned(), "secret".to_owned())]);
}

#[test]
fn a_bad_start_tells_all_problems_at_once() {
    let problems = parse(
        &[],
        &[
            ("DIRACX_LISTEN", "everywhere"),
            ("DIRACX_MAX_CONCURRENT_CALLS", "0"),
            ("DIRACX_DRAIN_SECONDS", "-1"),
            ("DIRACX_MIN_CLIENT_VERSION", "new"),
            ("DIRACX_OTEL_ENABLED", "maybe"),
            ("DIRACX_OTEL_HEADERS", "{"),
            ("DIRACX_SERVICE_AUTH_TOKEN_ALLOWED_ALGORITHMS", r#"["EdDSA"]"#),
            ("DIRACX_SERVICE_DOTENV", "/nowhere/.env"),
            (KEYSTORE, "/nowhere/keys.json"),
        ],
    )
    .unwrap_err();
    let text = problems.join("\n");
    for expected in [
        "DIRACX_SERVICE_DOTENV: the file /nowhere/.env cannot be read",
        "DIRACX_LISTEN: must be address:port",
        "DIRACX_MAX_CONCURRENT_CALLS: must be more than 0",
        "DIRACX_DRAIN_SECONDS: must be a number of seconds",
        "DIRACX_MIN_CLIENT_VERSION: Invalid version string: 'new'",
        "DIRACX_OTEL_ENABLED: must be true or false, not \"maybe\"",
        "DIRACX_OTEL_HEADERS: bad JSON",
        "DIRACX_SERVICE_AUTH_TOKEN_KEYSTORE: cannot read the key store /nowhere/keys.json: No such file",
        "DIRACX_SERVICE_AUTH_TOKEN_ISSUER: is required",
        "unknown algorithm \"EdDSA\"",
    ] {
        assert!(text.contains(expected), "{expected} not in\n{text}");
    }
    assert_eq!(problems.len(), 10, "{text}");
}

#[test]
fn a_signing_key_must_be_of_an_allowed_algorithm() {
    let keystore = keystore();
    let problems = parse(
        &[],
        &[
            (KEYSTORE, &keystore),
            (ISSUER, "x"),
            ("DIRACX_SERVICE_AUTH_TOKEN_ALLOWED_ALGORITHMS", r#"["RS256"]"#),
        ],
    )
    .unwrap_err();
    assert!(problems[0].contains("signs with Ed25519, which is not among the allowed"), "{problems:?}");
}

#[test]
fn help_is_no_problem_and_an_unknown_argument_is_named() {
    assert!(parse(&["--help"], &[]).unwrap_err()[0].contains("DIRACX_SERVICE_AUTH_TOKEN_KEYSTORE"));
    assert!(parse(&["--nonsense"], &[]).unwrap_err()[0].contains("--nonsense"));
}

#[test]
fn dotenv_files_come_after_the_environment_and_in_their_order() {
    let directory = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = directory.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let plain = file("plain", "# a comment\nA=plain\nexport B='plain # kept'\n\nREAL=file\n");
    let second = file("second", "A=second\nC=second # gone\nE=\"two\\nlines\"\n");
    let tenth = file("tenth", "C=tenth\nd = tenth\n");
    let ignored = file("ignored", "A=ignored\nF=ignored");
    let variables = [
        ("DIRACX_SERVICE_DOTENV_10", tenth.as_str()),
        ("DIRACX_SERVICE_DOTENV_2", &second),
        ("DIRACX_SERVICE_DOTENV", &plain),
        ("DIRACX_SERVICE_DOTENV_2A", &ignored),
        ("REAL", "environment"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()));
    let (environment, problems) = Environment::from_variables(variables);
    assert!(problems.is_empty());
    for (name, expected) in [
        ("REAL", "environment"),
        ("A", "plain"),
        ("B", "plain # kept"),
        ("C", "second"),
        ("D", "tenth"),
        ("E", "two\nlines"),
    ] {
        assert_eq!(environment.get(name), Some(expected), "{name}");
    }
    assert_eq!(environment.get("F"), None);
}

#[test]
fn dotenv_files_that_cannot_be_used_are_told() {
    let directory = tempfile::tempdir().unwrap();
    for (text, expected) in
        [("", "sets no variable"), ("# nothing\n", "sets no variable"), ("A=1\nnonsense\n", "line 2")]
    {
        let path = directory.path().join("env");
        std::fs::write(&path, text).unwrap();
        let variable = ("DIRACX_SERVICE_DOTENV_1".to_owned(), path.display().to_string());
        let (_, problems) = Environment::from_variables([variable]);
        assert_eq!(problems[0].0, "DIRACX_SERVICE_DOTENV_1");
        assert!(problems[0].1.to_string().contains(expected), "{}", problems[0].1);
    }
}

#[test]
fn variables_of_a_family_are_found_by_prefix() {
    let variables = [("DIRACX_DB_URL_JOBDB", "a"), ("diracx_db_url_authdb", "b"), ("DIRACX_DB", "c")]
        .map(|(name, value)| (name.to_owned(), value.to_owned()));
    let (environment, _) = Environment::from_variables(variables);
    let found: Vec<_> = environment.with_prefix("DIRACX_DB_URL_").collect();
    assert_eq!(found, [("AUTHDB", "b"), ("JOBDB", "a")]);
}

#[test]
fn yes_and_no_are_written_as_diracx_takes_them() {
    for yes in ["true", "1", "YES", "on", "T", "y", " true "] {
        assert_eq!(boolean(yes), Ok(true), "{yes}");
    }
    for no in ["false", "0", "No", "OFF", "f", "n"] {
        assert_eq!(boolean(no), Ok(false), "{no}");
    }
    for neither in ["", "2", "maybe", "truefalse"] {
        assert!(boolean(neither).is_err(), "{neither}");
    }
}

#[test]
fn settings_of_diracx_that_do_nothing_here_are_told() {
    let told = |variables: &[(&str, &str)]| {
        let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        settings_without_effect(&Environment::from_variables(variables).0)
    };
    assert_eq!(
        told(&[("DIRACX_SERVICE_JOBS_ENABLED", "true"), ("DIRACX_DB_URL_JOBDB", "sqlite:///jobs.db")]),
        [""; 0]
    );
    let sentences = told(&[
        ("DIRACX_OS_DB_JOBPARAMETERSDB", "{}"),
        ("DIRACX_TASKS_DUMMY_JOB_EXECUTOR_INTERVAL_SECONDS", "10"),
        ("diracx_service_health_enabled", "0"),
    ]);
    let names: Vec<_> = sentences.iter().filter_map(|sentence| sentence.split_whitespace().next()).collect();
    assert_eq!(
        names,
        [
            "DIRACX_OS_DB_JOBPARAMETERSDB",
            "DIRACX_TASKS_DUMMY_JOB_EXECUTOR_INTERVAL_SECONDS",
            "DIRACX_SERVICE_HEALTH_ENABLED"
        ]
    );
    assert_eq!(
        sentences[0],
        "DIRACX_OS_DB_JOBPARAMETERSDB is set and has no effect: job parameters are kept in JobDB"
    );
}
