//! `/api/jobs/sandbox-store/…`: the bytes of sandboxes where the store is a directory. A signature in the form or in
//! the URL is the permission, which the jobs service judges; nobody else is asked who they are.
//!
//! Bytes go through in pieces as they come: memory does not grow with their number. The store says how slow an upload
//! may be. What it takes besides, the form, is small and must be there soon.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    body::Body,
    extract::{RawQuery, State},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use bytes::Bytes;
use diracx_proto::jobs::v1::{
    DownloadSandboxRequest, DownloadSandboxResponse, FormField, UploadForm, UploadSandboxRequest,
    download_sandbox_response::Piece as Down, upload_sandbox_request::Piece as Up,
};
use diracx_server::Deadline;
use futures::{StreamExt, TryStreamExt, stream};
use http::{
    HeaderMap, HeaderValue, StatusCode,
    header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS},
};
use multer::{Constraints, Field, Multipart, SizeLimit};
use tonic::{Status, Streaming};

use crate::{
    context::Context, error::Refusal, outgoing::outgoing, routing::Table, segments::Segments,
    validation::query::Pairs,
};

const PREFIX: &str = "/api/jobs/sandbox-store/";
/// Forms and bytes together. The store has the last word, this is where nobody can have more.
const MOST_BYTES: u64 = 101 * 1024 * 1024;
/// The fields before the file, each and in number.
const MOST_FIELD_BYTES: usize = 8 * 1024;
const MOST_FIELDS: usize = 20;
/// What is still read of an upload that is refused, so that the client reads why instead of a broken connection.
const DRAINED_BYTES: usize = 4 * 1024 * 1024;
const DRAINED_FOR: Duration = Duration::from_secs(5);
/// How long the next piece of an upload may take.
const PATIENCE: Duration = Duration::from_secs(30);

pub(super) fn routes(table: Table) -> Table {
    table.at("/api/jobs/sandbox-store/{bucket}", "POST", post(upload)).at(
        "/api/jobs/sandbox-store/{bucket}/{vo}/{group}/{user}/{file}",
        "GET, HEAD",
        get(download).head(size),
    )
}

/// Whether a request brings or takes the bytes of a sandbox, which may take longer than others.
pub(crate) fn is_transfer(path: &str) -> bool {
    path.starts_with(PREFIX)
}

/// Why an upload is not taken. A shared place, for the stream that finds out is not the one who answers.
type Broken = Arc<Mutex<Option<Refusal>>>;

async fn upload(
    State(context): State<Context>,
    Segments(bucket): Segments<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Refusal> {
    let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let boundary = multer::parse_boundary(content_type)
        .map_err(|_| Refusal::bad_request("The body must be multipart/form-data, the file last"))?;
    let limits = SizeLimit::new().whole_stream(MOST_BYTES);
    let constraints = Constraints::new().size_limit(limits);
    let mut parts = Multipart::with_constraints(body.into_data_stream(), boundary, constraints);
    let form = tokio::time::timeout(PATIENCE, form(&mut parts));
    let (fields, file) = form.await.map_err(|_| too_slow())??;
    let broken = Broken::default();
    let (bytes, rest) = shared(file, Arc::clone(&broken));
    let first = Up::Form(UploadForm { bucket, fields });
    let pieces = stream::iter([first]).chain(bytes).map(|piece| UploadSandboxRequest { piece: Some(piece) });
    let mut request = outgoing(());
    if let Some(deadline) = Deadline::current() {
        request.set_timeout(deadline.remaining());
    }
    let request = request.map(|()| pieces);
    match context.sandboxes().upload_sandbox(request).await {
        Ok(_) => Ok(StatusCode::NO_CONTENT.into_response()),
        Err(status) => {
            if let Some(refusal) = taken(&broken) {
                return Err(refusal);
            }
            drain(rest).await;
            Err(status.into())
        }
    }
}

fn too_slow() -> Refusal {
    let text = format!("The body did not go on within {} s", PATIENCE.as_secs());
    Refusal::new(StatusCode::REQUEST_TIMEOUT, text)
}

fn malformed(error: &multer::Error) -> Refusal {
    match error {
        multer::Error::StreamSizeExceeded { .. } | multer::Error::FieldSizeExceeded { .. } => {
            Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, format!("The body is larger than {MOST_BYTES} bytes"))
        }
        error => Refusal::bad_request(format!("The body cannot be read: {error}")),
    }
}

