//! What scripts rely on: exit codes, and that stdout holds nothing but the answer.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::{
    net::TcpListener,
    process::{Command, Output, Stdio},
};

/// `dirac` without anything of the environment that it listens to, and without anybody's login.
fn dirac(arguments: &[&str]) -> Command {
    let mut dirac = Command::new(env!("CARGO_BIN_EXE_dirac"));
    for variable in ["DIRACX_URL", "DIRACX_CA_PATH", "DIRACX_OUTPUT_FORMAT"] {
        dirac.env_remove(variable);
    }
    dirac.env("DIRACX_CREDENTIALS_PATH", "/nowhere/credentials.json").args(arguments);
    dirac
}

fn output(command: &mut Command) -> (i32, String, String) {
    let Output { status, stdout, stderr } = command.stdin(Stdio::null()).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (status.code().unwrap(), text(stdout), text(stderr))
}

/// An address where nobody listens.
fn closed_port() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

#[test]
fn help_and_version_are_answers() {
    let (code, stdout, stderr) = output(&mut dirac(&["--version"]));
    assert_eq!((code, &*stdout, &*stderr), (0, concat!("dirac ", env!("CARGO_PKG_VERSION"), "\n"), ""));
    let (code, stdout, stderr) = output(&mut dirac(&["--help"]));
    assert_eq!((code, &*stderr), (0, ""));
    assert!(stdout.contains("4  the server cannot be reached"), "{stdout}");
}

#[test]
fn a_wrong_command_is_2_and_is_explained() {
    let server = closed_port();
    let check = |arguments: &[&str], words: &str| {
        let (code, stdout, stderr) = output(dirac(arguments).env("DIRACX_URL", &server));
        assert_eq!((code, &*stdout), (2, ""), "{arguments:?}: {stderr}");
        assert!(stderr.contains(words), "{arguments:?}: {stderr}");
    };
    check(&["jobs", "submit"], "FILE");
    check(&["jobs", "submit", "/no/such/file.jdl"], "cannot read /no/such/file.jdl");
    check(&["jobs", "status", "seven"], "no job number");
    check(&["jobs", "kill"], "ID");
    check(&["jobs", "delete", "1,two"], "no job number");
    check(&["jobs", "reschedule", "-"], "there are no job numbers");
    check(&["jobs", "search", "--condition", "Status is Done"], "is no operator");
    check(&["jobs", "search", "--per-page", "0"], "1..=10000");
    check(&["--url", "localhost", "whoami"], "not the address of a server");
    check(&["--output", "xml", "whoami"], "json or table");
    check(&["fly"], "unrecognized subcommand");
}

#[test]
fn without_a_server_to_ask_the_command_is_wrong() {
    let (code, stdout, stderr) = output(&mut dirac(&["whoami"]));
    assert_eq!((code, &*stdout), (2, ""));
    assert!(stderr.contains("Set DIRACX_URL"), "{stderr}");
}

#[test]
fn a_server_that_is_not_there_is_4_whatever_is_asked() {
    let server = closed_port();
    let job = std::env::current_dir().unwrap().join("Cargo.toml");
    for arguments in [
        &["login", "lhcb"][..],
        &["whoami"],
        &["config", "dump"],
        &["jobs", "search"],
        &["jobs", "status", "1"],
        &["jobs", "summary"],
        &["jobs", "kill", "1"],
        &["jobs", "delete", "1"],
        &["jobs", "reschedule", "1", "--reset"],
        &["jobs", "submit", job.to_str().unwrap()],
    ] {
        let (code, stdout, stderr) = output(dirac(arguments).args(["--url", &server]));
        assert_eq!((code, &*stdout), (4, ""), "{arguments:?}: {stderr}");
        assert!(stderr.contains(&format!("cannot reach {server}")), "{stderr}");
        assert!(stderr.contains("DIRACX_URL"), "{stderr}");
    }
}

#[test]
fn a_server_that_speaks_something_else_is_4() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let server = format!("http://{}", listener.local_addr().unwrap());
    let thread = std::thread::spawn(move || {
        use std::io::{Read as _, Write as _};
        let (mut stream, _) = listener.accept().unwrap();
        let _ = stream.read(&mut [0; 1024]);
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n");
    });
    let (code, stdout, stderr) = output(dirac(&["whoami"]).args(["--url", &server]));
    thread.join().unwrap();
    assert_eq!((code, &*stdout), (4, ""), "{stderr}");
}

#[test]
fn logging_out_needs_neither_server_nor_login() {
    let (code, stdout, _) = output(&mut dirac(&["logout", "--output", "table"]));
    assert_eq!((code, stdout.contains("You are not connected")), (0, true), "{stdout}");

    let directory = tempfile::tempdir().unwrap();
    let credentials = directory.path().join("credentials.json");
    std::fs::write(&credentials, r#"{"access_token": "a", "refresh_token": "r", "expires_on": 1}"#).unwrap();
    let mut logout = dirac(&["logout"]);
    logout.env("DIRACX_CREDENTIALS_PATH", &credentials).env("DIRACX_URL", closed_port());
    let (code, stdout, stderr) = output(&mut logout);
    assert_eq!(code, 0, "{stderr}");
    assert!(!credentials.exists());
    assert!(stdout.contains(r#""removed": true"#), "{stdout}");
    assert!(stderr.contains("did not take the login back"), "{stderr}");
}

#[cfg(unix)]
#[test]
fn a_reader_that_leaves_is_no_reason_to_complain() {
    let mut child = dirac(&["logout", "--output", "table"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // closed before anything is written, or soon enough; either way there must be no complaint
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), &*output.stderr), (Some(0), &b""[..]));
}
