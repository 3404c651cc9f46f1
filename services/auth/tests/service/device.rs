//! Logging in on a device without a browser.

use diracx_core::Reason;
use diracx_proto::auth::v1::{self as pb, get_token_request::Grant};
use diracx_server::StatusInfo;
use diracx_testkit::on_both_backends;
use tonic::{Code, Request};

use crate::{
    idp::{Mode, Visit},
    world::{CALLBACK, CLIENT, SCOPE, World, expect},
};

on_both_backends! {
    async fn a_person_logs_in_and_the_device_gets_its_tokens_once(place: TestDatabase) {
        let world = World::on(place).await;
        let login = world.begin("vo:lhcb property:ProductionManagement").await.unwrap();
        let pending = world.poll(&login.device_code).await;
        expect(pending, Code::FailedPrecondition, Reason::AuthorizationPending, "authorization_pending");

        let visit = world.visit(&login.user_code, "sub-alice", Mode::Good).await.unwrap();
        let finished = world.finish(&visit).await.unwrap();
        assert_eq!((finished.vo.as_str(), finished.preferred_username.as_str()), ("lhcb", "alice"));
        assert_eq!(finished.refusal, "");

        let tokens = world.poll(&login.device_code).await.unwrap();
        assert_eq!((tokens.token_type.as_str(), tokens.expires_in.unwrap().seconds), ("Bearer", 1200));
        let alice = world.whoami(&tokens.access_token).await.unwrap();
        assert_eq!(alice.sub, "lhcb:sub-alice");
        assert_eq!((alice.vo.as_str(), alice.dirac_group.as_str()), ("lhcb", "lhcb_user"));
        assert_eq!(alice.properties, ["NormalUser", "ProductionManagement"]);
        assert_eq!(alice.preferred_username, "alice");
        let refresh = world.refresh_claims(&tokens.refresh_token).await;
        assert!(!refresh.legacy_exchange);

        let again = world.poll(&login.device_code).await;
        expect(again, Code::FailedPrecondition, Reason::InvalidGrant, "Code was already used");
        let finished = world.visit(&login.user_code, "sub-alice", Mode::Good).await.map(drop);
        let sentence = "No row was found when one was required";
        expect(finished, Code::InvalidArgument, Reason::InvalidGrant, sentence);
    }

    async fn of_two_devices_with_one_code_only_one_gets_tokens(place: TestDatabase) {
        let world = World::on(place).await;
        for _ in 0..5 {
            let login = world.begin(SCOPE).await.unwrap();
            let visit = world.visit(&login.user_code, "sub-alice", Mode::Good).await.unwrap();
            world.finish(&visit).await.unwrap();
            let polls = (world.poll(&login.device_code), world.poll(&login.device_code));
            let (one, other) = tokio::join!(polls.0, polls.1);
            assert_eq!(usize::from(one.is_ok()) + usize::from(other.is_ok()), 1);
        }
    }

    async fn a_login_that_takes_too_long_is_over(place: TestDatabase) {
        let world = World::on(place).await;
        let login = world.begin(SCOPE).await.unwrap();
        let visit = world.visit(&login.user_code, "sub-alice", Mode::Good).await.unwrap();
        world.clock.advance(chrono::Duration::seconds(601));
        let late = world.visit(&login.user_code, "sub-alice", Mode::Good).await.map(drop);
        let sentence = "No row was found when one was required";
        expect(late, Code::InvalidArgument, Reason::InvalidGrant, sentence);
        let sentence = format!("0 rows matched user_code {}", login.user_code);
        expect(world.finish(&visit).await, Code::FailedPrecondition, Reason::InvalidGrant, &sentence);
        let poll = world.poll(&login.device_code).await;
        expect(poll, Code::Unauthenticated, Reason::LoginExpired, "Device code expired");
    }

    async fn claims_nested_as_deeply_as_is_allowed_are_kept_and_deeper_ones_refused(place: TestDatabase) {
        let world = World::on(place).await;
        let login = world.begin(SCOPE).await.unwrap();
        for levels in [16, 31, 120, 1000] {
            let visit = world.visit(&login.user_code, "sub-alice", Mode::Nested(levels)).await.unwrap();
            let refused = world.finish(&visit).await.unwrap_err();
            assert_eq!(refused.code(), Code::Unauthenticated, "{levels}: {refused}");
        }
        let visit = world.visit(&login.user_code, "sub-alice", Mode::Nested(15)).await.unwrap();
        world.finish(&visit).await.unwrap();
        world.poll(&login.device_code).await.unwrap();
    }

    async fn a_provider_that_refuses_is_quoted_and_a_denial_ends_the_login(place: TestDatabase) {
        let world = World::on(place).await;
        let login = world.begin(SCOPE).await.unwrap();
        let visit = world.visit(&login.user_code, "sub-alice", Mode::Good).await.unwrap();
        let refuse = |error: &str| {
            let request = pb::FinishDeviceLoginRequest {
                state: visit.state.clone(),
                callback_url: CALLBACK.to_owned(),
                error: error.to_owned(),
                error_description: "not today".into(),
                ..Default::default()
            };
            let mut auth = world.auth.clone();
            async move { auth.finish_device_login(request).await }
        };
        let sentence = "The identity provider refused the login: temporarily_unavailable (not today)";
        let refused = refuse("temporarily_unavailable").await;
        expect(refused, Code::FailedPrecondition, Reason::InvalidGrant, sentence);
        let pending = world.poll(&login.device_code).await;
        expect(pending, Code::FailedPrecondition, Reason::AuthorizationPending, "authorization_pending");

        let sentence = "The identity provider refused the login: access_denied (not today)";
        expect(refuse("access_denied").await, Code::FailedPrecondition, Reason::InvalidGrant, sentence);
        let sentence = "The login was denied: the person did not allow it";
        let denied = world.poll(&login.device_code).await;
        expect(denied, Code::FailedPrecondition, Reason::LoginDenied, sentence);
        let sentence = format!("0 rows matched user_code {}", login.user_code);
        expect(world.finish(&visit).await, Code::FailedPrecondition, Reason::InvalidGrant, &sentence);
    }
}

