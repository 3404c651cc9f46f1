//! Logs of pilots: every line once, and whoever follows sees it.

use std::time::Duration;

use chrono::TimeDelta;
use diracx_proto::pilots::v1 as pb;
use diracx_testkit::on_both_backends;
use futures::{SinkExt, StreamExt, channel::mpsc, stream};
use tonic::{Code, Status};

use crate::{
    credentials::SVEN,
    harness::{Pilots, reason},
    sql::{count, execute},
};

const OURS: &str = "pilot:alpha:stamp1";

type Sender = mpsc::Sender<pb::AppendPilotLogRequest>;

fn lines(texts: &[&str]) -> Vec<pb::PilotLogLine> {
    let line = |text: &&str| pb::PilotLogLine {
        text: (*text).to_owned(),
        component: "Matcher".to_owned(),
        ..Default::default()
    };
    texts.iter().map(line).collect()
}

fn message(first_line: i64, texts: &[&str]) -> pb::AppendPilotLogRequest {
    pb::AppendPilotLogRequest { pilot_stamp: "stamp1".to_owned(), first_line, lines: lines(texts) }
}

impl Pilots {
    async fn appends(&self, who: &str, messages: Vec<pb::AppendPilotLogRequest>) -> Result<i64, Status> {
        let request = self.request(who, stream::iter(messages));
        Ok(self.client.clone().append_pilot_log(request).await?.into_inner().next_line)
    }

    async fn reads(
        &self,
        who: &str,
        change: impl FnOnce(&mut pb::ReadPilotLogRequest),
    ) -> Result<Vec<(i64, String)>, Status> {
        let mut request = pb::ReadPilotLogRequest { pilot_stamp: "stamp1".to_owned(), ..Default::default() };
        change(&mut request);
        let mut parts = self.client.clone().read_pilot_log(self.request(who, request)).await?.into_inner();
        let mut found = Vec::new();
        while let Some(part) = parts.next().await {
            let part = part?;
            found.extend((part.first_line..).zip(part.lines).map(|(number, line)| (number, line.text)));
        }
        Ok(found)
    }

    /// A stream that somebody has begun: where further messages go, and what is answered in the end.
    fn writes(&self, who: &str) -> (Sender, tokio::task::JoinHandle<Result<i64, Status>>) {
        self.writes_with(&self.request(who, ()))
    }

    /// The same with the token of a request.
    fn writes_with(
        &self,
        token: &tonic::Request<()>,
    ) -> (Sender, tokio::task::JoinHandle<Result<i64, Status>>) {
        let (sender, receiver) = mpsc::channel(8);
        let mut request = tonic::Request::new(receiver);
        *request.metadata_mut() = token.metadata().clone();
        let mut client = self.client.clone();
        let answer =
            tokio::spawn(async move { Ok(client.append_pilot_log(request).await?.into_inner().next_line) });
        (sender, answer)
    }

    /// Waits until so many lines have arrived.
    async fn until_next_is(&self, next: usize) {
        while self.texts(SVEN).await.len() < next {
            tokio::task::yield_now().await;
        }
    }

    async fn texts(&self, who: &str) -> Vec<String> {
        self.reads(who, |_| ()).await.unwrap().into_iter().map(|(_, text)| text).collect()
    }
}

