//! The process of the gateway: settings → telemetry → channels → serve → drain.

use std::process::ExitCode;

use diracx_gateway::process::Args;
use diracx_server::{run_process, shutdown_signal};

/// Faster than the system's where many threads make small things, and for SQLite as well.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    run_process::<Args, _, _>(
        |settings| &settings.telemetry,
        |settings, metrics| settings.run(metrics, shutdown_signal()),
    )
}
