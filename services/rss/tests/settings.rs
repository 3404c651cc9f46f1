//! What the process is told at its start.
#![allow(clippy::panic, reason = "a test fails by panicking")]

use diracx_rss::settings::Args;
use diracx_server::settings::{Environment, Failure, parse_settings_from};

#[test]
fn where_there_are_to_be_no_resource_statuses_the_process_says_that_it_has_nothing_to_serve() {
    let arguments = ["diracx-rss", "--rss-enabled=false"];
    let Err(Failure::Problems(problems)) =
        parse_settings_from::<Args>(arguments, &Environment::default(), Vec::new())
    else {
        panic!("it starts");
    };
    let said = "DIRACX_SERVICE_RSS_ENABLED: is false, and this process serves nothing but resource statuses";
    assert!(problems.all().iter().any(|problem| problem == said), "{problems:?}");
}
