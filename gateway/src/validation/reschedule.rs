//! What rescheduling takes: the numbers of jobs, in a member of their own.

use diracx_core::JobId;
use serde_json::Value;

use super::{Loc, Problems, scalar};

/// Reads the body of a rescheduling; no body, and one that is no object, lack the member. A job that is there twice is
/// there once.
pub(crate) fn reschedule_body(problems: &mut Problems, value: Option<&Value>) -> Option<Vec<JobId>> {
    let loc = Loc::BODY;
    let loc = loc.field("job_ids");
    let Some(ids) = value.and_then(Value::as_object).and_then(|members| members.get("job_ids")) else {
        problems.missing(&loc, &Value::Null);
        return None;
    };
    let ids = scalar::list(problems, &loc, ids, scalar::int)?;
    let mut seen = std::collections::HashSet::with_capacity(ids.len());
    Some(ids.into_iter().filter(|id| seen.insert(*id)).map(JobId).collect())
}
