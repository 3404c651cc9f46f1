//! The values of job parameters: what clients send, exactly.

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::Value;

/// The value of a job parameter. What is read is what was written, down to the type.
#[derive(Debug, Clone, PartialEq)]
pub enum ParameterValue {
    /// A whole number.
    Int(i64),
    /// A number; finite.
    Float(f64),
    /// A text.
    Text(String),
    /// Yes or no.
    Flag(bool),
    /// An instant.
    Time(DateTime<Utc>),
    /// Anything else, as the JSON text that was sent.
    Json(String),
}

impl From<&str> for ParameterValue {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl ParameterValue {
    /// The word for its type in the column `Kind`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Int(_) => "int",
            Self::Float(_) => "float",
            Self::Text(_) => "text",
            Self::Flag(_) => "flag",
            Self::Time(_) => "time",
            Self::Json(_) => "json",
        }
    }

    /// As JSON, for the column `Value`; an instant is a text.
    pub fn to_json(&self) -> String {
        match self {
            Self::Int(number) => number.to_string(),
            // Shortest text that reads back as the same number; `1.0` stays a number with a fraction.
            Self::Float(number) => format!("{number:?}"),
            Self::Text(text) => Value::from(text.as_str()).to_string(),
            Self::Flag(flag) => flag.to_string(),
            Self::Time(time) => Value::from(time.to_rfc3339_opts(SecondsFormat::AutoSi, true)).to_string(),
            Self::Json(text) => text.clone(),
        }
    }

    /// Reads what [`kind`](Self::kind) and [`to_json`](Self::to_json) wrote; none if that makes no sense.
    pub fn read(kind: &str, json: String) -> Option<Self> {
        Some(match kind {
            "int" => Self::Int(json.parse().ok()?),
            // Not by serde_json, which may be off by the last bit.
            "float" => Self::Float(json.parse().ok().filter(|number: &f64| number.is_finite())?),
            "text" => Self::Text(serde_json::from_str(&json).ok()?),
            "flag" => Self::Flag(json.parse().ok()?),
            "time" => {
                let text: String = serde_json::from_str(&json).ok()?;
                Self::Time(DateTime::parse_from_rfc3339(&text).ok()?.to_utc())
            }
            "json" => Self::Json(json),
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn any_value() -> impl Strategy<Value = ParameterValue> {
        let instants = (-60_000_000_000_i64..250_000_000_000, 0..1_000_000_000_u32)
            .prop_map(|(seconds, nanos)| DateTime::from_timestamp(seconds, nanos).unwrap());
        prop_oneof![
            any::<i64>().prop_map(ParameterValue::Int),
            any::<f64>().prop_filter("finite", |number| number.is_finite()).prop_map(ParameterValue::Float),
            any::<String>().prop_map(ParameterValue::Text),
            any::<bool>().prop_map(ParameterValue::Flag),
            instants.prop_map(ParameterValue::Time),
            Just(ParameterValue::Json("[1, 2.50, {\"a\" : null}]".to_owned())),
        ]
    }

    proptest! {
        #[test]
        fn what_is_read_is_what_was_written(value in any_value()) {
            let json = value.to_json();
            prop_assert!(serde_json::from_str::<Value>(&json).is_ok(), "{json}");
            prop_assert_eq!(ParameterValue::read(value.kind(), json), Some(value));
        }
    }

    #[test]
    fn what_makes_no_sense_is_none() {
        for (kind, json) in [("int", "1.5"), ("float", "\"x\""), ("time", "\"soon\""), ("money", "1")] {
            assert_eq!(ParameterValue::read(kind, json.to_owned()), None, "{kind} {json}");
        }
    }
}
