//! The settings under DiracX's names: defaults, all problems at once, and no secret in any of them.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a helper of a test that cannot go on says so")]

use diracx_auth::settings::{Args, Settings};
use diracx_core::SystemClock;
use diracx_server::settings::{Environment, Failure, parse_settings_from};
use diracx_testkit::TestIssuer;

const STATE_KEY: &str = "cw/0x689RpI+jtRR7oE8h/eQsKImvJapLeSbXpwF4e4=";

fn parse(variables: &[(&str, &str)]) -> Result<Settings, Failure> {
    let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let (environment, dotenv_problems) = Environment::from_variables(variables);
    parse_settings_from::<Args>(["diracx-auth"], &environment, dotenv_problems)
}

fn complete<'a>(keystore: &'a str, more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let needed = [
        ("DIRACX_DB_URL_AUTHDB", "mysql+aiomysql://dirac:s3cret@db/AuthDB"),
        ("DIRACX_SERVICE_AUTH_STATE_KEY", STATE_KEY),
        ("DIRACX_SERVICE_AUTH_TOKEN_ISSUER", "https://diracx.example/"),
        ("DIRACX_SERVICE_AUTH_TOKEN_KEYSTORE", keystore),
    ];
    needed.into_iter().chain(more.iter().copied()).collect()
}

fn problems(variables: &[(&str, &str)]) -> Vec<String> {
    match parse(variables) {
        Err(Failure::Problems(problems)) => problems.all().to_vec(),
        Err(Failure::CommandLine(error)) => panic!("{error}"),
        Ok(_) => Vec::new(),
    }
}

fn keystore() -> String {
    TestIssuer::new(std::sync::Arc::new(SystemClock)).unwrap().keystore_document().to_owned()
}

#[test]
fn an_installation_of_diracx_starts_with_its_environment() {
    let keystore = keystore();
    let settings = parse(&complete(
        &keystore,
        &[
            (
                "DIRACX_SERVICE_AUTH_ALLOWED_REDIRECTS",
                r#"["https://diracx.example/#authentication-callback"]"#,
            ),
            ("diracx_service_auth_access_token_expire_minutes", "5"),
        ],
    ))
    .map_err(|_| "the settings are complete")
    .unwrap();
    let auth = &settings.auth;
    assert_eq!(auth.client_id, "myDIRACClientID");
    assert_eq!(auth.device_flow_lifetime.num_seconds(), 600);
    assert_eq!(auth.authorization_flow_lifetime.num_seconds(), 300);
    assert_eq!(auth.access_token_lifetime.num_minutes(), 5);
    assert_eq!(auth.refresh_token_lifetime.num_minutes(), 60);
    assert_eq!(auth.allowed_redirects.len(), 1);
    assert_eq!(auth.advertised_properties.len(), 23);
    let shown = format!("{settings:?}");
    for secret in ["s3cret", STATE_KEY, "cw_0x689"] {
        assert!(!shown.contains(secret), "{shown}");
    }
}

#[test]
fn everything_that_is_missing_is_told_at_once() {
    let problems = problems(&[]);
    for name in [
        "DIRACX_DB_URL_AUTHDB",
        "DIRACX_SERVICE_AUTH_STATE_KEY",
        "DIRACX_SERVICE_AUTH_TOKEN_ISSUER",
        "DIRACX_SERVICE_AUTH_TOKEN_KEYSTORE",
    ] {
        assert!(problems.contains(&format!("{name}: is required")), "{name} in {problems:?}");
    }
}

#[test]
fn values_that_make_no_sense_are_named_without_telling_secrets() {
    let keystore = keystore();
    let check = |name: &str, value: &str| {
        let problems = problems(&complete(&keystore, &[(name, value)]));
        assert!(problems.iter().any(|problem| problem.starts_with(name)), "{name}={value}: {problems:?}");
        assert!(!problems.concat().contains("s3cret"), "{problems:?}");
    };
    check("DIRACX_SERVICE_AUTH_STATE_KEY", "s3cret");
    check("DIRACX_DB_URL_AUTHDB", "oracle://dirac:s3cret@db");
    check("DIRACX_SERVICE_AUTH_ALLOWED_REDIRECTS", "https://not.a.list");
    check("DIRACX_SERVICE_AUTH_DEVICE_FLOW_EXPIRATION_SECONDS", "0");
    check("DIRACX_SERVICE_AUTH_ACCESS_TOKEN_EXPIRE_MINUTES", "99999999999999999");
    check("DIRACX_SERVICE_AUTH_REFRESH_TOKEN_EXPIRE_MINUTES", "-1");
    // a login must not be cleaned away while it goes on
    check("DIRACX_SERVICE_AUTH_COMPLETED_FLOW_RETENTION_MINUTES", "10");
    check("DIRACX_SERVICE_AUTH_SECURITY_CONTACT", "call us\nExpires: never");
}
