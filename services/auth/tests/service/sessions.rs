//! Whatever happens to a session, it never becomes two.

use std::{
    collections::{BTreeMap, BTreeSet},
    pin::pin,
};

use diracx_proto::auth::v1::{self as pb, RefreshTokenStatus};
use proptest::prelude::*;

use crate::world::{Auth, SCOPE, World, refresh_with};

/// What can happen. The number picks a token among all that were ever given out.
#[derive(Debug, Clone)]
enum Event {
    /// It is used.
    Refresh(usize),
    /// It is used twice at the same instant.
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
    manager: String,
    /// Tokens given out, newest first, with the login that they come from.
    tokens: Vec<(String, usize)>,
    /// The login of every id that was ever seen.
    families: BTreeMap<String, usize>,
    logins: usize,
}

impl Story<'_> {
    async fn happen(&mut self, event: &Event) {
        let family = match event {
            Event::Restart => {
                self.auth = self.world.restarted().await;
                return;
            }
            Event::LogIn => {
                self.logins += 1;
                let tokens = self.world.log_in("sub-alice").await;
                self.tokens.insert(0, (tokens.refresh_token, self.logins));
                self.logins
            }
            Event::Refresh(which) | Event::Twice(which) | Event::HangUp(which) | Event::GiveBack(which) => {
                let Some((token, family)) = self.tokens.get(*which % self.tokens.len().max(1)).cloned()
                else {
                    return;
                };
                self.use_token(event, &token, family).await;
                family
            }
        };
        // a unit of work whose caller has gone ends before one that begins now
        self.world.begin(SCOPE).await.unwrap();
        for jti in self.live().await {
            self.families.entry(jti).or_insert(family);
        }
    }

    async fn use_token(&mut self, event: &Event, token: &str, family: usize) {
        let answers = match event {
            Event::Twice(_) => {
                let (one, other) =
                    tokio::join!(refresh_with(&self.auth, token), refresh_with(&self.auth, token));
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
        self.tokens.splice(0..0, good.into_iter().map(|tokens| (tokens.refresh_token, family)));
    }

    /// The ids of all tokens that can be used.
    async fn live(&self) -> BTreeSet<String> {
        let request = pb::ListRefreshTokensRequest { page_size: 10_000, ..Default::default() };
        let request = World::with_token(request, &self.manager);
        let all = self.auth.clone().list_refresh_tokens(request).await.unwrap().into_inner().refresh_tokens;
        all.into_iter().filter(|t| t.status() == RefreshTokenStatus::Created).map(|t| t.jti).collect()
    }
}

#[test]
fn no_refresh_token_ever_has_two_live_descendants() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let world = runtime.block_on(World::on_sqlite());
    let mut claims = world.issuer.claims("alice").unwrap();
    claims.dirac_properties = vec!["ProxyManagement".to_owned()];
    let manager = world.issuer.minter().mint(&claims).unwrap();
    let check = |events: Vec<Event>| {
        runtime.block_on(async {
            let mut story = Story {
                world: &world,
                auth: world.auth.clone(),
                manager: manager.clone(),
                tokens: Vec::new(),
                families: BTreeMap::new(),
                logins: 0,
            };
            for jti in story.live().await {
                // what an earlier story left behind
                story.families.insert(jti, usize::MAX);
            }
            story.happen(&Event::LogIn).await;
            for event in &events {
                story.happen(event).await;
                let mut alive = BTreeMap::<usize, usize>::new();
                for jti in story.live().await {
                    *alive.entry(story.families[&jti]).or_default() += 1;
                }
                alive.remove(&usize::MAX);
                assert!(alive.values().all(|count| *count <= 1), "after {event:?}: {alive:?}");
            }
        });
    };
    let config = ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() };
    proptest!(config, |(events in proptest::collection::vec(event(), 1..12))| check(events));
}
