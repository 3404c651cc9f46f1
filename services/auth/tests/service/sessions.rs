//! Whatever happens to a session, it never becomes two.

use std::{cell::Cell, collections::BTreeMap, pin::pin};

use diracx_proto::auth::v1::{self as pb, RefreshTokenStatus};
use diracx_testkit::TestDatabase;
use proptest::prelude::*;

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
    /// It is used, and the answer never arrives.
    HangUp(usize),
    /// It is given back.
    GiveBack(usize),
    /// The process ends and another one takes over.
    Restart,
    /// The user logs in once more.
    LogIn,
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        6 => (0..8_usize).prop_map(Event::Refresh),
        2 => (0..8_usize).prop_map(Event::Twice),
        2 => (0..8_usize).prop_map(Event::HangUp),
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
                let tokens = self.world.poll(&begun.device_code).await.unwrap();
                self.tokens.insert(0, tokens.refresh_token);
            }
            Event::Refresh(which) | Event::Twice(which) | Event::HangUp(which) | Event::GiveBack(which) => {
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
            Event::HangUp(_) => {
                let mut call = pin!(refresh_with(&self.auth, token));
                let _ = futures::poll!(&mut call);
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

    /// How many tokens of each login can be used.
    async fn live(&self) -> BTreeMap<String, usize> {
        let request = pb::ListRefreshTokensRequest { page_size: 10_000, ..Default::default() };
        let request = World::with_token(request, self.manager);
        let all = self.auth.clone().list_refresh_tokens(request).await.unwrap().into_inner().refresh_tokens;
        let mut live = BTreeMap::new();
        for token in all.into_iter().filter(|token| token.status() == RefreshTokenStatus::Created) {
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
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let world = runtime.block_on(World::on(place));
    let replica = runtime.block_on(world.restarted());
    let mut claims = world.issuer.claims("alice").unwrap();
    claims.dirac_properties = vec!["ProxyManagement".to_owned()];
    let manager = world.issuer.minter().mint(&claims).unwrap();
    let logins = Cell::new(0);
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
}
