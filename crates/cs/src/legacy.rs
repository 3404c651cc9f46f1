//! The configuration of DIRAC, written as one of DiracX.

use diracx_core::{
    cfg::{self, CfgError},
    config::{ConversionError, convert},
};
use serde_json::{Map, Value};

use crate::{
    admin::{ChangeError, check},
    write,
};

/// Why there is no conversion.
#[derive(Debug, thiserror::Error)]
pub enum SyncError {
    /// The old configuration cannot be read.
    #[error(transparent)]
    Cfg(#[from] CfgError),
    /// It cannot be converted.
    #[error(transparent)]
    Conversion(#[from] ConversionError),
    /// Together with its defaults the result is no configuration.
    #[error("the conversion makes no configuration; {0}")]
    Result(#[from] ChangeError),
}

/// A configuration of DIRAC as the text of one of DiracX, with its keys in alphabetical order; and what was left out.
pub fn convert_text(old: &str) -> Result<(String, Vec<String>), SyncError> {
    let converted = convert(cfg::parse(old)?)?;
    let text = write::document(&sorted(converted.document));
    check(&text)?;
    Ok((text, converted.remarks))
}

fn sorted(value: Value) -> Value {
    let Value::Object(map) = value else { return value };
    let mut entries: Vec<(String, Value)> = map.into_iter().map(|(key, value)| (key, sorted(value))).collect();
    entries.sort_by(|(one, _), (other, _)| one.cmp(other));
    Value::Object(entries.into_iter().collect::<Map<_, _>>())
}
