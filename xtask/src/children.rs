//! Programs and directories that must be gone when we are: on return, on panic, on Ctrl-C.

use std::{
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};

/// How long a program may take to end after it was asked to.
const PATIENCE: Duration = Duration::from_secs(10);

/// What a signal has to clean up, since no destructor runs then.
static LEFT: Mutex<Left> = Mutex::new(Left { processes: Vec::new(), directories: Vec::new() });

/// Has a signal come?
static INTERRUPTED: AtomicBool = AtomicBool::new(false);

struct Left {
    processes: Vec<u32>,
    directories: Vec<PathBuf>,
}

fn left() -> MutexGuard<'static, Left> {
    LEFT.lock().unwrap_or_else(PoisonError::into_inner)
}

/// From now on SIGINT, SIGTERM and SIGHUP stop what we started before they stop us.
pub(crate) fn stop_on_signals() -> Result<()> {
    #[expect(clippy::disallowed_methods, reason = "after a signal there is no main to return to")]
    ctrlc::set_handler(|| {
        INTERRUPTED.store(true, Ordering::SeqCst);
        let (processes, directories) = {
            let mut left = left();
            (std::mem::take(&mut left.processes), std::mem::take(&mut left.directories))
        };
        for process in &processes {
            signal("-TERM", *process);
        }
        let deadline = Instant::now() + PATIENCE;
        while processes.iter().any(|process| is_running(*process)) && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(50));
        }
        for process in processes.iter().filter(|process| is_running(**process)) {
            signal("-KILL", *process);
        }
        for directory in directories {
            let _ = std::fs::remove_dir_all(directory);
        }
        std::process::exit(130);
    })
    .context("cannot watch for signals")
}

/// After a signal everything fails because what it needs is being stopped; that is no news. Lets the handler
/// finish, which ends this process.
pub(crate) fn give_way_to_signals() {
    while INTERRUPTED.load(Ordering::SeqCst) {
        std::thread::park();
    }
}

/// A running program, stopped when this value goes.
pub(crate) struct Running {
    child: Child,
}

impl Running {
    /// Starts a program.
    pub(crate) fn start(command: &mut Command) -> Result<Self> {
        let name = command.get_program().display().to_string();
        let child = command.stdin(Stdio::null()).spawn().with_context(|| format!("cannot start `{name}`"))?;
        left().processes.push(child.id());
        Ok(Self { child })
    }

    /// The program itself, for its pipes.
    pub(crate) fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    /// How it ended, if it did.
    pub(crate) fn ended(&mut self) -> Result<Option<ExitStatus>> {
        Ok(self.child.try_wait()?)
    }

    /// Waits for its end, at most this long.
    pub(crate) fn wait(&mut self, patience: Duration) -> Result<Option<ExitStatus>> {
        let deadline = Instant::now() + patience;
        loop {
            let ended = self.ended()?;
            if ended.is_some() || Instant::now() > deadline {
                return Ok(ended);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Leaves it running after us, and says under which number.
    pub(crate) fn let_go(self) -> u32 {
        let id = self.child.id();
        left().processes.retain(|known| *known != id);
        std::mem::forget(self);
        id
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let id = self.child.id();
        if matches!(self.ended(), Ok(None)) {
            signal("-TERM", id);
            if !matches!(self.wait(PATIENCE), Ok(Some(_))) {
                let _ = self.child.kill();
                let _ = self.child.wait();
            }
        }
        left().processes.retain(|known| *known != id);
    }
}

/// A fresh directory, removed when this value goes.
pub(crate) struct Scratch {
    directory: tempfile::TempDir,
}

impl Scratch {
    /// Makes one whose name starts with `prefix`.
    pub(crate) fn new(prefix: &str) -> Result<Self> {
        let directory =
            tempfile::Builder::new().prefix(prefix).tempdir().context("no temporary directory")?;
        left().directories.push(directory.path().to_path_buf());
        Ok(Self { directory })
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Keeps it after us.
    pub(crate) fn let_go(self) -> PathBuf {
        left().directories.retain(|known| known != self.directory.path());
        let mut directory = self.directory;
        directory.disable_cleanup(true);
        directory.path().to_path_buf()
    }
}

/// A port of the loopback interface that was free a moment ago.
pub(crate) fn free_port() -> Result<u16> {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).context("no free port")?;
    Ok(listener.local_addr()?.port())
}

/// Sends a signal by name. The `kill` program, because this crate has no unsafe code.
pub(crate) fn signal(name: &str, process: u32) {
    let _ = Command::new("kill").args([name, &process.to_string()]).stderr(Stdio::null()).status();
}

fn is_running(process: u32) -> bool {
    let state = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    // The state follows the name, which may itself hold blanks and parentheses.
    state.rsplit(") ").next().is_some_and(|rest| !rest.is_empty() && !rest.starts_with('Z'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_goes_out_of_scope_is_stopped() {
        let id = {
            let mut sleep = Running::start(Command::new("sleep").arg("60")).unwrap();
            sleep.child().id()
        };
        assert!(!is_running(id));
    }

    #[test]
    fn a_program_is_stopped_when_its_owner_panics() {
        let (sender, receiver) = std::sync::mpsc::channel();
        let owner = std::thread::spawn(move || {
            let mut sleep = Running::start(Command::new("sleep").arg("60")).unwrap();
            sender.send(sleep.child().id()).unwrap();
            panic!("on purpose");
        });
        assert!(owner.join().is_err());
        assert!(!is_running(receiver.recv().unwrap()));
    }

    #[test]
    fn a_scratch_directory_goes_with_its_value_unless_let_go() {
        let gone = Scratch::new("xtask-test-").unwrap().path().to_path_buf();
        assert!(!gone.exists());
        let kept = Scratch::new("xtask-test-").unwrap().let_go();
        assert!(kept.exists());
        std::fs::remove_dir_all(kept).unwrap();
    }
}
