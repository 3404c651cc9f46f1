//! Which jobs a search finds for whom.

use diracx_core::search::{Filter, Search, Summary, Table};
use diracx_db::{
    Deadline,
    search::{Place, Plan},
};

use crate::{
    Deps,
    error::Result,
    policy::JobScope,
    store::{Found, schema::JOBS},
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
