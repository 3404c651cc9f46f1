//! Forms, as OAuth2 sends them.

use serde_json::Value;

use super::{Loc, Problems, query::Pairs};
use crate::error::Refusal;

/// The fields of a form. A body of any other type has none, as in DiracX.
#[derive(Debug, Default)]
pub(crate) struct Form(Pairs);

impl Form {
    /// Reads the fields of a body of the given content type.
    pub(crate) fn parse(content_type: Option<&str>, body: &[u8]) -> Result<Self, Refusal> {
        let content_type = content_type.unwrap_or_default();
        let (kind, parameters) = content_type.split_once(';').unwrap_or((content_type, ""));
        let kind = kind.trim();
        if kind.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
            return Ok(Self(Pairs::parse(&String::from_utf8_lossy(body))));
        }
        if kind.eq_ignore_ascii_case("multipart/form-data") {
            let boundary =
                boundary(parameters).ok_or_else(|| Refusal::bad_request("Missing boundary in multipart."))?;
            let pairs =
                multipart(&boundary, body).ok_or_else(|| Refusal::bad_request("Invalid multipart data."))?;
            return Ok(Self(Pairs::from_pairs(pairs)));
        }
        Ok(Self::default())
    }

    /// A field. One that was left empty is not there.
    pub(crate) fn get(&self, name: &str) -> Option<String> {
        self.0.get(name).filter(|text| !text.is_empty()).map(str::to_owned)
    }

    /// A field that must be there.
    pub(crate) fn required(&self, problems: &mut Problems, name: &str) -> Option<String> {
        let found = self.get(name);
        if found.is_none() {
            problems.missing(&Loc::BODY.field(name), &Value::Null);
        }
        found
    }

    /// A field that must be one of a few texts. As in DiracX every one of them is an attempt with its own complaint.
    pub(crate) fn literal<'c>(
        &self,
        problems: &mut Problems,
        name: &str,
        choices: &[&'c str],
    ) -> Option<&'c str> {
        let text = self.required(problems, name)?;
        let found = choices.iter().find(|choice| **choice == text).copied();
        if found.is_none() {
            let field = Loc::BODY.field(name);
            for choice in choices {
                let branch = format!("literal['{choice}']");
                problems.not_one_of(
                    "literal_error",
                    &field.field(&branch),
                    &[choice],
                    &Value::String(text.clone()),
                );
            }
        }
        found
    }
}

fn boundary(parameters: &str) -> Option<String> {
    parameters.split(';').find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        let value = value.trim().trim_matches('"');
        (name.trim().eq_ignore_ascii_case("boundary") && !value.is_empty()).then(|| value.to_owned())
    })
}

/// The text fields of a multipart body; files among them are taken as texts.
fn multipart(boundary: &str, body: &[u8]) -> Option<Vec<(String, String)>> {
    let text = String::from_utf8_lossy(body);
    let mark = format!("--{boundary}");
    let mut rest = text.strip_prefix(mark.as_str())?;
    let mut fields = Vec::new();
    loop {
        if rest.starts_with("--") {
            return Some(fields);
        }
        let part = rest.strip_prefix("\r\n")?;
        let (headers, after) = part.split_once("\r\n\r\n")?;
        let (value, after) = after.split_once(&format!("\r\n{mark}"))?;
        if let Some(name) = field_name(headers) {
            fields.push((name, value.to_owned()));
        }
        rest = after;
    }
}

fn field_name(headers: &str) -> Option<String> {
    let disposition = headers.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.trim().eq_ignore_ascii_case("content-disposition").then_some(value)
    })?;
    disposition.split(';').find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        (name.trim() == "name").then(|| value.trim().trim_matches('"').to_owned())
    })
}
