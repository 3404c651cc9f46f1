//! Who needs a token, which parameters must be there, and what they must look like.

use diracx_tests::{http::Answer, mesh::Mesh};
use serde_json::{Value, json};

use crate::description::{Description, Operation};

/// Known differences, and the words with which docs/compatibility.md explains them.
pub(crate) const DIFFERENT: &[(&str, &str)] = &[];

/// Every difference: where, and what.
pub(crate) async fn compare(
    mesh: &Mesh,
    description: &Description,
    passed_over: &[&str],
) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for operation in
        description.operations().filter(|operation| !passed_over.contains(&operation.name().as_str()))
    {
        let name = operation.name();
        let mut note =
            |what: &str, how: Option<String>| found.extend(how.map(|how| (format!("{name}: {what}"), how)));
        note("the token", token(mesh, &operation).await);
        note("the body", body(mesh, description, &operation).await);
        for parameter in operation.parameters().filter(|parameter| parameter["in"] != "header") {
            let of = parameter["name"].as_str().expect("a name");
            for (value, kind) in wrong(description, parameter) {
                let answer = ask(mesh, &operation, of, value.as_deref()).await;
                let what = format!("{of} as {}", value.as_deref().unwrap_or("nothing"));
                note(&what, refused(&answer, &json!([parameter["in"], of]), &kind));
            }
        }
    }
    found
}

/// Without a token: 401 where one is needed, and only there.
async fn token(mesh: &Mesh, operation: &Operation<'_>) -> Option<String> {
    let target = target(operation, None);
    let answer = mesh.request("", &operation.method, &target, None).await.expect("an answer");
    let refused = answer.status == 401 && answer.text.contains("Authorization header is missing");
    (refused != operation.needs_token())
        .then(|| format!("without a token it is {} {}", answer.status, answer.text))
}

/// A body that must be there and is not.
async fn body(mesh: &Mesh, description: &Description, operation: &Operation<'_>) -> Option<String> {
    let body = &operation.described["requestBody"];
    let content = body["content"].get("application/json")?;
    let answer = mesh.request("normal_user", &operation.method, &target(operation, None), None).await;
    let answer = answer.expect("an answer");
    let schema = description.resolve(&content["schema"]);
    if body["required"] == true {
        // FastAPI puts single fields into a body of their own, and then misses the fields
        let of_fields = content["schema"]["$ref"].as_str().is_some_and(|name| name.contains("/Body_"));
        let first = schema["required"].get(0).filter(|_| of_fields);
        return refused(&answer, &first.map_or(json!(["body"]), |field| json!(["body", field])), "missing");
    }
    (answer.status == 422).then(|| format!("a body may be left out ({schema}), but it is {}", answer.text))
}

/// Values that a parameter may not have, each with the type of the problem; none stands for leaving it out.
fn wrong(description: &Description, parameter: &Value) -> Vec<(Option<String>, String)> {
    let schema = description.resolve(&parameter["schema"]);
    let mut all = Vec::new();
    if parameter["required"] == true && parameter["in"] == "query" {
        all.push((None, "missing".to_owned()));
    }
    let mut push = |value: String, kind: &str| all.push((Some(value), kind.to_owned()));
    match schema["type"].as_str() {
        Some("integer") => {
            push("abc".to_owned(), "int_parsing");
            if let Some(minimum) = schema["minimum"].as_i64() {
                push((minimum - 1).to_string(), "greater_than_equal");
            }
            if let Some(maximum) = schema["maximum"].as_i64() {
                push((maximum + 1).to_string(), "less_than_equal");
            }
        }
        Some("boolean") => push("abc".to_owned(), "bool_parsing"),
        Some("string") if schema["enum"].is_array() => push("abc".to_owned(), "literal_error"),
        Some("string") if schema["pattern"].is_string() => push("!".to_owned(), "string_pattern_mismatch"),
        _ => {}
    }
    all
}

async fn ask(mesh: &Mesh, operation: &Operation<'_>, name: &str, value: Option<&str>) -> Answer {
    let target = target(operation, Some((name, value)));
    // what comes before the body in DiracX is told without one
    mesh.request("normal_user", &operation.method, &target, None).await.expect("an answer")
}

/// The path with good parameters; one may be replaced, or left out.
fn target(operation: &Operation<'_>, replaced: Option<(&str, Option<&str>)>) -> String {
    let mut path = operation.path.to_owned();
    let mut query = Vec::new();
    for parameter in operation.parameters() {
        let name = parameter["name"].as_str().expect("a name");
        let value = match replaced {
            Some((of, value)) if of == name => value.map(str::to_owned),
            _ => Some(good(name, parameter)).filter(|_| parameter["required"] == true),
        };
        match (parameter["in"].as_str(), value) {
            (Some("path"), Some(value)) => path = path.replace(&format!("{{{name}}}"), &value),
            (Some("query"), Some(value)) => query.push(format!("{name}={value}")),
            _ => {}
        }
    }
    if query.is_empty() { path } else { format!("{path}?{}", query.join("&")) }
}

fn good(name: &str, parameter: &Value) -> String {
    let schema = &parameter["schema"];
    let first = schema["enum"].get(0).and_then(Value::as_str);
    match (name, first, schema["type"].as_str()) {
        ("response_type", ..) => "code".to_owned(),
        ("code_challenge_method", ..) => "S256".to_owned(),
        (_, Some(first), _) => first.to_owned(),
        (_, None, Some("integer")) => "1".to_owned(),
        (_, None, Some("boolean")) => "true".to_owned(),
        _ => "x".to_owned(),
    }
}

/// What is missing to a 422 with this problem at this place.
fn refused(answer: &Answer, loc: &Value, kind: &str) -> Option<String> {
    let detail = answer.json().unwrap_or_default()["detail"].clone();
    let problems = detail.as_array().cloned().unwrap_or_default();
    let told = problems.iter().any(|problem| problem["loc"] == *loc && problem["type"] == kind);
    (answer.status != 422 || !told).then(|| format!("no {kind} at {loc}: {} {}", answer.status, answer.text))
}
