//! The validators against a table of requests with what FastAPI answers to each.

use axum::response::IntoResponse;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, header::CONTENT_TYPE};
use http_body_util::BodyExt;
use proptest::prelude::*;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Loc, Problems, body, form::Form, heartbeat, metadata, query::Pairs, reschedule, sandbox, scalar, search,
    status,
};
use crate::error::Refusal;

#[derive(Deserialize)]
struct Case {
    path: String,
    query: String,
    content_type: Option<String>,
    body: String,
    /// What is wrong; null if nothing is.
    detail: Value,
}

/// What the route of this path does with a request, up to the call of the service.
fn validate(path: &str, query: &str, content_type: Option<&str>, body: &[u8]) -> Result<(), Refusal> {
    let query = Pairs::parse(query);
    let mut headers = HeaderMap::new();
    if let Some(value) = content_type.and_then(|text| HeaderValue::from_str(text).ok()) {
        headers.insert(CONTENT_TYPE, value);
    }
    let value = || body::value(&headers, &Bytes::copy_from_slice(body));
    let mut problems = Problems::default();
    let p = &mut problems;
    match path {
        "/jdl" => {
            let value = value()?;
            body::required(p, value.as_ref(), |p, loc, value| scalar::list(p, loc, value, scalar::string));
        }
        "/search" => {
            let value = value()?;
            query.or(p, "page", 1, |p, loc, value| scalar::int_between(p, loc, value, 1, i64::MAX));
            query.or(p, "per_page", 1, |p, loc, value| scalar::int_between(p, loc, value, 1, 10_000));
            if let Some(value) = value {
                search::search_body(p, &Loc::BODY, &value);
            }
        }
        "/summary" => drop(body::required(p, value()?.as_ref(), search::summary_body)),
        "/status" => {
            let value = value()?;
            query.or(p, "force", false, scalar::boolean);
            body::required(p, value.as_ref(), status::status_body);
        }
        "/heartbeat" => drop(body::required(p, value()?.as_ref(), heartbeat::heartbeat_body)),
        "/reschedule" => {
            let value = value()?;
            query.or(p, "reset_jobs", false, scalar::boolean);
            reschedule::reschedule_body(p, value.as_ref());
        }
        "/sandbox" if content_type.is_some() => {
            drop(body::required(p, value()?.as_ref(), sandbox::sandbox_info));
        }
        "/sandbox" => {
            query
                .required(p, "pfn")
                .and_then(|text| sandbox::pfn(p, &Loc::QUERY.field("pfn"), &Value::String(text)));
        }
        "/sandbox/unassign" => drop(sandbox::embedded_job_ids(p, value()?.as_ref())),
        path if path.ends_with("/sandbox/output") && content_type.is_some() => {
            let value = value()?;
            sandbox::job_id(p, path.split('/').nth(1).unwrap());
            body::required(p, value.as_ref(), sandbox::pfn);
        }
        path if path.contains("/sandbox") => {
            sandbox::job_id(p, path.split('/').nth(1).unwrap());
            if let Some(sandbox_type) = path.split('/').nth(3) {
                sandbox::is_output(p, sandbox_type);
            }
        }
        "/metadata" => drop(body::required(p, value()?.as_ref(), metadata::metadata_body)),
        "/device" => {
            query.required(p, "client_id");
            query.required(p, "scope");
        }
        "/token" => {
            let form = Form::parse(content_type, body)?;
            let grants =
                ["authorization_code", "urn:ietf:params:oauth:grant-type:device_code", "refresh_token"];
            form.literal(p, "grant_type", &grants);
            form.required(p, "client_id");
        }
        other => panic!("{other} is not in the table"),
    }
    problems.none_or(Some(())).map_err(Refusal::Invalid)
}

async fn answer(refusal: Refusal) -> (u16, Value) {
    let (parts, body) = refusal.into_response().into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    (parts.status.as_u16(), serde_json::from_slice(&body).unwrap())
}

/// Requests where we stop earlier than Python does, on purpose: numbers beyond 64 bits.
fn beyond_64_bits(case: &Case) -> bool {
    let long = |text: &str| text.split(|c: char| !c.is_ascii_digit()).any(|digits| digits.len() > 19);
    long(&case.body) || long(&case.query)
}

#[tokio::test]
async fn every_complaint_is_the_one_that_diracx_clients_know() {
    let table = include_str!("../../tests/data/validation.jsonl");
    let mut different = Vec::new();
    for line in table.lines() {
        let case: Case = serde_json::from_str(line).unwrap();
        if beyond_64_bits(&case) {
            continue;
        }
        let found = validate(&case.path, &case.query, case.content_type.as_deref(), case.body.as_bytes());
        let found = match found {
            Ok(()) => Value::Null,
            Err(refusal) => {
                let (status, body) = answer(refusal).await;
                assert_eq!(status, 422, "{line}");
                body["detail"].clone()
            }
        };
        if found != case.detail {
            different.push(format!(
                "{} {:?} {:?}\n  expected {}\n  found    {found}",
                case.path, case.query, case.body, case.detail
            ));
        }
    }
    assert!(different.is_empty(), "{} differ:\n{}", different.len(), different.join("\n"));
}

