//! Sends the request of a step.

use anyhow::{Context as _, Result};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use regex::Captures;
use serde_json::Value;
use uuid::Uuid;

use super::{
    Server, Tokens,
    variables::{Variables, show},
};
use crate::http::{Answer, form, send};

/// Sends the request of a step, its variables and tokens filled in.
pub(super) async fn perform(step: &Value, server: &Server<'_>, variables: &Variables) -> Result<Answer> {
    let request = &step["request"];
    let mut headers = Vec::new();
    for (name, value) in fields(&request["headers"]) {
        let value = with_tokens(&show(&variables.fill(value)?), server.tokens)?;
        headers.push((name.clone(), value));
    }
    if let Some(who) = step["as"].as_str() {
        headers.push(("Authorization".to_owned(), format!("Bearer {}", token(who, server.tokens)?)));
    }
    let body = match body(request, server.tokens, variables)? {
        None => None,
        Some((bytes, kind)) => {
            headers.extend(kind.map(|kind| ("Content-Type".to_owned(), kind)));
            Some(bytes)
        }
    };
    let method = request["method"].as_str().context("a request without a method")?;
    send(method, &url(request, server.base, variables)?, &headers, body).await
}

fn fields(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flatten()
}

fn url(request: &Value, base: &str, variables: &Variables) -> Result<String> {
    if let Some(url) = request["url"].as_str() {
        let mut url = variables.fill_text(url)?;
        if let Some(more) = request["append"].as_str() {
            url.push(if url.contains('?') { '&' } else { '?' });
            url.push_str(&variables.fill_text(more)?);
        }
        return Ok(url);
    }
    let path = request["path"].as_str().context("a request without a path")?;
    let mut url = format!("{base}{}", variables.fill_text(path)?);
    if let Some(query) = request["query"].as_array().filter(|query| !query.is_empty()) {
        let mut pairs = Vec::new();
        for pair in query {
            pairs.push((show(&pair[0]), show(&variables.fill(&pair[1])?)));
        }
        url.push('?');
        url.push_str(&form(pairs.iter().map(|(name, value)| (name.as_str(), value.as_str()))));
    }
    Ok(url)
}

/// The body and, where the step implies one, its content type.
fn body(
    request: &Value,
    tokens: &Tokens,
    variables: &Variables,
) -> Result<Option<(Vec<u8>, Option<String>)>> {
    if let Some(json) = request.get("json") {
        let text = variables.fill(json)?.to_string();
        return Ok(Some((text.into_bytes(), Some("application/json".to_owned()))));
    }
    if let Some(given) = request.get("form") {
        let mut pairs = Vec::new();
        for (name, value) in fields(given) {
            let value = match value.as_str().and_then(|text| text.strip_prefix("@token:")) {
                Some(who) => token(who, tokens)?.to_owned(),
                None => show(&variables.fill(value)?),
            };
            pairs.push((name.as_str(), value));
        }
        let text = form(pairs.iter().map(|(name, value)| (*name, value.as_str())));
        return Ok(Some((text.into_bytes(), Some("application/x-www-form-urlencoded".to_owned()))));
    }
    if let Some(text) = request["body"].as_str() {
        return Ok(Some((variables.fill_text(text)?.into_bytes(), None)));
    }
    request.get("multipart").map(|parts| multipart(parts, variables)).transpose()
}

fn multipart(parts: &Value, variables: &Variables) -> Result<(Vec<u8>, Option<String>)> {
    let mark = format!("----{}", Uuid::new_v4().simple());
    let mut bytes = Vec::new();
    let given = variables.fill(&parts["fields"])?;
    for (name, value) in fields(&given) {
        let value = show(value);
        let part = format!("--{mark}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
        bytes.extend_from_slice(part.as_bytes());
    }
    let file = show(&variables.fill(&parts["file_b64"])?);
    let head = "Content-Disposition: form-data; name=\"file\"; filename=\"file\"\r\n\
                Content-Type: application/octet-stream\r\n\r\n";
    bytes.extend_from_slice(format!("--{mark}\r\n{head}").as_bytes());
    bytes.extend_from_slice(&STANDARD.decode(file)?);
    bytes.extend_from_slice(format!("\r\n--{mark}--\r\n").as_bytes());
    Ok((bytes, Some(format!("multipart/form-data; boundary={mark}"))))
}

fn token<'a>(who: &str, tokens: &'a Tokens) -> Result<&'a str> {
    Ok(tokens.get(who).with_context(|| format!("{who} has no token"))?)
}

fn with_tokens(text: &str, tokens: &Tokens) -> Result<String> {
    let mentions = regex::Regex::new(r"@token:(\w+)")?;
    let filled = mentions.replace_all(text, |found: &Captures<'_>| {
        tokens.get(&found[1]).cloned().unwrap_or_else(|| found[0].to_owned())
    });
    Ok(filled.into_owned())
}