#[tokio::test]
async fn beginning_a_login_needs_our_client_and_a_scope_that_can_be_understood() {
    let world = World::on_sqlite().await;
    let request = pb::InitiateDeviceFlowRequest { client_id: "other".into(), scope: SCOPE.into() };
    let other = world.auth.clone().initiate_device_flow(request).await;
    expect(other, Code::InvalidArgument, Reason::InvalidClient, "Unrecognised client ID");
    for (scope, reason, sentence) in [
        ("vo:nope", Reason::UnknownVo, "VO nope is not known to this installation"),
        ("openid vo:lhcb", Reason::InvalidScope, "Unrecognised scopes: ['openid']"),
        ("vo:lhcb property:Bad", Reason::InvalidScope, "{'Bad'} are not valid properties"),
    ] {
        expect(world.begin(scope).await, Code::InvalidArgument, reason, sentence);
    }
}

#[tokio::test]
async fn a_login_that_is_visited_too_often_is_left_alone_for_a_while_and_others_go_on() {
    let world = World::on_sqlite().await;
    let login = world.begin(SCOPE).await.unwrap();
    let mut visits = Vec::new();
    for _ in 0..30 {
        visits.push(world.visit(&login.user_code, "sub-alice", Mode::Good).await.unwrap());
    }
    let sentence = "Too many attempts, try again later";
    let there = world.visit(&login.user_code, "sub-alice", Mode::Good).await.map(drop).unwrap_err();
    assert_eq!(StatusInfo::of(&there).retry_after, Some(std::time::Duration::from_mins(10)));
    expect(Err::<(), _>(there), Code::ResourceExhausted, Reason::TooManyAttempts, sentence);
    let back = world.finish(&visits[0]).await;
    expect(back, Code::ResourceExhausted, Reason::TooManyAttempts, sentence);
    world.log_in("sub-alice").await;
}