#[tokio::test]
async fn numbers_beyond_64_bits_are_refused_and_not_cut() {
    for (path, query, text) in [
        ("/search", "page=99999999999999999999999", "{}"),
        ("/status", "", r#"{"99999999999999999999": {}}"#),
        (
            "/search",
            "",
            r#"{"search": [{"parameter": "a", "operator": "eq", "value": 100000000000000000000}]}"#,
        ),
    ] {
        let refusal = validate(path, query, Some("application/json"), text.as_bytes()).unwrap_err();
        let (status, body) = answer(refusal).await;
        assert_eq!(status, 422);
        let problems = body["detail"].as_array().unwrap();
        assert!(problems.iter().any(|problem| problem["type"] == "int_parsing_size"), "{body}");
    }
}

#[tokio::test]
async fn a_body_that_is_not_text_is_a_bad_request() {
    let refusal = validate("/jdl", "", Some("application/json"), b"[\"\xff\"]").unwrap_err();
    assert_eq!(answer(refusal).await, (400, json!({ "detail": "There was an error parsing the body" })));
}

#[tokio::test]
async fn a_body_as_deep_as_a_well_is_refused() {
    for depth in [200, 100_000] {
        for text in [
            "[".repeat(depth),
            format!("{}{}", "[".repeat(depth), "]".repeat(depth)),
            "{\"a\":".repeat(depth),
        ] {
            let refusal = validate("/jdl", "", Some("application/json"), text.as_bytes()).unwrap_err();
            let (status, body) = answer(refusal).await;
            assert_eq!((status, &body["detail"][0]["type"]), (422, &json!("json_invalid")));
        }
    }
}

#[tokio::test]
async fn a_million_mistakes_do_not_make_a_million_complaints() {
    let text = format!("[{}1]", "1,".repeat(1_000_000));
    let refusal = validate("/jdl", "", Some("application/json"), text.as_bytes()).unwrap_err();
    let (_, body) = answer(refusal).await;
    assert_eq!(body["detail"].as_array().unwrap().len(), 200);
}

#[tokio::test]
async fn forms_may_come_in_parts() {
    let text = concat!(
        "--x\r\nContent-Disposition: form-data; name=\"grant_type\"\r\n\r\nrefresh_token\r\n",
        "--x\r\ncontent-disposition: form-data; name=\"client_id\"\r\n\r\nme\r\n--x--\r\n"
    );
    validate("/token", "", Some("multipart/form-data; boundary=x"), text.as_bytes()).unwrap();
    for (content_type, expected) in [
        ("multipart/form-data", "Missing boundary in multipart."),
        ("multipart/form-data; boundary=y", "Invalid multipart data."),
    ] {
        let refusal = validate("/token", "", Some(content_type), text.as_bytes()).unwrap_err();
        assert_eq!(answer(refusal).await, (400, json!({ "detail": expected })));
    }
}

/// JSON of any shape, with the words of our requests among its names and texts.
fn json_value() -> impl Strategy<Value = Value> {
    let word = prop::sample::select(vec![
        "parameter",
        "operator",
        "value",
        "values",
        "search",
        "sort",
        "direction",
        "grouping",
        "parameters",
        "distinct",
        "eq",
        "in",
        "asc",
        "Status",
        "Source",
        "HostName",
        "timestamp",
        "CPUNormalizationFactor",
        "VerifiedFlag",
        "LoadAverage",
        "StandardOutput",
        "job_ids",
        "1",
        "-7",
        "2024-01-01T00:00:00Z",
        "1e9",
        "",
    ]);
    let text = prop_oneof![word.prop_map(str::to_owned), any::<String>()];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        text.clone().prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 64, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::vec((text.clone(), inner), 0..6)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

const PATHS: [&str; 9] =
    ["/jdl", "/search", "/summary", "/status", "/heartbeat", "/reschedule", "/metadata", "/device", "/token"];

proptest! {
    #[test]
    fn no_bytes_panic_the_validators(
        query: String, content_type in prop::option::of(".*"), body in prop::collection::vec(any::<u8>(), 0..256)
    ) {
        for path in PATHS {
            let _ = validate(path, &query, content_type.as_deref(), &body);
            let _ = validate(path, &query, Some("application/json"), &body);
            let _ = validate(path, &query, Some("multipart/form-data; boundary=x"), &body);
        }
    }

    #[test]
    fn no_json_panics_the_validators(value in json_value()) {
        for path in PATHS {
            let _ = validate(path, "", Some("application/json"), value.to_string().as_bytes());
        }
    }

    #[test]
    fn no_almost_json_panics_the_scanner(text in r#"[\[\]{}:,"\\ a-fu0-9.eE+-]{0,40}"#) {
        let _ = super::json::parse(&text);
    }

    #[test]
    fn no_almost_date_panics(text in "[0-9TZ:., +\u{2212}-]{0,32}") {
        let _ = super::datetime::datetime(&mut Problems::default(), &Loc::BODY, &text);
    }
}
