//! A resource status service of one's own.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use diracx_client::{AnyChannel, in_process};
use diracx_core::Clock;
use diracx_db::DbUrl;
use diracx_proto::{
    rss::v1::{
        self as pb, resource_status_service_client::ResourceStatusServiceClient,
        set_element_status_outcome::Result as Outcome,
    },
    status::of_call,
    time::timestamp,
};
use diracx_rss::{
    Deps,
    logic::due,
    model::Kept,
    store::{self, Decide, Decided, StatusStore},
};
use diracx_server::{
    Stack, limits::Limits, status::StatusInfo, telemetry::Metrics, version_gate::VersionGate,
};
use diracx_testkit::{MockClock, TestDatabase, TestIssuer};
use tonic::{Request, Status};

/// Who calls.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Who {
    /// Somebody of the testkit.
    Person(&'static str),
    /// Alice, with a property that she has not usually.
    AliceAs(&'static str),
    /// A part of the system.
    Component(&'static str),
}

pub(crate) struct Rss {
    pub(crate) client: ResourceStatusServiceClient<AnyChannel>,
    pub(crate) clock: Arc<MockClock>,
    pub(crate) deps: Deps,
    issuer: Arc<TestIssuer>,
    url: Option<DbUrl>,
    _db: Option<TestDatabase>,
}

impl Rss {
    pub(crate) async fn start(db: TestDatabase) -> Self {
        let url = db.url("ResourceStatusDB").await;
        store::migrate(&url).await.unwrap();
        let store = store::open(&url, 4).await.unwrap();
        Self { url: Some(url), ..Self::over(store, db) }
    }

    /// Another process on the same database.
    pub(crate) async fn another(&self) -> Self {
        let url = self.url.clone().unwrap();
        let store = store::open(&url, 4).await.unwrap();
        Self { url: Some(url), ..Self::with(store, self.clock.clone(), self.issuer.clone()) }
    }

    /// The database behind the service's back.
    pub(crate) fn url(&self) -> &DbUrl {
        self.url.as_ref().unwrap()
    }

    pub(crate) fn over(store: Arc<dyn StatusStore>, db: TestDatabase) -> Self {
        let clock = Arc::new(MockClock::at("2026-11-23T10:00:00.25Z".parse().unwrap()));
        let issuer = Arc::new(TestIssuer::new(clock.clone()).unwrap());
        Self { _db: Some(db), ..Self::with(store, clock, issuer) }
    }

    fn with(store: Arc<dyn StatusStore>, clock: Arc<MockClock>, issuer: Arc<TestIssuer>) -> Self {
        let deps = Deps::new(store, clock.clone());
        let stack = Stack {
            access: Arc::new(diracx_rss::access().unwrap()),
            verifier: issuer.verifier(),
            gate: VersionGate::new("0.0.1a1".parse().unwrap()),
            limits: Limits::default(),
            metrics: Metrics::default(),
        };
        let client = ResourceStatusServiceClient::new(in_process(diracx_rss::service(deps.clone(), &stack)));
        Self { client, clock, deps, issuer, url: None, _db: None }
    }

    pub(crate) fn later(&self, seconds: i64) -> DateTime<Utc> {
        self.clock.now() + TimeDelta::seconds(seconds)
    }

    pub(crate) fn request<T>(&self, who: Who, message: T) -> Request<T> {
        let token = match who {
            Who::Person(name) => self.issuer.actor(name).unwrap().token.expose().to_owned(),
            Who::AliceAs(property) => {
                let mut claims = self.issuer.claims("alice").unwrap();
                claims.dirac_properties = vec![property.to_owned()];
                self.issuer.minter().mint(&claims).unwrap()
            }
            Who::Component(name) => self.issuer.component(name).get().unwrap().to_string(),
        };
        let mut request = Request::new(message);
        request.metadata_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
        request
    }

    /// Sets statuses; for each what is kept, or the error.
    pub(crate) async fn set(
        &self,
        who: Who,
        updates: Vec<pb::ElementStatusUpdate>,
    ) -> Result<Vec<Result<Vec<pb::ElementStatus>, Status>>, Status> {
        let request = self.request(who, pb::SetElementStatusesRequest { updates });
        let answer = self.client.clone().set_element_statuses(request).await?.into_inner();
        let outcomes = answer.outcomes.into_iter().map(|outcome| match outcome.result.unwrap() {
            Outcome::Statuses(kept) => Ok(kept.statuses),
            Outcome::Error(error) => Err(of_call(&error)),
        });
        Ok(outcomes.collect())
    }

    /// Sets one status.
    pub(crate) async fn set_one(
        &self,
        who: Who,
        update: pb::ElementStatusUpdate,
    ) -> Result<Vec<pb::ElementStatus>, Status> {
        self.set(who, vec![update]).await?.remove(0)
    }

    pub(crate) async fn get(&self, who: Who, of: pb::ElementType) -> pb::GetResourceStatusesResponse {
        let request = pb::GetResourceStatusesRequest { element_type: of.into(), ..Default::default() };
        self.client.clone().get_resource_statuses(self.request(who, request)).await.unwrap().into_inner()
    }

    pub(crate) async fn list(
        &self,
        who: Who,
        request: pb::ListElementStatusesRequest,
    ) -> Result<pb::ListElementStatusesResponse, Status> {
        Ok(self.client.clone().list_element_statuses(self.request(who, request)).await?.into_inner())
    }

    /// The past of site A, newest first: what it was.
    pub(crate) async fn past(&self, who: Who) -> Vec<String> {
        let request = pb::GetElementHistoryRequest { key: Some(site("A", "")), ..Default::default() };
        let answer = self.client.clone().get_element_history(self.request(who, request)).await.unwrap();
        answer.into_inner().statuses.into_iter().map(|status| status.status_name).collect()
    }

    /// Writes rows as DIRAC does, behind the service's back.
    pub(crate) async fn store(&self, decide: impl Fn(Kept) -> Decided + Send + Sync + 'static) {
        let decide: Decide = Arc::new(decide);
        self.deps.store.change(diracx_db::Deadline::NONE, decide).await.unwrap();
    }

    pub(crate) async fn apply_due(&self) -> due::Applied {
        let request = pb::ApplyDueStatusesRequest::default();
        let request = self.request(Who::Component("tasks"), request);
        let answer = self.client.clone().apply_due_statuses(request).await.unwrap().into_inner();
        let number = |count: i64| usize::try_from(count).unwrap();
        due::Applied { begun: number(answer.begun), ended: number(answer.ended), done: answer.done }
    }
}

pub(crate) fn key(of: pb::ElementType, name: &str, vo: &str) -> pb::StatusKey {
    pb::StatusKey { element_type: of.into(), name: name.into(), vo: vo.into(), ..Default::default() }
}

pub(crate) fn site(name: &str, vo: &str) -> pb::StatusKey {
    key(pb::ElementType::Site, name, vo)
}

pub(crate) fn update(
    key: pb::StatusKey,
    status: pb::ElementStatusValue,
    reason: &str,
) -> pb::ElementStatusUpdate {
    pb::ElementStatusUpdate {
        key: Some(key),
        status: status.into(),
        reason: reason.into(),
        ..Default::default()
    }
}

pub(crate) fn from(update: pb::ElementStatusUpdate, time: DateTime<Utc>) -> pb::ElementStatusUpdate {
    pb::ElementStatusUpdate { effective_time: Some(timestamp(time)), ..update }
}

pub(crate) fn until(update: pb::ElementStatusUpdate, time: DateTime<Utc>) -> pb::ElementStatusUpdate {
    pb::ElementStatusUpdate { expiration_time: Some(timestamp(time)), ..update }
}

pub(crate) fn reason(status: &Status) -> String {
    StatusInfo::of(status).reason.unwrap_or_else(|| format!("no reason: {status}"))
}
