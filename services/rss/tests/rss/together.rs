//! Several processes on one database, and DIRAC's agents beside them.

use chrono::Duration;
use diesel::{Connection as _, connection::SimpleConnection as _};
use diesel_async::{AsyncConnection as _, AsyncMysqlConnection, SimpleAsyncConnection as _};
use diracx_db::DbUrl;
use diracx_proto::rss::v1 as pb;
use diracx_testkit::on_both_backends;

use crate::harness::{Rss, Who, from, key, reason, site, until, update};

const ADMIN: Who = Who::Person("service_admin");
const ALICE: Who = Who::Person("alice");
const TASKS: Who = Who::Component("tasks");
const BANNED: pb::ElementStatusValue = pb::ElementStatusValue::Banned;
const ACTIVE: pb::ElementStatusValue = pb::ElementStatusValue::Active;
/// For how long an agent keeps others off.
const A_WHILE: std::time::Duration = std::time::Duration::from_millis(300);

/// An agent of DIRAC with a connection of its own.
enum Agent {
    Sqlite(diesel::SqliteConnection),
    MySql(AsyncMysqlConnection),
}

impl Agent {
    async fn at(url: &DbUrl) -> Self {
        match url {
            DbUrl::Sqlite(path) => {
                let mut conn = diesel::SqliteConnection::establish(&path.to_string_lossy()).unwrap();
                conn.batch_execute("PRAGMA busy_timeout = 10000").unwrap();
                Self::Sqlite(conn)
            }
            DbUrl::MySql(url) => Self::MySql(AsyncMysqlConnection::establish(url).await.unwrap()),
        }
    }

    async fn says(&mut self, statements: &str) {
        match self {
            Self::Sqlite(conn) => conn.batch_execute(statements).unwrap(),
            Self::MySql(conn) => conn.batch_execute(statements).await.unwrap(),
        }
    }

    async fn begins(&mut self) {
        let begin = if matches!(self, Self::Sqlite(_)) { "BEGIN IMMEDIATE" } else { "BEGIN" };
        self.says(begin).await;
    }
}

async fn statuses(rss: &Rss) -> Vec<(String, String)> {
    rss.deps.keeper.refresh().await;
    let listed = rss.list(ADMIN, pb::ListElementStatusesRequest::default()).await.unwrap().statuses;
    listed.into_iter().map(|status| (status.key.unwrap().name, status.status_name)).collect()
}

fn is(name: &str, status: &str) -> (String, String) {
    (name.to_owned(), status.to_owned())
}

