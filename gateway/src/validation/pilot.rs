//! What the routes for pilots take.

use diracx_core::PilotStatus;
use diracx_proto::pilots::v1::{self as pb, PilotMetadataPatch, PilotRegistration};
use serde_json::{Map, Value, json};

use super::{Loc, Problems, scalar};

/// The members of a registration, in the order of DiracX's model, which is the order of its complaints.
const REGISTRATION: [&str; 7] =
    ["pilot_stamp", "vo", "grid_type", "grid_site", "destination_site", "pilot_reference", "pilot_status"];

/// Reads a registration. A text that is empty means what no text means.
pub(crate) fn registration(
    problems: &mut Problems,
    loc: &Loc<'_>,
    value: &Value,
) -> Option<PilotRegistration> {
    let members = scalar::model(problems, loc, value)?;
    let mut required = |name: &str, most: usize| {
        let loc = loc.field(name);
        let Some(member) = members.get(name) else {
            problems.missing(&loc, value);
            return None;
        };
        let text = text(problems, &loc, member, most)?;
        if text.is_empty() {
            let message = "String should have at least 1 character";
            problems.add_with("string_too_short", &loc, message, member, json!({ "min_length": 1 }));
            return None;
        }
        Some(text)
    };
    let (pilot_stamp, vo) = (required("pilot_stamp", 32), required("vo", 128));
    let mut optional = |name: &str, most: usize| match members.get(name) {
        None => Some(String::new()),
        Some(value) => text(problems, &loc.field(name), value, most),
    };
    let grid_type = optional("grid_type", 32);
    let grid_site = optional("grid_site", 128);
    let destination_site = optional("destination_site", 128);
    let pilot_reference = match members.get("pilot_reference") {
        None | Some(Value::Null) => Some(String::new()),
        Some(value) => text(problems, &loc.field("pilot_reference"), value, 255),
    };
    let status = match members.get("pilot_status") {
        None => Some(0),
        Some(value) => status(problems, &loc.field("pilot_status"), value),
    };
    forbid_others(problems, loc, members, |name| REGISTRATION.contains(&name));
    Some(PilotRegistration {
        pilot_stamp: pilot_stamp?,
        vo: vo?,
        grid_type: grid_type?,
        grid_site: grid_site?,
        destination_site: destination_site?,
        pilot_reference: pilot_reference?,
        status: status?,
    })
}

/// Reads the body of a metadata patch: for each pilot what to change.
pub(crate) fn metadata_body(
    problems: &mut Problems,
    loc: &Loc<'_>,
    value: &Value,
) -> Option<Vec<PilotMetadataPatch>> {
    let members = scalar::dict(problems, loc, value)?;
    let patches: Vec<PilotMetadataPatch> = members
        .iter()
        .filter_map(|(stamp, value)| {
            let loc = loc.field(stamp);
            let members = scalar::model(problems, &loc, value)?;
            Some(patch(problems, &loc, stamp, members))
        })
        .collect();
    Some(patches)
}

/// What a field is called on the wire and in Python.
type Name = (&'static str, &'static str);

/// The fields, in the order of DiracX's model.
const FIELDS: [Name; 9] = [
    ("StatusReason", "status_reason"),
    ("Status", "status"),
    ("BenchMark", "benchmark"),
    ("DestinationSite", "destination_site"),
    ("Queue", "queue"),
    ("GridSite", "grid_site"),
    ("GridType", "grid_type"),
    ("AccountingSent", "accounting_sent"),
    ("CurrentJobID", "current_job_id"),
];

/// A value of null is no value.
fn patch(
    problems: &mut Problems,
    loc: &Loc<'_>,
    stamp: &str,
    members: &Map<String, Value>,
) -> PilotMetadataPatch {
    let mut patch = PilotMetadataPatch { pilot_stamp: stamp.to_owned(), ..PilotMetadataPatch::default() };
    for field in FIELDS {
        let Some(name) = spelling(members, field) else { continue };
        let Some(value) = members.get(name).filter(|value| !value.is_null()) else { continue };
        let loc = &loc.field(name);
        match field.0 {
            "StatusReason" => patch.status_reason = text(problems, loc, value, 255),
            "Status" => patch.status = status(problems, loc, value),
            "BenchMark" => patch.benchmark = finite(problems, loc, value),
            "DestinationSite" => patch.destination_site = text(problems, loc, value, 128),
            "Queue" => patch.queue = text(problems, loc, value, 128),
            "GridSite" => patch.grid_site = text(problems, loc, value, 128),
            "GridType" => patch.grid_type = text(problems, loc, value, 32),
            "AccountingSent" => patch.accounting_sent = scalar::boolean(problems, loc, value),
            _ => patch.current_job_id = scalar::int(problems, loc, value),
        }
    }
    let known = |name: &str| FIELDS.iter().any(|field| spelling(members, *field) == Some(name));
    forbid_others(problems, loc, members, known);
    patch
}

