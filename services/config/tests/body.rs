//! The exact document that DiracX serves for a configuration.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use diracx_core::config::Config;
use serde_json::Value;

const DOCUMENT: &str = include_str!("data/default.yml");
const SERVED: &str = include_str!("data/served.json");

fn config() -> Config {
    let text = DOCUMENT.replace("IDP_URL", "https://idp.invalid");
    Config::from_value(diracx_cs::yaml::parse(&text).unwrap()).unwrap()
}

#[test]
fn the_served_document_is_diracx_s_to_the_byte() {
    assert_eq!(config().to_document(), SERVED.trim_end());
}

#[test]
fn the_served_document_reads_back() {
    assert_eq!(Config::from_document(SERVED).unwrap(), config());
    let value: Value = serde_json::from_str(SERVED).unwrap();
    assert_eq!(value["Operations"]["alpha"]["Services"]["JobScheduling"]["MaxRescheduling"], 2);
}
