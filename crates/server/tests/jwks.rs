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

/// Unknown keys are asked for so long after the last fetch.
const WAIT: std::time::Duration = std::time::Duration::from_millis(500);

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
                    // what is published later is not in this answer
                    let document = published.document.lock().unwrap().clone();
                    tokio::task::yield_now().await;
                    published.fetched.notify_one();
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

#[tokio::test(start_paused = true)]
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

#[tokio::test(start_paused = true)]
async fn a_token_of_a_fresh_key_waits_for_the_key_and_is_not_turned_away() {
    let Setup { clock, published, verifier } = setup();
    let old = rotate_key(None, KeyKind::Ed25519, noon()).unwrap();
    published.set(&old);
    verifier.verify(&token(&clock, &old)).await.unwrap();

    let rotated = rotate_key(Some(&old), KeyKind::Ed25519, noon()).unwrap();
    published.set(&rotated);
    let fresh: Vec<String> = (0..20).map(|_| token(&clock, &rotated)).collect();
    let begun = tokio::time::Instant::now();
    let answers = futures::future::join_all(fresh.iter().map(|token| verifier.verify(token))).await;
    assert!(answers.iter().all(Result::is_ok));
    assert_eq!((published.fetches(), begun.elapsed()), (2, WAIT), "all wait for one fetch, and not for long");
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_was_on_its_way_when_the_key_was_published_is_not_the_last_word() {
    let Setup { clock, published, verifier } = setup();
    let old = rotate_key(None, KeyKind::Ed25519, noon()).unwrap();
    published.set(&old);
    verifier.verify(&token(&clock, &old)).await.unwrap();
    tokio::time::advance(2 * WAIT).await;

    let stranger = token(&clock, &rotate_key(None, KeyKind::Ed25519, noon()).unwrap());
    let rotated = rotate_key(Some(&old), KeyKind::Ed25519, noon()).unwrap();
    let fresh = token(&clock, &rotated);
    let asked_early = verifier.verify(&stranger);
    let asked_late = async {
        published.set(&rotated);
        verifier.verify(&fresh).await
    };
    let (stranger, fresh) = tokio::join!(biased; asked_early, asked_late);
    assert!(stranger.is_err() && fresh.is_ok(), "{fresh:?}");
    assert_eq!(published.fetches(), 3);
}

#[tokio::test(start_paused = true)]
async fn strangers_cannot_make_us_ask_all_the_time_nor_hold_many_calls() {
    let Setup { clock, published, verifier } = setup();
    let private = rotate_key(None, KeyKind::Ed25519, noon()).unwrap();
    published.set(&private);
    let good = token(&clock, &private);
    verifier.verify(&good).await.unwrap();

    let stranger = || token(&clock, &rotate_key(None, KeyKind::Ed25519, noon()).unwrap());
    let strangers: Vec<String> = (0..600).map(|_| stranger()).collect();
    let begun = tokio::time::Instant::now();
    let mut calls: Vec<_> = strangers.iter().map(|token| Box::pin(verifier.verify(token))).collect();
    let mut turned_away = 0;
    for call in &mut calls {
        turned_away += usize::from(futures::poll!(call).is_ready());
    }
    assert_eq!(turned_away, 600 - 512, "so many wait, and no more");
    let other = token(&clock, &private);
    assert!(verifier.verify(&other).await.is_ok() && begun.elapsed().is_zero(), "others do not notice");

    let waiting = calls.into_iter().take(512);
    assert!(futures::future::join_all(waiting).await.iter().all(Result::is_err));
    assert_eq!((published.fetches(), begun.elapsed()), (2, WAIT));
    for _ in 0..6 {
        assert!(verifier.verify(&stranger()).await.is_err());
    }
    assert_eq!((published.fetches(), begun.elapsed()), (8, 7 * WAIT), "two times a second at the most");
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

#[tokio::test(start_paused = true)]
async fn while_the_auth_service_is_away_the_last_good_keys_serve() {
    let Setup { clock, published, verifier } = setup();
    let private = rotate_key(None, KeyKind::Ed25519, noon()).unwrap();
    published.set(&private);
    verifier.verify(&token(&clock, &private)).await.unwrap();
    *published.document.lock().unwrap() = None;
    clock.set(noon() + Duration::hours(1));
    assert!(verifier.verify(&token(&clock, &private)).await.is_ok());
}
