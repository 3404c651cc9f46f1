//! `docs/reference/pilot-status.md` is written from the status machine, and is out of date when it changes.
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fmt::Write as _;

use diracx_pilots::logic::transitions::MACHINE;

const PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/reference/pilot-status.md");

const INTRODUCTION: &str = "\
# The status of a pilot

Written by `cargo xtask docs` from the table in `services/pilots/src/logic/transitions.rs`, which is what the pilots service
goes by.

A patch (`PatchPilotMetadata`, `PATCH /api/pilots/metadata`) asks for a status. If the table does not allow it, the patch
is refused with reason `ILLEGAL_TRANSITION`. Asking for the status that a pilot has is allowed. Administrators and
components of the system may `force`; on REST patches of administrators always do, since in DiracX everybody's do.

A pilot may skip what nobody saw: computing elements are asked now and then. One that its computing element does not know
(Unknown) may turn up again. A status that only other software writes, such as DIRAC's old Scheduled, may become any.

`RegisterPilots` takes any status to begin with. `KillPilots` makes of every pilot that has not ended an Aborted one,
`DeclareStalledPilots` a Deleted one of those without a sign of life.
";

fn table() -> String {
    let mut text = String::from("| status | may become |\n|---|---|\n");
    for row in &MACHINE {
        let next: Vec<_> = row.next.iter().map(ToString::to_string).collect();
        let next = if next.is_empty() { "nothing: it is the end".to_owned() } else { next.join(", ") };
        writeln!(text, "| {} | {next} |", row.status).unwrap();
    }
    text
}

fn document() -> String {
    format!("{INTRODUCTION}\n{}", table())
}

#[test]
fn the_document_says_what_the_machine_does() {
    if std::env::var_os("DIRACX_WRITE_DOCS").is_some() {
        std::fs::write(PATH, document()).expect("the document can be written");
        return;
    }
    let stored = std::fs::read_to_string(PATH).unwrap_or_default();
    assert!(
        stored == document(),
        "docs/reference/pilot-status.md is out of date; `cargo xtask docs` writes it anew"
    );
}