on_both_backends! {
    async fn of_two_processes_one_puts_into_effect_what_is_due_and_both_tell_it(db: TestDatabase) {
        let first = Rss::start(db).await;
        let second = first.another().await;
        for i in 0..5 {
            first.set_one(ADMIN, update(site(&format!("S{i}"), ""), ACTIVE, "")).await.unwrap();
            let downtime = update(site(&format!("S{i}"), ""), BANNED, "downtime");
            let downtime = until(from(downtime, first.later(60)), first.later(120));
            second.set_one(ADMIN, downtime).await.unwrap();
        }
        for expected in ["Banned", "Active"] {
            first.clock.advance(Duration::seconds(60));
            let applied = futures::future::join_all([first.apply_due(), second.apply_due(), first.apply_due(), second.apply_due()]).await;
            assert!(applied.iter().map(|applied| applied.begun + applied.ended).sum::<usize>() <= 5, "{applied:?}");
            let all: Vec<_> = (0..5).map(|i| is(&format!("S{i}"), expected)).collect();
            assert_eq!((statuses(&first).await, statuses(&second).await), (all.clone(), all));
        }
        for i in 0..5 {
            let request = pb::GetElementHistoryRequest { key: Some(site(&format!("S{i}"), "")), ..Default::default() };
            let past = second.client.clone().get_element_history(second.request(ALICE, request)).await.unwrap();
            let past: Vec<_> = past.into_inner().statuses.into_iter().map(|status| status.status_name).collect();
            assert_eq!(past, ["Active", "Banned", "Active"], "each once");
        }
    }

    async fn changes_of_two_processes_wait_for_each_other(db: TestDatabase) {
        let first = Rss::start(db).await;
        let second = first.another().await;
        let set = |i: usize| {
            let rss = if i.is_multiple_of(2) { &first } else { &second };
            rss.set_one(ADMIN, update(site(&format!("S{}", i % 4), ""), BANNED, &format!("{i}")))
        };
        let outcomes = futures::future::join_all((0..16).map(set)).await;
        let seconds: std::collections::BTreeSet<_> =
            outcomes.iter().map(|kept| kept.as_ref().unwrap()[0].effective_time.unwrap().seconds).collect();
        assert_eq!(seconds.len(), 16, "two changes have the same revision");
        assert_eq!((statuses(&first).await.len(), statuses(&second).await.len()), (4, 4));
        assert_eq!(first.get(ALICE, pb::ElementType::Site).await.revision, second.get(ALICE, pb::ElementType::Site).await.revision);
    }

    async fn what_was_planned_before_a_restart_begins_after_it(db: TestDatabase) {
        let before = Rss::start(db).await;
        before.set_one(ADMIN, update(site("A", ""), ACTIVE, "")).await.unwrap();
        let downtime = until(from(update(site("A", ""), BANNED, "downtime"), before.later(60)), before.later(120));
        before.set_one(ADMIN, downtime).await.unwrap();
        before.deps.keeper.end();
        before.clock.advance(Duration::seconds(90));
        let after = before.another().await;
        assert_eq!(statuses(&after).await, [is("A", "Banned")]);
        // and once more, while it holds
        after.deps.keeper.end();
        before.clock.advance(Duration::seconds(60));
        assert_eq!(statuses(&before.another().await).await, [is("A", "Active")]);
    }

    async fn what_an_agent_writes_between_a_look_and_a_change_is_seen(db: TestDatabase) {
        let rss = Rss::start(db).await;
        rss.set_one(ADMIN, until(update(site("A", ""), BANNED, "downtime"), rss.later(60))).await.unwrap();
        rss.set_one(TASKS, update(site("B", ""), ACTIVE, "")).await.unwrap();
        let mut agent = Agent::at(rss.url()).await;
        // our memory still says something else
        agent.says("UPDATE SiteStatus SET Status = 'Error', TokenOwner = 'rs_svc' WHERE Name = 'A'").await;
        rss.clock.advance(Duration::seconds(60));
        assert!(rss.apply_due().await.done);
        assert_eq!(statuses(&rss).await[0], is("A", "Error"), "somebody else has decided");

        agent.begins().await;
        agent.says("UPDATE SiteStatus SET Status = 'Banned', TokenOwner = 'anna' WHERE Name = 'B'").await;
        let change = rss.set_one(TASKS, update(site("B", ""), ACTIVE, "by policy"));
        let agent_goes_on = async {
            tokio::time::sleep(A_WHILE).await;
            agent.says("COMMIT").await;
        };
        let (outcome, ()) = tokio::join!(change, agent_goes_on);
        assert_eq!(reason(&outcome.unwrap_err()), "ELEMENT_STATUS_HELD", "what anna did meanwhile counts");
        assert_eq!(statuses(&rss).await[1], is("B", "Banned"));
    }

    async fn the_past_begins_with_what_an_agent_has_set_and_not_carried_over_yet(db: TestDatabase) {
        let rss = Rss::start(db).await;
        let se = key(pb::ElementType::StorageElement, "SE", "");
        rss.set_one(ADMIN, update(se.clone(), ACTIVE, "")).await.unwrap();
        let mut agent = Agent::at(rss.url()).await;
        agent.says("UPDATE ResourceStatus SET Status = 'Banned', DateEffective = '2026-11-23 11:00:00.000000' \
            WHERE Name = 'SE' AND StatusType = 'WriteAccess'").await;
        agent.says("INSERT INTO SiteStatus (Name, StatusType, VO, Status, Reason, DateEffective, TokenExpiration, ElementType, \
            LastCheckTime, TokenOwner) VALUES ('Old', 'all', 'all', 'Active', '', '2026-11-22 00:00:00.000000', \
            '9999-12-31 23:59:59.000000', 'Site', '2026-11-22 00:00:00.000000', 'rs_svc')").await;
        let past = async |key: &pb::StatusKey, page_size| {
            let (mut found, mut page_token) = (Vec::new(), String::new());
            loop {
                let request = pb::GetElementHistoryRequest { key: Some(key.clone()), page_size, page_token, ..Default::default() };
                let page = rss.client.clone().get_element_history(rss.request(ALICE, request)).await.unwrap().into_inner();
                assert!(page_size == 0 || page.statuses.len() <= usize::try_from(page_size).unwrap());
                found.extend(page.statuses.into_iter().map(|status| status.status_name));
                page_token = page.next_page_token;
                if page_token.is_empty() {
                    return found;
                }
            }
        };
        for page_size in [0, 1, 2, 5] {
            assert_eq!(past(&se, page_size).await, ["Banned", "Active", "Active", "Active", "Active"], "{page_size}");
        }
        assert_eq!(past(&site("Old", ""), 0).await, ["Active"]);
        assert_eq!(past(&pb::StatusKey { vo: "alpha".into(), ..se }, 0).await, [""; 0]);
    }

    async fn times_that_are_none_are_read(db: TestDatabase) {
        let rss = Rss::start(db).await;
        if let DbUrl::Sqlite(_) = rss.url() {
            return;
        }
        let mut agent = Agent::at(rss.url()).await;
        agent.says("SET SESSION sql_mode = ''; INSERT INTO SiteStatus (Name, Status, ElementType, DateEffective, LastCheckTime) \
            VALUES ('A', 'Active', 'Site', '0000-00-00 00:00:00', '0000-00-00 00:00:00')").await;
        assert_eq!(statuses(&rss).await, [is("A", "Active")]);
        assert_eq!(rss.get(ALICE, pb::ElementType::Site).await.resources.len(), 1);
        rss.set_one(ADMIN, update(site("A", ""), BANNED, "fire")).await.unwrap();
        assert_eq!(statuses(&rss).await, [is("A", "Banned")]);
    }
}
