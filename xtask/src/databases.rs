//! A MariaDB and a Redis for the tests: named in the environment, found, started or installed.

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};

use crate::{
    children::{Running, Scratch, free_port},
    report::Ended,
    shell::{apt_install, find, in_ci, may_use_apt, program, read},
};

/// Tells the tests where a MariaDB or MySQL is whose root may create databases.
pub(crate) const MYSQL_URL: &str = "DIRACX_TEST_MYSQL_URL";
/// Tells the tests where a Redis is.
pub(crate) const REDIS_URL: &str = "DIRACX_TEST_REDIS_URL";

/// How long a private server may take until it answers.
const START_PATIENCE: Duration = Duration::from_mins(1);

/// The servers of this run; the private ones stop when this value goes.
#[derive(Default)]
pub(crate) struct Databases {
    /// What to put into the environment of the tests.
    pub(crate) environment: Vec<(&'static str, String)>,
    private: Vec<(Running, Scratch)>,
}

impl Databases {
    /// Makes sure there is a MariaDB.
    pub(crate) fn mariadb(&mut self) -> Result<Ended> {
        if let Some(url) = from_environment(MYSQL_URL) {
            let address = url.rsplit('@').next().unwrap_or_default().split('/').next().unwrap_or_default();
            return self.given(MYSQL_URL, address, 3306, &url);
        }
        if mariadb_answers(3306) {
            println!("  found on its default port");
            return Ok(self.use_at(MYSQL_URL, "mysql://root@127.0.0.1:3306/".into()));
        }
        if !present_or_installed("mariadbd", "mariadb-server")? {
            return Ok(Ended::Skipped("no MariaDB; install it: `apt-get install mariadb-server`".into()));
        }
        let port = self.start_mariadb()?;
        Ok(self.use_at(MYSQL_URL, format!("mysql://root@127.0.0.1:{port}/")))
    }

    /// Makes sure there is a Redis.
    pub(crate) fn redis(&mut self) -> Result<Ended> {
        if let Some(url) = from_environment(REDIS_URL) {
            let address = url.rsplit(['@', '/']).find(|part| part.contains(':')).unwrap_or("127.0.0.1:6379");
            return self.given(REDIS_URL, address, 6379, &url);
        }
        if redis_answers(6379) {
            println!("  found on its default port");
            return Ok(self.use_at(REDIS_URL, "redis://127.0.0.1:6379/".into()));
        }
        if !present_or_installed("redis-server", "redis-server")? {
            return Ok(Ended::Skipped("no Redis; install it: `apt-get install redis-server`".into()));
        }
        let port = self.start_redis()?;
        Ok(self.use_at(REDIS_URL, format!("redis://127.0.0.1:{port}/")))
    }

    fn start_redis(&mut self) -> Result<u16> {
        let port = free_port()?;
        let scratch = Scratch::new("diracx-redis-")?;
        let mut command = Command::new(find("redis-server").context("redis-server went away")?);
        command.args([
            "--bind",
            "127.0.0.1",
            "--save",
            "",
            "--appendonly",
            "no",
            "--port",
            &port.to_string(),
        ]);
        command.arg("--dir").arg(scratch.path()).stdout(Stdio::null());
        let mut server = Running::start(&mut command)?;
        wait_until("redis-server", &mut server, || redis_answers(port))?;
        println!("  started a private one on port {port}");
        self.private.push((server, scratch));
        Ok(port)
    }

    fn start_mariadb(&mut self) -> Result<u16> {
        let scratch = Scratch::new("diracx-mariadb-")?;
        let data = scratch.path().join("data");
        let user = read(program("id").arg("-un"))?;
        let user = format!("--user={}", user.trim());
        let port = free_port()?;
        let installer = find("mariadb-install-db").or_else(|| find("mysql_install_db"));
        let mut install = Command::new(installer.context("mariadbd is here but mariadb-install-db is not")?);
        install.arg("--no-defaults").arg(&user).arg(option("--datadir", &data));
        install.args(["--auth-root-authentication-method=normal", "--skip-test-db"]);
        read(&mut install)?;
        let mut command = Command::new(find("mariadbd").context("mariadbd went away")?);
        command.arg("--no-defaults").arg(&user).arg(option("--datadir", &data));
        command.arg(option("--socket", &scratch.path().join("socket")));
        command.arg(option("--log-error", &scratch.path().join("log")));
        command.args(["--bind-address=127.0.0.1", "--innodb-flush-log-at-trx-commit=2"]);
        command.arg(format!("--port={port}"));
        let mut server = Running::start(&mut command)?;
        wait_until("mariadbd", &mut server, || mariadb_answers(port))?;
        println!("  started a private one on port {port}");
        self.private.push((server, scratch));
        Ok(port)
    }

