//! Which jobs a search finds for whom.

use std::collections::{BTreeMap, BTreeSet};

use diracx_core::{
    JobId,
    search::{Filter, Search, Summary, Table},
};
use diracx_db::{
    Deadline,
    search::{Place, Plan},
};

use crate::{
    Deps,
    error::{Error, MOST_BYTES_IN_ANSWER, Result},
    policy::JobScope,
    store::{Found, HistoryRecord, StoredDescription, schema::JOBS},
};

/// Besides the columns: all that was recorded of the status.
const LOGGING_INFO: &str = "LoggingInfo";

/// A search as the caller asked for it.
#[derive(Debug, Clone)]
pub struct JobSearch {
    /// What to find.
    pub search: Search,
    /// Whether with histories.
    pub history: bool,
}

impl JobSearch {
    /// Takes `LoggingInfo` out of the columns: it means the history, and the number that it belongs to.
    pub fn new(mut search: Search, mut history: bool) -> Self {
        let before = search.parameters.len();
        search.parameters.retain(|parameter| parameter != LOGGING_INFO);
        history |= search.parameters.len() < before;
        if history && !search.parameters.is_empty() {
            search.parameters.push("JobID".to_owned());
        }
        Self { search, history }
    }
}

/// The search, restricted to what the caller may see; it begins at `place`. `None` if the search has no such place.
pub fn plan(scope: &JobScope, mut search: Search, place: Option<Place>) -> Result<Option<Plan>> {
    restrict(scope, &mut search.filters);
    Ok(Plan::search_from(&JOBS, search, place)?)
}

/// Some of the jobs of a plan, and with `history` what was recorded of them.
pub async fn page(deps: &Deps, deadline: Deadline, plan: Plan, history: bool) -> Result<Found> {
    deps.store.search(deadline, plan, history).await
}

/// How many such jobs there are.
pub async fn summarise(deps: &Deps, scope: &JobScope, mut summary: Summary) -> Result<Table> {
    restrict(scope, &mut summary.filters);
    deps.store.summarise(crate::deadline(), Plan::summary(&JOBS, &summary)?).await
}

/// The descriptions of jobs, which may be named more than once; those that do not exist are absent.
pub async fn descriptions(deps: &Deps, jobs: &[JobId]) -> Result<BTreeMap<JobId, StoredDescription>> {
    let found = deps.store.descriptions(crate::deadline(), each_once(jobs)).await?;
    let bytes: usize = jobs.iter().filter_map(|job| found.get(job)).map(StoredDescription::bytes).sum();
    if bytes > MOST_BYTES_IN_ANSWER { Err(Error::too_large("The descriptions")) } else { Ok(found) }
}

/// The histories of jobs, which may be named more than once; those without any are absent.
pub async fn histories(deps: &Deps, jobs: &[JobId]) -> Result<BTreeMap<JobId, Vec<HistoryRecord>>> {
    let found = deps.store.histories(crate::deadline(), each_once(jobs)).await?;
    let records = jobs.iter().filter_map(|job| found.get(job)).flatten();
    let bytes: usize = records.map(HistoryRecord::bytes).sum();
    if bytes > MOST_BYTES_IN_ANSWER { Err(Error::too_large("The histories")) } else { Ok(found) }
}

fn each_once(jobs: &[JobId]) -> Vec<JobId> {
    let jobs: BTreeSet<JobId> = jobs.iter().copied().collect();
    jobs.into_iter().collect()
}

/// Adds what keeps a search within the scope.
pub(super) fn restrict(scope: &JobScope, filters: &mut Vec<Filter>) {
    let only = |column: &str, value: &str| Filter::equals(column, value);
    match scope {
        JobScope::All => {}
        JobScope::Vo(vo) => filters.push(only("VO", vo)),
        JobScope::Owned { owner, vo } => {
            filters.push(only("Owner", owner));
            filters.push(only("VO", vo));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn columns(asked: &[&str]) -> (Vec<String>, bool) {
        let search =
            Search { parameters: asked.iter().map(|s| (*s).to_owned()).collect(), ..Search::default() };
        let search = JobSearch::new(search, false);
        (search.search.parameters, search.history)
    }

    #[test]
    fn logging_info_is_a_history_with_its_number() {
        assert_eq!(columns(&["Status"]), (vec!["Status".to_owned()], false));
        assert_eq!(
            columns(&["Status", "LoggingInfo"]),
            (vec!["Status".to_owned(), "JobID".to_owned()], true)
        );
        assert_eq!(columns(&["LoggingInfo"]), (vec![], true));
    }
}
