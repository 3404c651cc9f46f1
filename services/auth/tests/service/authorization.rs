//! Logging in from a program that has a browser.

use diracx_core::Reason;
use diracx_proto::auth::v1::{self as pb, get_token_request::Grant};
use diracx_testkit::on_both_backends;
use reqwest::Url;
use tonic::{Code, Status};

use crate::{
    idp::{Mode, Visit},
    world::{CLIENT, REDIRECT, World, expect},
};

const CALLBACK: &str = "http://127.0.0.1:8000/api/auth/authorize/complete";
// the example of RFC 7636
pub(crate) const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

fn ask() -> pb::StartAuthorizationRequest {
    pb::StartAuthorizationRequest {
        client_id: CLIENT.to_owned(),
        redirect_uri: REDIRECT.to_owned(),
        scope: "vo:lhcb".to_owned(),
        state: "mine & only mine#".to_owned(),
        code_challenge: CHALLENGE.to_owned(),
        code_challenge_method: "S256".to_owned(),
        callback_url: CALLBACK.to_owned(),
    }
}

pub(crate) async fn visit(world: &World, mode: Mode) -> Visit {
    let start = world.auth.clone().start_authorization(ask()).await.unwrap().into_inner();
    world.idp.approve(&start.authorization_url, "sub-alice", mode)
}

pub(crate) async fn finish(world: &World, visit: &Visit) -> Result<Url, Status> {
    let request = pb::FinishAuthorizationRequest {
        code: visit.code.clone(),
        state: visit.state.clone(),
        callback_url: CALLBACK.to_owned(),
        ..Default::default()
    };
    let finished = world.auth.clone().finish_authorization(request).await?.into_inner();
    Ok(finished.redirect_url.parse().unwrap())
}

async fn code(world: &World) -> String {
    let url = finish(world, &visit(world, Mode::Good).await).await.unwrap();
    url.query_pairs().find(|(name, _)| name == "code").unwrap().1.into_owned()
}

pub(crate) async fn redeem(world: &World, code: &str) -> Result<pb::GetTokenResponse, Status> {
    world.token(CLIENT, grant(code, REDIRECT, VERIFIER)).await
}

fn grant(code: &str, redirect_uri: &str, code_verifier: &str) -> Grant {
    Grant::AuthorizationCode(pb::AuthorizationCodeGrant {
        code: code.to_owned(),
        redirect_uri: redirect_uri.to_owned(),
        code_verifier: code_verifier.to_owned(),
    })
}

on_both_backends! {
    async fn a_program_gets_tokens_for_its_code_once(place: TestDatabase) {
        let world = World::on(place).await;
        let visit = visit(&world, Mode::Good).await;
        let url = finish(&world, &visit).await.unwrap();
        assert!(url.as_str().starts_with(REDIRECT), "{url}");
        let query: Vec<_> = url.query_pairs().into_owned().collect();
        assert_eq!(query[1], ("state".to_owned(), "mine & only mine#".to_owned()));
        let again = finish(&world, &visit).await;
        expect(again, Code::InvalidArgument, Reason::InvalidGrant, "Invalid state");

        let tokens = redeem(&world, &query[0].1).await.unwrap();
        assert_eq!(world.whoami(&tokens.access_token).await.unwrap().sub, "lhcb:sub-alice");
        world.refresh(&tokens.refresh_token).await.unwrap();
        let again = redeem(&world, &query[0].1).await;
        expect(again, Code::FailedPrecondition, Reason::InvalidGrant, "Code was already used");
    }

    async fn an_old_code_is_no_code(place: TestDatabase) {
        let world = World::on(place).await;
        let old = visit(&world, Mode::Good).await;
        let code = code(&world).await;
        world.clock.advance(chrono::Duration::seconds(301));
        let late = redeem(&world, &code).await;
        let sentence = "Unknown or expired authorization code";
        expect(late, Code::InvalidArgument, Reason::InvalidGrant, sentence);
        let late = finish(&world, &old).await;
        expect(late, Code::InvalidArgument, Reason::InvalidGrant, "Invalid state");
    }
}

