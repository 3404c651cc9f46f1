//! Jobs give signs of life, and learn what is wanted of them.

use diracx_core::JobStatus::{Checking, Killed, Matched, Running, Stalled, Waiting};
use diracx_core::search::Filter;
use diracx_proto::jobs::v1 as pb;
use diracx_testkit::on_both_backends;
use tonic::Status;

use crate::{
    harness::{HELLO, Jobs, reason, rows},
    sql::{cells, execute},
};

impl Jobs {
    pub(crate) async fn beat(
        &self,
        who: &str,
        heartbeats: Vec<pb::Heartbeat>,
        auto_acknowledge: bool,
    ) -> Result<pb::SendHeartbeatsResponse, Status> {
        let request = pb::SendHeartbeatsRequest { heartbeats, auto_acknowledge };
        Ok(self.client.clone().send_heartbeats(self.request(who, request)).await?.into_inner())
    }

    /// The commands that petra, a pilot, finds for a job.
    pub(crate) async fn commands(&self, job: i64) -> Vec<pb::JobCommand> {
        self.beat("petra", vec![alive(job)], false).await.unwrap().commands
    }

    pub(crate) async fn acknowledge(
        &self,
        who: &str,
        commands: &[pb::JobCommand],
    ) -> Result<Vec<pb::AcknowledgeCommandOutcome>, Status> {
        let of = |command: &pb::JobCommand| pb::CommandAcknowledgement {
            job_id: command.job_id,
            command_id: command.command_id.clone(),
        };
        let request = pb::AcknowledgeCommandsRequest { acknowledgements: commands.iter().map(of).collect() };
        Ok(self.client.clone().acknowledge_commands(self.request(who, request)).await?.into_inner().outcomes)
    }

    /// A new job of alice that a pilot took.
    pub(crate) async fn matched(&self) -> i64 {
        let job = self.submit("alice", &[HELLO]).await.unwrap()[0];
        self.walk(job, &[Checking, Waiting, Matched]).await;
        job
    }

    /// Takes a job through statuses, a second each.
    pub(crate) async fn walk(&self, job: i64, statuses: &[diracx_core::JobStatus]) {
        for status in statuses {
            self.clock.advance(chrono::TimeDelta::seconds(1));
            let reached = self.set_status("alice", job, self.now(), *status).await.unwrap();
            assert_eq!(reached, Some((*status).into()));
        }
        self.clock.advance(chrono::TimeDelta::seconds(1));
    }

    pub(crate) async fn columns<const N: usize>(&self, job: i64, columns: [&str; N]) -> Vec<String> {
        let found = self
            .search("carol", |request| {
                request.read_mask = columns.map(str::to_owned).to_vec();
                request.search = Some(vec![Filter::equals("JobID", job.to_string())].into());
            })
            .await
            .unwrap();
        rows(found).remove(0)
    }

    /// Name and status of a job's commands, straight from the table.
    pub(crate) async fn stored_commands(&self, job: i64) -> Vec<String> {
        let pair = match &self.databases.job_db {
            diracx_db::DbUrl::Sqlite(_) => "Command || ' ' || Status",
            diracx_db::DbUrl::MySql(_) => "CONCAT(Command, ' ', Status)",
        };
        let sql =
            format!("SELECT {pair} AS cell FROM JobCommands WHERE JobID = {job} ORDER BY ReceptionTime");
        cells(&self.databases.job_db, &sql).await
    }
}

pub(crate) fn alive(job_id: i64) -> pb::Heartbeat {
    pb::Heartbeat { job_id, ..Default::default() }
}

fn names(commands: &[pb::JobCommand]) -> Vec<&str> {
    commands.iter().map(|command| command.name.as_str()).collect()
}

