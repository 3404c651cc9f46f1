//! Which pilots a search finds for whom.

use diracx_core::{
    JobId,
    search::{Filter, Search, SearchValue, Summary, Table, VectorOperator},
};
use diracx_db::search::{Place, Plan, SearchError, take_pseudo};

use crate::{Deps, error::Result, policy::PilotScope, store::schema::PILOT_AGENTS};

/// Besides the columns: the pilots that ran these jobs.
const JOB_ID: &str = "JobID";
const PILOT_ID: &str = "PilotID";

/// Replaces what is no column by the pilots that it stands for.
pub async fn resolve(deps: &Deps, mut search: Search) -> Result<Search> {
    let Some(values) = take_pseudo(&mut search.filters, JOB_ID, PILOT_ID)? else { return Ok(search) };
    let jobs = values.into_iter().map(job).collect::<Result<Vec<_>, _>>()?;
    let pilots = deps.store.pilots_of(crate::deadline(), jobs).await?;
    search.filters.push(Filter::Vector {
        parameter: PILOT_ID.to_owned(),
        operator: VectorOperator::In,
        values: pilots.into_iter().map(SearchValue::Int).collect(),
    });
    Ok(search)
}

fn job(value: SearchValue) -> Result<JobId, SearchError> {
    match value {
        SearchValue::Int(number) => Ok(JobId(number)),
        SearchValue::Text(text) => text
            .trim()
            .parse()
            .map_err(|_| SearchError::PseudoValue { pseudo: JOB_ID, value: format!("'{text}'") }),
    }
}

/// The search, restricted to what the caller may see; it begins at `place`. `None` if the search has no such place.
pub fn plan(scope: &PilotScope, search: Search, place: Option<Place>) -> Result<Option<Plan>> {
    let plan = Plan::search_from(&PILOT_AGENTS, search, place)?;
    Ok(plan.map(|plan| restrict(scope, plan)))
}

/// How many such pilots there are.
pub async fn summarise(deps: &Deps, scope: &PilotScope, summary: Summary) -> Result<Table> {
    let plan = restrict(scope, Plan::summary(&PILOT_AGENTS, &summary)?);
    deps.store.summarise(crate::deadline(), plan).await
}

/// Keeps a plan within the scope.
fn restrict(scope: &PilotScope, plan: Plan) -> Plan {
    match scope {
        PilotScope::All => plan,
        PilotScope::Vo(vo) => plan.only("VO", vo),
    }
}
