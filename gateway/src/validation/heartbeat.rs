//! What a heartbeat takes: for each job, how it does.

use diracx_core::JobId;
use serde_json::Value;

use super::{Loc, Problems, last_of_each, scalar, status::optional_text};

/// The figures, in the order of DiracX's model, which is the order of its complaints.
pub(crate) const FIGURES: [&str; 6] =
    ["LoadAverage", "MemoryUsed", "Vsize", "AvailableDiskSpace", "CPUConsumed", "WallClockTime"];
const OUTPUT: &str = "StandardOutput";

/// How a job does.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct JobHeartbeat {
    /// In the order of [`FIGURES`].
    pub(crate) figures: [Option<f64>; 6],
    pub(crate) standard_output: Option<String>,
}

/// Reads the body of a heartbeat. Of several spellings of one job the last counts.
pub(crate) fn heartbeat_body(
    problems: &mut Problems,
    loc: &Loc<'_>,
    value: &Value,
) -> Option<Vec<(JobId, JobHeartbeat)>> {
    let members = scalar::dict(problems, loc, value)?;
    let mut jobs = Vec::with_capacity(members.len());
    for (key, value) in members {
        let loc = loc.field(key);
        let job = scalar::int(problems, &loc.field("[key]"), &Value::String(key.clone()));
        let heartbeat = heartbeat(problems, &loc, value);
        if let (Some(job), Some(heartbeat)) = (job, heartbeat) {
            jobs.push((JobId(job), heartbeat));
        }
    }
    Some(last_of_each(jobs))
}

fn heartbeat(problems: &mut Problems, loc: &Loc<'_>, value: &Value) -> Option<JobHeartbeat> {
    let members = scalar::model(problems, loc, value)?;
    let figures = FIGURES.map(|name| match members.get(name) {
        None | Some(Value::Null) => None,
        // Python takes infinity and NaN; nobody can use them, so they count as not known.
        Some(value) => scalar::float(problems, &loc.field(name), value).filter(|number| number.is_finite()),
    });
    let standard_output = optional_text(problems, loc, members.get(OUTPUT), OUTPUT);
    for (name, value) in members {
        if name != OUTPUT && !FIGURES.contains(&name.as_str()) {
            problems.add("extra_forbidden", &loc.field(name), "Extra inputs are not permitted", value);
        }
    }
    Some(JobHeartbeat { figures, standard_output: standard_output? })
}
