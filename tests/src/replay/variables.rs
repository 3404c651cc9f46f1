//! What `{{name}}` stands for.

use std::{collections::BTreeMap, sync::LazyLock, time::SystemTime};

use anyhow::{Context as _, Result, bail};
use base64::{Engine as _, engine::general_purpose as b64};
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use regex::Regex;
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

#[expect(clippy::expect_used, reason = "the pattern is written here")]
static PLACE: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"\{\{([A-Za-z0-9_]+|t:[-+.0-9]+)\}\}").expect("a pattern"));

/// The variables of one replay: those built in, and those captured on the way.
#[derive(Debug, Clone)]
pub struct Variables(BTreeMap<String, Value>);

impl Variables {
    /// Those every replay starts with.
    pub fn new(base: &str, identity_provider: &str) -> Self {
        let random = || Uuid::new_v4().simple().to_string();
        let uniq = random()[..8].to_owned();
        let verifier = random() + &random();
        let (a, b, c) = (random(), random(), random());
        let mut all = BTreeMap::from([
            ("base".to_owned(), json!(base)),
            ("idp".to_owned(), json!(identity_provider)),
            ("challenge".to_owned(), json!(b64::URL_SAFE_NO_PAD.encode(Sha256::digest(&verifier)))),
            ("verifier".to_owned(), json!(verifier)),
            (
                "random_uuid7".to_owned(),
                json!(format!("01900000-0000-7{}-8{}-{}", &a[..3], &b[..3], &c[..12])),
            ),
        ]);
        for number in 1..=4 {
            let content = format!("sandbox {number} {uniq}\n").repeat(20);
            let digest = format!("{:x}", Sha256::digest(&content));
            all.insert(format!("sb{number}_sha256"), json!(digest));
            all.insert(format!("sb{number}_size"), json!(content.len()));
            all.insert(format!("sb{number}_b64"), json!(b64::STANDARD.encode(&content)));
        }
        all.insert("uniq".to_owned(), json!(uniq));
        Self(all)
    }

    /// Remembers a value.
    pub fn set(&mut self, name: &str, value: Value) {
        self.0.insert(name.to_owned(), value);
    }

    /// A value, if it is known.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    /// Fills every string of a value. A string that is nothing but a variable takes its type.
    ///
    /// # Errors
    /// If a variable is not known, which is so when the step that captures it failed.
    pub fn fill(&self, value: &Value) -> Result<Value> {
        Ok(match value {
            Value::String(text) => match whole(text).filter(|name| !name.starts_with("t:")) {
                Some(name) => self.known(name)?.clone(),
                None => Value::String(self.fill_text(text)?),
            },
            Value::Array(items) => items.iter().map(|item| self.fill(item)).collect::<Result<_>>()?,
            Value::Object(fields) => {
                let mut filled = Map::new();
                for (name, field) in fields {
                    filled.insert(self.fill_text(name)?, self.fill(field)?);
                }
                Value::Object(filled)
            }
            other => other.clone(),
        })
    }

    /// Fills a text with texts.
    ///
    /// # Errors
    /// As for [`Self::fill`].
    pub fn fill_text(&self, text: &str) -> Result<String> {
        self.replace(text, |value| value)
    }

    /// Fills a pattern: what a variable holds is taken literally.
    ///
    /// # Errors
    /// As for [`Self::fill`].
    pub fn fill_pattern(&self, text: &str) -> Result<String> {
        self.replace(text, |value| regex::escape(&value))
    }

    fn replace(&self, text: &str, quote: impl Fn(String) -> String) -> Result<String> {
        let mut out = String::new();
        let mut rest = 0;
        for found in PLACE.captures_iter(text) {
            let (Some(place), Some(name)) = (found.get(0), found.get(1)) else { continue };
            out.push_str(&text[rest..place.start()]);
            match name.as_str().strip_prefix("t:") {
                Some(offset) => out.push_str(&time(offset)?),
                None => out.push_str(&quote(show(self.known(name.as_str())?))),
            }
            rest = place.end();
        }
        out.push_str(&text[rest..]);
        Ok(out)
    }

    fn known(&self, name: &str) -> Result<&Value> {
        self.get(name).with_context(|| format!("{name} is not known; did an earlier step fail?"))
    }
}

/// The name of the variable a text consists of.
fn whole(text: &str) -> Option<&str> {
    let found = PLACE.captures(text)?;
    (found.get(0)?.as_str() == text).then(|| found.get(1).map(|name| name.as_str()))?
}

/// A value as it reads inside a text.
pub(super) fn show(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned)
}

fn time(offset: &str) -> Result<String> {
    let seconds: f64 = offset.parse().with_context(|| format!("{offset} is not a number of seconds"))?;
    #[expect(clippy::cast_possible_truncation, reason = "a few seconds")]
    let Some(delta) = TimeDelta::try_milliseconds((seconds * 1000.0) as i64) else {
        bail!("{offset} is too far")
    };
    let then: DateTime<Utc> = DateTime::<Utc>::from(SystemTime::now()) + delta;
    Ok(then.to_rfc3339_opts(SecondsFormat::Micros, false))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_string_that_is_a_variable_takes_its_type() {
        let mut variables = Variables::new("http://b", "http://i");
        variables.set("job", json!(7));
        let filled = variables.fill(&json!({"a": "{{job}}", "b": "job {{job}}", "{{job}}": [null]})).unwrap();
        assert_eq!(filled, json!({"a": 7, "b": "job 7", "7": [null]}));
    }

    #[test]
    fn an_unknown_variable_is_an_error_that_names_it() {
        let error = Variables::new("", "").fill(&json!("{{nobody}}")).unwrap_err();
        assert!(error.to_string().contains("nobody"));
    }

    #[test]
    fn a_pattern_takes_variables_literally() {
        assert_eq!(Variables::new("http://a.b", "").fill_pattern("{{base}}/.+").unwrap(), r"http://a\.b/.+");
    }

    #[test]
    fn times_are_relative_to_now_and_carry_their_zone() {
        let text = Variables::new("", "").fill_text("{{t:+5}}").unwrap();
        let then = DateTime::parse_from_rfc3339(&text).unwrap();
        let ahead = then.signed_duration_since(DateTime::<Utc>::from(SystemTime::now()));
        assert!((3..=5).contains(&ahead.num_seconds()), "{text}");
        assert!(text.ends_with("+00:00"), "{text}");
    }
}
