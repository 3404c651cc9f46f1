//! `dirac rss list`.

use clap::Args;
use diracx_client::proto::rss::v1::{ElementStatusValue, ElementType, ListElementStatusesRequest};

use crate::{
    arguments::Global,
    elements::{self, Kind, Status},
    failure::Failure,
    output::{Format, print, print_json, tell},
    table,
};

/// How many statuses come with one call.
const PAGE: i32 = 1_000;

/// Show which elements may be used, as administrators set it
#[derive(Debug, Args)]
pub(crate) struct ListArguments {
    /// Only these elements
    #[arg(value_name = "NAME")]
    names: Vec<String>,

    /// Only elements of this kind
    #[arg(long, value_name = "KIND")]
    kind: Option<Kind>,

    /// Only with this status; may be repeated
    #[arg(long = "status", value_name = "STATUS")]
    statuses: Vec<Status>,

    /// Only what holds for this VO [default: yours; for administrators every VO]
    #[arg(long, value_name = "VO", default_value = "", hide_default_value = true)]
    vo: String,
}

/// Shows all statuses that fit.
pub(crate) async fn run(global: &Global, arguments: ListArguments) -> Result<(), Failure> {
    let mut rss = diracx_client::rss(global.connect()?);
    let mut request = ListElementStatusesRequest {
        element_type: arguments.kind.map_or(ElementType::Unspecified, Into::into).into(),
        names: arguments.names,
        vo: arguments.vo,
        statuses: arguments
            .statuses
            .into_iter()
            .map(|status| ElementStatusValue::from(status).into())
            .collect(),
        page_size: PAGE,
        page_token: String::new(),
    };
    let mut statuses = Vec::new();
    loop {
        let page = rss.list_element_statuses(request.clone()).await?.into_inner();
        statuses.extend(page.statuses);
        request.page_token = page.next_page_token;
        if request.page_token.is_empty() {
            break;
        }
    }
    let found = elements::table(&statuses);
    if global.format() == Format::Json {
        return print_json(&table::json(&found));
    }
    if statuses.is_empty() {
        tell("No statuses found");
        return Ok(());
    }
    print(&elements::draw(&found))
}
