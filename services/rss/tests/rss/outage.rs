//! The database is away.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use async_trait::async_trait;
use diracx_db::{DbError, DbResult, Deadline};
use diracx_proto::rss::v1 as pb;
use diracx_rss::{
    Result,
    logic::history::{Past, Record},
    model::Kept,
    observe,
    store::{Decide, Decided, StatusStore},
};
use diracx_server::{Readiness, readiness::ReadinessState, telemetry::Metrics};
use diracx_testkit::TestDatabase;
use tonic::Code;

use crate::harness::{Rss, Who, reason, site, update};

const ALICE: Who = Who::Person("alice");

/// A database that can be taken away.
#[derive(Default)]
struct Shaky {
    away: AtomicBool,
    reads: AtomicUsize,
}

impl Shaky {
    fn there(&self) -> Result<()> {
        self.reads.fetch_add(1, Ordering::SeqCst);
        let detail = "gone".to_owned().into();
        if self.away.load(Ordering::SeqCst) {
            return Err(DbError::Unavailable { database: "ResourceStatusDB", detail }.into());
        }
        Ok(())
    }
}

#[async_trait]
impl StatusStore for Shaky {
    async fn ping(&self, _: Deadline) -> DbResult<()> {
        Ok(())
    }
    async fn everything(&self, _: Deadline) -> Result<Kept> {
        self.there().map(|()| Kept::default())
    }
    async fn change(&self, _: Deadline, decide: Decide) -> Result<Decided> {
        self.there().map(|()| decide(Kept::default()))
    }
    async fn history(&self, _: Deadline, _: Past) -> Result<Vec<Record>> {
        self.there().map(|()| Vec::new())
    }
}

fn get(rss: &Rss) -> tonic::Request<pb::GetResourceStatusesRequest> {
    let element_type = pb::ElementType::Site.into();
    rss.request(ALICE, pb::GetResourceStatusesRequest { element_type, ..Default::default() })
}

#[tokio::test]
async fn what_was_read_is_served_for_an_hour_and_no_request_asks_the_database() {
    let store = Arc::new(Shaky::default());
    let rss = Rss::over(store.clone(), TestDatabase::sqlite());
    let (readiness, metrics) = (Readiness::default(), Metrics::default());
    observe(&rss.deps, readiness.clone(), &metrics);
    rss.get(ALICE, pb::ElementType::Site).await;
    store.away.store(true, Ordering::SeqCst);
    rss.deps.keeper.refresh().await;
    let reads = store.reads.load(Ordering::SeqCst);
    for _ in 0..100 {
        rss.get(ALICE, pb::ElementType::Site).await;
    }
    assert!(store.reads.load(Ordering::SeqCst) < reads + 50, "requests asked the database");
    assert!(metrics.render().contains("diracx_rss_refresh_failing 1"), "{}", metrics.render());
    let mut ready = readiness.subscribe();
    ready.wait_for(ReadinessState::is_ready).await.unwrap();

    let admin = Who::Person("service_admin");
    let error =
        rss.set_one(admin, update(site("A", ""), pb::ElementStatusValue::Active, "")).await.unwrap_err();
    assert_eq!((error.code(), reason(&error).as_str()), (Code::Unavailable, "DATABASE_UNAVAILABLE"));

    rss.clock.advance(chrono::Duration::minutes(61));
    let error = rss.client.clone().get_resource_statuses(get(&rss)).await.unwrap_err();
    assert_eq!((error.code(), reason(&error).as_str()), (Code::Unavailable, "DATABASE_UNAVAILABLE"));
    ready.wait_for(|state| !state.is_ready()).await.unwrap();

    store.away.store(false, Ordering::SeqCst);
    rss.get(ALICE, pb::ElementType::Site).await;
    ready.wait_for(ReadinessState::is_ready).await.unwrap();
    assert!(metrics.render().contains("diracx_rss_refresh_failing 0"), "{}", metrics.render());
}

#[tokio::test]
async fn the_first_request_waits_and_is_told_why_there_is_nothing() {
    let store = Arc::new(Shaky::default());
    store.away.store(true, Ordering::SeqCst);
    let rss = Rss::over(store.clone(), TestDatabase::sqlite());
    let error = rss.client.clone().get_resource_statuses(get(&rss)).await.unwrap_err();
    assert_eq!(error.code(), Code::Unavailable);
    assert!(error.message().contains("Cannot connect to ResourceStatusDB"), "{error}");
    store.away.store(false, Ordering::SeqCst);
    assert_eq!(rss.get(ALICE, pb::ElementType::Site).await.revision, "empty-0-alpha");
}
