//! Replays recorded conversations against a server and tells where its answers differ.

mod compare;
mod matching;
mod perform;
mod variables;

use std::{collections::BTreeMap, path::Path, time::Duration};

use anyhow::{Context as _, Result};
use serde_json::Value;

pub use variables::Variables;

use crate::http::Answer;

/// The tokens of everybody in `identities.json`, by name.
pub type Tokens = BTreeMap<String, String>;

/// How closely the body of a 422 is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Validation {
    /// As any other body.
    Full,
    /// The fields it points at, in any order.
    Locations,
    /// Not at all.
    Status,
}

/// Who is asked, and how the answers are judged.
#[derive(Debug, Clone)]
pub struct Server<'a> {
    /// Where it listens, without a slash at the end.
    pub base: &'a str,
    /// Where its identity provider listens.
    pub identity_provider: &'a str,
    /// The tokens that may be sent.
    pub tokens: &'a Tokens,
    /// How closely a 422 is compared.
    pub validation: Validation,
}

/// A scenario: a header and its steps.
#[derive(Debug)]
pub struct Transcript {
    /// Its name, that of the file.
    pub name: String,
    steps: Vec<Value>,
}

/// What became of one step.
#[derive(Debug)]
pub struct Outcome {
    /// `scenario/step`.
    pub name: String,
    /// Where the answer differs from what was recorded; empty when it does not.
    pub differences: Vec<String>,
}

impl Transcript {
    /// Reads a file of one JSON object a line.
    ///
    /// # Errors
    /// If there is no such file, or a line is not a step.
    pub fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).with_context(|| format!("{}", path.display()))?;
        let mut lines = Vec::new();
        for line in text.lines().filter(|line| !line.trim().is_empty()) {
            lines.push(serde_json::from_str::<Value>(line).with_context(|| format!("{}", path.display()))?);
        }
        let header = lines.first().context("an empty transcript")?;
        let name = header["scenario"].as_str().context("no scenario in the header")?.to_owned();
        Ok(Self { name, steps: lines.split_off(1) })
    }

    /// Sends every step that `wanted` names, in order, and judges the answers.
    pub async fn replay(&self, server: &Server<'_>, wanted: impl Fn(&str) -> bool) -> Vec<Outcome> {
        let mut variables = Variables::new(server.base, server.identity_provider);
        let mut outcomes = Vec::new();
        for step in &self.steps {
            let step_name = step["step"].as_str().unwrap_or("?");
            if wanted(step_name) {
                let differences = match run(step, server, &mut variables).await {
                    Ok(differences) => differences,
                    Err(error) => vec![format!("{error:#}")],
                };
                outcomes.push(Outcome { name: format!("{}/{step_name}", self.name), differences });
            }
        }
        outcomes
    }
}

/// One step; an error is a step that could not even be sent.
async fn run(step: &Value, server: &Server<'_>, variables: &mut Variables) -> Result<Vec<String>> {
    for (name, value) in step["set"].as_object().into_iter().flatten() {
        let value = variables.fill(value)?;
        variables.set(name, value);
    }
    if let Some(seconds) = step["wait"].as_f64() {
        tokio::time::sleep(Duration::from_secs_f64(seconds)).await;
    }
    let answer = perform::perform(step, server, variables).await?;
    let captured = capture(step, &answer, variables);
    let mut differences = compare::compare(step, &answer, variables, server.validation);
    if let Err(error) = captured
        && differences.is_empty()
        && !compare::also_accepted(step, answer.status)
    {
        differences.push(format!("capture: {error:#}"));
    }
    Ok(differences)
}

/// Takes from the answer what later steps need.
fn capture(step: &Value, answer: &Answer, variables: &mut Variables) -> Result<()> {
    for (name, place) in step["capture"].as_object().into_iter().flatten() {
        let place = place.as_str().context("a place is a string")?;
        let value = if let Some(header) = place.strip_prefix("header:") {
            let (header, pattern) = header.split_once('|').unwrap_or((header, ""));
            let text = answer.header(header).with_context(|| format!("no header {header}"))?;
            Value::String(if pattern.is_empty() { text } else { first_group(pattern, &text)? })
        } else if let Some(pattern) = place.strip_prefix("text:") {
            Value::String(first_group(pattern, &answer.text)?)
        } else {
            let body = answer.json().context("the body is not JSON")?;
            body.pointer(place).with_context(|| format!("nothing at {place}"))?.clone()
        };
        variables.set(name, value);
    }
    Ok(())
}

fn first_group(pattern: &str, text: &str) -> Result<String> {
    let found = regex::Regex::new(pattern)?.captures(text).and_then(|groups| groups.get(1));
    Ok(found.with_context(|| format!("{pattern} is not in it"))?.as_str().to_owned())
}
