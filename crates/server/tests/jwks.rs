//! Keys fetched from the auth service: kept, renewed, asked again for a key that is new.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test that cannot go on says so")]

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};

use chrono::Duration;
use diracx_server::{
    KeyStore, TokenMinter, TokenVerifier,
    token::{Algorithm, JwksSource, KeyKind, delete_key, rotate_key},
};
use tokio::sync::Notify;

mod common;
use common::{ISSUER, TestClock, noon};

/// An auth service whose document tests set; `None` is one that is away.
#[derive(Clone, Default)]
struct Published {
    document: Arc<Mutex<Option<String>>>,
    fetches: Arc<AtomicUsize>,
    fetched: Arc<Notify>,
}

impl Published {
    fn set(&self, private: &str) {
        let public = KeyStore::parse(private).unwrap().public_jwks().to_string();
        *self.document.lock().unwrap() = Some(public);
    }

    fn fetches(&self) -> usize {
        self.fetches.load(Ordering::SeqCst)
    }

    fn source(&self, clock: &TestClock) -> JwksSource {
        let published = self.clone();
        let fetch = Arc::new(move || {
            let published = published.clone();
            let answer: futures::future::BoxFuture<'static, Result<String, diracx_server::BoxError>> =
                Box::pin(async move {
                    published.fetches.fetch_add(1, Ordering::SeqCst);
                    tokio::task::yield_now().await;
                    published.fetched.notify_one();
                    let document = published.document.lock().unwrap().clone();
                    document.ok_or_else(|| "connection refused".into())
                });
            answer
        });
        JwksSource::new(fetch, Arc::new(clock.clone()))
    }
}

struct Setup {
    clock: TestClock,
    published: Published,
    verifier: TokenVerifier,
}

fn setup() -> Setup {
    let (clock, published) = (TestClock::new(noon()), Published::default());
    let source = published.source(&clock);
    let verifier = TokenVerifier::new(ISSUER, [Algorithm::Ed25519], source, Arc::new(clock.clone()));
    Setup { clock, published, verifier }
}

fn token(clock: &TestClock, private: &str) -> String {
    let keys = Arc::new(KeyStore::parse(private).unwrap());
    let minter = TokenMinter::new(keys, ISSUER, &[Algorithm::Ed25519], Arc::new(clock.clone())).unwrap();
    minter.component("jobs").get().unwrap().to_string()
}

#[tokio::test]
async fn keys_are_fetched_once_by_many() {
    let Setup { clock, published, verifier } = setup();
    let private = rotate_key(None, KeyKind::Ed25519, noon()).unwrap();
    published.set(&private);
    let tokens: Vec<String> = (0..20).map(|_| token(&clock, &private)).collect();
    let answers = futures::future::join_all(tokens.iter().map(|token| verifier.verify(token))).await;
    assert!(answers.iter().all(Result::is_ok));
    assert_eq!(published.fetches(), 1);
}

#[tokio::test]
async fn an_auth_service_that_is_away_is_an_outage_and_no_bad_token() {
    let Setup { clock, published, verifier } = setup();
    let private = rotate_key(None, KeyKind::Ed25519, noon()).unwrap();
    let good = token(&clock, &private);
    let attempts = futures::future::join_all((0..5).map(|_| verifier.verify(&good))).await;
    assert_eq!(published.fetches(), 1, "who waits shares the failure");
    for attempt in attempts {
        let status = diracx_server::to_status(attempt.unwrap_err());
        assert_eq!(status.code(), tonic::Code::Unavailable);
        assert!(!status.message().contains("refused"));
    }
    published.set(&private);
    assert!(verifier.verify(&good).await.is_ok());
}

#[tokio::test]
async fn a_new_key_is_asked_for_but_strangers_cannot_make_us_ask_all_the_time() {
    let Setup { clock, published, verifier } = setup();
    let old = rotate_key(None, KeyKind::Ed25519, noon()).unwrap();
    published.set(&old);
    verifier.verify(&token(&clock, &old)).await.unwrap();

    let stranger = token(&clock, &rotate_key(None, KeyKind::Ed25519, noon()).unwrap());
    for _ in 0..5 {
        assert!(verifier.verify(&stranger).await.is_err());
    }
    assert_eq!(published.fetches(), 1);

    let rotated = rotate_key(Some(&old), KeyKind::Ed25519, noon()).unwrap();
    published.set(&rotated);
    clock.set(noon() + Duration::milliseconds(500));
    assert!(verifier.verify(&token(&clock, &rotated)).await.is_ok());
    assert_eq!(published.fetches(), 2);
}

#[tokio::test]
async fn old_keys_are_renewed_in_the_background_and_removed_keys_forgotten() {
    let Setup { clock, published, verifier } = setup();
    let old = rotate_key(None, KeyKind::Ed25519, noon()).unwrap();
    let rotated = rotate_key(Some(&old), KeyKind::Ed25519, noon()).unwrap();
    published.set(&rotated);
    clock.set(noon() + Duration::minutes(4));
    let by_old = token(&clock, &old);
    clock.set(noon());
    verifier.verify(&by_old).await.unwrap();
    published.fetched.notified().await;

    let old_kid = KeyStore::parse(&old).unwrap().keys()[0].kid().to_owned();
    published.set(&delete_key(&rotated, &old_kid).unwrap());
    clock.set(noon() + Duration::minutes(5));
    assert!(verifier.verify(&by_old).await.is_ok(), "nobody waits for the renewal");
    published.fetched.notified().await;
    // the renewal has what it wants; let it finish
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
    assert!(verifier.verify(&by_old).await.is_err());
}

#[tokio::test]
async fn while_the_auth_service_is_away_the_last_good_keys_serve() {
    let Setup { clock, published, verifier } = setup();
    let private = rotate_key(None, KeyKind::Ed25519, noon()).unwrap();
    published.set(&private);
    verifier.verify(&token(&clock, &private)).await.unwrap();
    *published.document.lock().unwrap() = None;
    clock.set(noon() + Duration::hours(1));
    assert!(verifier.verify(&token(&clock, &private)).await.is_ok());
}
