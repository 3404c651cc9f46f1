//! A configuration for tests.

use diracx_core::config::Config;
use serde_json::json;

/// Two VOs: `lhcb` with alice, bob and the suspended mallory; `ilc`, where mallory is welcome.
pub(crate) fn config(idp: &str) -> Config {
    Config::from_value(json!({
        "DIRAC": {},
        "Operations": {},
        "Registry": {
            "lhcb": {
                "IdP": {"URL": idp, "ClientID": "lhcb-client"},
                "DefaultGroup": "lhcb_user",
                "Users": {
                    "sub-alice": {"PreferedUsername": "alice"},
                    "sub-bob": {"PreferedUsername": "bob"},
                    "sub-mallory": {"PreferedUsername": "mallory", "Suspended": ["lhcb"]}
                },
                "Groups": {
                    "lhcb_user": {
                        "Properties": ["NormalUser"],
                        "Users": ["sub-alice", "sub-bob", "sub-mallory"]
                    },
                    "lhcb_prod": {
                        "Properties": ["ProductionManagement", "NormalUser"],
                        "Users": ["sub-alice"]
                    }
                }
            },
            "ilc": {
                "IdP": {"URL": format!("{idp}/"), "ClientID": "ilc-client"},
                "Support": {"Email": "help@ilc.invalid"},
                "DefaultGroup": "ilc_user",
                "Users": {"sub-mallory": {"PreferedUsername": "mallory", "Suspended": ["lhcb"]}},
                "Groups": {"ilc_user": {"Properties": ["NormalUser"], "Users": ["sub-mallory"]}}
            }
        }
    }))
    .expect("the configuration of the tests is valid")
}
