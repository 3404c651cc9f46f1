//! `dirac rss set`.

use clap::Args;
use diracx_client::proto::rss::v1::{
    ElementStatusUpdate, ElementStatusValue, ElementType, SetElementStatusesRequest, StatusKey, StatusType,
    set_element_status_outcome::Result as Outcome,
};
use prost_types::Timestamp;

use crate::{
    arguments::Global,
    elements::{self, Access, Kind, Status},
    failure::Failure,
    output::{Format, print, print_json, tell},
    table,
};

const EXAMPLES: &str = "\
Examples:
  dirac rss set storage SE-ONE --access write --status banned --reason full --vo lhcb
  dirac rss set site LCG.One.ch --status banned --reason downtime \\
      --from '2026-12-01 08:00' --until '2026-12-01 20:00' --drain-from 2026-11-30";

/// Say whether elements may be used, now or from a time on
///
/// For your VO as its SiteManager or Operator; for all VOs, and for others, as a ServiceAdministrator. Ends with 1 if one
/// of them could not be set.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct SetArguments {
    /// The kind of the elements
    #[arg(value_name = "KIND")]
    kind: Kind,

    /// Their names
    #[arg(required = true, value_name = "NAME")]
    names: Vec<String>,

    /// Whether they may be used
    #[arg(long, value_name = "STATUS")]
    status: Status,

    /// Why; required unless the status is active
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    reason: String,

    /// Only this access to a storage element
    #[arg(long, value_name = "ACCESS")]
    access: Option<Access>,

    /// The VO it holds for [default: all VOs]
    #[arg(long, value_name = "VO", default_value = "", hide_default_value = true)]
    vo: String,

    /// From when on (UTC) [default: now]
    #[arg(long, value_name = "TIME", value_parser = elements::instant)]
    from: Option<Timestamp>,

    /// Until when (UTC); they are then what they were before [default: for good]
    #[arg(long, value_name = "TIME", value_parser = elements::instant)]
    until: Option<Timestamp>,

    /// From when on (UTC) nothing new is sent there that would not end in time
    #[arg(long, value_name = "TIME", value_parser = elements::instant, requires = "from")]
    drain_from: Option<Timestamp>,
}

/// Sets all of them in one call, and shows what is kept then.
pub(crate) async fn run(global: &Global, arguments: SetArguments) -> Result<(), Failure> {
    let update = |name: &String| ElementStatusUpdate {
        key: Some(StatusKey {
            element_type: ElementType::from(arguments.kind).into(),
            name: name.clone(),
            status_type: arguments.access.map_or(StatusType::Unspecified, Into::into).into(),
            vo: arguments.vo.clone(),
        }),
        status: ElementStatusValue::from(arguments.status).into(),
        reason: arguments.reason.clone(),
        effective_time: arguments.from,
        drain_from: arguments.drain_from,
        expiration_time: arguments.until,
    };
    let request = SetElementStatusesRequest { updates: arguments.names.iter().map(update).collect() };
    let answer = diracx_client::rss(global.connect()?).set_element_statuses(request).await?.into_inner();
    let (mut statuses, mut failures) = (Vec::new(), Vec::new());
    for (name, outcome) in arguments.names.iter().zip(answer.outcomes) {
        match outcome.result {
            Some(Outcome::Statuses(kept)) => statuses.extend(kept.statuses),
            Some(Outcome::Error(error)) => failures.push((name, error.message)),
            None => failures.push((name, "the server does not say what came of it".to_owned())),
        }
    }
    let shown = elements::table(&statuses);
    if global.format() == Format::Json {
        print_json(&table::json(&shown))?;
    } else if !statuses.is_empty() {
        print(&elements::draw(&shown))?;
    }
    for (name, why) in &failures {
        tell(&format!("error: {name}: {why}"));
    }
    if failures.is_empty() { Ok(()) } else { Err(Failure::Incomplete) }
}
