//! Where an answer begins, and where the next one goes on.

use diracx_core::search::Search;

use super::{Plan, Position, Rows, SearchError, TableSpec};

/// Where an answer begins.
#[derive(Debug, Clone, PartialEq)]
pub enum Place {
    /// Behind so many rows.
    Skip(u64),
    /// Behind a row.
    Behind(Position),
}

impl Place {
    /// Where the rows go on behind these.
    pub fn behind(plan: &Plan, rows: &Rows) -> Self {
        match &rows.end {
            Some(end) => Self::Behind(end.clone()),
            None => Self::Skip(plan.page().map_or(0, |page| page.skip) + rows.table.rows.len() as u64),
        }
    }
}

impl Plan {
    /// Checks a search that begins at `place`. `None` if the search has no such place.
    pub fn search_from(
        table: &'static TableSpec,
        mut search: Search,
        place: Option<Place>,
    ) -> Result<Option<Self>, SearchError> {
        if let (Some(page), Some(Place::Skip(rows))) = (&mut search.page, &place) {
            page.skip = page.skip.saturating_add(*rows);
        }
        let plan = Self::search(table, &search)?;
        Ok(match place {
            Some(Place::Behind(position)) => plan.after(position),
            _ => Some(plan),
        })
    }
}
