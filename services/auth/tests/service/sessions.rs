//! Whatever happens to a session, it never becomes two.

use std::{
    cell::Cell,
    collections::BTreeMap,
    time::{Duration, Instant},
};

use diracx_proto::auth::v1::{self as pb, RefreshTokenStatus, get_token_request::Grant};
use diracx_testkit::TestDatabase;
use proptest::prelude::*;
use tokio::runtime::Runtime;

use crate::{
    idp::Mode,
    world::{Auth, World, refresh_with},
};

/// What can happen. The number picks a token among all that were ever given out.
#[derive(Debug, Clone)]
enum Event {
    /// It is used.
    Refresh(usize),
    /// It is used twice at the same instant, at two processes.
    Twice(usize),
    /// It is used, and the process dies after so many hundredths of the time that a refresh takes: before, between and
    /// after the units of work.
    Crash(usize, u32),
    /// It is given back.
    GiveBack(usize),
    /// The process ends and another one takes over.
    Restart,
    /// The user logs in once more.
    LogIn,
}

/// How crashes ended, counted over all stories: tests of what is never reached prove nothing.
#[derive(Debug, Default)]
struct Crashes {
    /// The token was not used up.
    before: Cell<u32>,
    /// It was, and the answer was lost.
    after: Cell<u32>,
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        6 => (0..8_usize).prop_map(Event::Refresh),
        2 => (0..8_usize).prop_map(Event::Twice),
        3 => (0..8_usize, 0..200_u32).prop_map(|(which, percent)| Event::Crash(which, percent)),
        1 => (0..8_usize).prop_map(Event::GiveBack),
        1 => Just(Event::Restart),
        2 => Just(Event::LogIn),
    ]
}

/// What is known of the sessions of one story.
struct Story<'w> {
    world: &'w World,
    auth: Auth,
    /// Another process on the same database.
    replica: Auth,
    manager: &'w str,
    /// Tokens given out, newest first.
    tokens: Vec<String>,
    /// Logins of all stories.
    logins: &'w Cell<u32>,
    crashes: &'w Crashes,
    refresh_takes: Duration,
}

/// The scope of the login of this number: always the same scope, written so that it tells the number. The descendants of
/// a login are known by it, whenever they appear.
fn scope(login: u32) -> String {
    let digit = |bit: u32| if (login >> bit) & 1 == 0 { " vo:lhcb" } else { " property:NormalUser" };
    (0..16).map(digit).fold("vo:lhcb".to_owned(), |scope, digit| scope + digit)
}

