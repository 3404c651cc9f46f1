//! `PATCH /api/jobs/metadata`: attributes and parameters of jobs.

use axum::{body::Body, extract::State, response::Response};
use diracx_core::{JobId, Reason};
use diracx_proto::{
    jobs::v1::{
        JobAttributes, JobMetadataPatch, JobParameter, PatchJobMetadataRequest, PatchJobOutcome,
        job_parameter::Value as Wire,
    },
    status::of_call,
    time::timestamp,
};
use diracx_server::StatusInfo;
use http::{HeaderMap, StatusCode};
use serde_json::Value;

use crate::{
    caller::Caller,
    context::Context,
    error::Refusal,
    render::json_bytes,
    validation::{
        Problems, body,
        metadata::{FieldValue, Metadata, metadata_body},
    },
};

/// The only column that may be set here, as in DiracX 0.7.0. The others have their own ways, and there is gRPC.
const MUTABLE: &str = "Site";

pub(super) async fn patch_metadata(
    State(context): State<Context>,
    caller: Caller,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Refusal> {
    let body = context.read(body).await?;
    let value = body::value(&headers, &body)?;
    let mut problems = Problems::default();
    let jobs = body::required(&mut problems, value.as_ref(), metadata_body);
    let jobs = problems.none_or(jobs)?;

    let immutable = jobs.iter().flat_map(|(_, metadata)| &metadata.attributes);
    let immutable = immutable.map(|(name, _)| *name).find(|name| *name != MUTABLE);
    let patches = if immutable.is_some() {
        // Whether the caller may change these jobs at all comes first: patches that change nothing tell.
        let nothing = |(job, _): &(JobId, _)| JobMetadataPatch { job_id: job.get(), ..Default::default() };
        jobs.iter().map(nothing).collect()
    } else {
        jobs.into_iter().map(|(job, metadata)| patch(job, metadata)).collect::<Vec<_>>()
    };
    let with_parameters: Vec<bool> = patches.iter().map(|patch| !patch.parameters.is_empty()).collect();
    let request = caller.request(PatchJobMetadataRequest { patches });
    let outcomes = context.jobs().patch_job_metadata(request).await?.into_inner().outcomes;
    match immutable {
        Some(name) => Err(Refusal::bad_request(format!(
            "Job attribute {name} cannot be modified through this endpoint"
        ))),
        None => answer(outcomes.into_iter().zip(with_parameters)),
    }
}

fn patch(job: JobId, metadata: Metadata) -> JobMetadataPatch {
    let site = metadata.attributes.into_iter().find(|(name, _)| *name == MUTABLE);
    let attributes = site.map(|(_, site)| {
        let site = if let FieldValue::Json(Value::String(site)) = site { Some(site) } else { None };
        JobAttributes { site, ..JobAttributes::default() }
    });
    let parameters = metadata
        .parameters
        .into_iter()
        .map(|(name, value)| JobParameter { name, value: Some(wire(value)) })
        .collect();
    JobMetadataPatch { job_id: job.get(), attributes, parameters }
}

fn wire(value: FieldValue) -> Wire {
    match value {
        FieldValue::Time(time) => Wire::TimeValue(timestamp(time)),
        FieldValue::Json(Value::String(text)) => Wire::StringValue(text),
        FieldValue::Json(Value::Bool(flag)) => Wire::BoolValue(flag),
        FieldValue::Json(value) => match (value.as_i64(), value.as_f64()) {
            (Some(number), _) => Wire::IntValue(number),
            (None, Some(number)) if value.is_f64() => Wire::DoubleValue(number),
            _ => Wire::JsonValue(value.to_string()),
        },
    }
}

/// As in DiracX a job that does not exist matters only where parameters were to be set: the first by its number is
/// named. Each outcome comes with whether there were any.
fn answer(outcomes: impl Iterator<Item = (PatchJobOutcome, bool)>) -> Result<Response, Refusal> {
    let mut first: Option<(i64, tonic::Status)> = None;
    for (outcome, with_parameters) in outcomes {
        let Some(error) = &outcome.error else { continue };
        let status = of_call(error);
        let unknown = StatusInfo::of(&status).is(Reason::JobNotFound);
        let is_first = first.as_ref().is_none_or(|(job, _)| outcome.job_id < *job);
        if (with_parameters || !unknown) && is_first {
            first = Some((outcome.job_id, status));
        }
    }
    match first {
        None => Ok(json_bytes(StatusCode::NO_CONTENT, bytes::Bytes::new())),
        Some((_, status)) => Err(status.into()),
    }
}

#[cfg(test)]
mod tests {
    use axum::response::IntoResponse;
    use diracx_core::Explanation;
    use diracx_proto::status::of_item;
    use diracx_server::status::from_explanation;
    use serde_json::json;

    use super::*;

    #[test]
    fn values_keep_their_types() {
        let of = |value: Value| wire(FieldValue::Json(value));
        assert_eq!(of(json!("5")), Wire::StringValue("5".into()));
        assert_eq!(of(json!(-5)), Wire::IntValue(-5));
        assert_eq!(of(json!(5.0)), Wire::DoubleValue(5.0));
        assert_eq!(of(json!(true)), Wire::BoolValue(true));
        assert_eq!(
            of(json!([1, {"b": null, "a": 1.5}])),
            Wire::JsonValue(r#"[1,{"b":null,"a":1.5}]"#.into())
        );
        assert_eq!(of(json!(u64::MAX)), Wire::JsonValue("18446744073709551615".into()));
    }

    #[test]
    fn an_unknown_job_matters_where_it_was_to_get_parameters() {
        let gone = |job_id: i64, with_parameters| {
            let explanation = Explanation::not_found(Reason::JobNotFound);
            let status = from_explanation(&explanation, &format!("Job {job_id} not found"));
            (PatchJobOutcome { job_id, error: Some(of_item(&status)) }, with_parameters)
        };
        let good = || (PatchJobOutcome { job_id: 1, error: None }, true);
        let status = |outcomes: Vec<_>| answer(outcomes.into_iter()).into_response().status();
        assert_eq!(status(vec![]), StatusCode::NO_CONTENT);
        assert_eq!(status(vec![good(), gone(7, false)]), StatusCode::NO_CONTENT);
        assert_eq!(status(vec![good(), gone(9, true), gone(7, false)]), StatusCode::NOT_FOUND);
    }
}
