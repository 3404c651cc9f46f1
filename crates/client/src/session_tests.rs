//! A login as its programs share it, against a server that counts its refreshes.

use std::sync::atomic::{AtomicUsize, Ordering};

use chrono::{DateTime, Utc};
use diracx_proto::auth::v1::auth_service_server::{AuthService, AuthServiceServer};
use tonic::Response;

use super::*;
use crate::in_process;

const NOW: i64 = 1_800_000_000;

struct Stopped;

impl Clock for Stopped {
    fn now(&self) -> DateTime<Utc> {
        DateTime::from_timestamp(NOW, 0).unwrap()
    }
}

/// Gives tokens as often as it is asked, each once.
#[derive(Clone, Default)]
struct Server {
    refreshes: Arc<AtomicUsize>,
}

#[tonic::async_trait]
impl AuthService for Server {
    async fn get_token(
        &self,
        request: Request<GetTokenRequest>,
    ) -> Result<Response<GetTokenResponse>, Status> {
        let Some(Grant::RefreshToken(grant)) = request.into_inner().grant else {
            return Err(Status::invalid_argument("not a refresh"));
        };
        let count = self.refreshes.fetch_add(1, Ordering::SeqCst);
        if grant.refresh_token != refresh_token(count, NOW + 60) {
            return Err(Status::unauthenticated("this refresh token was used before"));
        }
        tokio::task::yield_now().await;
        Ok(Response::new(GetTokenResponse {
            access_token: format!("access-{count}"),
            expires_in: Some(time::seconds(1200)),
            token_type: "Bearer".to_owned(),
            refresh_token: refresh_token(count + 1, NOW + 60),
        }))
    }
}

fn refresh_token(number: usize, exp: i64) -> String {
    let claims = BASE64_URL_SAFE_NO_PAD.encode(format!(r#"{{"exp":{exp},"n":{number}}}"#));
    format!("e30.{claims}.c2ln")
}

fn login(refresh_token: Option<String>, expires_on: i64) -> (tempfile::TempDir, CredentialsFile) {
    let directory = tempfile::tempdir().unwrap();
    let file = CredentialsFile::at(directory.path().join("credentials.json"));
    file.write(&Credentials { access_token: "old".to_owned(), refresh_token, expires_on }).unwrap();
    (directory, file)
}

fn session(file: &CredentialsFile, server: &Server) -> Session {
    let channel = in_process(AuthServiceServer::new(server.clone()));
    Session::new(file.clone(), channel, Arc::new(Stopped))
}

#[tokio::test]
async fn a_fresh_token_is_used_as_it_is() {
    let (_directory, file) = login(None, NOW + 301);
    let server = Server::default();
    assert_eq!(session(&file, &server).token().await.unwrap().as_deref(), Some("old"));
    assert_eq!(server.refreshes.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn many_programs_refresh_once() {
    let (_directory, file) = login(Some(refresh_token(0, NOW + 60)), NOW + 300);
    let server = Server::default();
    let programs: Vec<_> = (0..8).map(|_| session(&file, &server)).collect();
    let tokens = futures::future::join_all(programs.iter().map(Session::token)).await;
    for token in tokens {
        assert_eq!(token.unwrap().as_deref(), Some("access-0"));
    }
    assert_eq!(server.refreshes.load(Ordering::SeqCst), 1);
    let stored = file.read().unwrap().unwrap();
    assert_eq!(stored.expires_on, NOW + 1200 - 15);
    assert_eq!(stored.refresh_token, Some(refresh_token(1, NOW + 60)));
}

#[tokio::test]
async fn a_login_that_is_over_gives_no_token() {
    for refresh_token in [None, Some(refresh_token(0, NOW)), Some("garbage".to_owned())] {
        let (_directory, file) = login(refresh_token, NOW);
        let server = Server::default();
        assert_eq!(session(&file, &server).token().await.unwrap(), None);
        assert_eq!(server.refreshes.load(Ordering::SeqCst), 0);
    }
    let nowhere = CredentialsFile::at("/nowhere/credentials.json");
    assert_eq!(session(&nowhere, &Server::default()).token().await.unwrap(), None);
}

#[tokio::test]
async fn a_refused_refresh_is_told_and_leaves_the_file_alone() {
    let (_directory, file) = login(Some(refresh_token(7, NOW + 60)), NOW);
    let status = session(&file, &Server::default()).token().await.unwrap_err();
    assert_eq!(status.message(), "this refresh token was used before");
    assert_eq!(file.read().unwrap().unwrap().access_token, "old");
}

#[tokio::test]
async fn a_caller_who_gives_up_does_not_lose_the_new_tokens() {
    let (_directory, file) = login(Some(refresh_token(0, NOW + 60)), NOW);
    let session = session(&file, &Server::default());
    {
        let mut impatient = Box::pin(session.token());
        // polled once, then dropped
        assert!(futures::poll!(&mut impatient).is_pending());
    }
    assert_eq!(session.token().await.unwrap().as_deref(), Some("access-0"));
}
