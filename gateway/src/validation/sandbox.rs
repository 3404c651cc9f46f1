//! What the routes for sandboxes take.

use diracx_core::{
    JobId,
    sandbox::{LONGEST_PFN, PFN_PATTERN, matches_pattern},
};
use serde_json::{Value, json};

use super::{Loc, Problems, scalar};

const CHECKSUM_PATTERN: &str = "^[0-9a-fA-F]{64}$";
const FORMATS: [SandboxFormat; 2] = [SandboxFormat::TarBz2, SandboxFormat::TarZst];

/// How a sandbox is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SandboxFormat {
    TarBz2,
    TarZst,
}

/// A sandbox to be uploaded. Its checksum is a SHA-256: there is no other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SandboxInfo {
    pub(crate) checksum: String,
    pub(crate) size: i64,
    pub(crate) format: SandboxFormat,
}

/// Reads a [`SandboxInfo`].
pub(crate) fn sandbox_info(problems: &mut Problems, loc: &Loc<'_>, value: &Value) -> Option<SandboxInfo> {
    let members = scalar::model(problems, loc, value)?;
    let member = |problems: &mut Problems, name| {
        let found = members.get(name);
        if found.is_none() {
            problems.missing(&loc.field(name), value);
        }
        found
    };
    // In the order of DiracX's model, which is the order of its complaints.
    let algorithm = member(problems, "checksum_algorithm")
        .and_then(|value| scalar::choice(problems, &loc.field("checksum_algorithm"), &["sha256"], value));
    let checksum =
        member(problems, "checksum").and_then(|value| checksum(problems, &loc.field("checksum"), value));
    let size = member(problems, "size")
        .and_then(|value| scalar::int_between(problems, &loc.field("size"), value, 1, i64::MAX));
    let format = member(problems, "format")
        .and_then(|value| scalar::choice(problems, &loc.field("format"), &["tar.bz2", "tar.zst"], value));
    algorithm?;
    Some(SandboxInfo { checksum: checksum?, size: size?, format: FORMATS[format?] })
}

fn checksum(problems: &mut Problems, loc: &Loc<'_>, value: &Value) -> Option<String> {
    let text = scalar::string(problems, loc, value)?;
    let fits = text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit());
    if !fits {
        mismatch(problems, loc, value, CHECKSUM_PATTERN);
    }
    fits.then_some(text)
}

fn mismatch(problems: &mut Problems, loc: &Loc<'_>, value: &Value, pattern: &str) {
    let message = format!("String should match pattern '{pattern}'");
    problems.add_with("string_pattern_mismatch", loc, message, value, json!({ "pattern": pattern }));
}

/// The name of a sandbox.
pub(crate) fn pfn(problems: &mut Problems, loc: &Loc<'_>, value: &Value) -> Option<String> {
    let text = scalar::string(problems, loc, value)?;
    if text.chars().count() > LONGEST_PFN {
        let message = format!("String should have at most {LONGEST_PFN} characters");
        problems.add_with("string_too_long", loc, message, value, json!({ "max_length": LONGEST_PFN }));
        return None;
    }
    if !matches_pattern(&text) {
        mismatch(problems, loc, value, PFN_PATTERN);
        return None;
    }
    Some(text)
}

/// The member `job_ids` of a body. That it is not there is said of it, whatever the body is.
pub(crate) fn embedded_job_ids(problems: &mut Problems, value: Option<&Value>) -> Option<Vec<i64>> {
    let loc = Loc::BODY.field("job_ids");
    match value.and_then(|value| value.get("job_ids")) {
        None | Some(Value::Null) => {
            problems.missing(&loc, &Value::Null);
            None
        }
        Some(value) => scalar::list(problems, &loc, value, scalar::int),
    }
}

/// The number of a job in the path.
pub(crate) fn job_id(problems: &mut Problems, text: &str) -> Option<JobId> {
    scalar::int(problems, &Loc::PATH.field("job_id"), &Value::String(text.to_owned())).map(JobId)
}

/// `input` or `output` in the path; the answer is whether it is output.
pub(crate) fn is_output(problems: &mut Problems, text: &str) -> Option<bool> {
    const TYPES: [&str; 2] = ["input", "output"];
    let found = TYPES.iter().position(|known| *known == text);
    if found.is_none() {
        let value = Value::String(text.to_owned());
        problems.not_one_of("literal_error", &Loc::PATH.field("sandbox_type"), &TYPES, &value);
    }
    found.map(|position| position == 1)
}
