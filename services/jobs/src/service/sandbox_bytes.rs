//! Bytes of sandboxes on their way into the directory and out of it. Memory does not grow with their number.

use std::time::Duration;

use diracx_proto::{Invalid, jobs::v1 as pb};
use diracx_server::to_status;
use futures::{
    StreamExt,
    stream::{self, BoxStream},
};
use tonic::{Response, Status, Streaming};

use crate::{
    Deps,
    bytes::{Directory, Incoming, Outgoing, StoreError},
    error::Error,
};

/// How long the next piece of an upload may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// How slow an upload may be on the whole, in bytes a second; and how long it may take besides.
const SLOWEST: u64 = 32 * 1024;
const GRACE: Duration = Duration::from_secs(60);

fn directory(deps: &Deps) -> Result<&Directory, Status> {
    deps.bytes.directory().ok_or_else(|| refuse(StoreError::NotHere))
}

fn refuse(error: StoreError) -> Status {
    to_status(Error::from(error))
}

pub(super) async fn upload(
    deps: &Deps,
    mut pieces: Streaming<pb::UploadSandboxRequest>,
) -> Result<Response<pb::UploadSandboxResponse>, Status> {
    use pb::upload_sandbox_request::Piece;
    let directory = directory(deps)?;
    let Some(Piece::Form(form)) = next(&mut pieces).await?.and_then(|message| message.piece) else {
        return Err(to_status(Invalid::field("form", "must come first")));
    };
    let fields: Vec<_> = form.fields.into_iter().map(|field| (field.name, field.value)).collect();
    let ticket = directory.permits_upload(&form.bucket, &fields, deps.clock.now()).map_err(refuse)?;
    let incoming = directory.receive(ticket).await.map_err(refuse)?;
    let size = u64::try_from(incoming.announced_size()).unwrap_or(0);
    let longest = GRACE + Duration::from_secs(size / SLOWEST);
    match tokio::time::timeout(longest, receive(pieces, incoming)).await {
        Ok(received) => received.map(|()| Response::new(pb::UploadSandboxResponse {})),
        Err(_) => Err(refuse(StoreError::TooSlow)),
    }
}

async fn receive(
    mut pieces: Streaming<pb::UploadSandboxRequest>,
    mut incoming: Incoming,
) -> Result<(), Status> {
    use pb::upload_sandbox_request::Piece;
    while let Some(message) = next(&mut pieces).await? {
        match message.piece {
            Some(Piece::Data(data)) => incoming.write(&data).await.map_err(refuse)?,
            Some(Piece::Form(_)) => return Err(to_status(Invalid::field("form", "is there twice"))),
            None => {}
        }
    }
    incoming.finish().await.map_err(refuse)
}

/// The next message; nothing at the end.
async fn next(
    pieces: &mut Streaming<pb::UploadSandboxRequest>,
) -> Result<Option<pb::UploadSandboxRequest>, Status> {
    match tokio::time::timeout(PATIENCE, pieces.message()).await {
        Ok(message) => message,
        Err(_) => Err(refuse(StoreError::TooSlow)),
    }
}

type Pieces = BoxStream<'static, Result<pb::DownloadSandboxResponse, Status>>;

pub(super) async fn download(
    deps: &Deps,
    asked: pb::DownloadSandboxRequest,
) -> Result<Response<Pieces>, Status> {
    use pb::download_sandbox_response::Piece;
    let pb::DownloadSandboxRequest { bucket, key, expires_at_seconds, signature } = asked;
    let outgoing = directory(deps)?
        .send(&bucket, &key, expires_at_seconds, &signature, deps.clock.now())
        .await
        .map_err(refuse)?;
    let message = |piece| pb::DownloadSandboxResponse { piece: Some(piece) };
    let size = i64::try_from(outgoing.size()).unwrap_or(i64::MAX);
    let first = stream::once(std::future::ready(Ok(message(Piece::SizeBytes(size)))));
    let rest = stream::try_unfold(outgoing, async |mut outgoing: Outgoing| {
        let piece = outgoing.read().await.map_err(refuse)?;
        Ok((!piece.is_empty()).then_some((piece, outgoing)))
    });
    let rest = rest.map(move |piece| piece.map(|data| message(Piece::Data(data))));
    Ok(Response::new(first.chain(rest).boxed()))
}
