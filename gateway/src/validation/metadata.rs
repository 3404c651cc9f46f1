//! What a metadata patch takes: for each job attributes and parameters, under their names on the wire or in Python.

use chrono::{DateTime, Utc};
use diracx_core::JobId;
use serde_json::{Map, Value, json};

use super::{Loc, Problems, datetime, scalar};

/// The value of a field.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum FieldValue {
    /// A text, a number, a flag, a list, an object.
    Json(Value),
    /// An instant.
    Time(DateTime<Utc>),
}

/// What to set of one job.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Metadata {
    /// Columns of the job that were named, in the order of DiracX's model.
    pub(crate) attributes: Vec<(&'static str, FieldValue)>,
    /// Everything else.
    pub(crate) parameters: Vec<(String, FieldValue)>,
}

/// What the value of a field must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Int,
    /// A number, which may have a fraction or be a text, without its fraction.
    Whole,
    Flag,
    FlagOrText,
    Instant,
}

/// A field: its name on the wire, in Python, and what it must be.
type Field = (&'static str, &'static str, Kind);

/// DiracX's `JobParameters`, in its order, which is the order of its complaints.
const PARAMETERS: &[Field] = &[
    ("timestamp", "timestamp", Kind::Instant),
    ("CPUNormalizationFactor", "cpu_normalization_factor", Kind::Whole),
    ("NormCPUTime(s)", "norm_cpu_time_s", Kind::Whole),
    ("TotalCPUTime(s)", "total_cpu_time_s", Kind::Whole),
    ("HostName", "host_name", Kind::Text),
    ("GridCE", "grid_ce", Kind::Text),
    ("ModelName", "model_name", Kind::Text),
    ("PilotAgent", "pilot_agent", Kind::Text),
    ("Pilot_Reference", "pilot_reference", Kind::Text),
    ("Memory(MB)", "memory_mb", Kind::Int),
    ("LocalAccount", "local_account", Kind::Text),
    ("PayloadPID", "payload_pid", Kind::Int),
    ("CEQueue", "ce_queue", Kind::Text),
    ("BatchSystem", "batch_system", Kind::Text),
];

/// DiracX's `JobAttributes`, in its order.
const ATTRIBUTES: &[Field] = &[
    ("JobType", "job_type", Kind::Text),
    ("JobGroup", "job_group", Kind::Text),
    ("Site", "site", Kind::Text),
    ("JobName", "job_name", Kind::Text),
    ("Owner", "owner", Kind::Text),
    ("OwnerGroup", "owner_group", Kind::Text),
    ("VO", "vo", Kind::Text),
    ("SubmissionTime", "submission_time", Kind::Instant),
    ("RescheduleTime", "reschedule_time", Kind::Instant),
    ("LastUpdateTime", "last_update_time", Kind::Instant),
    ("StartExecTime", "start_exec_time", Kind::Instant),
    ("HeartBeatTime", "heart_beat_time", Kind::Instant),
    ("EndExecTime", "end_exec_time", Kind::Instant),
    ("Status", "status", Kind::Text),
    ("MinorStatus", "minor_status", Kind::Text),
    ("ApplicationStatus", "application_status", Kind::Text),
    ("UserPriority", "user_priority", Kind::Int),
    ("RescheduleCounter", "reschedule_counter", Kind::Int),
    ("VerifiedFlag", "verified_flag", Kind::Flag),
    ("AccountedFlag", "accounted_flag", Kind::FlagOrText),
];

/// Reads the body of a metadata patch. Of several spellings of one job the last counts.
pub(crate) fn metadata_body(
    problems: &mut Problems,
    loc: &Loc<'_>,
    value: &Value,
) -> Option<Vec<(JobId, Metadata)>> {
    let members = scalar::dict(problems, loc, value)?;
    let mut jobs = Vec::with_capacity(members.len());
    for (key, value) in members {
        let loc = loc.field(key);
        let job = scalar::int(problems, &loc.field("[key]"), &Value::String(key.clone()));
        let metadata = scalar::model(problems, &loc, value).map(|members| metadata(problems, &loc, members));
        if let (Some(job), Some(metadata)) = (job, metadata) {
            jobs.push((JobId(job), metadata));
        }
    }
    Some(super::last_of_each(jobs))
}

/// A value of null is no value. A member that is no field is a parameter, and so is the Python name of a field whose
/// name on the wire is there, too.
fn metadata(problems: &mut Problems, loc: &Loc<'_>, members: &Map<String, Value>) -> Metadata {
    let mut read = |fields: &'static [Field]| -> Vec<(&'static str, FieldValue)> {
        let value = |(wire, python, kind): &(&'static str, &'static str, Kind)| {
            let name = spelling(members, wire, python)?;
            let value = members.get(name).filter(|value| !value.is_null())?;
            Some((*wire, field(problems, &loc.field(name), *kind, value)?))
        };
        fields.iter().filter_map(value).collect()
    };
    let named = read(PARAMETERS);
    let attributes = read(ATTRIBUTES);
    let is_field = |name: &String| {
        let mut fields = PARAMETERS.iter().chain(ATTRIBUTES);
        fields.any(|(wire, python, _)| spelling(members, wire, python) == Some(name.as_str()))
    };
    let free = members
        .iter()
        .filter(|(name, value)| !value.is_null() && !is_field(name))
        .map(|(name, value)| (name.clone(), FieldValue::Json(value.clone())));
    let parameters = named.into_iter().map(|(name, value)| (name.to_owned(), value)).chain(free).collect();
    Metadata { attributes, parameters }
}