#[tokio::test]
async fn user_codes_may_be_typed_carelessly_but_not_guessed() {
    let world = World::on_sqlite().await;
    let login = world.begin(SCOPE).await.unwrap();
    let (left, right) = login.user_code.split_at(4);
    let typed = format!(" {}-{} ", left.to_lowercase(), right.to_lowercase());
    world.visit(&typed, "sub-alice", Mode::Good).await.unwrap();
    let huge = "B".repeat(100_000);
    for code in ["", "BCDFGHJK", "'; DROP TABLE DeviceFlows", "\u{0}", huge.as_str()] {
        let guessed = world.visit(code, "sub-alice", Mode::Good).await.map(drop);
        let sentence = "No row was found when one was required";
        expect(guessed, Code::InvalidArgument, Reason::InvalidGrant, sentence);
    }
    let guessed = world.poll("guessed").await;
    expect(guessed, Code::InvalidArgument, Reason::InvalidGrant, "Unknown or expired device code");
}

#[tokio::test]
async fn a_wrong_client_gets_nothing_and_spoils_nothing() {
    let world = World::on_sqlite().await;
    let login = world.begin(SCOPE).await.unwrap();
    let grant = || Grant::DeviceCode(pb::DeviceCodeGrant { device_code: login.device_code.clone() });
    let pending = world.token("other", grant()).await;
    expect(pending, Code::FailedPrecondition, Reason::AuthorizationPending, "authorization_pending");
    let visit = world.visit(&login.user_code, "sub-alice", Mode::Good).await.unwrap();
    world.finish(&visit).await.unwrap();
    let other = world.token("other", grant()).await;
    expect(other, Code::InvalidArgument, Reason::InvalidClient, "Bad client_id");
    world.poll(&login.device_code).await.unwrap();
}

#[tokio::test]
async fn a_failure_of_the_provider_is_told_apart_and_the_login_can_be_tried_again() {
    use Code::{Unauthenticated, Unavailable};
    let world = World::on_sqlite().await;
    let login = world.begin(SCOPE).await.unwrap();
    for (mode, code, sentence) in [
        (Mode::BadCode, Unauthenticated, "Failed to contact IAM server"),
        (Mode::ServerError, Unavailable, "Failed to contact IAM server"),
        (Mode::NoJson, Unavailable, "Failed to contact IAM server"),
        (Mode::Huge, Unavailable, "Failed to contact IAM server"),
        (Mode::NoIdToken, Unauthenticated, "Invalid ID token: the provider sent none"),
        (Mode::WrongAudience, Unauthenticated, "Invalid ID token: it is for another audience"),
        (Mode::WrongIssuer, Unauthenticated, "Invalid ID token: it is from another issuer"),
        (Mode::Expired, Unauthenticated, "Invalid ID token: it has expired"),
        (Mode::FromTheFuture, Unauthenticated, "Invalid ID token: it was issued in the future"),
        (Mode::OtherKey, Unauthenticated, "Invalid ID token: its signature is not the provider's"),
        (Mode::NoAlgorithm, Unauthenticated, "Invalid ID token: its signature is not the provider's"),
    ] {
        let visit = world.visit(&login.user_code, "sub-alice", mode).await.unwrap();
        let reason = if code == Unavailable { Reason::IdentityProviderFailed } else { Reason::InvalidGrant };
        expect(world.finish(&visit).await, code, reason, sentence);
    }
    let visit = world.visit(&login.user_code, "sub-alice", Mode::Good).await.unwrap();
    world.finish(&visit).await.unwrap();
    world.poll(&login.device_code).await.unwrap();
}

#[tokio::test]
async fn a_provider_that_was_down_is_asked_again() {
    let world = World::on_sqlite().await;
    let login = world.begin(SCOPE).await.unwrap();
    world.idp.set_down(true);
    let down = world.visit(&login.user_code, "sub-alice", Mode::Good).await.map(drop);
    let sentence = "Failed to retrieve IAM server metadata";
    expect(down, Code::Unavailable, Reason::IdentityProviderFailed, sentence);
    world.idp.set_down(false);
    world.visit(&login.user_code, "sub-alice", Mode::Good).await.unwrap();
}