on_both_backends! {
    async fn lines_that_come_again_are_taken_once_and_a_gap_is_refused(db: TestDatabase) {
        let pilots = Pilots::start(db).await;
        pilots.register(SVEN, "alpha", &["stamp1"]).await.unwrap();
        assert_eq!(pilots.appends(OURS, vec![message(0, &["a", "b"]), message(2, &["c"])]).await.unwrap(), 3);
        assert_eq!(pilots.appends(OURS, vec![message(0, &["a", "b"])]).await.unwrap(), 3);
        assert_eq!(pilots.appends(OURS, vec![message(1, &["b", "c", "d"])]).await.unwrap(), 4);
        assert_eq!(pilots.appends(OURS, vec![message(4, &[])]).await.unwrap(), 4);
        let gap = pilots.appends(OURS, vec![message(4, &["e"]), message(6, &["g"])]).await.unwrap_err();
        assert_eq!((gap.code(), gap.message()), (Code::InvalidArgument, "The log goes on with line 5, not with line 6"));
        assert_eq!(pilots.texts("normal_user").await, ["a", "b", "c", "d", "e"]);
        let both = [0, 1].map(|_| {
            let (mut client, request) = (pilots.client.clone(), pilots.request(OURS, stream::iter(vec![message(5, &["f", "g"])])));
            tokio::spawn(async move { client.append_pilot_log(request).await })
        });
        for attempt in both {
            assert_eq!(attempt.await.unwrap().unwrap().into_inner().next_line, 7);
        }
        assert_eq!(pilots.texts("normal_user").await, ["a", "b", "c", "d", "e", "f", "g"]);
    }

    async fn a_part_of_a_log_is_read(db: TestDatabase) {
        let pilots = Pilots::start(db).await;
        pilots.register(SVEN, "alpha", &["stamp1"]).await.unwrap();
        let mut all = message(0, &["0", "1", "2", "3", "4"]);
        all.lines[3].level = pb::LogLevel::Error.into();
        all.lines[1].level = pb::LogLevel::Debug.into();
        all.lines[2].time = Some(diracx_proto::time::timestamp(pilots.now()));
        pilots.appends(OURS, vec![all]).await.unwrap();
        let numbers = async |change: fn(&mut pb::ReadPilotLogRequest)| -> Vec<String> {
            pilots.reads("normal_user", change).await.unwrap().into_iter().map(|(_, text)| text).collect()
        };
        assert_eq!(numbers(|ask| ask.first_line = 3).await, ["3", "4"]);
        assert_eq!(numbers(|ask| ask.first_line = -2).await, ["3", "4"]);
        assert_eq!(numbers(|ask| ask.first_line = i64::MIN).await.len(), 5);
        assert_eq!(numbers(|ask| ask.first_line = i64::MAX).await.len(), 0);
        assert_eq!(numbers(|ask| ask.limit = 2).await, ["0", "1"]);
        assert_eq!(numbers(|ask| ask.min_level = pb::LogLevel::Info.into()).await, ["0", "2", "3", "4"]);
        assert_eq!(numbers(|ask| ask.min_level = pb::LogLevel::Warning.into()).await, ["3"]);
        let request = pb::ReadPilotLogRequest { pilot_stamp: "stamp1".to_owned(), first_line: 2, limit: 1, ..Default::default() };
        let mut parts = pilots.client.clone().read_pilot_log(pilots.request(SVEN, request)).await.unwrap().into_inner();
        let part = parts.message().await.unwrap().unwrap();
        assert_eq!((part.first_line, part.next_line, part.lines[0].component.as_str()), (2, 3, "Matcher"));
        assert_eq!(part.lines[0].time, Some(diracx_proto::time::timestamp(pilots.now())));
    }

    async fn large_logs_come_in_parts_that_every_client_takes(db: TestDatabase) {
        let pilots = Pilots::start(db).await;
        pilots.register(SVEN, "alpha", &["stamp1"]).await.unwrap();
        let long = "ä".repeat(4097);
        let texts = vec![long.as_str(); 100];
        for first in 0..10 {
            pilots.appends(OURS, vec![message(first * 100, &texts)]).await.unwrap();
        }
        let found = pilots.reads("normal_user", |_| ()).await.unwrap();
        assert_eq!(found.len(), 1000);
        assert!(found.iter().zip(0..).all(|((number, text), i)| *number == i && text.chars().count() == 4096));
    }

    async fn what_is_too_much_is_refused(db: TestDatabase) {
        let pilots = Pilots::start(db).await;
        pilots.register(SVEN, "alpha", &["stamp1"]).await.unwrap();
        let refused = async |message: pb::AppendPilotLogRequest| pilots.appends(OURS, vec![message]).await.unwrap_err().message().to_owned();
        assert_eq!(refused(message(-1, &["a"])).await, "first_line: must not be less than 0");
        assert_eq!(refused(message(0, &vec![""; 10_001])).await, "lines: are 10001, 10000 is the limit");
        assert_eq!(refused(message(0, &["x".repeat(1 << 20).as_str(), "y"])).await, "lines: are larger than 1 MiB");
        let mut wrong = message(0, &["a"]);
        wrong.lines[0].component = "x".repeat(65);
        assert_eq!(refused(wrong.clone()).await, "lines[0].component: has more than 64 characters");
        wrong.lines[0] = pb::PilotLogLine { level: 9, ..Default::default() };
        assert_eq!(refused(wrong).await, "lines[0].level: is no level");
        let nothing = pilots.appends(OURS, vec![]).await.unwrap_err();
        assert_eq!(nothing.code(), Code::InvalidArgument);
        let mut small = pilots.changed(|deps| deps.credentials.most_log_bytes = 100);
        let full = small.append_pilot_log(pilots.request(OURS, stream::iter(vec![message(0, &["a"]), message(1, &["b"]), message(2, &["c"])]))).await;
        assert_eq!(reason(&full.unwrap_err()), "PILOT_LOG_FULL");
        assert_eq!(pilots.texts("normal_user").await, ["a", "b"]);
    }

    async fn a_log_is_written_by_its_pilot_and_read_by_its_vo(db: TestDatabase) {
        let pilots = Pilots::start(db).await;
        pilots.register(SVEN, "alpha", &["stamp1"]).await.unwrap();
        for who in ["pilot:alpha:stamp2", "pilot", "normal_user", SVEN] {
            let refused = pilots.appends(who, vec![message(0, &["a"])]).await.unwrap_err();
            assert_eq!(reason(&refused), "FORBIDDEN", "{who}");
        }
        let stranger = pilots.appends("pilot:beta:stamp1", vec![message(0, &["a"])]).await.unwrap_err();
        assert_eq!(reason(&stranger), "PILOT_NOT_FOUND", "of another VO");
        pilots.appends(OURS, vec![message(0, &["a"])]).await.unwrap();
        for who in ["normal_user", "other_user", SVEN] {
            assert_eq!(pilots.texts(who).await, ["a"], "{who}");
        }
        for (who, why) in [("other_vo_user", "PILOT_NOT_FOUND"), ("pilot", "FORBIDDEN"), (OURS, "FORBIDDEN")] {
            assert_eq!(reason(&pilots.reads(who, |_| ()).await.unwrap_err()), why, "{who}");
        }
    }

    async fn a_log_is_written_as_long_as_the_token_is_good(db: TestDatabase) {
        let pilots = Pilots::start(db).await;
        pilots.register(SVEN, "alpha", &["stamp1"]).await.unwrap();
        let (mut write, answer) = pilots.writes(OURS);
        write.send(message(0, &["a"])).await.unwrap();
        pilots.until_next_is(1).await;
        pilots.later(TimeDelta::minutes(21));
        write.send(message(1, &["b"])).await.unwrap();
        let error = answer.await.unwrap().unwrap_err();
        assert_eq!((error.code(), reason(&error).as_str()), (Code::Unauthenticated, "TOKEN_EXPIRED"));
        assert_eq!(pilots.texts("normal_user").await, ["a"]);
        // with another token it goes on
        assert_eq!(pilots.appends(OURS, vec![message(1, &["b"])]).await.unwrap(), 2);

        let last_second = pilots.request(OURS, ());
        pilots.later(TimeDelta::minutes(20) - TimeDelta::seconds(1));
        let (mut write, answer) = pilots.writes_with(&last_second);
        write.send(message(2, &["c"])).await.unwrap();
        let error = tokio::time::timeout(Duration::from_secs(30), answer).await.expect("nobody speaks any more");
        assert_eq!(reason(&error.unwrap().unwrap_err()), "TOKEN_EXPIRED");
        assert_eq!(pilots.texts("normal_user").await, ["a", "b", "c"]);
    }

    async fn a_stream_ends_when_the_pilot_is_stopped_and_its_stamp_is_given_away(db: TestDatabase) {
        let pilots = Pilots::start(db).await;
        for (stamp_is_given_away, left) in [(false, vec!["a"]), (true, vec![])] {
            pilots.register(SVEN, "alpha", &["stamp1"]).await.unwrap();
            pilots.later(TimeDelta::seconds(1));
            let (mut write, answer) = pilots.writes(OURS);
            write.send(message(0, &["a"])).await.unwrap();
            pilots.until_next_is(1).await;
            pilots.later(TimeDelta::seconds(1));
            if stamp_is_given_away {
                pilots.delete(SVEN, &["stamp1"], true).await.unwrap();
                assert_eq!(pilots.register(SVEN, "alpha", &["stamp1"]).await.unwrap(), [None]);
                write.send(message(0, &["of the old one"])).await.unwrap();
            } else {
                pilots.kill(SVEN, &["stamp1"], "").await.unwrap();
                write.send(message(1, &["b"])).await.unwrap();
            }
            assert_eq!(reason(&answer.await.unwrap().unwrap_err()), "FORBIDDEN");
            assert_eq!(pilots.texts(SVEN).await, left);
            pilots.delete(SVEN, &["stamp1"], true).await.unwrap();
        }
    }

    async fn following_ends_with_the_token(db: TestDatabase) {
        let pilots = Pilots::start(db).await;
        pilots.register(SVEN, "alpha", &["stamp1"]).await.unwrap();
        let request = pb::ReadPilotLogRequest { pilot_stamp: "stamp1".to_owned(), follow: true, ..Default::default() };
        let request = pilots.request("normal_user", request);
        pilots.later(TimeDelta::minutes(20) - TimeDelta::seconds(1));
        let mut parts = pilots.client.clone().read_pilot_log(request).await.unwrap().into_inner();
        let end = tokio::time::timeout(Duration::from_secs(15), parts.message()).await;
        assert!(end.expect("it ends").unwrap().is_none());
    }

    async fn following_ends_with_the_pilot_and_misses_nothing(db: TestDatabase) {
        let pilots = Pilots::start(db).await;
        pilots.register(SVEN, "alpha", &["stamp1"]).await.unwrap();
        pilots.appends(OURS, vec![message(0, &["a"])]).await.unwrap();
        let request = pb::ReadPilotLogRequest { pilot_stamp: "stamp1".to_owned(), follow: true, ..Default::default() };
        let request = pilots.request("normal_user", request);
        let mut parts = pilots.client.clone().read_pilot_log(request).await.unwrap().into_inner();
        assert_eq!(parts.message().await.unwrap().unwrap().lines[0].text, "a");
        pilots.appends(OURS, vec![message(1, &["b"])]).await.unwrap();
        assert_eq!(parts.message().await.unwrap().unwrap().lines[0].text, "b");
        pilots.appends(OURS, vec![message(2, &["c"])]).await.unwrap();
        execute(&pilots.database, "UPDATE PilotAgents SET Status = 'Done'").await;
        assert_eq!(parts.message().await.unwrap().unwrap().lines[0].text, "c");
        let end = tokio::time::timeout(Duration::from_secs(30), parts.message()).await;
        assert!(end.expect("it ends").unwrap().is_none());
    }

    async fn old_lines_are_forgotten_and_do_not_come_again(db: TestDatabase) {
        let pilots = Pilots::start(db).await;
        pilots.register(SVEN, "alpha", &["stamp1"]).await.unwrap();
        pilots.appends(OURS, vec![message(0, &["a", "b", "c"])]).await.unwrap();
        pilots.later(TimeDelta::days(1));
        pilots.appends(OURS, vec![message(3, &["d"])]).await.unwrap();
        let clean = async |limit| pilots.deps.store.clean_logs(diracx_db::Deadline::NONE, pilots.now(), limit).await.unwrap();
        assert_eq!([clean(2).await, clean(2).await, clean(2).await], [2, 1, 0]);
        assert_eq!(pilots.reads("normal_user", |_| ()).await.unwrap(), [(3, "d".to_owned())]);
        assert_eq!(pilots.appends(OURS, vec![message(0, &["a", "b", "c", "d", "e"])]).await.unwrap(), 5);
        assert_eq!(count(&pilots.database, "PilotLogLines", "1 = 1").await, 2);
    }
}
