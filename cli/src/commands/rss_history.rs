//! `dirac rss history`.

use clap::Args;
use diracx_client::proto::rss::v1::{ElementType, GetElementHistoryRequest, StatusKey, StatusType};
use prost_types::Timestamp;

use crate::{
    arguments::Global,
    elements::{self, Access, Kind},
    failure::Failure,
    output::{Format, print, print_json, tell},
    table,
};

/// Show the statuses that an element had, the newest first
#[derive(Debug, Args)]
pub(crate) struct HistoryArguments {
    /// The kind of the element
    #[arg(value_name = "KIND")]
    kind: Kind,

    /// Its name
    #[arg(value_name = "NAME")]
    name: String,

    /// Only this access to a storage element
    #[arg(long, value_name = "ACCESS")]
    access: Option<Access>,

    /// What held for this VO [default: what held for all VOs]
    #[arg(long, value_name = "VO", default_value = "", hide_default_value = true)]
    vo: String,

    /// Not before this time (UTC)
    #[arg(long, value_name = "TIME", value_parser = elements::instant)]
    from: Option<Timestamp>,

    /// Before this time (UTC)
    #[arg(long, value_name = "TIME", value_parser = elements::instant)]
    to: Option<Timestamp>,

    /// How many to show at the most
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u16).range(1..=10_000))]
    limit: u16,
}

/// Shows a page of the past.
pub(crate) async fn run(global: &Global, arguments: HistoryArguments) -> Result<(), Failure> {
    let key = StatusKey {
        element_type: ElementType::from(arguments.kind).into(),
        name: arguments.name,
        status_type: arguments.access.map_or(StatusType::Unspecified, Into::into).into(),
        vo: arguments.vo,
    };
    let request = GetElementHistoryRequest {
        key: Some(key),
        from_time: arguments.from,
        to_time: arguments.to,
        page_size: i32::from(arguments.limit),
        page_token: String::new(),
    };
    let page = diracx_client::rss(global.connect()?).get_element_history(request).await?.into_inner();
    let mut found = elements::table(&page.statuses);
    // the past has no plans
    let last = found.columns.len().saturating_sub(1);
    found.columns.truncate(last);
    found.rows.iter_mut().for_each(|row| row.truncate(last));
    if global.format() == Format::Json {
        return print_json(&table::json(&found));
    }
    if page.statuses.is_empty() {
        tell("Nothing is known of its past");
        return Ok(());
    }
    print(&elements::draw(&found))?;
    if !page.next_page_token.is_empty() {
        tell("There is more: use --to with the time of the last one, or a larger --limit");
    }
    Ok(())
}
