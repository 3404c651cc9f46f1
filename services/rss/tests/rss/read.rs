//! What may be used, once and whenever it changes.

use std::time::Duration;

use diracx_proto::{rss::v1 as pb, time::timestamp};
use diracx_testkit::{TestDatabase, on_both_backends};

use crate::harness::{Rss, Who, from, key, site, update};

const ADMIN: Who = Who::Person("service_admin");
const ALICE: Who = Who::Person("alice");
const DAVE: Who = Who::Person("dave");
const BANNED: pb::ElementStatusValue = pb::ElementStatusValue::Banned;
const ACTIVE: pb::ElementStatusValue = pb::ElementStatusValue::Active;
/// How long a stream may take to tell what is known already.
const PATIENCE: Duration = Duration::from_secs(20);

on_both_backends! {
    async fn an_empty_database_lets_use_nothing(db: TestDatabase) {
        let rss = Rss::start(db).await;
        let answer = rss.get(ALICE, pb::ElementType::Site).await;
        assert_eq!((answer.revision.as_str(), answer.resources.len()), ("empty-0-alpha", 0));
        assert_eq!(answer.modified.map(|time| time.seconds), Some(0));
    }

    async fn everybody_sees_what_holds_for_his_vo(db: TestDatabase) {
        let rss = Rss::start(db).await;
        let updates = vec![
            update(site("A", ""), ACTIVE, ""),
            update(site("B", "beta"), BANNED, "of beta"),
            update(key(pb::ElementType::StorageElement, "SE", ""), pb::ElementStatusValue::Degraded, "slow"),
        ];
        assert!(rss.set(ADMIN, updates).await.unwrap().iter().all(Result::is_ok));
        let names = |answer: pb::GetResourceStatusesResponse| -> Vec<String> {
            answer.resources.into_iter().map(|resource| resource.name).collect()
        };
        assert_eq!(names(rss.get(ALICE, pb::ElementType::Site).await), ["A"]);
        assert_eq!(names(rss.get(DAVE, pb::ElementType::Site).await), ["A", "B"]);
        let answer = rss.get(DAVE, pb::ElementType::StorageElement).await;
        let Some(pb::resource_status::Status::Storage(storage)) = &answer.resources[0].status else {
            panic!("{answer:?}");
        };
        assert_eq!(storage.remove.as_ref().and_then(|remove| remove.warnings.as_deref()), Some("slow"));
        assert_eq!(answer.revision, "2026-11-23T10:00:00+00:00-4-beta");
    }

    async fn what_is_known_is_not_sent_again(db: TestDatabase) {
        let rss = Rss::start(db).await;
        rss.set_one(ADMIN, update(site("A", ""), ACTIVE, "")).await.unwrap();
        let known = rss.get(ALICE, pb::ElementType::Site).await.revision;
        let ask = |known: &str| pb::GetResourceStatusesRequest {
            element_type: pb::ElementType::Site.into(),
            known_revision: Some(known.to_owned()),
            vo: String::new(),
        };
        let get = async |known: &str| {
            let request = rss.request(ALICE, ask(known));
            rss.client.clone().get_resource_statuses(request).await.unwrap().into_inner()
        };
        let again = get(&known).await;
        assert!(again.not_modified && again.resources.is_empty(), "{again:?}");
        // within the same second, and the number of rows is the same
        rss.set_one(ADMIN, update(site("A", ""), BANNED, "downtime")).await.unwrap();
        let changed = get(&known).await;
        assert!(!changed.not_modified && changed.resources.len() == 1, "{changed:?}");
    }

    async fn a_component_asks_for_any_vo_and_a_person_for_his_own_only(db: TestDatabase) {
        let rss = Rss::start(db).await;
        rss.set_one(ADMIN, update(site("B", "beta"), BANNED, "of beta")).await.unwrap();
        let ask = async |who, vo: &str| {
            let request = pb::GetResourceStatusesRequest {
                element_type: pb::ElementType::Site.into(),
                known_revision: None,
                vo: vo.to_owned(),
            };
            let request = rss.request(who, request);
            rss.client.clone().get_resource_statuses(request).await.unwrap().into_inner().resources.len()
        };
        assert_eq!(ask(Who::Component("jobs"), "beta").await, 1);
        assert_eq!(ask(Who::Component("jobs"), "").await, 0);
        assert_eq!(ask(ALICE, "beta").await, 0);
    }

    async fn a_watcher_is_told_the_state_and_then_each_change(db: TestDatabase) {
        let rss = Rss::start(db).await;
        rss.set_one(ADMIN, update(site("A", ""), ACTIVE, "")).await.unwrap();
        let request = |known: Option<String>| pb::WatchResourceStatusesRequest {
            element_type: pb::ElementType::Site.into(),
            known_revision: known,
            vo: String::new(),
        };
        let request = async |known| rss.client.clone().watch_resource_statuses(rss.request(ALICE, request(known))).await;
        let mut watch = request(None).await.unwrap().into_inner();
        let first = watch.message().await.unwrap().unwrap();
        assert_eq!(first.resources.len(), 1);
        rss.set_one(ADMIN, update(site("B", "beta"), BANNED, "of another VO")).await.unwrap();
        rss.set_one(ADMIN, update(site("A", ""), BANNED, "downtime")).await.unwrap();
        let told = async |watch: &mut tonic::Streaming<pb::WatchResourceStatusesResponse>| loop {
            let message = tokio::time::timeout(PATIENCE, watch.message()).await.unwrap().unwrap().unwrap();
            // the revision covers all VOs, so a change for another one may be told as well
            if message.resources != first.resources {
                return message;
            }
        };
        let second = told(&mut watch).await;
        let Some(pb::resource_status::Status::All(all)) = &second.resources[0].status else {
            panic!("{second:?}");
        };
        assert_eq!((all.allowed, all.reason.as_str()), (false, "downtime"));

        let mut resumed = request(Some(second.revision)).await.unwrap().into_inner();
        rss.set_one(ADMIN, update(site("A", ""), ACTIVE, "")).await.unwrap();
        let third = tokio::time::timeout(PATIENCE, resumed.message()).await.unwrap().unwrap().unwrap();
        let Some(pb::resource_status::Status::All(all)) = &third.resources[0].status else {
            panic!("{third:?}");
        };
        assert!(all.allowed, "what was known was told again: {third:?}");
        rss.deps.keeper.end();
        assert!(tokio::time::timeout(PATIENCE, resumed.message()).await.unwrap().unwrap().is_none());
    }

    async fn a_watch_ends_with_the_token(db: TestDatabase) {
        let rss = Rss::start(db).await;
        rss.set_one(ADMIN, update(site("A", ""), ACTIVE, "")).await.unwrap();
        let element_type = pb::ElementType::Site.into();
        let request = pb::WatchResourceStatusesRequest { element_type, ..Default::default() };
        let request = rss.request(ALICE, request);
        rss.clock.advance(chrono::Duration::minutes(20) - chrono::Duration::seconds(1));
        let mut watch = rss.client.clone().watch_resource_statuses(request).await.unwrap().into_inner();
        assert_eq!(watch.message().await.unwrap().unwrap().resources.len(), 1);
        assert!(tokio::time::timeout(PATIENCE, watch.message()).await.expect("it ends").unwrap().is_none());
    }

    async fn draining_is_told_from_its_time_on(db: TestDatabase) {
        let rss = Rss::start(db).await;
        rss.set_one(ADMIN, update(site("A", ""), ACTIVE, "")).await.unwrap();
        let plan = pb::ElementStatusUpdate {
            drain_from: Some(timestamp(rss.later(60))),
            ..from(update(site("A", ""), BANNED, "downtime"), rss.later(120))
        };
        rss.set_one(ADMIN, plan).await.unwrap();
        let before = rss.get(ALICE, pb::ElementType::Site).await;
        assert_eq!(before.resources[0].drain_from, None);
        rss.clock.advance(chrono::Duration::seconds(60));
        rss.deps.keeper.refresh().await;
        let during = rss.get(ALICE, pb::ElementType::Site).await;
        assert_eq!(during.resources[0].drain_until.map(|time| time.seconds), Some(rss.later(60).timestamp()));
        assert_ne!(before.revision, during.revision);
        rss.clock.advance(chrono::Duration::seconds(60));
        rss.deps.keeper.refresh().await;
        let after = rss.get(ALICE, pb::ElementType::Site).await;
        let Some(pb::resource_status::Status::All(all)) = &after.resources[0].status else {
            panic!("{after:?}");
        };
        assert_eq!((all.allowed, after.resources[0].drain_from), (false, None), "the downtime has begun by itself");
    }
}

#[tokio::test]
async fn a_type_must_be_said() {
    let rss = Rss::start(TestDatabase::sqlite()).await;
    for number in [0, 99, -1] {
        let request = pb::GetResourceStatusesRequest { element_type: number, ..Default::default() };
        let error = rss.client.clone().get_resource_statuses(rss.request(ALICE, request)).await.unwrap_err();
        assert_eq!(crate::harness::reason(&error), "INVALID_FIELD", "{number}");
    }
}
