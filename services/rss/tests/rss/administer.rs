//! Statuses are set, planned, listed, remembered and forgotten.

use chrono::{Duration, TimeDelta};
use diracx_proto::{
    rss::v1::{self as pb, cancel_planned_status_outcome::Result as Cancelled},
    time::timestamp,
};
use diracx_rss::{
    logic::plan::Changes,
    model::{Kind, Planned, RowKey, Stored, never},
    store::Decided,
};
use diracx_testkit::{TestDatabase, on_both_backends};
use tonic::Code;

use crate::harness::{Rss, Who, from, key, reason, site, until, update};

const ADMIN: Who = Who::Person("service_admin");
const ALICE: Who = Who::Person("alice");
const TASKS: Who = Who::Component("tasks");
const BANNED: pb::ElementStatusValue = pb::ElementStatusValue::Banned;
const ACTIVE: pb::ElementStatusValue = pb::ElementStatusValue::Active;
const ERROR: pb::ElementStatusValue = pb::ElementStatusValue::Error;

fn all() -> pb::ListElementStatusesRequest {
    pb::ListElementStatusesRequest::default()
}

on_both_backends! {
    async fn what_is_set_is_kept_with_who_set_it(db: TestDatabase) {
        let rss = Rss::start(db).await;
        let [kept] = rss.set_one(ADMIN, update(site("A", ""), BANNED, "fire")).await.unwrap().try_into().unwrap();
        assert_eq!((kept.status_name.as_str(), kept.reason.as_str(), kept.token_owner.as_str()), ("Banned", "fire", "sven"));
        assert_eq!(kept.expiration_time, None);
        let listed = rss.list(ADMIN, all()).await.unwrap().statuses;
        assert_eq!(listed, [kept]);
        assert_eq!(rss.past(ALICE).await, ["Banned"]);
    }

    async fn a_batch_succeeds_and_fails_one_by_one(db: TestDatabase) {
        let rss = Rss::start(db).await;
        let ce = key(pb::ElementType::ComputeElement, "x", "alpha");
        let fts = key(pb::ElementType::Fts, "x", "alpha");
        let updates = vec![
            update(ce.clone(), ACTIVE, ""),
            update(site("A", ""), BANNED, "for all"),
            update(site("A", "beta"), BANNED, "for others"),
            update(site("A", "alpha"), BANNED, ""),
            update(site("A\u{7}", "alpha"), ACTIVE, ""),
        ];
        let outcomes = rss.set(Who::AliceAs("SiteManager"), updates).await.unwrap();
        let told: Vec<_> = outcomes.iter().map(|one| one.as_ref().map_err(reason).map(Vec::len)).collect();
        let (forbidden, invalid) = (Err("FORBIDDEN".to_owned()), Err("INVALID_FIELD".to_owned()));
        assert_eq!(told, [Ok(1), forbidden.clone(), forbidden, invalid.clone(), invalid]);
        let error = rss.set_one(Who::AliceAs("Operator"), update(fts.clone(), ACTIVE, "")).await.unwrap_err();
        assert_eq!(error.message(), "x is a ComputeElement already");

        let request = pb::RemoveElementStatusesRequest { keys: vec![ce, site("A", "beta")] };
        let request = rss.request(Who::AliceAs("SiteManager"), request);
        let removed = rss.client.clone().remove_element_statuses(request).await.unwrap().into_inner();
        let gone: Vec<_> = removed.outcomes.iter().map(|outcome| outcome.error.is_none()).collect();
        assert_eq!(gone, [true, false]);
        assert!(rss.list(ADMIN, all()).await.unwrap().statuses.is_empty());
    }

    async fn a_downtime_begins_and_ends_and_the_history_tells(db: TestDatabase) {
        let rss = Rss::start(db).await;
        rss.set_one(ADMIN, update(site("A", ""), ACTIVE, "")).await.unwrap();
        let downtime = until(from(update(site("A", ""), BANNED, "downtime"), rss.later(60)), rss.later(120));
        let [kept] = rss.set_one(ADMIN, downtime).await.unwrap().try_into().unwrap();
        assert_eq!((kept.status(), kept.planned.map(|planned| planned.status())), (ACTIVE, Some(BANNED)));
        rss.clock.advance(Duration::seconds(60));
        let applied = rss.apply_due().await;
        // whoever comes first does it: the service looks by itself as well
        assert!(applied.done && applied.begun <= 1, "{applied:?}");
        let [during] = rss.list(ADMIN, all()).await.unwrap().statuses.try_into().unwrap();
        assert_eq!((during.status(), during.planned, during.token_owner.as_str()), (BANNED, None, "sven"));
        assert_eq!(during.expiration_time.map(|time| time.seconds), Some(rss.later(60).timestamp()));
        rss.clock.advance(Duration::seconds(60));
        assert!(rss.apply_due().await.done);
        rss.deps.keeper.refresh().await;
        let [after] = rss.list(ADMIN, all()).await.unwrap().statuses.try_into().unwrap();
        assert_eq!((after.status(), after.expiration_time), (ACTIVE, None));
        assert_eq!(rss.past(ALICE).await, ["Active", "Banned", "Active"]);
        let again = rss.apply_due().await;
        assert_eq!((again.begun, again.ended, again.done), (0, 0, true));
    }

    async fn another_spelling_of_a_site_is_refused_and_its_ban_ends(db: TestDatabase) {
        let rss = Rss::start(db).await;
        rss.set_one(ADMIN, update(site("LCG.One.ch", ""), ACTIVE, "")).await.unwrap();
        let ban = until(update(site("lcg.one.ch", ""), BANNED, "fire"), rss.later(60));
        let error = rss.set_one(ADMIN, ban.clone()).await.unwrap_err();
        assert_eq!(
            (error.code(), reason(&error).as_str(), error.message()),
            (Code::AlreadyExists, "ELEMENT_SPELT_OTHERWISE", "lcg.one.ch is known as LCG.One.ch")
        );
        let removed = rss.request(ADMIN, pb::RemoveElementStatusesRequest { keys: vec![site("lcg.one.ch", "")] });
        let removed = rss.client.clone().remove_element_statuses(removed).await.unwrap().into_inner();
        assert!(removed.outcomes[0].error.is_some(), "{removed:?}");
        let [kept] = rss.list(ADMIN, all()).await.unwrap().statuses.try_into().unwrap();
        assert_eq!((kept.key.unwrap().name.as_str(), kept.status_name.as_str()), ("LCG.One.ch", "Active"));

        rss.set_one(ADMIN, pb::ElementStatusUpdate { key: Some(site("LCG.One.ch", "")), ..ban }).await.unwrap();
        rss.clock.advance(Duration::seconds(60));
        assert!(rss.apply_due().await.done);
        rss.deps.keeper.refresh().await;
        let [after] = rss.list(ADMIN, all()).await.unwrap().statuses.try_into().unwrap();
        assert_eq!(after.status(), ACTIVE);
    }

    async fn our_own_tables_tell_spellings_apart(db: TestDatabase) {
        let rss = Rss::start(db).await;
        let now = rss.later(0);
        rss.store(move |_| {
            let plans = ["A", "a"].map(|name| {
                let key = RowKey { kind: Kind::Site, name: name.into(), status_type: "all".into(), vo: "all".into() };
                let plan = Planned {
                    key: key.clone(), element_type: "Site".into(), status: "Banned".into(), reason: name.into(),
                    effective: now + TimeDelta::hours(1), drain_from: None, expiration: never(), owner: "sven".into(),
                };
                (key, Some(plan))
            });
            Decided { changes: Changes { plans: plans.into(), ..Changes::default() }, ..Decided::default() }
        }).await;
        rss.deps.keeper.refresh().await;
        assert_eq!(rss.list(ADMIN, all()).await.unwrap().statuses.len(), 2);
    }

    async fn a_downtime_that_does_not_take_place_is_cancelled_and_the_status_stays(db: TestDatabase) {
        let rss = Rss::start(db).await;
        rss.set_one(ADMIN, update(site("A", ""), pb::ElementStatusValue::Degraded, "slow")).await.unwrap();
        let downtime = until(from(update(site("A", ""), BANNED, "downtime"), rss.later(60)), rss.later(120));
        rss.set_one(ADMIN, downtime).await.unwrap();
        let cancel = async |who, names: &[&str]| {
            let keys = names.iter().map(|name| site(name, "")).collect();
            let request = rss.request(who, pb::CancelPlannedStatusesRequest { keys });
            let answer = rss.client.clone().cancel_planned_statuses(request).await?.into_inner();
            Ok::<_, tonic::Status>(answer.outcomes.into_iter().map(|outcome| outcome.result.unwrap()).collect::<Vec<_>>())
        };
        assert_eq!(cancel(ALICE, &["A"]).await.unwrap_err().code(), Code::PermissionDenied);
        let of_his_vo = cancel(Who::AliceAs("SiteManager"), &["A"]).await.unwrap();
        assert!(matches!(&of_his_vo[0], Cancelled::Error(_)), "it is planned for all VOs: {of_his_vo:?}");
        let cancelled = cancel(ADMIN, &["A", "B"]).await.unwrap();
        let [Cancelled::Cancelled(of_a), Cancelled::Cancelled(of_b)] = cancelled.as_slice() else {
            panic!("{cancelled:?}");
        };
        let planned = of_a.statuses[0].planned.clone().map(|planned| planned.status());
        assert_eq!((planned, of_b.statuses.len()), (Some(BANNED), 0));
        rss.clock.advance(Duration::seconds(90));
        assert_eq!(rss.apply_due().await.begun, 0);
        rss.deps.keeper.refresh().await;
        let [kept] = rss.list(ADMIN, all()).await.unwrap().statuses.try_into().unwrap();
        assert_eq!((kept.status_name.as_str(), kept.planned), ("Degraded", None));
    }

    async fn the_system_does_not_undo_what_a_person_has_set(db: TestDatabase) {
        let rss = Rss::start(db).await;
        let ban = until(update(site("A", ""), BANNED, "by hand"), rss.later(600));
        rss.set_one(ADMIN, ban).await.unwrap();
        let error = rss.set_one(TASKS, update(site("A", ""), ACTIVE, "")).await.unwrap_err();
        assert_eq!((error.code(), reason(&error).as_str()), (Code::FailedPrecondition, "ELEMENT_STATUS_HELD"));
        rss.set_one(TASKS, update(site("B", ""), ACTIVE, "")).await.unwrap();
        let listed = rss.list(TASKS, all()).await.unwrap().statuses;
        assert_eq!(listed.into_iter().map(|status| status.token_owner).collect::<Vec<_>>(), ["sven", "rs_svc"]);
    }

    async fn rows_of_dirac_are_listed_as_they_are(db: TestDatabase) {
        let rss = Rss::start(db).await;
        let now = rss.later(0);
        rss.store(move |_| {
            let key = RowKey { kind: Kind::Resource, name: "odd".into(), status_type: "ReadOnly".into(), vo: String::new() };
            let row = Stored {
                key: key.clone(), element_type: "Catalog".into(), status: "Limbo".into(), reason: String::new(),
                effective: now, expiration: never(), last_check: now, owner: "rs_svc".into(),
            };
            let changes = Changes { statuses: [(key, Some(row))].into(), ..Changes::default() };
            Decided { changes, ..Decided::default() }
        }).await;
        rss.deps.keeper.refresh().await;
        let [listed] = rss.list(ALICE, all()).await.unwrap().statuses.try_into().unwrap();
        assert_eq!((listed.status(), listed.status_name.as_str()), (pb::ElementStatusValue::Unspecified, "Limbo"));
        assert_eq!(listed.key.unwrap().element_type(), pb::ElementType::Unspecified);
    }

    async fn a_list_has_pages_and_goes_by_what_is_wanted(db: TestDatabase) {
        let rss = Rss::start(db).await;
        let mut updates: Vec<_> = (0..7).map(|i| update(site(&format!("S{i}"), ""), ACTIVE, "")).collect();
        updates.push(update(key(pb::ElementType::StorageElement, "SE", "beta"), ERROR, "broken"));
        assert!(rss.set(ADMIN, updates).await.unwrap().iter().all(Result::is_ok));
        let mut request = pb::ListElementStatusesRequest { page_size: 4, ..all() };
        let mut sizes = Vec::new();
        loop {
            let page = rss.list(ADMIN, request.clone()).await.unwrap();
            sizes.push(page.statuses.len());
            request.page_token = page.next_page_token;
            if request.page_token.is_empty() {
                break;
            }
        }
        assert_eq!(sizes, [4, 4, 3]);
        let count = async |who, request| rss.list(who, request).await.unwrap().statuses.len();
        assert_eq!(count(ALICE, all()).await, 7, "not what holds for another VO");
        assert_eq!(count(ADMIN, pb::ListElementStatusesRequest { vo: "beta".into(), ..all() }).await, 11);
        assert_eq!(count(ADMIN, pb::ListElementStatusesRequest { statuses: vec![ERROR.into()], ..all() }).await, 4);
        assert_eq!(count(ADMIN, pb::ListElementStatusesRequest { names: vec!["S1".into()], ..all() }).await, 1);
        let of = pb::ElementType::StorageElement.into();
        assert_eq!(count(ADMIN, pb::ListElementStatusesRequest { element_type: of, ..all() }).await, 4);
        let error = rss.list(ALICE, pb::ListElementStatusesRequest { vo: "beta".into(), ..all() }).await.unwrap_err();
        assert_eq!(error.code(), Code::PermissionDenied);
    }

    async fn changes_at_the_same_time_wait_for_each_other_and_none_is_lost(db: TestDatabase) {
        let rss = Rss::start(db).await;
        let set = |i: usize| {
            let update = update(site(&format!("S{}", i % 8), ""), if i < 8 { ACTIVE } else { BANNED }, &format!("{i}"));
            rss.set_one(ADMIN, update)
        };
        let outcomes = futures::future::join_all((0..24).map(set)).await;
        assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
        let seconds: std::collections::BTreeSet<_> =
            outcomes.iter().flatten().map(|kept| kept[0].effective_time.unwrap().seconds).collect();
        assert_eq!(seconds.len(), 24, "two changes have the same revision");
        assert_eq!(rss.list(ADMIN, all()).await.unwrap().statuses.len(), 8);
    }

    async fn the_past_has_pages_and_limits(db: TestDatabase) {
        let rss = Rss::start(db).await;
        for status in [ACTIVE, BANNED, ERROR, ACTIVE, BANNED] {
            rss.set_one(ADMIN, update(site("A", ""), status, "why")).await.unwrap();
            rss.clock.advance(Duration::seconds(10));
        }
        let ask = async |request: pb::GetElementHistoryRequest| {
            let request = pb::GetElementHistoryRequest { key: Some(site("A", "")), ..request };
            rss.client.clone().get_element_history(rss.request(ALICE, request)).await.unwrap().into_inner()
        };
        let first = ask(pb::GetElementHistoryRequest { page_size: 3, ..Default::default() }).await;
        let token = first.next_page_token;
        let second = ask(pb::GetElementHistoryRequest { page_size: 3, page_token: token, ..Default::default() }).await;
        let names: Vec<_> = first.statuses.iter().chain(&second.statuses).map(pb::ElementStatus::status).collect();
        assert_eq!((names, second.next_page_token.as_str()), (vec![BANNED, ACTIVE, ERROR, BANNED, ACTIVE], ""));
        let (from_time, to_time) = (Some(timestamp(rss.later(-40))), Some(timestamp(rss.later(-20))));
        let some = ask(pb::GetElementHistoryRequest { from_time, to_time, ..Default::default() }).await;
        // the clock shows a quarter more than the whole seconds that are kept, so what began 40 s ago began before
        assert_eq!(some.statuses.into_iter().map(|status| status.status()).collect::<Vec<_>>(), [ACTIVE, ERROR]);
    }

    async fn a_thousand_are_set_and_removed_at_once_and_no_more(db: TestDatabase) {
        let rss = Rss::start(db).await;
        let keys: Vec<_> = (0..1000).map(|i| site(&format!("S{i}"), "")).collect();
        let updates: Vec<_> = keys.iter().map(|key| update(key.clone(), ACTIVE, "")).collect();
        assert!(rss.set(ADMIN, updates.clone()).await.unwrap().iter().all(Result::is_ok));
        let more = [updates.clone(), vec![update(site("T", ""), ACTIVE, "")]].concat();
        assert_eq!(rss.set(ADMIN, more).await.unwrap_err().code(), Code::InvalidArgument);
        let request = rss.request(ADMIN, pb::RemoveElementStatusesRequest { keys });
        rss.client.clone().remove_element_statuses(request).await.unwrap();
        assert!(rss.list(ADMIN, all()).await.unwrap().statuses.is_empty());
        let twice = vec![updates[0].clone(), updates[0].clone()];
        assert_eq!(reason(&rss.set(ADMIN, twice).await.unwrap_err()), "INVALID_FIELD");
    }
}