#[tokio::test]
async fn a_login_begins_only_as_the_installation_allows() {
    type Change = fn(&mut pb::StartAuthorizationRequest);
    let world = World::on_sqlite().await;
    let cases: [(Change, Reason, &str); 7] = [
        (|ask| ask.client_id.push('x'), Reason::InvalidClient, "Unrecognised client_id"),
        (|ask| ask.redirect_uri.push('/'), Reason::InvalidClient, "Unrecognised redirect_uri"),
        (
            |ask| ask.code_challenge_method = "plain".into(),
            Reason::InvalidField,
            "code_challenge_method: must be S256",
        ),
        (
            |ask| ask.code_challenge.clear(),
            Reason::InvalidField,
            "code_challenge: must have 1 to 255 characters",
        ),
        (|ask| ask.state = "x".repeat(4097), Reason::InvalidField, "state: must have at most 4096 bytes"),
        (|ask| ask.scope.clear(), Reason::InvalidScope, "Unrecognised scopes: ['']"),
        (
            |ask| ask.callback_url = "javascript:alert(1)".into(),
            Reason::InvalidField,
            "callback_url: must be an absolute http or https URL",
        ),
    ];
    for (change, reason, sentence) in cases {
        let mut ask = ask();
        change(&mut ask);
        let refused = world.auth.clone().start_authorization(ask).await;
        expect(refused, Code::InvalidArgument, reason, sentence);
    }
}

#[tokio::test]
async fn mistakes_at_the_end_do_not_use_the_code_up() {
    let world = World::on_sqlite().await;
    let code = code(&world).await;
    for (client, redirect_uri, verifier, reason, sentence) in [
        (CLIENT, "http://elsewhere", VERIFIER, Reason::InvalidGrant, "Invalid redirect_uri"),
        ("other", REDIRECT, VERIFIER, Reason::InvalidClient, "Bad client_id"),
        (CLIENT, REDIRECT, "guess", Reason::InvalidGrant, "Invalid code_challenge"),
    ] {
        let refused = world.token(client, grant(&code, redirect_uri, verifier)).await;
        expect(refused, Code::InvalidArgument, reason, sentence);
    }
    redeem(&world, &code).await.unwrap();
}

#[tokio::test]
async fn a_code_that_the_provider_refuses_is_an_invalid_code() {
    let world = World::on_sqlite().await;
    let refused = finish(&world, &visit(&world, Mode::BadCode).await).await;
    expect(refused, Code::Unauthenticated, Reason::InvalidGrant, "Invalid code");
    let down = finish(&world, &visit(&world, Mode::ServerError).await).await;
    let sentence = "Failed to contact IAM server";
    expect(down, Code::Unavailable, Reason::IdentityProviderFailed, sentence);
}

async fn refused(world: &World, error: &str, state: &str) -> Result<Url, Status> {
    let request = pb::FinishAuthorizationRequest {
        state: state.to_owned(),
        callback_url: CALLBACK.to_owned(),
        error: error.to_owned(),
        error_description: "no \"thanks\"\u{e9}".to_owned(),
        ..Default::default()
    };
    let finished = world.auth.clone().finish_authorization(request).await?.into_inner();
    Ok(finished.redirect_url.parse().unwrap())
}

on_both_backends! {
    async fn a_program_learns_that_its_login_was_denied_and_the_login_is_over(place: TestDatabase) {
        let world = World::on(place).await;
        for (error, told) in [
            ("access_denied", "access_denied"),
            ("temporarily_unavailable", "temporarily_unavailable"),
            ("invalid_scope", "server_error"),
        ] {
            let visit = visit(&world, Mode::Good).await;
            let url = refused(&world, error, &visit.state).await.unwrap();
            assert!(url.as_str().starts_with(REDIRECT), "{url}");
            let sentence = format!("The identity provider refused the login: {error} (no ?thanks??)");
            let expected = [("error", told), ("error_description", &sentence), ("state", "mine & only mine#")];
            let query: Vec<_> = url.query_pairs().into_owned().collect();
            assert_eq!(query, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));

            let sentence = "Invalid state";
            let after_all = finish(&world, &visit).await;
            expect(after_all, Code::InvalidArgument, Reason::InvalidGrant, sentence);
            let again = refused(&world, error, &visit.state).await;
            expect(again, Code::InvalidArgument, Reason::InvalidGrant, sentence);
        }
    }

    async fn who_denies_nothing_that_is_there_goes_nowhere(place: TestDatabase) {
        let world = World::on(place).await;
        let old = visit(&world, Mode::Good).await;
        world.clock.advance(chrono::Duration::seconds(301));
        for state in [old.state.as_str(), "garbage", ""] {
            let nothing = refused(&world, "access_denied", state).await;
            expect(nothing, Code::InvalidArgument, Reason::InvalidGrant, "Invalid state");
        }
    }
}