/// Under which of its names a field is there.
fn spelling(members: &Map<String, Value>, wire: &'static str, python: &'static str) -> Option<&'static str> {
    [wire, python].into_iter().find(|name| members.contains_key(*name))
}

fn field(problems: &mut Problems, loc: &Loc<'_>, kind: Kind, value: &Value) -> Option<FieldValue> {
    let json = match kind {
        Kind::Text => scalar::string(problems, loc, value)?.into(),
        Kind::Int => scalar::int(problems, loc, value)?.into(),
        Kind::Whole => whole(problems, loc, value)?.into(),
        Kind::Flag => scalar::boolean(problems, loc, value)?.into(),
        Kind::FlagOrText => flag_or_text(problems, loc, value)?,
        Kind::Instant => return datetime::utc(problems, loc, value).map(FieldValue::Time),
    };
    Some(FieldValue::Json(json))
}

/// A number without its fraction; a text that Python's `float` would read counts as the number.
fn whole(problems: &mut Problems, loc: &Loc<'_>, value: &Value) -> Option<i64> {
    let number = match value {
        Value::String(text) => {
            let Some(number) = python_float(text) else {
                problems.value_error(loc, format!("Cannot convert '{text}' to integer"), value);
                return None;
            };
            number
        }
        Value::Number(number) if !number.is_i64() => number.as_f64().unwrap_or(f64::NAN),
        _ => return scalar::int(problems, loc, value),
    };
    if !number.is_finite() {
        problems.value_error(loc, "non-finite numbers are not supported", value);
        return None;
    }
    // The validator of whole numbers has the bounds, and the words for what is beyond.
    match scalar::int_of(&json!(number.trunc())) {
        Ok(number) => Some(number),
        Err((kind, message)) => {
            problems.add(kind, loc, message, value);
            None
        }
    }
}

/// What Python's `float` makes of a text: blanks around it, and single underscores between digits, are no matter.
fn python_float(text: &str) -> Option<f64> {
    let text = text.trim();
    let bytes = text.as_bytes();
    let digit = |at: Option<usize>| at.and_then(|at| bytes.get(at)).is_some_and(u8::is_ascii_digit);
    let well_placed = |at: usize| digit(at.checked_sub(1)) && digit(at.checked_add(1));
    let underscores = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'_');
    underscores.map(|(at, _)| at).all(well_placed).then(|| text.replace('_', "").parse().ok())?
}

/// A flag, or any text: a text is never a flag.
fn flag_or_text(problems: &mut Problems, loc: &Loc<'_>, value: &Value) -> Option<Value> {
    if value.is_string() {
        return Some(value.clone());
    }
    let flag = scalar::boolean(problems, &loc.field("bool"), value);
    if flag.is_none() {
        scalar::string(problems, &loc.field("str"), value);
    }
    flag.map(Value::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(members: Value) -> Metadata {
        let mut problems = Problems::default();
        let found = metadata_body(&mut problems, &Loc::BODY, &json!({ "1": members })).unwrap();
        assert!(problems.is_empty(), "{problems:?}");
        found.into_iter().next().unwrap().1
    }

    fn json_of(value: impl Into<Value>) -> FieldValue {
        FieldValue::Json(value.into())
    }

    #[test]
    fn fields_are_known_by_both_names_and_numbers_lose_their_fraction() {
        let found = read(json!({
            "host_name": "wn1", "CPUNormalizationFactor": "10.7", "norm_cpu_time_s": " -7_0.9e0 ", "TotalCPUTime(s)": 3.9,
            "memory_mb": "2048", "site": "S", "AccountedFlag": "yes", "VerifiedFlag": "yes", "GridCE": null,
        }));
        let expected =
            [("Site", json_of("S")), ("VerifiedFlag", json_of(true)), ("AccountedFlag", json_of("yes"))];
        assert_eq!(found.attributes, expected);
        let expected = [
            ("CPUNormalizationFactor", json_of(10)),
            ("NormCPUTime(s)", json_of(-70)),
            ("TotalCPUTime(s)", json_of(3)),
            ("HostName", json_of("wn1")),
            ("Memory(MB)", json_of(2048)),
        ];
        assert_eq!(found.parameters, expected.map(|(name, value)| (name.to_owned(), value)));
    }

    #[test]
    fn what_is_no_field_is_a_parameter_as_it_is() {
        let found = read(json!({
            "Free": {"a": [1, null]}, "Null": null, "UserPriority": 5, "user_priority": "x", "JobStatus": 1,
            "timestamp": "2024-01-01T00:00:00Z",
        }));
        assert_eq!(found.attributes, [("UserPriority", json_of(5))]);
        let time = FieldValue::Time("2024-01-01T00:00:00Z".parse().unwrap());
        let expected = [
            ("timestamp", time),
            ("Free", json_of(json!({"a": [1, null]}))),
            ("user_priority", json_of("x")),
            ("JobStatus", json_of(1)),
        ];
        assert_eq!(found.parameters, expected.map(|(name, value)| (name.to_owned(), value)));
    }

    #[test]
    fn the_last_spelling_of_a_job_counts() {
        let value = json!({" 1 ": {"a": 1}, "2": {}, "1": {"a": 2}});
        let found = metadata_body(&mut Problems::default(), &Loc::BODY, &value).unwrap();
        let jobs: Vec<_> =
            found.iter().map(|(job, metadata)| (job.get(), metadata.parameters.len())).collect();
        assert_eq!(jobs, [(1, 1), (2, 0)]);
        assert_eq!(found[0].1.parameters[0].1, json_of(2));
    }
}