/// Under which of its names a field is there.
fn spelling(members: &Map<String, Value>, (wire, python): Name) -> Option<&'static str> {
    [wire, python].into_iter().find(|name| members.contains_key(*name))
}

/// Members that the model does not have.
fn forbid_others(
    problems: &mut Problems,
    loc: &Loc<'_>,
    members: &Map<String, Value>,
    known: impl Fn(&str) -> bool,
) {
    for (name, value) in members.iter().filter(|(name, _)| !known(name)) {
        problems.add("extra_forbidden", &loc.field(name), "Extra inputs are not permitted", value);
    }
}

/// A text of at the most so many characters.
fn text(problems: &mut Problems, loc: &Loc<'_>, value: &Value, most: usize) -> Option<String> {
    let text = scalar::string(problems, loc, value)?;
    if text.chars().nth(most).is_some() {
        let message = format!("String should have at most {most} characters");
        problems.add_with("string_too_long", loc, message, value, json!({ "max_length": most }));
        return None;
    }
    Some(text)
}

/// The number of a status.
fn status(problems: &mut Problems, loc: &Loc<'_>, value: &Value) -> Option<i32> {
    let names: Vec<&str> = PilotStatus::ALL.iter().map(|status| status.as_str()).collect();
    let found = scalar::choice(problems, loc, &names, value)?;
    Some(pb::PilotStatus::from(PilotStatus::ALL[found]).into())
}

fn finite(problems: &mut Problems, loc: &Loc<'_>, value: &Value) -> Option<f64> {
    let number = scalar::float(problems, loc, value)?;
    if !number.is_finite() {
        problems.add("finite_number", loc, "Input should be a finite number", value);
        return None;
    }
    Some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems<T>(read: impl FnOnce(&mut Problems) -> T) -> Vec<(String, Value)> {
        let mut problems = Problems::default();
        read(&mut problems);
        let listed = serde_json::to_value(&problems).unwrap();
        let kind = |problem: &Value| (problem["type"].as_str().unwrap().to_owned(), problem["loc"].clone());
        listed.as_array().unwrap().iter().map(kind).collect()
    }

    #[test]
    fn a_registration_needs_a_stamp_and_a_vo_and_takes_nothing_else() {
        let body = json!({"vo": "", "grid_site": 1, "pilot_status": "running", "vom": 1});
        let found = problems(|problems| registration(problems, &Loc::BODY, &body));
        let expected = [
            ("missing", json!(["body", "pilot_stamp"])),
            ("string_too_short", json!(["body", "vo"])),
            ("string_type", json!(["body", "grid_site"])),
            ("enum", json!(["body", "pilot_status"])),
            ("extra_forbidden", json!(["body", "vom"])),
        ];
        assert_eq!(found, expected.map(|(kind, loc)| (kind.to_owned(), loc)));
        let long = json!({"pilot_stamp": "x".repeat(33), "vo": "a"});
        let found = problems(|problems| registration(problems, &Loc::BODY, &long));
        assert_eq!(found, [("string_too_long".to_owned(), json!(["body", "pilot_stamp"]))]);
    }

    #[test]
    fn fields_are_known_by_both_names_and_null_is_nothing() {
        let body =
            json!({"p": {"benchmark": "1.5", "Status": "Done", "queue": null, "AccountingSent": "yes"}});
        let mut problems = Problems::default();
        let patches = metadata_body(&mut problems, &Loc::BODY, &body).unwrap();
        assert!(problems.is_empty(), "{problems:?}");
        let expected = PilotMetadataPatch {
            pilot_stamp: "p".into(),
            benchmark: Some(1.5),
            status: Some(pb::PilotStatus::Done.into()),
            accounting_sent: Some(true),
            ..PilotMetadataPatch::default()
        };
        assert_eq!(patches, [expected]);
    }

    #[test]
    fn what_is_no_field_is_refused_by_its_place() {
        let body = json!({"p": {"Status": "x", "BenchMark": "inf", "bench_mark": 1, "Queue": "q", "queue": "r"}, "q": 5});
        let found = problems(|problems| metadata_body(problems, &Loc::BODY, &body));
        let expected = [
            ("enum", json!(["body", "p", "Status"])),
            ("finite_number", json!(["body", "p", "BenchMark"])),
            ("extra_forbidden", json!(["body", "p", "bench_mark"])),
            ("extra_forbidden", json!(["body", "p", "queue"])),
            ("model_attributes_type", json!(["body", "q"])),
        ];
        assert_eq!(found, expected.map(|(kind, loc)| (kind.to_owned(), loc)));
    }
}
