//! `dirac config dump`.

use diracx_client::proto::config::v1::GetConfigRequest;
use serde_json::Value;

use crate::{arguments::Global, failure::Failure, output::print_json};

/// Prints the configuration. It is a tree, so people get JSON as well.
pub(crate) async fn run(global: &Global) -> Result<(), Failure> {
    let request = GetConfigRequest { known_revision: None };
    let answer = diracx_client::config(global.connect()?).get_config(request).await?.into_inner();
    let document: Value = serde_json::from_str(&answer.document)
        .map_err(|error| Failure::Other(format!("the configuration is no JSON: {error}")))?;
    print_json(&document)
}