#[tokio::test]
async fn discovery_and_keys_are_kept_until_the_keys_change() {
    let world = World::on_sqlite().await;
    for _ in 0..3 {
        world.log_in("sub-alice").await;
    }
    assert_eq!(world.idp.fetches(), (1, 1));
    world.idp.change_key("second");
    world.log_in("sub-alice").await;
    world.idp.change_key("second");
    world.log_in("sub-alice").await;
    assert_eq!(world.idp.fetches(), (1, 3));
}

#[tokio::test]
async fn a_slow_provider_costs_no_more_than_the_callers_patience() {
    let world = World::on_sqlite().await;
    let login = world.begin(SCOPE).await.unwrap();
    let visit = world.visit(&login.user_code, "sub-alice", Mode::Slow).await.unwrap();
    let mut request = Request::new(pb::FinishDeviceLoginRequest {
        code: visit.code,
        state: visit.state,
        callback_url: CALLBACK.to_owned(),
        ..Default::default()
    });
    request.set_timeout(std::time::Duration::from_millis(300));
    let status = world.auth.clone().finish_device_login(request).await.unwrap_err();
    assert!(matches!(status.code(), Code::DeadlineExceeded | Code::Cancelled), "{status}");
}

#[tokio::test]
async fn a_state_that_was_changed_or_made_for_something_else_is_refused() {
    let world = World::on_sqlite().await;
    let login = world.begin(SCOPE).await.unwrap();
    let visit = world.visit(&login.user_code, "sub-alice", Mode::Good).await.unwrap();
    let middle = visit.state.len() / 2;
    let swapped = if visit.state.as_bytes()[middle] == b'A' { "B" } else { "A" };
    let changed = format!("{}{swapped}{}", &visit.state[..middle], &visit.state[middle + 1..]);
    for state in [changed.as_str(), "", "garbage", &"A".repeat(100_000)] {
        let forged = Visit { code: visit.code.clone(), state: state.to_owned() };
        let sentence = "Invalid state";
        expect(world.finish(&forged).await, Code::InvalidArgument, Reason::InvalidGrant, sentence);
    }
    let request = pb::FinishAuthorizationRequest {
        code: visit.code.clone(),
        state: visit.state.clone(),
        callback_url: CALLBACK.to_owned(),
        ..Default::default()
    };
    let elsewhere = world.auth.clone().finish_authorization(request).await;
    expect(elsewhere, Code::InvalidArgument, Reason::InvalidGrant, "Invalid state");
    world.finish(&visit).await.expect("the true state still works");
}

#[tokio::test]
async fn those_who_may_not_have_what_they_ask_for_learn_why() {
    let world = World::on_sqlite().await;
    for (scope, subject, reason, sentence) in [
        (SCOPE, "sub-nobody", Reason::Forbidden, "User sub-nobody is not registered in VO lhcb"),
        (SCOPE, "sub-mallory", Reason::Forbidden, "User mallory is suspended in VO lhcb"),
        (
            "vo:lhcb group:lhcb_prod",
            "sub-bob",
            Reason::InvalidScope,
            "User is not a member of the requested group (bob, lhcb_prod)",
        ),
        (
            "vo:lhcb property:Operator",
            "sub-bob",
            Reason::InvalidScope,
            "Operator are not valid properties for user bob, available values: NormalUser",
        ),
    ] {
        let login = world.begin(scope).await.unwrap();
        let visit = world.visit(&login.user_code, subject, Mode::Good).await.unwrap();
        assert_eq!(world.finish(&visit).await.unwrap().refusal, sentence, "the person reads it, too");
        expect(world.poll(&login.device_code).await, Code::PermissionDenied, reason, sentence);
    }
}

#[tokio::test]
async fn a_request_for_no_grant_at_all_names_the_field() {
    let world = World::on_sqlite().await;
    let request = pb::GetTokenRequest { client_id: CLIENT.to_owned(), grant: None };
    let nothing = world.auth.clone().get_token(request).await;
    expect(nothing, Code::InvalidArgument, Reason::InvalidField, "grant: must be given");
}
