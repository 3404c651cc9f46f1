//! What a person sees who is sent here by a web browser in the middle of a login.
//!
//! Programs get DiracX's answers as they are. A browser, which says that it takes HTML, gets the same status and
//! the same sentence on a page that tells what to do next.

use axum::{
    body::to_bytes,
    extract::Request,
    middleware::{Next, from_fn},
    response::{IntoResponse, Response},
    routing::MethodRouter,
};
use diracx_core::Reason;
use diracx_server::telemetry::TRACEPARENT;
use http::{
    HeaderMap, HeaderName, HeaderValue, StatusCode, Uri,
    header::{ACCEPT, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY},
};
use serde_json::Value;

use crate::{context::Context, error::ERROR_REASON, validation::query::Pairs};

/// Longer answers are no sentences of ours.
const MAX_ANSWER_BYTES: usize = 64 * 1024;

const POLICY: HeaderValue =
    HeaderValue::from_static("default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'");

/// What a page says.
struct Page {
    title: &'static str,
    text: &'static str,
    /// Whether it asks for the code that the program shows.
    asks_for_code: bool,
}

/// What the page depends on.
struct Seen<'a> {
    path: &'a str,
    status: StatusCode,
    reason: &'a str,
    /// The error with which the identity provider sent the browser back.
    refused_with: &'a str,
    has_user_code: bool,
}

/// The routes that people come to, with pages where a browser asks.
pub(super) fn for_people(handlers: MethodRouter<Context>) -> MethodRouter<Context> {
    handlers.layer(from_fn(answer))
}

async fn answer(request: Request, next: Next) -> Response {
    let wants_page = wants_page(request.headers());
    let uri = request.uri().clone();
    let response = next.run(request).await;
    if wants_page && !response.status().is_redirection() && !response.status().is_informational() {
        with_page(&uri, response).await
    } else {
        response
    }
}

/// Browsers name HTML, programs name JSON or take anything.
pub(super) fn wants_page(headers: &HeaderMap) -> bool {
    headers.get_all(ACCEPT).iter().any(|accept| {
        let accept = accept.as_bytes();
        accept.windows(b"text/html".len()).any(|part| part.eq_ignore_ascii_case(b"text/html"))
    })
}