impl Story<'_> {
    async fn happen(&mut self, event: &Event) {
        match event {
            Event::Restart => self.auth = self.world.restarted().await,
            Event::LogIn => {
                let login = self.logins.replace(self.logins.get() + 1);
                let begun = self.world.begin(&scope(login)).await.unwrap();
                let visit = self.world.visit(&begun.user_code, "sub-alice", Mode::Good).await.unwrap();
                self.world.finish(&visit).await.unwrap();
                let asked = Instant::now();
                let tokens = self.world.poll(&begun.device_code).await.unwrap();
                // a unit that reads and one that writes, as a refresh has
                self.refresh_takes = asked.elapsed();
                self.tokens.insert(0, tokens.refresh_token);
            }
            Event::Refresh(which) | Event::Twice(which) | Event::Crash(which, _) | Event::GiveBack(which) => {
                if let Some(token) = self.tokens.get(*which % self.tokens.len().max(1)).cloned() {
                    self.use_token(event, &token).await;
                }
            }
        }
    }

    async fn use_token(&mut self, event: &Event, token: &str) {
        let answers = match event {
            Event::Twice(_) => {
                let (one, other) =
                    tokio::join!(refresh_with(&self.auth, token), refresh_with(&self.replica, token));
                vec![one, other]
            }
            Event::Crash(_, percent) => {
                self.crash(token, *percent).await;
                Vec::new()
            }
            Event::GiveBack(_) => {
                let request = pb::RevokeTokenRequest { token: token.to_owned(), ..Default::default() };
                self.auth.clone().revoke_token(request).await.unwrap();
                Vec::new()
            }
            _ => vec![refresh_with(&self.auth, token).await],
        };
        let good: Vec<_> = answers.into_iter().flatten().collect();
        assert!(good.len() <= 1, "one token was exchanged twice");
        self.tokens.splice(0..0, good.into_iter().map(|tokens| tokens.refresh_token));
    }

    /// Uses a token at a process that dies meanwhile: whatever it does ends where it is. The answer, if there is one, is
    /// lost.
    async fn crash(&self, token: &str, percent: u32) {
        let was_good = self.is_good(token).await;
        let process = Runtime::new().unwrap();
        let auth = {
            let _inside = process.enter();
            self.world.restarted().await
        };
        let (first, token_there) = (auth.clone(), token.to_owned());
        // so that there is a connection to the database
        let unknown = Grant::DeviceCode(pb::DeviceCodeGrant { device_code: "nobody".into() });
        let unknown = pb::GetTokenRequest { client_id: "whoever".into(), grant: Some(unknown) };
        process.spawn(async move { first.clone().get_token(unknown).await }).await.unwrap().unwrap_err();
        drop(process.spawn(async move { refresh_with(&auth, &token_there).await }));
        tokio::time::sleep(self.refresh_takes * percent / 100).await;
        process.shutdown_background();
        if was_good {
            let count = if self.is_good(token).await { &self.crashes.before } else { &self.crashes.after };
            count.set(count.get() + 1);
        }
    }

    /// Whether a token is there and was neither used nor revoked.
    async fn is_good(&self, token: &str) -> bool {
        let jti = self.world.refresh_claims(token).await.jti.to_string();
        self.all().await.iter().any(|row| row.jti == jti && row.status() == RefreshTokenStatus::Created)
    }

    async fn all(&self) -> Vec<pb::RefreshToken> {
        let request = pb::ListRefreshTokensRequest { page_size: 10_000, ..Default::default() };
        let request = World::with_token(request, self.manager);
        self.auth.clone().list_refresh_tokens(request).await.unwrap().into_inner().refresh_tokens
    }

    /// How many tokens of each login can be used.
    async fn live(&self) -> BTreeMap<String, usize> {
        let mut live = BTreeMap::new();
        for token in
            self.all().await.into_iter().filter(|token| token.status() == RefreshTokenStatus::Created)
        {
            *live.entry(token.scope).or_default() += 1;
        }
        live
    }
}

#[test]
fn no_refresh_token_ever_has_two_live_descendants_on_sqlite() {
    no_refresh_token_ever_has_two_live_descendants(TestDatabase::sqlite());
}

#[test]
fn no_refresh_token_ever_has_two_live_descendants_on_mariadb() {
    no_refresh_token_ever_has_two_live_descendants(TestDatabase::mariadb());
}

fn no_refresh_token_ever_has_two_live_descendants(place: TestDatabase) {
    let runtime = Runtime::new().unwrap();
    let world = runtime.block_on(World::on(place));
    let replica = runtime.block_on(world.restarted());
    let mut claims = world.issuer.claims("alice").unwrap();
    claims.dirac_properties = vec!["ProxyManagement".to_owned()];
    let manager = world.issuer.minter().mint(&claims).unwrap();
    let (logins, crashes) = (Cell::new(0), Crashes::default());
    let check = |events: Vec<Event>| {
        runtime.block_on(async {
            let (auth, replica) = (world.auth.clone(), replica.clone());
            let mut story = Story {
                world: &world,
                auth,
                replica,
                manager: &manager,
                tokens: Vec::new(),
                logins: &logins,
                crashes: &crashes,
                refresh_takes: Duration::ZERO,
            };
            story.happen(&Event::LogIn).await;
            for event in &events {
                story.happen(event).await;
                let live = story.live().await;
                assert!(live.values().all(|count| *count <= 1), "after {event:?}: {live:?}");
            }
        });
    };
    let config = ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() };
    proptest!(config, |(events in proptest::collection::vec(event(), 1..12))| check(events));
    assert!(crashes.before.get() > 0 && crashes.after.get() > 0, "no crash on both sides: {crashes:?}");
}
