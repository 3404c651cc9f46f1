//! `dirac rss cancel`.

use clap::Args;
use diracx_client::proto::rss::v1::{
    CancelPlannedStatusesRequest, ElementType, StatusKey, StatusType,
    cancel_planned_status_outcome::Result as Outcome,
};

use crate::{
    arguments::Global,
    elements::{self, Access, Kind},
    failure::Failure,
    output::{Format, print, print_json, tell},
    table,
};

const EXAMPLES: &str = "\
Examples:
  dirac rss cancel site LCG.One.ch
  dirac rss cancel storage SE-ONE SE-TWO --access write --vo lhcb";

/// Cancel what is planned for elements, such as a downtime that will not take place
///
/// What holds now stays as it is: use dirac rss set to end a downtime that has begun. Shows what was cancelled. Ends with 1
/// if one of them could not be.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct CancelArguments {
    /// The kind of the elements
    #[arg(value_name = "KIND")]
    kind: Kind,

    /// Their names
    #[arg(required = true, value_name = "NAME")]
    names: Vec<String>,

    /// Only this access to a storage element
    #[arg(long, value_name = "ACCESS")]
    access: Option<Access>,

    /// The VO it is planned for [default: all VOs]
    #[arg(long, value_name = "VO", default_value = "", hide_default_value = true)]
    vo: String,
}

/// Cancels all of it in one call, and shows what was planned.
pub(crate) async fn run(global: &Global, arguments: CancelArguments) -> Result<(), Failure> {
    let key = |name: &String| StatusKey {
        element_type: ElementType::from(arguments.kind).into(),
        name: name.clone(),
        status_type: arguments.access.map_or(StatusType::Unspecified, Into::into).into(),
        vo: arguments.vo.clone(),
    };
    let request = CancelPlannedStatusesRequest { keys: arguments.names.iter().map(key).collect() };
    let answer = diracx_client::rss(global.connect()?).cancel_planned_statuses(request).await?.into_inner();
    let (mut statuses, mut nothing, mut failures) = (Vec::new(), Vec::new(), Vec::new());
    for (name, outcome) in arguments.names.iter().zip(answer.outcomes) {
        match outcome.result {
            Some(Outcome::Cancelled(cancelled)) if cancelled.statuses.is_empty() => nothing.push(name),
            Some(Outcome::Cancelled(cancelled)) => statuses.extend(cancelled.statuses),
            Some(Outcome::Error(error)) => failures.push((name, error.message)),
            None => failures.push((name, "the server does not say what came of it".to_owned())),
        }
    }
    let mut shown = elements::table(&statuses);
    if let Some(planned) = shown.columns.last_mut() {
        "Cancelled".clone_into(planned);
    }
    if global.format() == Format::Json {
        print_json(&table::json(&shown))?;
    } else if !statuses.is_empty() {
        print(&elements::draw(&shown))?;
    }
    for name in nothing {
        tell(&format!("Nothing was planned for {name}"));
    }
    for (name, why) in &failures {
        tell(&format!("error: {name}: {why}"));
    }
    if failures.is_empty() { Ok(()) } else { Err(Failure::Incomplete) }
}
