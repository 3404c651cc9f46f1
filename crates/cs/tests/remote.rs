//! Configurations in repositories elsewhere: over https from git's own server, over ssh by a program.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use common::{DOCUMENT, Repository, read, with_message};
use diracx_cs::{ConfigSource, FetchSettings};
use rustls::{ServerConfig, ServerConnection, StreamOwned, pki_types::pem::PemObject as _};
use tempfile::TempDir;

/// git's own HTTP server behind TLS, as `https://localhost:PORT/<repository>`. It asks for a password.
struct HttpsServer {
    port: u16,
    away: Arc<AtomicBool>,
}

const CERTIFICATE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/tls.pem");
const KEY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/tls.key");
/// `user:secret`
const BASIC: &str = "basic dXNlcjpzZWNyZXQ=";

impl HttpsServer {
    fn over(root: &Path) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let certificate = rustls::pki_types::CertificateDer::from_pem_file(CERTIFICATE).unwrap();
        let key = rustls::pki_types::PrivateKeyDer::from_pem_file(KEY).unwrap();
        let config = ServerConfig::builder().with_no_client_auth().with_single_cert(vec![certificate], key);
        let config = Arc::new(config.unwrap());
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = Self { port: listener.local_addr().unwrap().port(), away: Arc::default() };
        let (away, root) = (server.away.clone(), root.to_owned());
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if away.load(Ordering::SeqCst) {
                    continue;
                }
                let (config, root) = (config.clone(), root.clone());
                std::thread::spawn(move || {
                    let tls = ServerConnection::new(config).unwrap();
                    let _ = answer(StreamOwned::new(tls, stream), &root);
                });
            }
        });
        server
    }

    fn url(&self, query: &str) -> String {
        format!("git+https://user:secret@localhost:{}/.git{query}", self.port)
    }
}