on_both_backends! {
    async fn a_heartbeat_makes_a_matched_or_stalled_job_run_and_leaves_others_where_they_are(db: TestDatabase) {
        let jobs = Jobs::start(db).await;
        let job = jobs.matched().await;
        let before = jobs.now();
        assert!(jobs.commands(job).await.is_empty());
        let now = before.format("%F %T").to_string();
        let row = jobs.columns(job, ["StartExecTime", "HeartBeatTime", "Status"]).await;
        assert!(row[0].starts_with(&now) && row[1].starts_with(&now) && row[2] == "Running", "{row:?}");

        jobs.walk(job, &[Stalled]).await;
        jobs.commands(job).await;
        assert_eq!(jobs.columns(job, ["Status"]).await, ["Running"]);
        jobs.walk(job, &[Killed]).await;
        jobs.commands(job).await;
        assert_eq!(jobs.columns(job, ["Status"]).await, ["Killed"]);
        let history = jobs.histories("alice", &[job]).await.unwrap().remove(0).result.unwrap();
        let pb::job_history_outcome::Result::History(history) = history else { panic!("no history") };
        let told: Vec<_> = history.records.iter().filter(|record| record.source == "Heartbeat").map(|record| record.status.as_str()).collect();
        assert_eq!(told, ["Running", "Running"]);
    }

    async fn figures_are_kept_one_row_each_and_the_last_of_a_second_stays(db: TestDatabase) {
        let jobs = Jobs::start(db).await;
        let job = jobs.matched().await;
        let beat = |load| pb::Heartbeat { load_average: Some(load), memory_used: Some(1024.0), ..alive(job) };
        for load in [1.5, 2.5] {
            jobs.beat("petra", vec![beat(load)], false).await.unwrap();
        }
        let figures = async || {
            let pair = match &jobs.databases.job_db {
                diracx_db::DbUrl::Sqlite(_) => "Name || ' ' || Value",
                diracx_db::DbUrl::MySql(_) => "CONCAT(Name, ' ', Value)",
            };
            let sql = format!("SELECT {pair} AS cell FROM HeartBeatLoggingInfo WHERE JobID = {job} ORDER BY HeartBeatTime, Name");
            cells(&jobs.databases.job_db, &sql).await
        };
        assert_eq!(figures().await, ["LoadAverage 2.5", "MemoryUsed 1024.0"]);
        jobs.clock.advance(chrono::TimeDelta::seconds(1));
        jobs.beat("petra", vec![beat(3.0)], false).await.unwrap();
        assert_eq!(figures().await.len(), 4);
        let not_a_number = vec![alive(0), beat(f64::NAN)];
        let refused = jobs.beat("petra", not_a_number, false).await.unwrap_err();
        assert_eq!(refused.message(), "heartbeats[1].load_average: is not a finite number");
        let twice = jobs.beat("petra", vec![alive(job), alive(job)], false).await.unwrap_err();
        assert_eq!(twice.message(), format!("heartbeats[1].job_id: {job} is there twice"));
    }

    async fn the_last_output_of_a_job_becomes_its_parameter(db: TestDatabase) {
        let jobs = Jobs::start(db).await;
        let job = jobs.matched().await;
        for text in ["first".to_owned(), format!("lost{}", "x".repeat(64 * 1024))] {
            let beat = pb::Heartbeat { standard_output: Some(text), ..alive(job) };
            jobs.beat("petra", vec![beat], false).await.unwrap();
        }
        let outcome = jobs.parameters("alice", &[job], &["StandardOutput"]).await.unwrap().remove(0);
        let Some(pb::job_parameters_outcome::Result::Parameters(mut found)) = outcome.result else { panic!("none") };
        let Some(pb::job_parameter::Value::StringValue(text)) = found.parameters.remove(0).value else { panic!("no text") };
        assert_eq!(text, "x".repeat(64 * 1024));
    }

    async fn a_kill_comes_with_every_heartbeat_until_it_is_acknowledged(db: TestDatabase) {
        let jobs = Jobs::start(db).await;
        let job = jobs.matched().await;
        jobs.walk(job, &[Running, Killed]).await;
        let first = jobs.commands(job).await;
        assert_eq!((names(&first), first[0].kind(), first[0].job_id, first[0].reschedule_counter), (vec!["Kill"], pb::JobCommandKind::Kill, job, 0));
        assert_eq!(jobs.commands(job).await, first, "the first answer may be lost");
        assert_eq!(jobs.stored_commands(job).await, ["Kill Received"]);
        for _ in 0..2 {
            let outcomes = jobs.acknowledge("petra", &first).await.unwrap();
            assert!(outcomes[0].error.is_none() && outcomes[0].command_id == first[0].command_id);
            assert!(jobs.commands(job).await.is_empty());
            assert_eq!(jobs.stored_commands(job).await, ["Kill Sent"]);
        }
    }

    async fn a_second_kill_within_the_same_second_is_not_lost_on_the_first_that_arrived(db: TestDatabase) {
        let jobs = Jobs::start(db).await;
        let job = jobs.matched().await;
        jobs.walk(job, &[Running]).await;
        let kill = async || assert_eq!(jobs.set_status("alice", job, jobs.now(), Killed).await.unwrap(), Some(pb::JobStatus::Killed));
        kill().await;
        let first = jobs.commands(job).await;
        kill().await;
        assert_eq!(jobs.commands(job).await, first, "it says all already");
        jobs.acknowledge("petra", &first).await.unwrap();
        kill().await;
        let second = jobs.commands(job).await;
        assert_eq!(names(&second), ["Kill"]);
        assert_ne!(second[0].command_id, first[0].command_id);
        jobs.acknowledge("petra", &first).await.unwrap();
        assert_eq!(jobs.commands(job).await, second, "the first name is not that of the second");
    }

    async fn who_cannot_acknowledge_gets_each_kill_once_and_leaves_what_he_cannot_read(db: TestDatabase) {
        let jobs = Jobs::start(db).await;
        let job = jobs.matched().await;
        jobs.walk(job, &[Running, Killed]).await;
        execute(&jobs.databases.job_db, &format!(
            "INSERT INTO JobCommands (JobID, Command, Arguments, Status, ReceptionTime) VALUES \
             ({job}, 'Peek', '10 lines', 'Received', '2020-01-01 00:00:00.000000'), ({job}, 'Old', '', 'Executed', '2019-01-01 00:00:00')"
        )).await;
        let fetched = jobs.beat("petra", vec![alive(job)], true).await.unwrap().commands;
        assert_eq!(names(&fetched), ["Kill"]);
        assert!(jobs.beat("petra", vec![alive(job)], true).await.unwrap().commands.is_empty());
        let left = jobs.commands(job).await;
        assert_eq!((names(&left), left[0].kind(), left[0].arguments.as_str()), (vec!["Peek"], pb::JobCommandKind::Unspecified, "10 lines"));
        jobs.acknowledge("petra", &left).await.unwrap();
        assert_eq!(jobs.stored_commands(job).await, ["Old Executed", "Peek Sent", "Kill Sent"]);
    }

    async fn commands_of_many_jobs_come_in_order_and_only_those_that_were_named_are_marked(db: TestDatabase) {
        let jobs = Jobs::start(db).await;
        let ids = jobs.submit("alice", &[HELLO; 20]).await.unwrap();
        for second in 1..=25 {
            let rows: Vec<_> = ids.iter().map(|id| format!("({id}, 'C{second}', '', 'Received', '2020-01-01 00:00:{second:02}.000000')")).collect();
            execute(&jobs.databases.job_db, &format!("INSERT INTO JobCommands (JobID, Command, Arguments, Status, ReceptionTime) VALUES {}", rows.join(", "))).await;
        }
        let beats = || ids.iter().rev().map(|id| alive(*id)).collect::<Vec<_>>();
        let all = jobs.beat("petra", beats(), false).await.unwrap().commands;
        let expected: Vec<_> = ids.iter().flat_map(|id| (1..=25).map(move |n| (*id, format!("C{n}")))).collect();
        assert_eq!(all.iter().map(|c| (c.job_id, c.name.clone())).collect::<Vec<_>>(), expected);
        jobs.acknowledge("petra", &all[..499]).await.unwrap();
        assert_eq!(jobs.beat("petra", beats(), false).await.unwrap().commands, all[499..]);
    }

    async fn unknown_jobs_and_nonsense_are_told_apart_item_by_item(db: TestDatabase) {
        let jobs = Jobs::start(db).await;
        let job = jobs.matched().await;
        jobs.walk(job, &[Killed]).await;
        let heard = jobs.beat("petra", vec![alive(999_999), alive(job)], false).await.unwrap();
        assert_eq!(heard.outcomes[0].error.as_ref().unwrap().message, "Job 999999 not found");
        assert!(heard.outcomes[1].error.is_none() && heard.commands.len() == 1);
        let named = |job_id, command_id: &str| pb::JobCommand { job_id, command_id: command_id.into(), ..Default::default() };
        let outcomes = jobs.acknowledge("petra", &[named(job, "rubbish"), named(999_999, &heard.commands[0].command_id), named(job, "1.")]).await.unwrap();
        assert_eq!(outcomes[0].error.as_ref().unwrap().message, "acknowledgements[0].command_id: is not one that this service gave");
        assert!(outcomes[1].error.is_none() && outcomes[2].error.is_none(), "a command that is not there any more");
        assert_eq!(jobs.commands(job).await.len(), 1);
    }

    async fn only_those_who_may_give_signs_and_fetch_commands(db: TestDatabase) {
        let jobs = Jobs::start(db).await;
        let job = jobs.matched().await;
        jobs.walk(job, &[Killed]).await;
        let commands = jobs.commands(job).await;
        for who in ["bob", "dave", "no_properties"] {
            assert_eq!(reason(jobs.beat(who, vec![alive(job)], true).await), "FORBIDDEN", "{who}");
            assert_eq!(reason(jobs.acknowledge(who, &commands).await), "FORBIDDEN", "{who}");
        }
        let elsewhere = jobs.submit("dave", &[HELLO]).await.unwrap()[0];
        assert_eq!(reason(jobs.beat("petra", vec![alive(elsewhere)], true).await), "FORBIDDEN", "another VO's");
        for who in ["alice", "carol", "petra"] {
            assert_eq!(jobs.beat(who, vec![alive(job)], false).await.unwrap().commands, commands, "{who}");
        }
        assert_eq!(jobs.beat("petra", vec![], false).await.unwrap(), pb::SendHeartbeatsResponse::default());
        assert_eq!(reason(jobs.beat("alice", vec![], false).await), "FORBIDDEN");
    }

    async fn many_heartbeats_and_kills_at_once_lose_nothing(db: TestDatabase) {
        let jobs = Jobs::start(db).await;
        let ids = jobs.submit("alice", &[HELLO; 10]).await.unwrap();
        let beats = async || {
            for _ in 0..8 {
                jobs.beat("petra", ids.iter().rev().map(|id| alive(*id)).collect(), false).await.unwrap();
            }
        };
        let kills = async || {
            for id in &ids {
                jobs.set_status("alice", *id, jobs.later(1), Killed).await.unwrap();
            }
        };
        futures::join!(beats(), kills(), beats());
        let told = jobs.beat("petra", ids.iter().map(|id| alive(*id)).collect(), false).await.unwrap().commands;
        assert_eq!(told.iter().map(|command| command.job_id).collect::<Vec<_>>(), ids);
    }
}
