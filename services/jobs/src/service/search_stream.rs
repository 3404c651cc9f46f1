//! Finding jobs, all of them.
//!
//! The stream reads page by page, each in a unit of work of its own, and the next one only when the client has taken
//! the last: a slow client keeps neither memory nor a transaction busy.

use std::{sync::Arc, time::Duration};

use diracx_core::search::{Page, Search};
use diracx_db::search::{Binding, Place, Plan, Token};
use diracx_proto::{common::v1 as common, jobs::v1 as pb};
use diracx_server::{Deadline, deadline::DeadlinePassed, identity, to_status};
use futures::stream;
use tonic::{Request, Response, Status, codegen::BoxStream};

use super::{
    query::histories,
    token::{self, no_such_place},
};
use crate::{
    Deps,
    error::Error,
    logic::{
        pilots,
        query::{self, JobSearch},
    },
    policy::{self, JobScope},
};

/// Rows of a message. Clients take up to 4 MiB unless they say otherwise, and a row has some hundred bytes.
const ROWS: u64 = 1_000;
/// Rows of a message if they come with their histories, of some thousand bytes each.
const ROWS_WITH_HISTORY: u64 = 100;
/// How long reading the rows of one message may take.
const PATIENCE: Duration = Duration::from_secs(60);

pub(super) async fn stream_search_jobs(
    deps: &Deps,
    request: Request<pb::StreamSearchJobsRequest>,
) -> Result<Response<BoxStream<pb::StreamSearchJobsResponse>>, Status> {
    let identity = identity(&request)?;
    let scope = policy::query(&identity, &*deps.config.current().map_err(to_status)?).map_err(to_status)?;
    let mut request = request.into_inner();
    let resume_token = std::mem::take(&mut request.resume_token);
    let binding = token::binding("StreamSearchJobs", &request);
    let token = token::read("resume_token", &resume_token, binding).map_err(to_status)?;

    let history = request.include_history;
    let search = Search::try_from(request).map_err(to_status)?;
    let limit = search.page.map_or(u64::MAX, |page| page.limit);
    let search = pilots::resolve(deps, search).await.map_err(to_status)?;
    let search = JobSearch::new(search, history);
    let history = search.history;
    let (place, sent) = token.map_or((None, 0), |token| (Some(token.place), token.sent));
    let reader = Reader {
        deps: deps.clone(),
        scope,
        search: Arc::new(search),
        binding,
        limit,
        rows: if history { ROWS_WITH_HISTORY } else { ROWS },
        sent,
        place,
        until: Deadline::current(),
        done: sent >= limit,
    };
    // What is wrong with the request is told before the stream begins.
    reader.plan()?;
    let messages = stream::try_unfold(reader, |mut reader| async move {
        Ok(reader.next().await?.map(|message| (message, reader)))
    });
    Ok(Response::new(Box::pin(messages)))
}

/// How far a stream is.
struct Reader {
    deps: Deps,
    scope: JobScope,
    search: Arc<JobSearch>,
    binding: Binding,
    /// Rows in all at the most, with those before the stream was taken up again.
    limit: u64,
    /// Rows of the next message at the most.
    rows: u64,
    /// Rows that were read, with those.
    sent: u64,
    /// Where the next rows begin.
    place: Option<Place>,
    /// How long the caller waits.
    until: Option<Deadline>,
    /// No rows follow.
    done: bool,
}

impl Reader {
    async fn next(&mut self) -> Result<Option<pb::StreamSearchJobsResponse>, Status> {
        if self.done {
            return Ok(None);
        }
        // The stream runs when the rpc has been answered, so nobody else watches its time.
        let patience = Deadline::after(PATIENCE);
        let until = self.until.map_or(patience, |until| until.min(patience));
        until.enforce(self.read()).await.unwrap_or_else(|| Err(to_status(DeadlinePassed)))
    }

    /// What to read next.
    fn plan(&self) -> Result<Plan, Status> {
        let page = Page { skip: 0, limit: self.rows.min(self.limit.saturating_sub(self.sent)) };
        let search = Search { page: Some(page), ..self.search.search.clone() };
        let plan = query::plan(&self.scope, search, self.place.clone()).map_err(to_status)?;
        Ok(plan.ok_or_else(|| to_status(no_such_place("resume_token")))?.counted(false))
    }

    async fn read(&mut self) -> Result<Option<pb::StreamSearchJobsResponse>, Status> {
        let (plan, found) = loop {
            let plan = self.plan()?;
            match query::page(&self.deps, crate::deadline(), plan.clone(), self.search.history).await {
                // Long histories come in smaller messages.
                Err(Error::AnswerTooLarge { .. }) if self.rows > 1 => self.rows /= 2,
                found => break (plan, found.map_err(to_status)?),
            }
        };
        let place = Place::behind(&plan, &found.rows);
        let table = found.rows.table;
        self.sent += table.rows.len() as u64;
        self.done = !found.rows.more || self.sent >= self.limit;
        self.place = Some(place.clone());
        if table.rows.is_empty() {
            return Ok(None);
        }
        Ok(Some(pb::StreamSearchJobsResponse {
            histories: if self.search.history { histories(&table, &found.histories) } else { Vec::new() },
            table: Some(common::Table::from(table)),
            resume_token: Token { place, sent: self.sent }.write(self.binding),
        }))
    }
}
