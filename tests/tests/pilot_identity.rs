//! A pilot with a token of its own, through the gateway: from its secret to the last line of its log.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test fails by panicking")]

use diracx_proto::pilots::v1::{
    self as pb, get_pilot_token_request::Grant, pilots_service_client::PilotsServiceClient,
    register_pilot_outcome::Result as Outcome,
};
use diracx_tests::{
    http::{Answer, send},
    mesh::Mesh,
    on_both_forms,
};
use serde_json::{Value, json};
use tonic::{Code, Request, transport::Channel};

const STAMP: &str = "0123456789abcdef";

type Pilots = PilotsServiceClient<Channel>;

async fn pilots(mesh: &Mesh) -> Pilots {
    let channel = Channel::from_shared(mesh.base.clone()).unwrap().connect().await.expect("a listener");
    PilotsServiceClient::new(channel)
}

fn with<T>(token: &str, message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.metadata_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
    request
}

/// Registers the pilot, and tells its secret.
async fn register(mesh: &Mesh, pilots: &mut Pilots) -> String {
    let pilot =
        pb::PilotRegistration { pilot_stamp: STAMP.to_owned(), vo: "alpha".to_owned(), ..Default::default() };
    let secret_lifetime = Some(diracx_proto::time::seconds(60));
    let request = pb::RegisterPilotsRequest { pilots: vec![pilot], secret_lifetime, ..Default::default() };
    let answer = pilots.register_pilots(with(&mesh.tokens["service_admin"], request)).await.unwrap();
    match answer.into_inner().outcomes.remove(0).result.unwrap() {
        Outcome::Pilot(pilot) => pilot.secret.expect("a secret").secret,
        Outcome::Error(error) => panic!("{error:?}"),
    }
}

fn secret(secret: &str) -> pb::GetPilotTokenRequest {
    let grant = Grant::Secret(pb::PilotSecretGrant { secret: secret.to_owned(), registration: None });
    pb::GetPilotTokenRequest { pilot_stamp: STAMP.to_owned(), grant: Some(grant) }
}

fn refresh(token: &str) -> pb::GetPilotTokenRequest {
    let grant = Grant::RefreshToken(pb::PilotRefreshGrant { refresh_token: token.to_owned() });
    pb::GetPilotTokenRequest { pilot_stamp: STAMP.to_owned(), grant: Some(grant) }
}

async fn rest(mesh: &Mesh, token: &str, method: &str, path: &str, body: Option<Value>) -> Answer {
    let mut headers = vec![("Authorization".to_owned(), format!("Bearer {token}"))];
    headers.push(("Content-Type".to_owned(), "application/json".to_owned()));
    let body = body.map(|body| body.to_string().into_bytes());
    send(method, &format!("{}{path}", mesh.base), &headers, body).await.expect("an answer")
}

on_both_forms! {
    async fn a_pilot_lives_on_its_secret_from_the_first_token_to_the_last_line(mesh: Mesh) {
        let mut pilots = pilots(&mesh).await;
        let shown = register(&mesh, &mut pilots).await;
        let first = pilots.get_pilot_token(secret(&shown)).await.unwrap().into_inner();
        let again = pilots.get_pilot_token(secret(&shown)).await.unwrap_err();
        assert_eq!(again.code(), Code::Unauthenticated);
        let second = pilots.get_pilot_token(refresh(&first.refresh_token)).await.unwrap().into_inner();
        let info = pilots.get_pilot_info(with(&second.access_token, pb::GetPilotInfoRequest {})).await.unwrap();
        assert_eq!(info.into_inner().sub, format!("alpha:{STAMP}"));

        let line = |text: &str| pb::PilotLogLine { text: text.to_owned(), ..Default::default() };
        let messages = vec![pb::AppendPilotLogRequest {
            pilot_stamp: STAMP.to_owned(),
            first_line: 0,
            lines: vec![line("hello"), line("good bye")],
        }];
        let appended = pilots.append_pilot_log(with(&second.access_token, futures::stream::iter(messages))).await;
        assert_eq!(appended.unwrap().into_inner().next_line, 2);
        let request = pb::ReadPilotLogRequest { pilot_stamp: STAMP.to_owned(), ..Default::default() };
        let mut log = pilots.read_pilot_log(with(&mesh.tokens["normal_user"], request)).await.unwrap().into_inner();
        let part = log.message().await.unwrap().unwrap();
        assert_eq!(part.lines.iter().map(|line| line.text.as_str()).collect::<Vec<_>>(), ["hello", "good bye"]);
    }

    async fn a_pilots_token_is_no_users_token_on_rest(mesh: Mesh) {
        let mut pilots = pilots(&mesh).await;
        let shown = register(&mesh, &mut pilots).await;
        let token = pilots.get_pilot_token(secret(&shown)).await.unwrap().into_inner().access_token;
        let submitted = rest(&mesh, &mesh.tokens["normal_user"], "POST", "/api/jobs/jdl", Some(json!(["Executable = \"x\";"]))).await;
        assert_eq!(submitted.status, 201, "{}", submitted.text);
        let job = serde_json::from_str::<Value>(&submitted.text).unwrap()[0]["JobID"].as_i64().unwrap();
        for (method, path, body) in [
            ("GET", "/api/auth/userinfo".to_owned(), None),
            ("GET", "/api/auth/refresh-tokens".to_owned(), None),
            ("POST", "/api/jobs/jdl".to_owned(), Some(json!(["Executable = \"x\";"]))),
            ("POST", "/api/jobs/search".to_owned(), Some(json!({}))),
            ("POST", "/api/pilots/search".to_owned(), Some(json!({}))),
            ("PATCH", "/api/jobs/heartbeat".to_owned(), Some(json!({job.to_string(): {}}))),
            ("GET", format!("/api/jobs/{job}/sandbox"), None),
        ] {
            let answer = rest(&mesh, &token, method, &path, body).await;
            assert_eq!(answer.status, 403, "{method} {path}: {}", answer.text);
        }
        let config = rest(&mesh, &token, "GET", "/api/config/", None).await;
        assert_eq!(config.status, 200, "every pilot works with the configuration");

        // the matcher gives it the job
        let pilot = format!("SELECT PilotID AS number FROM PilotAgents WHERE PilotStamp = '{STAMP}'");
        let pilot = mesh.database.numbers("PilotAgentsDB", &pilot).await.unwrap()[0];
        let link = format!("INSERT INTO JobToPilotMapping (PilotID, JobID, StartTime) VALUES ({pilot}, {job}, '2026-11-23 10:00:00')");
        mesh.database.execute("PilotAgentsDB", &link).await.unwrap();
        let beat = rest(&mesh, &token, "PATCH", "/api/jobs/heartbeat", Some(json!({job.to_string(): {}}))).await;
        assert_eq!(beat.status, 200, "{}", beat.text);
        let sandboxes = rest(&mesh, &token, "GET", &format!("/api/jobs/{job}/sandbox"), None).await;
        assert_eq!(sandboxes.status, 200, "{}", sandboxes.text);
    }
}
