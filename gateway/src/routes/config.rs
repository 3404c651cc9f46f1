//! `GET /api/config/`: the whole configuration, with DiracX's rules for not sending it again.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use arc_swap::ArcSwapOption;
use axum::{
    extract::State,
    response::{IntoResponse, Response},
    routing::get,
};
use bytes::Bytes;
use diracx_proto::config::v1::{GetConfigRequest, GetConfigResponse};
use http::{
    HeaderMap, HeaderValue, StatusCode,
    header::{ETAG, IF_MODIFIED_SINCE, IF_NONE_MATCH, LAST_MODIFIED},
};
use tonic::Code;

use crate::{
    caller::Caller,
    context::Context,
    error::Refusal,
    render::{
        json_bytes,
        time::{http_date, parse_http_date},
    },
    routing::Table,
};

/// How long the newest revision need not be asked for again. The service itself looks every five seconds.
const FRESH: Duration = Duration::from_secs(1);
/// How long what we have is served while the config service is away. DiracX would not serve it for longer either.
const WITHOUT_SERVICE: Duration = Duration::from_secs(3600);
/// How long the config service may take while we have something to serve.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long a service that is away is not asked again while we have something to serve.
const RETRY: Duration = Duration::from_secs(2);

pub(super) fn routes(table: Table) -> Table {
    table.at("/api/config/", "GET", get(serve_config))
}

/// A revision, ready to be sent any number of times.
#[derive(Debug)]
struct Revision {
    name: String,
    etag: HeaderValue,
    modified: i64,
    last_modified: HeaderValue,
    document: Bytes,
    checked: Instant,
}

/// The newest revision that anybody asked for.
#[derive(Debug, Default)]
pub(crate) struct ConfigCache {
    newest: ArcSwapOption<Revision>,
    /// When the service was found to be away, unless it has answered since.
    away: ArcSwapOption<Instant>,
}

impl ConfigCache {
    /// What is held, if it may be served while nobody confirms it.
    fn to_make_do(&self) -> Option<Arc<Revision>> {
        self.newest.load_full().filter(|held| held.checked.elapsed() < WITHOUT_SERVICE)
    }
}

async fn serve_config(
    State(context): State<Context>,
    caller: Caller,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let revision = newest(&context, &caller).await?;
    let modified = not_modified(&headers, &revision.name, revision.modified);
    let mut response = if modified {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        json_bytes(StatusCode::OK, revision.document.clone())
    };
    response.headers_mut().insert(ETAG, revision.etag.clone());
    response.headers_mut().insert(LAST_MODIFIED, revision.last_modified.clone());
    Ok(response)
}

/// The newest revision. Every user and pilot with a good token may have it, so what one of them got serves the others;
/// the service decides which components may.
async fn newest(context: &Context, caller: &Caller) -> Result<Arc<Revision>, Refusal> {
    let cache = &context.config_cache;
    if caller.is_component() {
        return ask(context, caller).await;
    }
    if let Some(known) = cache.newest.load_full().filter(|known| known.checked.elapsed() < FRESH) {
        return Ok(known);
    }
    let Some(held) = cache.to_make_do() else { return ask(context, caller).await };
    if cache.away.load().as_ref().is_some_and(|since| since.elapsed() < RETRY) {
        return Ok(held);
    }
    match tokio::time::timeout(PATIENCE, ask(context, caller)).await {
        Ok(Err(refusal)) if !is_away(&refusal) => Err(refusal),
        Ok(Ok(revision)) => {
            cache.away.store(None);
            Ok(revision)
        }
        Ok(Err(_)) | Err(_) => {
            if cache.away.swap(Some(Arc::new(Instant::now()))).is_none() {
                tracing::warn!(
                    config.revision = held.name,
                    "the config service is away; serving what we have"
                );
            }
            Ok(held)
        }
    }
}

fn is_away(refusal: &Refusal) -> bool {
    let Refusal::Failed(status) = refusal else { return false };
    matches!(
        status.code(),
        Code::Unavailable | Code::DeadlineExceeded | Code::ResourceExhausted | Code::Unknown | Code::Internal
    )
}

async fn ask(context: &Context, caller: &Caller) -> Result<Arc<Revision>, Refusal> {
    let known = context.config_cache.newest.load_full();
    let known_revision = known.as_ref().map(|known| known.name.clone());
    let request = caller.request(GetConfigRequest { known_revision });
    let answer = context.config().get_config(request).await?.into_inner();
    let revision = Arc::new(revision(known.as_deref(), answer)?);
    context.config_cache.newest.store(Some(revision.clone()));
    Ok(revision)
}

fn revision(known: Option<&Revision>, answer: GetConfigResponse) -> Result<Revision, Refusal> {
    let checked = Instant::now();
    if let Some(known) = known.filter(|_| answer.not_modified) {
        return Ok(Revision {
            name: known.name.clone(),
            etag: known.etag.clone(),
            modified: known.modified,
            last_modified: known.last_modified.clone(),
            document: known.document.clone(),
            checked,
        });
    }
    let modified = answer.modified.map_or(0, |time| time.seconds);
    let header = |text: &str| {
        HeaderValue::try_from(text).map_err(|_| {
            Refusal::Failed(tonic::Status::internal("a revision cannot be written into a header"))
        })
    };
    Ok(Revision {
        etag: header(&answer.revision)?,
        last_modified: header(&http_date(modified))?,
        name: answer.revision,
        modified,
        document: answer.document.into(),
        checked,
    })
}

/// Whether the caller has this revision, or a newer one from a server that is ahead of us.
pub(super) fn not_modified(headers: &HeaderMap, etag: &str, modified: i64) -> bool {
    let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    // The ETag goes out without quotes; whoever puts them on is understood as well.
    let same = text(IF_NONE_MATCH).is_some_and(|known| {
        known == etag || known.strip_prefix('"').and_then(|t| t.strip_suffix('"')) == Some(etag)
    });
    same || text(IF_MODIFIED_SINCE).and_then(parse_http_date).is_some_and(|since| since > modified)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MODIFIED: i64 = 1_711_929_600;
    const PAST: &str = "Mon, 01 Jan 2001 00:00:00 GMT";
    const SAME: &str = "Mon, 01 Apr 2024 00:00:00 GMT";
    const FUTURE: &str = "Fri, 01 Jan 2100 00:00:00 GMT";

    fn check(if_none_match: Option<&'static str>, if_modified_since: Option<&'static str>, expected: bool) {
        let mut headers = HeaderMap::new();
        if let Some(value) = if_none_match {
            headers.insert(IF_NONE_MATCH, HeaderValue::from_static(value));
        }
        if let Some(value) = if_modified_since {
            headers.insert(IF_MODIFIED_SINCE, HeaderValue::from_static(value));
        }
        let found = not_modified(&headers, "abc", MODIFIED);
        assert_eq!(found, expected, "{if_none_match:?} {if_modified_since:?}");
    }

    #[test]
    fn the_same_revision_is_not_sent_again() {
        for since in [None, Some(PAST), Some(SAME), Some(FUTURE), Some("bad")] {
            check(Some("abc"), since, true);
        }
        check(Some("\"abc\""), None, true);
    }

    #[test]
    fn another_revision_is_sent_unless_the_caller_has_a_newer_one() {
        for etag in [None, Some("xyz"), Some("W/\"abc\""), Some("*"), Some("abc, xyz")] {
            check(etag, None, false);
            check(etag, Some(PAST), false);
            check(etag, Some(SAME), false);
            check(etag, Some("bad"), false);
            check(etag, Some(FUTURE), true);
        }
    }
}