/// The fields before the file, and the file.
async fn form<'b>(parts: &mut Multipart<'b>) -> Result<(Vec<FormField>, Field<'b>), Refusal> {
    let mut fields = Vec::new();
    while let Some(mut part) = parts.next_field().await.map_err(|error| malformed(&error))? {
        let Some(name) = part.name().map(str::to_owned) else { continue };
        if name == "file" {
            return Ok((fields, part));
        }
        if fields.len() == MOST_FIELDS {
            return Err(Refusal::bad_request(format!("The form has more than {MOST_FIELDS} fields")));
        }
        let mut value = Vec::new();
        while let Some(piece) = part.chunk().await.map_err(|error| malformed(&error))? {
            value.extend_from_slice(&piece);
            if value.len() > MOST_FIELD_BYTES {
                return Err(Refusal::bad_request(format!("A field has more than {MOST_FIELD_BYTES} bytes")));
            }
        }
        let value = String::from_utf8(value).map_err(|_| Refusal::bad_request("A field is no text"))?;
        fields.push(FormField { name, value });
    }
    Err(Refusal::bad_request("The form has no part named file"))
}

type Rest<'b> = Arc<tokio::sync::Mutex<Field<'b>>>;

/// The bytes of the file for the store, and what is left of it for us when the store wants no more.
///
/// When they break off, the stream just ends: the store counts and hashes, and does not take a part for the whole.
fn shared(
    file: Field<'static>,
    broken: Broken,
) -> (impl futures::Stream<Item = Up> + Send + 'static, Rest<'static>) {
    let rest: Rest<'static> = Arc::new(tokio::sync::Mutex::new(file));
    let source = Arc::clone(&rest);
    let bytes = stream::unfold((source, broken), async |(source, broken)| {
        let next = async { source.lock().await.chunk().await };
        let refusal = match tokio::time::timeout(PATIENCE, next).await {
            Ok(Ok(Some(piece))) => return Some((Up::Data(piece.to_vec()), (source, broken))),
            Ok(Ok(None)) => return None,
            Ok(Err(error)) => malformed(&error),
            Err(_) => too_slow(),
        };
        if let Ok(mut place) = broken.lock() {
            *place = Some(refusal);
        }
        None
    });
    (bytes, rest)
}

fn taken(broken: &Broken) -> Option<Refusal> {
    broken.lock().ok().and_then(|mut place| place.take())
}

async fn drain(rest: Rest<'static>) {
    let read = async {
        let mut field = rest.lock().await;
        let mut left = DRAINED_BYTES;
        while let Ok(Some(piece)) = field.chunk().await {
            left = left.saturating_sub(piece.len());
            if left == 0 {
                return;
            }
        }
    };
    // It was a courtesy.
    let _ = tokio::time::timeout(DRAINED_FOR, read).await;
}

type Place = Segments<(String, String, String, String, String)>;

async fn asked(
    context: &Context,
    Segments((bucket, vo, group, user, file)): Place,
    query: Option<String>,
) -> Result<(i64, Streaming<DownloadSandboxResponse>), Refusal> {
    let query = Pairs::parse(query.as_deref().unwrap_or_default());
    let forbidden = || Refusal::new(StatusCode::FORBIDDEN, "The signature is not one of this server");
    let expires_at_seconds = query.get("expires").and_then(|text| text.parse().ok()).ok_or_else(forbidden)?;
    let signature = query.get("signature").ok_or_else(forbidden)?.to_owned();
    let key = format!("{vo}/{group}/{user}/{file}");
    let request = DownloadSandboxRequest { bucket, key, expires_at_seconds, signature };
    let mut pieces = match context.sandboxes().download_sandbox(outgoing(request)).await {
        Ok(pieces) => pieces.into_inner(),
        Err(status) if status.code() == tonic::Code::NotFound => {
            return Err(Refusal::new(StatusCode::NOT_FOUND, status.message()));
        }
        Err(status) => return Err(status.into()),
    };
    match pieces.message().await?.and_then(|message| message.piece) {
        Some(Down::SizeBytes(size)) => Ok((size, pieces)),
        _ => Err(Status::internal("a download without a size").into()),
    }
}

/// Bytes of users: no browser shall take them for a page of ours.
fn answer(size: i64, body: Body) -> Response {
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(CONTENT_LENGTH, HeaderValue::from(size));
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    headers.insert(CONTENT_DISPOSITION, HeaderValue::from_static("attachment"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, no-store"));
    response
}

async fn download(
    State(context): State<Context>,
    place: Place,
    RawQuery(query): RawQuery,
) -> Result<Response, Refusal> {
    let (size, pieces) = asked(&context, place, query).await?;
    let bytes = pieces.try_filter_map(async |message: DownloadSandboxResponse| {
        Ok(match message.piece {
            Some(Down::Data(data)) => Some(Bytes::from(data)),
            _ => None,
        })
    });
    Ok(answer(size, Body::from_stream(bytes)))
}

async fn size(
    State(context): State<Context>,
    place: Place,
    RawQuery(query): RawQuery,
) -> Result<Response, Refusal> {
    let (size, _) = asked(&context, place, query).await?;
    Ok(answer(size, Body::empty()))
}
