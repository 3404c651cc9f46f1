//! `/api/jobs/…sandbox…`: names and assignments of sandboxes. Their bytes are in [`super::sandbox_store`].

use axum::{
    body::Body,
    extract::{RawQuery, State},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use diracx_core::{JobId, Reason};
use diracx_proto::{
    jobs::v1::{
        AssignSandboxesRequest, ChecksumAlgorithm, GetSandboxRequest, InitiateSandboxUploadRequest,
        JobSandboxes, ListJobSandboxesRequest, SandboxAssignment, SandboxFormat as Format, SandboxType,
        UnassignSandboxesRequest, job_sandboxes_outcome::Result as Outcome,
    },
    status::of_call,
};
use diracx_server::StatusInfo;
use http::{HeaderMap, StatusCode};
use serde_json::{Map, Value, json};

use crate::{
    caller::Caller,
    context::Context,
    error::Refusal,
    public_url::PublicUrl,
    render::json_response,
    routing::Table,
    segments::Segments,
    validation::{
        Loc, Problems, body,
        query::Pairs,
        sandbox::{SandboxFormat, embedded_job_ids, is_output, job_id, pfn, sandbox_info},
    },
};

pub(super) fn routes(table: Table) -> Table {
    table
        .at("/api/jobs/sandbox", "GET, POST", get(get_sandbox_file).post(initiate_sandbox_upload))
        .at("/api/jobs/sandbox/unassign", "POST", post(unassign_bulk_jobs_sandboxes))
        .at(
            "/api/jobs/{job_id}/sandbox",
            "GET, DELETE",
            get(get_job_sandboxes).delete(unassign_job_sandboxes),
        )
        .at(
            "/api/jobs/{job_id}/sandbox/output",
            "GET, PATCH",
            get(get_job_output_sandbox).patch(assign_sandbox_to_job),
        )
        .at("/api/jobs/{job_id}/sandbox/{sandbox_type}", "GET", get(get_job_sandbox))
}

async fn initiate_sandbox_upload(
    State(context): State<Context>,
    caller: Caller,
    public_url: PublicUrl,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Refusal> {
    let body = context.read(body).await?;
    let value = body::value(&headers, &body)?;
    let mut problems = Problems::default();
    let info = body::required(&mut problems, value.as_ref(), sandbox_info);
    let info = problems.none_or(info)?;
    let format = match info.format {
        SandboxFormat::TarBz2 => Format::TarBz2,
        SandboxFormat::TarZst => Format::TarZst,
    };
    let request = InitiateSandboxUploadRequest {
        checksum_algorithm: ChecksumAlgorithm::Sha256.into(),
        checksum: info.checksum,
        size_bytes: info.size,
        format: format.into(),
        job_id: None,
    };
    let answer = context.sandboxes().initiate_sandbox_upload(caller.request(request)).await?.into_inner();
    let (url, fields) = match answer.upload {
        None => (Value::Null, Map::new()),
        Some(upload) => {
            let fields = upload.fields.into_iter().map(|field| (field.name, Value::String(field.value)));
            (Value::String(absolute(&public_url, upload.url)), fields.collect())
        }
    };
    Ok(json_response(StatusCode::OK, &json!({"pfn": answer.pfn, "url": url, "fields": fields})))
}

/// URLs of our own come without the address under which the caller knows us.
fn absolute(public_url: &PublicUrl, url: String) -> String {
    if url.starts_with('/') { public_url.at(&url) } else { url }
}

async fn get_sandbox_file(
    State(context): State<Context>,
    caller: Caller,
    public_url: PublicUrl,
    RawQuery(query): RawQuery,
) -> Result<Response, Refusal> {
    let query = Pairs::parse(query.as_deref().unwrap_or_default());
    let mut problems = Problems::default();
    let asked = query
        .required(&mut problems, "pfn")
        .and_then(|text| pfn(&mut problems, &Loc::QUERY.field("pfn"), &Value::String(text)));
    let pfn = problems.none_or(asked)?;
    let answer = context
        .sandboxes()
        .get_sandbox(caller.request(GetSandboxRequest { pfn, job_id: None }))
        .await?
        .into_inner();
    let expires_in = answer.expires_in.map_or(0, |span| span.seconds);
    let url = absolute(&public_url, answer.url);
    Ok(json_response(StatusCode::OK, &json!({"url": url, "expires_in": expires_in})))
}

/// The sandboxes of a job. To those who may see that there is no such job it has none, as in DiracX.
async fn sandboxes_of(context: &Context, caller: &Caller, job: JobId) -> Result<JobSandboxes, Refusal> {
    let request =
        ListJobSandboxesRequest { job_ids: vec![job.get()], r#type: SandboxType::Unspecified.into() };
    let answer = context.sandboxes().list_job_sandboxes(caller.request(request)).await?.into_inner();
    match answer.outcomes.into_iter().next().and_then(|outcome| outcome.result) {
        Some(Outcome::Sandboxes(sandboxes)) => Ok(sandboxes),
        Some(Outcome::Error(error)) => {
            let status = of_call(&error);
            if StatusInfo::of(&status).is(Reason::JobNotFound) {
                return Ok(JobSandboxes::default());
            }
            Err(status.into())
        }
        None => Ok(JobSandboxes::default()),
    }
}

async fn get_job_sandboxes(
    State(context): State<Context>,
    caller: Caller,
    Segments(job): Segments<String>,
) -> Result<Response, Refusal> {
    let mut problems = Problems::default();
    let job = job_id(&mut problems, &job);
    let found = sandboxes_of(&context, &caller, problems.none_or(job)?).await?;
    Ok(json_response(StatusCode::OK, &json!({"Input": found.input_pfns, "Output": found.output_pfns})))
}

async fn get_job_sandbox(
    State(context): State<Context>,
    caller: Caller,
    Segments((job, sandbox_type)): Segments<(String, String)>,
) -> Result<Response, Refusal> {
    let mut problems = Problems::default();
    let job = job_id(&mut problems, &job);
    let output = is_output(&mut problems, &sandbox_type);
    let (job, output) = problems.none_or(job.zip(output))?;
    let found = sandboxes_of(&context, &caller, job).await?;
    let pfns = if output { found.output_pfns } else { found.input_pfns };
    Ok(json_response(StatusCode::OK, &pfns))
}

async fn get_job_output_sandbox(
    context: State<Context>,
    caller: Caller,
    Segments(job): Segments<String>,
) -> Result<Response, Refusal> {
    get_job_sandbox(context, caller, Segments((job, "output".to_owned()))).await
}

async fn assign_sandbox_to_job(
    State(context): State<Context>,
    caller: Caller,
    Segments(job): Segments<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Refusal> {
    let body = context.read(body).await?;
    let value = body::value(&headers, &body)?;
    let mut problems = Problems::default();
    let job = job_id(&mut problems, &job);
    let pfn = body::required(&mut problems, value.as_ref(), pfn);
    let (job, pfn) = problems.none_or(job.zip(pfn))?;
    let assignment = SandboxAssignment { job_id: job.get(), pfn, r#type: SandboxType::Output.into() };
    let request = AssignSandboxesRequest { assignments: vec![assignment] };
    let answer = context.sandboxes().assign_sandboxes(caller.request(request)).await?.into_inner();
    match answer.outcomes.into_iter().next().and_then(|outcome| outcome.error) {
        None => Ok(json_response(StatusCode::OK, &Value::Null)),
        Some(error) => Err(of_call(&error).into()),
    }
}

async fn unassign(context: &Context, caller: &Caller, job_ids: Vec<i64>) -> Result<(), Refusal> {
    let request = caller.request(UnassignSandboxesRequest { job_ids });
    let outcomes = context.sandboxes().unassign_sandboxes(request).await?.into_inner().outcomes;
    outcomes.into_iter().find_map(|outcome| outcome.error).map_or(Ok(()), |error| Err(of_call(&error).into()))
}

async fn unassign_job_sandboxes(
    State(context): State<Context>,
    caller: Caller,
    Segments(job): Segments<String>,
) -> Result<Response, Refusal> {
    let mut problems = Problems::default();
    let job = job_id(&mut problems, &job);
    unassign(&context, &caller, vec![problems.none_or(job)?.get()]).await?;
    Ok(json_response(StatusCode::OK, &Value::Null))
}

async fn unassign_bulk_jobs_sandboxes(
    State(context): State<Context>,
    caller: Caller,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Refusal> {
    let body = context.read(body).await?;
    let value = body::value(&headers, &body)?;
    let mut problems = Problems::default();
    let job_ids = embedded_job_ids(&mut problems, value.as_ref());
    unassign(&context, &caller, problems.none_or(job_ids)?).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}
