//! How far a transfer is, for people who wait.

use std::{
    io::{self, IsTerminal as _},
    sync::Arc,
};

use diracx_api::Progress;
use indicatif::{ProgressBar, ProgressStyle};

/// What is smaller is there before anybody looks, in bytes.
const WORTH_SHOWING: u64 = 1 << 20;

/// A bar for an upload of so many bytes, on a terminal.
pub(crate) fn uploading(size: u64) -> Progress {
    if size < WORTH_SHOWING || !io::stderr().is_terminal() {
        return silent();
    }
    let style = ProgressStyle::with_template("uploading {bar:30} {binary_bytes}/{binary_total_bytes} {eta}");
    let bar = ProgressBar::new(size).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    Arc::new(move |bytes| bar.inc(bytes))
}

/// A count of bytes that come, on a terminal.
pub(crate) fn downloading() -> Progress {
    if !io::stderr().is_terminal() {
        return silent();
    }
    let style = ProgressStyle::with_template("downloading {binary_bytes} {binary_bytes_per_sec}");
    let bar = ProgressBar::no_length().with_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
    Arc::new(move |bytes| bar.inc(bytes))
}

fn silent() -> Progress {
    Arc::new(|_| ())
}
