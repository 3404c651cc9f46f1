//! `dirac config status`.

use diracx_client::proto::config::v1::GetConfigStatusRequest;
use prost_types::Timestamp;
use serde_json::{Value, json};

use crate::{
    arguments::Global,
    failure::Failure,
    output::{Format, print, print_json},
    table::{draw_pairs, terminal_width},
    times,
};

/// Shows how fresh the configuration is that the server serves.
pub(crate) async fn run(global: &Global) -> Result<(), Failure> {
    let mut client = diracx_client::config(global.connect()?);
    let status = client.get_config_status(GetConfigStatusRequest {}).await?.into_inner();
    let time = |at: Option<Timestamp>| at.and_then(|at| times::from_wire(at.seconds, at.nanos));
    let (modified, loaded) = (time(status.modified), time(status.loaded));
    let (checked, failed) = (time(status.checked), time(status.last_error_time));
    if global.format() == Format::Table {
        let readable = |at: Option<_>| at.map_or_else(|| "never".to_owned(), times::readable);
        let mut pairs = vec![
            ("Revision", status.revision),
            ("Made", readable(modified)),
            ("Served since", readable(loaded)),
            ("Confirmed", readable(checked)),
            ("Follows", status.followed_revision),
        ];
        if status.kept {
            pairs.push((
                "Comes from",
                "the copy on the server's disk; the source has not answered yet".to_owned(),
            ));
        }
        if status.stale {
            pairs.push(("Stale", "yes, nobody has confirmed it for too long".to_owned()));
        }
        if !status.last_error.is_empty() {
            pairs.push(("Problem", status.last_error));
            pairs.push(("Problem since", readable(failed)));
        }
        return print(&draw_pairs(&pairs, terminal_width()));
    }
    let written = |at: Option<_>| at.map_or(Value::Null, |at| times::written(at).into());
    let known = |text: String| if text.is_empty() { Value::Null } else { Value::from(text) };
    print_json(&json!({
        "revision": known(status.revision),
        "modified": written(modified),
        "loaded": written(loaded),
        "checked": written(checked),
        "last_error": known(status.last_error),
        "last_error_time": written(failed),
        "followed_revision": known(status.followed_revision),
        "stale": status.stale,
        "kept": status.kept,
    }))
}
