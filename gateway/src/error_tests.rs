//! From gRPC statuses to REST answers.

use diracx_core::{Explanation, Reason};
use diracx_server::status::from_explanation;
use http_body_util::BodyExt;

use super::*;

async fn answer(refusal: Refusal) -> (u16, HeaderMap, String) {
    let (parts, body) = refusal.into_response().into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    (parts.status.as_u16(), parts.headers, String::from_utf8(body.to_vec()).unwrap())
}

fn text<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name).map(|value| value.to_str().unwrap())
}

#[tokio::test]
async fn the_sentence_becomes_the_detail_and_the_reason_a_header() {
    let status = from_explanation(&Explanation::not_found(Reason::JobNotFound), "Job 5 not found");
    let (code, headers, body) = answer(status.into()).await;
    assert_eq!((code, body.as_str()), (404, r#"{"detail":"Job 5 not found"}"#));
    assert_eq!(text(&headers, "diracx-error-reason"), Some("JOB_NOT_FOUND"));
    assert_eq!(text(&headers, "content-type"), Some("application/json"));
}

#[tokio::test]
async fn every_code_has_its_status() {
    for (explanation, expected) in [
        (Explanation::invalid_argument(Reason::InvalidSearch), 400),
        (Explanation::failed_precondition(Reason::IllegalTransition), 400),
        (Explanation::unauthenticated(Reason::TokenInvalid), 401),
        (Explanation::unauthenticated(Reason::AuthorizationHeaderInvalid), 400),
        (Explanation::permission_denied(Reason::Forbidden), 403),
        (Explanation::not_found(Reason::JobNotFound), 404),
        (Explanation::already_exists(Reason::InvalidField), 409),
        (Explanation::resource_exhausted(Reason::Overloaded), 429),
        (Explanation::unavailable(Reason::DatabaseUnavailable), 503),
        (Explanation::unavailable(Reason::IdentityProviderFailed), 502),
        (Explanation::deadline_exceeded(Reason::DeadlineExceeded), 504),
        (Explanation::unimplemented(Reason::Unimplemented), 501),
        (Explanation::internal(Reason::Internal), 500),
    ] {
        let (code, ..) = answer(from_explanation(&explanation, "x").into()).await;
        assert_eq!(code, expected, "{explanation:?}");
    }
}

#[tokio::test]
async fn only_a_missing_token_and_oauth_say_how_to_authenticate() {
    let missing = from_explanation(&Explanation::unauthenticated(Reason::TokenMissing), "x");
    let invalid = from_explanation(&Explanation::unauthenticated(Reason::TokenInvalid), "Invalid JWT");
    assert_eq!(text(&answer(missing.into()).await.1, "www-authenticate"), Some("Bearer"));
    assert_eq!(text(&answer(invalid.clone().into()).await.1, "www-authenticate"), None);
    assert_eq!(text(&answer(Refusal::OAuth(invalid)).await.1, "www-authenticate"), Some("Bearer"));
}

#[tokio::test]
async fn a_caller_who_should_come_back_is_told_when() {
    let busy = Explanation::resource_exhausted(Reason::Overloaded).retry_after(Duration::from_millis(1200));
    assert_eq!(text(&answer(from_explanation(&busy, "x").into()).await.1, "retry-after"), Some("2"));
    let down = Explanation::unavailable(Reason::DatabaseUnavailable);
    assert_eq!(text(&answer(from_explanation(&down, "x").into()).await.1, "retry-after"), Some("10"));
    let wrong = Explanation::invalid_argument(Reason::InvalidField);
    assert_eq!(text(&answer(from_explanation(&wrong, "x").into()).await.1, "retry-after"), None);
}

#[tokio::test]
async fn our_own_mistakes_and_foreign_texts_are_withheld() {
    let (code, headers, body) = answer(Status::internal("password is hunter2").into()).await;
    assert_eq!((code, body.as_str()), (500, "Internal Server Error"));
    assert_eq!(text(&headers, "content-type"), Some("text/plain; charset=utf-8"));
    let (code, headers, body) = answer(Status::unavailable("tcp connect 10.0.0.7:3306").into()).await;
    assert_eq!((code, text(&headers, "diracx-error-reason")), (503, Some("SERVICE_UNAVAILABLE")));
    assert!(!body.contains("10.0.0.7"), "{body}");
}
