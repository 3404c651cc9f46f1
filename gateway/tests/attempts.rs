//! Whoever fails too often is turned away, in the words of each protocol and with the time to come back.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test that cannot go on says so")]

mod common;

use std::time::Duration;

use common::{Answer, Behind, Running, script};
use diracx_client::ServerAddress;
use diracx_core::{Explanation, Reason};
use diracx_gateway::GatewaySettings;
use diracx_proto::auth::v1::StartDeviceLoginRequest;
use diracx_server::{StatusInfo, status::from_explanation};
use tonic::{Code, Status};

/// So many failures in a row are forgiven, and one more every two seconds that pass meanwhile.
const FORGIVEN: usize = 100;
/// So many are never forgiven, however slow the machine is.
const ENOUGH: usize = 1000;

const GUESS: &str = "/api/auth/device?user_code=GUESSEDX";
const RPC: &str = "/diracx.auth.v1.AuthService/StartDeviceLogin";
/// An empty message.
const EMPTY: [u8; 5] = [0; 5];

/// A gateway before a service that knows no user code.
async fn gateway(settings: GatewaySettings) -> Running {
    let auth = script(|_, _, _| {
        Err(from_explanation(&Explanation::invalid_argument(Reason::InvalidGrant), "no such code"))
    });
    Behind { auth, settings, ..Behind::default() }.start().await
}

fn forwarded_for(address: &str) -> String {
    format!("X-Forwarded-For: {address}\r\n")
}

async fn guess(gateway: &Running, address: &str) -> Answer {
    gateway.get(GUESS, &forwarded_for(address)).await
}

/// Guesses until that is not allowed any more; tells how often it was.
async fn guess_on(gateway: &Running, address: impl Fn(usize) -> String) -> (usize, Answer) {
    for number in 0..ENOUGH {
        let answer = guess(gateway, &address(number)).await;
        if answer.status != 400 {
            return (number, answer);
        }
    }
    panic!("{ENOUGH} guesses are allowed");
}

#[tokio::test]
async fn who_guesses_is_told_to_come_back_later_on_rest_grpc_and_grpc_web() {
    const GUESSER: &str = "203.0.113.9";
    let gateway = gateway(GatewaySettings::default()).await;
    let (allowed, rest) = guess_on(&gateway, |_| GUESSER.to_owned()).await;
    assert!(allowed >= FORGIVEN, "only {allowed}");
    assert_eq!(rest.status, 429, "{rest:?}");
    let delay: u64 = rest.header("retry-after").expect("when to come back").parse().expect("seconds");
    assert!((1..=2).contains(&delay), "{delay}");
    assert_eq!(rest.header("diracx-error-reason"), Some("TOO_MANY_ATTEMPTS"));
    assert_eq!(rest.json()["detail"], "Too many attempts, try again later");

    let status = grpc_guess(&gateway, GUESSER).await;
    let info = StatusInfo::of(&status);
    assert!(info.is(Reason::TooManyAttempts), "{info:?}");
    let delay = info.retry_after.expect("when to come back");
    assert!(delay > Duration::ZERO && delay <= Duration::from_secs(2), "{delay:?}");

    let web = grpc_web_guess(&gateway, GUESSER).await;
    assert_eq!((web.status, web.header("content-type")), (200, Some("application/grpc-web+proto")));
    assert_eq!(
        web.header("access-control-allow-origin"),
        Some("http://localhost:3000"),
        "a web page may read it"
    );

    for other in ["203.0.113.10", "203.0.113.9, 203.0.113.10"] {
        assert_eq!(guess(&gateway, other).await.status, 400, "{other} has done nothing");
    }
    assert_eq!(gateway.get(GUESS, "").await.status, 400, "whoever is on this machine is not counted");
}

/// What is forgiven meanwhile is used up first.
async fn grpc_guess(gateway: &Running, address: &str) -> Status {
    let channel = gateway.url().parse::<ServerAddress>().unwrap().connect(None).unwrap();
    for _ in 0..ENOUGH {
        let mut request = tonic::Request::new(StartDeviceLoginRequest::default());
        request.metadata_mut().insert("x-forwarded-for", address.parse().unwrap());
        let status = diracx_client::auth(channel.clone()).start_device_login(request).await.unwrap_err();
        if status.code() != Code::InvalidArgument {
            assert_eq!(status.code(), Code::ResourceExhausted, "{status}");
            return status;
        }
    }
    panic!("{ENOUGH} guesses are allowed");
}

/// As [`grpc_guess`].
async fn grpc_web_guess(gateway: &Running, address: &str) -> Answer {
    let headers = format!(
        "{}Content-Type: application/grpc-web+proto\r\nOrigin: http://localhost:3000\r\nX-Grpc-Web: 1\r\n",
        forwarded_for(address)
    );
    for _ in 0..ENOUGH {
        let answer = gateway.send("POST", RPC, &headers, &EMPTY).await;
        let said = format!("{:?} {}", answer.headers, String::from_utf8_lossy(&answer.body));
        if !said.contains("no such code") && !said.contains("no%20such%20code") {
            assert_eq!(answer.header("grpc-status"), Some("8"), "{said}");
            return answer;
        }
    }
    panic!("{ENOUGH} guesses are allowed");
}

#[tokio::test]
async fn who_invents_addresses_is_counted_where_proxies_are_not_believed() {
    let trusted_proxies = "192.0.2.0/24".parse().unwrap();
    let gateway = gateway(GatewaySettings { trusted_proxies, ..GatewaySettings::default() }).await;
    let invented = |number: usize| format!("203.0.{}.{}", number / 250, number % 250);
    let (allowed, refused) = guess_on(&gateway, invented).await;
    assert!(allowed >= FORGIVEN && refused.status == 429, "{allowed} {refused:?}");
}