    /// An address somebody chose must work: falling back silently would test something else.
    fn given(
        &mut self,
        variable: &'static str,
        address: &str,
        default_port: u16,
        url: &str,
    ) -> Result<Ended> {
        let (host, port) = address.rsplit_once(':').unwrap_or((address, ""));
        let port = port.parse().unwrap_or(default_port);
        if TcpStream::connect((host, port)).is_err() {
            bail!("{variable} names {host}:{port}, where nothing listens");
        }
        println!("  named by {variable}");
        Ok(self.use_at(variable, url.to_owned()))
    }

    fn use_at(&mut self, variable: &'static str, url: String) -> Ended {
        self.environment.push((variable, url));
        Ended::Passed
    }
}

fn option(name: &str, path: &Path) -> String {
    format!("{name}={}", path.display())
}

fn from_environment(variable: &str) -> Option<String> {
    std::env::var(variable).ok().filter(|value| !value.is_empty())
}

fn present_or_installed(server: &str, package: &str) -> Result<bool> {
    if find(server).is_some() {
        return Ok(true);
    }
    if !may_use_apt() {
        if in_ci() {
            bail!("{server} is missing, and this is neither Debian nor root: cannot install {package}");
        }
        return Ok(false);
    }
    apt_install(&[package])?;
    Ok(find(server).is_some())
}

fn wait_until(name: &str, server: &mut Running, ready: impl Fn() -> bool) -> Result<()> {
    let deadline = Instant::now() + START_PATIENCE;
    while !ready() {
        if let Some(status) = server.ended()? {
            bail!("the private {name} ended at once: {status}");
        }
        if Instant::now() > deadline {
            bail!("the private {name} does not answer");
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}

fn connect(port: u16) -> Option<TcpStream> {
    let stream =
        TcpStream::connect_timeout(&SocketAddr::from(([127, 0, 0, 1], port)), Duration::from_secs(1)).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(2))).ok()?;
    Some(stream)
}

fn redis_answers(port: u16) -> bool {
    let Some(mut stream) = connect(port) else { return false };
    let mut answer = [0; 5];
    stream.write_all(b"PING\r\n").is_ok() && stream.read_exact(&mut answer).is_ok() && &answer == b"+PONG"
}

/// Does root get in without a password? Without the client program we cannot know, and start our own.
fn mariadb_answers(port: u16) -> bool {
    if connect(port).is_none() {
        return false;
    }
    let Some(client) = find("mariadb").or_else(|| find("mysql")) else { return false };
    let mut command = program(client);
    command.args([
        "--no-defaults",
        "--protocol=tcp",
        "--host=127.0.0.1",
        "--user=root",
        "--connect-timeout=2",
    ]);
    command.arg(format!("--port={port}")).args(["--execute", "SELECT 1"]);
    crate::shell::succeeds(&mut command)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::skips::is_here;

    #[test]
    fn a_private_redis_answers_and_is_gone_afterwards() {
        if !is_here("redis-server") {
            return;
        }
        let mut databases = Databases::default();
        let port = databases.start_redis().unwrap();
        assert!(redis_answers(port));
        drop(databases);
        assert!(!redis_answers(port));
    }

    #[test]
    fn a_private_mariadb_answers_and_is_gone_afterwards() {
        if !is_here("mariadbd") {
            return;
        }
        let mut databases = Databases::default();
        let port = databases.start_mariadb().unwrap();
        assert!(mariadb_answers(port));
        drop(databases);
        assert!(!mariadb_answers(port));
    }

    #[test]
    fn an_address_from_the_environment_where_nothing_listens_is_an_error() {
        let mut databases = Databases::default();
        let port = free_port().unwrap();
        assert!(databases.given(MYSQL_URL, &format!("127.0.0.1:{port}"), 3306, "").is_err());
    }
}