#[tokio::test]
async fn whoever_looks_after_nothing_sets_nothing() {
    let rss = Rss::start(TestDatabase::sqlite()).await;
    for who in [ALICE, Who::Person("carol"), Who::Person("petra"), Who::AliceAs("Pilot")] {
        let error = rss.set_one(who, update(site("A", "alpha"), ACTIVE, "")).await.unwrap_err();
        assert_eq!(reason(&error), "FORBIDDEN", "{who:?}");
    }
}

#[tokio::test]
async fn times_that_make_no_sense_are_refused() {
    let rss = Rss::start(TestDatabase::sqlite()).await;
    let ban = || update(site("A", ""), BANNED, "downtime");
    let drained = |update: pb::ElementStatusUpdate, seconds: i64| {
        let time = timestamp(rss.later(0) + TimeDelta::seconds(seconds));
        pb::ElementStatusUpdate { drain_from: Some(time), ..update }
    };
    let nonsense = timestamp(rss.later(0));
    let nonsense = prost_types::Timestamp { nanos: -1, ..nonsense };
    let wrong = [
        until(ban(), rss.later(-1)),
        until(from(ban(), rss.later(60)), rss.later(60)),
        drained(ban(), 10),
        drained(from(ban(), rss.later(60)), 60),
        drained(from(update(site("A", ""), ACTIVE, ""), rss.later(60)), 10),
        pb::ElementStatusUpdate { effective_time: Some(nonsense), ..ban() },
    ];
    for (i, update) in wrong.into_iter().enumerate() {
        let error = rss.set_one(ADMIN, update).await.unwrap_err();
        assert_eq!(reason(&error), "INVALID_FIELD", "{i}: {error}");
    }
    assert!(rss.set_one(ADMIN, until(ban(), "9999-12-31T23:59:59Z".parse().unwrap())).await.is_ok());
}
