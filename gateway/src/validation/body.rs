//! Bodies: how much, how long, and what they are.

use std::{ops::Deref, sync::Arc, time::Duration};

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use diracx_server::limits::Overloaded;
use http::{HeaderMap, StatusCode, header::CONTENT_TYPE};
use http_body_util::BodyExt;
use serde_json::Value;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{Loc, Problems, json};
use crate::error::Refusal;

/// Bodies up to this size are read without asking whether there is room.
const SMALL: usize = 64 * 1024;
/// Room is given in pieces of this many bytes.
const PIECE: usize = 1024;

/// How much of a body is read, and for how long.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// Bytes at the most.
    pub(crate) bytes: usize,
    /// From the first to the last of them.
    pub(crate) time: Duration,
}

impl Limits {
    /// For bodies that are never large, such as forms of callers whom nobody knows yet.
    pub(crate) fn small(self) -> Self {
        Self { bytes: self.bytes.min(SMALL), ..self }
    }
}

/// Room for all larger bodies together, so that many callers at once cannot fill the memory. Clones share it.
#[derive(Debug, Clone)]
pub(crate) struct Room(Arc<Semaphore>);

impl Room {
    /// Room for so many bytes.
    pub(crate) fn new(bytes: usize) -> Self {
        Self(Arc::new(Semaphore::new((bytes / PIECE).min(Semaphore::MAX_PERMITS))))
    }
}

/// A body, and the room it takes until it is dropped.
#[derive(Debug)]
pub(crate) struct Received {
    bytes: Bytes,
    _room: Option<OwnedSemaphorePermit>,
}

impl Deref for Received {
    type Target = Bytes;

    fn deref(&self) -> &Bytes {
        &self.bytes
    }
}

/// Reads a body to its end.
pub(crate) async fn read(body: Body, limits: Limits, room: &Room) -> Result<Received, Refusal> {
    if let Ok(read) = tokio::time::timeout(limits.time, collect(body, limits.bytes, room)).await {
        return read;
    }
    let text = format!("The body did not arrive within {} s", limits.time.as_secs());
    Err(Refusal::new(StatusCode::REQUEST_TIMEOUT, text))
}

async fn collect(mut body: Body, most: usize, room: &Room) -> Result<Received, Refusal> {
    let mut bytes = Bytes::new();
    let mut several = BytesMut::new();
    let mut taken: Option<OwnedSemaphorePermit> = None;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| Refusal::bad_request("The body broke off"))?;
        let Ok(data) = frame.into_data() else { continue };
        let size = bytes.len() + several.len() + data.len();
        if size > most {
            let text = format!("The body is larger than {most} bytes");
            return Err(Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, text));
        }
        if size > SMALL {
            let wanted = size.div_ceil(PIECE) - taken.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
            let wanted = u32::try_from(wanted).unwrap_or(u32::MAX);
            let more =
                room.0.clone().try_acquire_many_owned(wanted).map_err(|_| Refusal::explained(Overloaded))?;
            match &mut taken {
                Some(taken) => taken.merge(more),
                None => taken = Some(more),
            }
        }
        // Most bodies come in one piece, which then is the body.
        if bytes.is_empty() && several.is_empty() {
            bytes = data;
        } else {
            several.extend_from_slice(&std::mem::take(&mut bytes));
            several.extend_from_slice(&data);
        }
    }
    let bytes = if several.is_empty() { bytes } else { several.freeze() };
    Ok(Received { bytes, _room: taken })
}

/// The value of a JSON body. Nothing, and the literal `null`, are no value. A body of another type is a text,
/// which no request of ours wants, so that the answer tells what it should have been.
pub(crate) fn value(headers: &HeaderMap, body: &Bytes) -> Result<Option<Value>, Refusal> {
    if body.is_empty() {
        return Ok(None);
    }
    if !is_json(headers) {
        return Ok(Some(Value::String(String::from_utf8_lossy(body).into_owned())));
    }
    let text =
        std::str::from_utf8(body).map_err(|_| Refusal::bad_request("There was an error parsing the body"))?;
    match json::parse(text).map_err(Refusal::Invalid)? {
        Value::Null => Ok(None),
        value => Ok(Some(value)),
    }
}

/// Reads a body that must be there.
pub(crate) fn required<T>(
    problems: &mut Problems,
    value: Option<&Value>,
    read: impl FnOnce(&mut Problems, &Loc<'_>, &Value) -> Option<T>,
) -> Option<T> {
    let Some(value) = value else {
        problems.missing(&Loc::BODY, &Value::Null);
        return None;
    };
    read(problems, &Loc::BODY, value)
}

/// `application/json`, `application/…+json`, or not said.
fn is_json(headers: &HeaderMap) -> bool {
    let Some(content_type) = headers.get(CONTENT_TYPE) else { return true };
    let kind = content_type.to_str().unwrap_or_default().split(';').next().unwrap_or_default().trim();
    let kind = kind.to_ascii_lowercase();
    kind.strip_prefix("application/").is_some_and(|subtype| subtype == "json" || subtype.ends_with("+json"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits { bytes: 1_000_000, time: Duration::from_secs(5) };

    async fn read_pieces(pieces: &[usize], room: &Room) -> Result<Received, StatusCode> {
        use axum::response::IntoResponse;
        let pieces: Vec<_> = pieces.iter().map(|size| Ok::<_, std::io::Error>(vec![b'x'; *size])).collect();
        let body = Body::from_stream(futures::stream::iter(pieces));
        read(body, LIMITS, room).await.map_err(|refusal| refusal.into_response().status())
    }

    #[tokio::test]
    async fn a_body_in_pieces_is_put_together() {
        let room = Room::new(0);
        assert_eq!(read_pieces(&[], &room).await.unwrap().len(), 0);
        assert_eq!(read_pieces(&[3], &room).await.unwrap().len(), 3);
        assert_eq!(read_pieces(&[3, 4, 5], &room).await.unwrap().len(), 12);
    }

    #[tokio::test]
    async fn larger_bodies_share_their_room_and_give_it_back() {
        let room = Room::new(300_000);
        let first = read_pieces(&[100_000, 100_000], &room).await.unwrap();
        assert_eq!(read_pieces(&[100_000, 100_000], &room).await.unwrap_err(), StatusCode::TOO_MANY_REQUESTS);
        assert!(read_pieces(&[SMALL], &room).await.is_ok(), "small bodies need no room");
        drop(first);
        assert!(read_pieces(&[100_000, 100_000], &room).await.is_ok());
    }

    #[tokio::test]
    async fn a_body_beyond_the_limit_is_refused_as_soon_as_it_is() {
        let room = Room::new(10_000_000);
        assert_eq!(read_pieces(&[900_000, 100_001], &room).await.unwrap_err(), StatusCode::PAYLOAD_TOO_LARGE);
    }
}
