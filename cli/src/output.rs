//! Printing: answers to stdout, what is for people to stderr.

use std::io::{self, ErrorKind, IsTerminal as _, Write as _};

use serde_json::Value;

use crate::{arguments::Global, failure::Failure};

/// How answers are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// For scripts.
    Json,
    /// For people.
    Table,
}

impl Format {
    /// Reads a format in either letter case; `RICH` is DiracX's word for a table.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        match text.to_ascii_lowercase().as_str() {
            "json" => Ok(Self::Json),
            "table" | "rich" => Ok(Self::Table),
            _ => Err("write json or table".to_owned()),
        }
    }
}

impl Global {
    /// The format that is asked for, or the one that fits whoever reads.
    pub(crate) fn format(&self) -> Format {
        let suitable = || if io::stdout().is_terminal() { Format::Table } else { Format::Json };
        self.output.unwrap_or_else(suitable)
    }
}

/// Prints a line to stdout.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    print_part(&format!("{text}\n"))
}

/// Prints a part of something to stdout.
pub(crate) fn print_part(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    write!(out, "{text}").and_then(|()| out.flush()).map_err(|error| match error.kind() {
        ErrorKind::BrokenPipe => Failure::NobodyReads,
        _ => Failure::Other(format!("cannot print: {error}")),
    })
}

/// Prints JSON to stdout.
pub(crate) fn print_json(value: &Value) -> Result<(), Failure> {
    print(&format!("{value:#}"))
}

/// Tells people something that is no part of the answer.
pub(crate) fn tell(text: &str) {
    // when nobody reads it, nothing is lost
    let _ = writeln!(io::stderr().lock(), "{text}");
}
