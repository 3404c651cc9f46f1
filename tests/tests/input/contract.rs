//! What DiracX's routes take, from its own description of them, with a good value for everything.

use diracx_core::{Clock as _, SystemClock};
use diracx_tests::tokens::data;
use serde_json::{Map, Value, json};

/// A route with one method.
pub(crate) struct Operation {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) parameters: Vec<Parameter>,
    pub(crate) body: Option<Body>,
}

/// A parameter outside of the body.
pub(crate) struct Parameter {
    pub(crate) place: Place,
    pub(crate) name: String,
    pub(crate) good: String,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    Path,
    Query,
    Header,
}

/// A body that nothing is wrong with.
pub(crate) enum Body {
    Json(Value),
    Form(Vec<(String, String)>),
}

/// Every operation that DiracX describes.
pub(crate) fn operations() -> Vec<Operation> {
    let text = std::fs::read_to_string(data("openapi.json")).expect("openapi.json");
    let document = Document(serde_json::from_str(&text).expect("JSON"));
    let mut all = Vec::new();
    for (path, methods) in members(&document.0["paths"]) {
        for (method, operation) in members(methods) {
            all.push(document.operation(&method.to_uppercase(), path, operation));
        }
    }
    all
}

struct Document(Value);

impl Document {
    fn operation(&self, method: &str, path: &str, operation: &Value) -> Operation {
        let parameters = operation["parameters"].as_array().into_iter().flatten().map(|parameter| {
            let name = parameter["name"].as_str().expect("a name").to_owned();
            let place = match parameter["in"].as_str() {
                Some("path") => Place::Path,
                Some("query") => Place::Query,
                Some("header") => Place::Header,
                other => panic!("{path}: a parameter in {other:?}"),
            };
            let good = text(&self.good(&parameter["schema"], &name, 0));
            Parameter { place, name, good }
        });
        let body = members(&operation["requestBody"]["content"]).next().map(|(kind, content)| {
            let good = self.good(&content["schema"], "", 0);
            match kind.as_str() {
                "application/json" => Body::Json(good),
                "application/x-www-form-urlencoded" => {
                    Body::Form(members(&good).map(|(name, value)| (name.clone(), text(value))).collect())
                }
                other => panic!("{path}: a body of {other}"),
            }
        });
        Operation { method: method.into(), path: path.into(), parameters: parameters.collect(), body }
    }

    /// A good value, with every field. The keys of maps are jobs, and inside of them times.
    fn good(&self, schema: &Value, name: &str, depth: usize) -> Value {
        if let Some(known) = known(name) {
            return known;
        }
        if let Some(target) = schema["$ref"].as_str() {
            let pointer = target.trim_start_matches('#');
            return self.good(self.0.pointer(pointer).expect(target), name, depth);
        }
        if let Some(first) = schema["enum"].get(0) {
            return first.clone();
        }
        if let Some(fields) = schema["properties"].as_object() {
            let fields = fields.iter().map(|(name, field)| (name.clone(), self.good(field, name, depth)));
            return Value::Object(fields.collect());
        }
        match schema["type"].as_str() {
            Some("integer") => json!(1),
            Some("number") => json!(1.5),
            Some("boolean") => json!(true),
            Some("array") => {
                let item = &schema["items"];
                let kinds =
                    item["anyOf"].as_array().map_or_else(|| vec![item], |kinds| kinds.iter().collect());
                Value::Array(kinds.into_iter().map(|kind| self.good(kind, "", depth)).collect())
            }
            Some("object") if schema["additionalProperties"].is_object() => {
                let key = if depth == 0 { "1".to_owned() } else { now() };
                let inside = self.good(&schema["additionalProperties"], "", depth + 1);
                Value::Object(Map::from_iter([(key, inside)]))
            }
            Some("string") if schema["format"] == "date-time" => json!(now()),
            Some("string") if schema["pattern"].as_str().is_some_and(|pattern| pattern.contains("/S3/")) => {
                json!(format!("/S3/sandboxes/lhcb/lhcb_user/somebody/sha256:{}.tar.zst", "ab".repeat(32)))
            }
            Some("string") => json!("text"),
            _ => match schema["anyOf"].get(0) {
                Some(first) => self.good(first, name, depth),
                None => json!({}),
            },
        }
    }
}

/// What only people know to be good.
fn known(name: &str) -> Option<Value> {
    let hash = "a".repeat(64);
    Some(match name {
        "job_id" => json!(1),
        "job_ids" => json!([1, 2]),
        "parameter" => json!("JobID"),
        "parameters" => json!(["JobID", "Status"]),
        "grouping" => json!(["Status"]),
        "value" => json!("1"),
        "values" => json!(["1", "2"]),
        "checksum" => json!(hash),
        "pfn" => json!(format!("SB:SandboxSE|/S3/sandboxes/alpha/alpha_user/alice/sha256:{hash}.tar.zst")),
        "sandbox_type" => json!("input"),
        "client_id" => json!("myDIRACClientID"),
        "scope" => json!("vo:alpha group:alpha_user"),
        "redirect_uri" => json!("http://diracx.test.invalid:8000/api/docs/oauth2-redirect"),
        "response_type" => json!("code"),
        "code_challenge_method" => json!("S256"),
        "grant_type" => json!("refresh_token"),
        _ => return None,
    })
}

fn now() -> String {
    SystemClock.now().format("%Y-%m-%dT%H:%M:%S%.6fZ").to_string()
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned)
}

fn members(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flatten()
}
