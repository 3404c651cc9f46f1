//! `dirac whoami`.

use diracx_client::proto::auth::v1::GetUserInfoRequest;
use serde_json::{Map, Value, json};

use crate::{
    arguments::Global,
    failure::Failure,
    output::{Format, print, print_json},
    table::{draw_pairs, terminal_width},
};

/// Shows what the server reads from the token.
pub(crate) async fn run(global: &Global) -> Result<(), Failure> {
    let user =
        diracx_client::auth(global.connect()?).get_user_info(GetUserInfoRequest {}).await?.into_inner();
    if global.format() == Format::Table {
        let pairs = [
            ("User", user.preferred_username),
            ("Subject", user.sub),
            ("VO", user.vo),
            ("Group", user.dirac_group),
            ("Properties", user.properties.join("\n")),
        ];
        return print(&draw_pairs(&pairs, terminal_width()));
    }
    // what a policy wrote is JSON in itself
    let mut policies: Vec<_> = user.policies.into_iter().collect();
    policies.sort();
    let policy = |(name, text): (String, String)| {
        let value = serde_json::from_str(&text).unwrap_or(Value::String(text));
        (name, value)
    };
    print_json(&json!({
        "sub": user.sub,
        "vo": user.vo,
        "dirac_group": user.dirac_group,
        "policies": policies.into_iter().map(policy).collect::<Map<_, _>>(),
        "properties": user.properties,
        "preferred_username": user.preferred_username,
    }))
}