fn answer(stream: StreamOwned<ServerConnection, TcpStream>, root: &Path) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    let mut line = String::new();
    stream.read_line(&mut line)?;
    let mut words = line.split(' ');
    let (method, target) = (words.next().unwrap_or_default().to_owned(), words.next().unwrap_or_default());
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let (path, query) = (path.to_owned(), query.to_owned());
    let mut headers = std::collections::HashMap::new();
    loop {
        let mut line = String::new();
        stream.read_line(&mut line)?;
        let Some((name, value)) = line.trim().split_once(':') else { break };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let body = body(&mut stream, &headers)?;
    let stream = stream.get_mut();
    if headers.get("authorization").is_none_or(|given| !given.eq_ignore_ascii_case(BASIC)) {
        let refusal = "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"cs\"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
        stream.write_all(refusal.as_bytes())?;
        stream.conn.send_close_notify();
        return stream.flush();
    }
    let header = |name: &str| headers.get(name).cloned().unwrap_or_default();
    let mut child = Command::new("git")
        .arg("http-backend")
        .env("GIT_PROJECT_ROOT", root)
        .env("GIT_HTTP_EXPORT_ALL", "1")
        .env("REQUEST_METHOD", method)
        .env("PATH_INFO", path)
        .env("QUERY_STRING", query)
        .env("CONTENT_TYPE", header("content-type"))
        .env("CONTENT_LENGTH", body.len().to_string())
        .env("GIT_PROTOCOL", header("git-protocol"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    child.stdin.take().unwrap().write_all(&body)?;
    let output = child.wait_with_output()?.stdout;
    let end = output.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
    let head = String::from_utf8_lossy(&output[..end]).into_owned();
    let status = head.lines().find_map(|line| line.strip_prefix("Status: ")).unwrap_or("200 OK");
    let length = output.len() - end - 4;
    write!(stream, "HTTP/1.1 {status}\r\n{head}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n")?;
    stream.write_all(&output[end + 4..])?;
    stream.conn.send_close_notify();
    stream.flush()
}

fn body(
    stream: &mut impl BufRead,
    headers: &std::collections::HashMap<String, String>,
) -> std::io::Result<Vec<u8>> {
    let mut body = Vec::new();
    if headers.get("transfer-encoding").is_some_and(|coding| coding == "chunked") {
        loop {
            let mut size = String::new();
            stream.read_line(&mut size)?;
            let size = u64::from_str_radix(size.trim(), 16).unwrap_or(0);
            stream.take(size).read_to_end(&mut body)?;
            stream.read_line(&mut String::new())?;
            if size == 0 {
                return Ok(body);
            }
        }
    }
    let length = headers.get("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    stream.take(length).read_to_end(&mut body)?;
    Ok(body)
}

/// The certificates that a process believes in are those it is started with, so the test runs in a process of its own.
fn in_a_process_that_trusts_us(test: &str) -> bool {
    const INSIDE: &str = "DIRACX_TEST_INSIDE";
    if std::env::var_os(INSIDE).is_some() {
        return true;
    }
    let output = Command::new(std::env::current_exe().unwrap())
        .args([test, "--exact", "--nocapture"])
        .env(INSIDE, "1")
        .env("SSL_CERT_FILE", CERTIFICATE)
        .env_remove("SSL_CERT_DIR")
        .output()
        .unwrap();
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{}{}", said(&output.stdout), said(&output.stderr));
    assert!(said(&output.stdout).contains("1 passed"), "{}", said(&output.stdout));
    false
}

#[test]
fn a_repository_behind_https_is_followed_through_pushes_forced_pushes_and_absence() {
    if !in_a_process_that_trusts_us(
        "a_repository_behind_https_is_followed_through_pushes_forced_pushes_and_absence",
    ) {
        return;
    }
    let repository = Repository::with(&with_message("first"));
    let first = repository.git(&["rev-parse", "HEAD"]);
    repository.git(&["tag", "-a", "v1", "-m", "first"]);
    repository.commit(&with_message("second"));
    let server = HttpsServer::over(repository.path());
    for (query, expected) in
        [("", "second"), ("?revision=v1", "first"), (format!("?revision={first}").as_str(), "first")]
    {
        let mut source = ConfigSource::open(&server.url(query)).unwrap();
        assert!(read(&mut source).unwrap().contains(expected), "{query}");
    }

    let mut source = ConfigSource::open(&server.url("")).unwrap();
    let second = source.latest().unwrap();
    assert_eq!(source.latest().unwrap(), second, "nothing new");
    repository.git(&["reset", "--quiet", "--hard", &first]);
    let third = repository.commit(&with_message("third"));
    assert_eq!(source.latest().unwrap().id, third, "a forced push");
    assert!(read(&mut source).unwrap().contains("third"));

    repository.commit("Registry: [");
    assert!(read(&mut source).unwrap_err().to_string().contains("line "));
    server.away.store(true, Ordering::SeqCst);
    let error = source.latest().unwrap_err().to_string();
    assert!(error.starts_with("cannot fetch from https://***@localhost:"), "{error}");
    assert!(!error.contains("secret"), "{error}");
    server.away.store(false, Ordering::SeqCst);
    repository.commit(&with_message("mended"));
    assert!(read(&mut source).unwrap().contains("mended"));

    let gone = ConfigSource::open(&server.url("?revision=gone")).unwrap().latest().unwrap_err().to_string();
    assert!(gone.contains("revision gone of the configuration does not exist"), "{gone}");
    let stranger = server.url("").replace("secret", "guessed");
    let refused = ConfigSource::open(&stranger).unwrap().latest().unwrap_err().to_string();
    assert!(refused.starts_with("cannot fetch") && !refused.contains("guessed"), "{refused}");
}

/// A program that stands in for ssh.
fn ssh(directory: &Path, script: &str) -> FetchSettings {
    let path: PathBuf = directory.join("ssh");
    fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    FetchSettings { ssh_command: Some(path.display().to_string()), ..FetchSettings::default() }
}

/// What the other side does with the words behind the host.
const OTHER_SIDE: &str = "until case $1 in *@*) true;; *) false;; esac; do shift; done\nshift\nexec sh -c \"$*\"";

#[test]
fn a_repository_behind_ssh_is_followed() {
    let directory = TempDir::new().unwrap();
    let repository = Repository::with(&with_message("first"));
    let url = format!("git+ssh://git@host:2222{}", repository.path().display());
    let log = directory.path().join("log");
    let settings = ssh(directory.path(), &format!("echo \"$*\" >> {}\n{OTHER_SIDE}", log.display()));
    let mut source = ConfigSource::open_with(&url, settings).unwrap();
    assert!(read(&mut source).unwrap().contains("first"));
    repository.commit(&with_message("second"));
    assert!(read(&mut source).unwrap().contains("second"));
    let log = fs::read_to_string(log).unwrap();
    assert!(log.contains("-p2222 git@host git-upload-pack"), "{log}");

    let settings = ssh(directory.path(), "echo 'Permission denied (publickey).' >&2; exit 255");
    let error = ConfigSource::open_with(&url, settings).unwrap().latest().unwrap_err().to_string();
    assert!(error.contains("Permission denied"), "{error}");
}

#[test]
fn a_fetch_that_hangs_or_brings_too_much_is_given_up_and_tried_again_later() {
    let directory = TempDir::new().unwrap();
    let repository = Repository::with(DOCUMENT);
    let url = format!("git+ssh://git@host{}", repository.path().display());
    let block = directory.path().join("block");
    fs::write(&block, "").unwrap();
    let script = format!("while [ -e {} ]; do sleep 0.05; done\n{OTHER_SIDE}", block.display());
    let settings = FetchSettings { timeout: Duration::from_millis(300), ..ssh(directory.path(), &script) };
    let mut source = ConfigSource::open_with(&url, settings).unwrap();
    let started = Instant::now();
    let error = source.latest().unwrap_err().to_string();
    assert!(error.contains("it takes longer than 0.3 s"), "{error}");
    let error = source.latest().unwrap_err().to_string();
    assert!(error.contains("has not ended yet"), "{error}");
    assert!(started.elapsed() < Duration::from_secs(10));
    fs::remove_file(&block).unwrap();
    let mended = (0..100).any(|_| source.latest().is_ok() || {
        std::thread::sleep(Duration::from_millis(50));
        false
    });
    assert!(mended);

    let noise: String = (0..400_000_u64).map(|i| format!("{:x}\n", i.wrapping_mul(0x9e37_79b9_7f4a_7c15))).collect();
    fs::write(repository.path().join("noise"), noise).unwrap();
    repository.git(&["add", "noise"]);
    repository.commit(DOCUMENT);
    let settings = FetchSettings { max_bytes: 100_000, ..ssh(directory.path(), OTHER_SIDE) };
    let mut source = ConfigSource::open_with(&url, settings).unwrap();
    let mut refused = 0;
    while refused < 2 {
        let error = source.latest().unwrap_err().to_string();
        // one that did not stop at once is waited for
        refused += usize::from(error.contains("it brings more than 100000 bytes"));
        assert!(error.contains("it brings more") || error.contains("has not ended yet"), "{error}");
    }
}