async fn with_page(uri: &Uri, response: Response) -> Response {
    let (mut head, body) = response.into_parts();
    let body = to_bytes(body, MAX_ANSWER_BYTES).await.unwrap_or_default();
    let query = Pairs::parse(uri.query().unwrap_or_default());
    let text = |name: HeaderName| head.headers.get(name).and_then(|value| value.to_str().ok());
    let page = page(&Seen {
        path: uri.path(),
        status: head.status,
        reason: text(ERROR_REASON).unwrap_or_default(),
        refused_with: query.get("error").unwrap_or_default(),
        has_user_code: query.get("user_code").is_some_and(|code| !code.is_empty()),
    });
    let html = page.html(&detail(&body), text(HeaderName::from_static(TRACEPARENT)).unwrap_or_default());
    head.headers.remove(CONTENT_LENGTH);
    for (name, value) in [
        (CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")),
        (CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (CONTENT_SECURITY_POLICY, POLICY),
        (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    ] {
        head.headers.insert(name, value);
    }
    (head, html).into_response()
}

/// The sentence of an error, if it is one.
fn detail(body: &[u8]) -> String {
    let value: Value = serde_json::from_slice(body).unwrap_or_default();
    value["detail"].as_str().unwrap_or_default().to_owned()
}

fn page(seen: &Seen<'_>) -> Page {
    let says = |title, text| Page { title, text, asks_for_code: false };
    let is = |reason: Reason| seen.reason == reason.as_str();
    let begins = seen.path == super::auth::DEVICE;
    if seen.status.is_success() {
        return says(
            "You are logged in",
            "The program that asked goes on by itself. Please close the window.",
        );
    }
    if begins && !seen.has_user_code {
        return Page {
            title: "Log in",
            text: "Which code does the program show that asked you to log in?",
            asks_for_code: true,
        };
    }
    if begins && is(Reason::InvalidGrant) {
        return Page {
            title: "This code is not valid",
            text: "It was used before, has expired, or was not typed as the program shows it.",
            asks_for_code: true,
        };
    }
    if is(Reason::IdentityProviderFailed) {
        return says(
            "The login service does not answer",
            "The identity provider of your organisation is out of order. Nothing is wrong with your account: go back \
             and try again in a minute.",
        );
    }
    if seen.refused_with == "access_denied" {
        return says(
            "You did not allow the login",
            "Access was denied, as you wished: nobody is logged in. If that was a mistake, start again in the program \
             that asked.",
        );
    }
    match seen.status {
        StatusCode::TOO_MANY_REQUESTS => says("Too many attempts", "Wait a minute, then try again."),
        StatusCode::FORBIDDEN => says(
            "You may not come in",
            "The identity provider of your organisation knows you, but the program that asked will get no access for you. \
             Those who look after your virtual organisation can change that.",
        ),
        StatusCode::UNAUTHORIZED => says(
            "The login could not be confirmed",
            "The identity provider of your organisation did not prove who you are. Perhaps this page was loaded twice: \
             if the program that asked does not go on, start again there.",
        ),
        _ if is(Reason::InvalidGrant) => says(
            "This login is over",
            "It was finished before, was ended, or took too long. If the program that asked does not go on, start again \
             there.",
        ),
        _ => says("The login did not work", "Start again in the program that asked you to log in."),
    }
}

impl Page {
    fn html(&self, detail: &str, trace: &str) -> String {
        let form = if self.asks_for_code { include_str!("page_code.html") } else { "" };
        let small = [detail, trace].into_iter().filter(|text| !text.is_empty()).map(escaped);
        let small = small.collect::<Vec<_>>().join(" · ");
        include_str!("page.html")
            .replace("{title}", self.title)
            .replace("{text}", self.text)
            .replace("{form}", form)
            .replace("{detail}", &small)
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(path: &str, status: u16, reason: &str, refused_with: &str, expected: &str) {
        let seen = Seen {
            path,
            status: StatusCode::from_u16(status).unwrap(),
            reason,
            refused_with,
            has_user_code: path == "/api/auth/device",
        };
        assert_eq!(page(&seen).title, expected, "{path} {status} {reason}");
    }

    #[test]
    fn each_end_of_a_login_has_its_page() {
        let back = "/api/auth/device/complete";
        check("/api/auth/device/complete/finished", 200, "", "", "You are logged in");
        check("/api/auth/device", 400, "INVALID_GRANT", "", "This code is not valid");
        check("/api/auth/device", 502, "IDENTITY_PROVIDER_FAILED", "", "The login service does not answer");
        check(back, 502, "IDENTITY_PROVIDER_FAILED", "", "The login service does not answer");
        check(back, 400, "INVALID_GRANT", "access_denied", "You did not allow the login");
        check(back, 400, "INVALID_GRANT", "", "This login is over");
        check(back, 403, "", "", "You may not come in");
        check(back, 401, "INVALID_GRANT", "", "The login could not be confirmed");
        check(back, 429, "TOO_MANY_ATTEMPTS", "", "Too many attempts");
        check(back, 422, "", "", "The login did not work");
        check(back, 500, "", "", "The login did not work");
    }

    #[test]
    fn only_who_names_html_gets_a_page() {
        for (accept, expected) in [
            ("text/html,application/xhtml+xml,*/*;q=0.8", true),
            ("Text/HTML", true),
            ("*/*", false),
            ("application/json", false),
        ] {
            let headers = HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static(accept))]);
            assert_eq!(wants_page(&headers), expected, "{accept}");
        }
        assert!(!wants_page(&HeaderMap::new()));
    }

    #[test]
    fn what_a_stranger_wrote_stays_text() {
        let page = Page { title: "t", text: "x", asks_for_code: false };
        let html = page.html("<script>alert(1)</script>", "");
        assert!(!html.contains("<script") && html.contains("&lt;script"), "{html}");
    }
}
