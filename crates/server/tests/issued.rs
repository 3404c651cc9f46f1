//! The token of a component that has not the key store: asked for once, kept, renewed, and kept on in an outage.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test that cannot go on says so")]

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use chrono::Duration;
use diracx_server::{
    BoxError, KeyStore,
    token::{IssuedToken, KeyKind, rotate_key},
};
use futures::future::BoxFuture;
use serde_json::Value;

mod common;
use common::{ISSUER, TestClock, noon};

/// An auth service that gives numbered tokens for five minutes, unless it is away.
#[derive(Clone, Default)]
struct Desk {
    away: Arc<AtomicBool>,
    asked: Arc<AtomicUsize>,
    assertions: Arc<Mutex<Vec<String>>>,
}

impl Desk {
    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    fn token(&self, clock: &TestClock) -> IssuedToken {
        let desk = self.clone();
        let show =
            move |assertion: String| -> BoxFuture<'static, Result<(String, std::time::Duration), BoxError>> {
                let desk = desk.clone();
                Box::pin(async move {
                    let number = desk.asked.fetch_add(1, Ordering::SeqCst);
                    tokio::task::yield_now().await;
                    desk.assertions.lock().unwrap().push(assertion);
                    if desk.away.load(Ordering::SeqCst) {
                        return Err("connection refused".into());
                    }
                    Ok((format!("token {number}"), std::time::Duration::from_secs(300)))
                })
            };
        let key = rotate_key(None, KeyKind::P256, noon()).unwrap();
        let key = Arc::new(KeyStore::parse(&key).unwrap());
        IssuedToken::new("jobs", ISSUER, key, Arc::new(show), Arc::new(clock.clone()))
    }
}

#[tokio::test]
async fn many_callers_share_one_token_until_shortly_before_its_end() {
    let (clock, desk) = (TestClock::new(noon()), Desk::default());
    let token = desk.token(&clock);
    let answers = futures::future::join_all((0..20).map(|_| token.get())).await;
    assert!(answers.iter().all(|answer| &**answer.as_ref().unwrap() == "token 0"));
    clock.set(noon() + Duration::seconds(239));
    assert_eq!(&*token.clone().get().await.unwrap(), "token 0");
    clock.set(noon() + Duration::seconds(240));
    assert_eq!(&*token.get().await.unwrap(), "token 1");
    assert_eq!(desk.asked(), 2);
}

#[tokio::test]
async fn while_the_auth_service_is_away_a_token_serves_to_its_end_and_no_longer() {
    let (clock, desk) = (TestClock::new(noon()), Desk::default());
    let token = desk.token(&clock);
    token.get().await.unwrap();
    desk.away.store(true, Ordering::SeqCst);
    clock.set(noon() + Duration::seconds(299));
    assert_eq!(&*token.get().await.unwrap(), "token 0");
    clock.set(noon() + Duration::seconds(300));
    let error = token.get().await.unwrap_err();
    assert!(error.to_string().contains("connection refused"), "{error}");

    let asked = desk.asked();
    token.get().await.unwrap_err();
    assert_eq!(desk.asked(), asked, "who fails does not ask again at once");
    desk.away.store(false, Ordering::SeqCst);
    clock.set(noon() + Duration::seconds(301));
    token.get().await.expect("it is back");
}

#[tokio::test]
async fn an_assertion_says_who_for_whom_and_for_how_long() {
    let (clock, desk) = (TestClock::new(noon()), Desk::default());
    desk.token(&clock).get().await.unwrap();
    let assertion = desk.assertions.lock().unwrap()[0].clone();
    let claims = BASE64_URL_SAFE_NO_PAD.decode(assertion.split('.').nth(1).unwrap()).unwrap();
    let claims: Value = serde_json::from_slice(&claims).unwrap();
    assert_eq!(
        (&claims["iss"], &claims["sub"], &claims["aud"]),
        (&"jobs".into(), &"jobs".into(), &ISSUER.into())
    );
    assert_eq!(claims["exp"], (noon() + Duration::minutes(5)).timestamp());
}
