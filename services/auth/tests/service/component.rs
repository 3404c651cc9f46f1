//! Components prove who they are, and get tokens that open only what is theirs.

use std::sync::Arc;

use diracx_auth::ComponentKeys;
use diracx_core::{Clock, Reason};
use diracx_proto::auth::v1 as pb;
use diracx_server::{
    KeyStore, TokenMinter,
    token::{Algorithm, IssuedToken, KeyKind, rotate_key},
};
use serde_json::{Value, json};
use tonic::{Code, Status};

use crate::world::{World, expect};

const ALL: [Algorithm; 3] = [Algorithm::Ed25519, Algorithm::Es256, Algorithm::Rs256];

/// A component with a key of its own.
pub(crate) struct Component {
    pub(crate) keys: Arc<KeyStore>,
    signer: TokenMinter,
}

impl Component {
    pub(crate) fn new(world: &World, kind: KeyKind) -> Self {
        let document = rotate_key(None, kind, world.clock.now()).unwrap();
        let keys = Arc::new(KeyStore::parse(&document).unwrap());
        let signer = TokenMinter::new(keys.clone(), "", &ALL, Arc::new(world.clock.clone())).unwrap();
        Self { keys, signer }
    }

    pub(crate) fn says(&self, claims: &Value) -> String {
        self.signer.mint_json(claims).unwrap()
    }
}

pub(crate) fn claims(world: &World, name: &str) -> Value {
    let exp = world.clock.now().timestamp() + 60;
    json!({"iss": name, "sub": name, "aud": world.issuer.settings().issuer, "exp": exp})
}

pub(crate) async fn ask(
    auth: &crate::world::Auth,
    component: &str,
    assertion: String,
) -> Result<pb::IssueComponentTokenResponse, Status> {
    let request = pb::IssueComponentTokenRequest { component: component.to_owned(), assertion };
    Ok(auth.clone().issue_component_token(request).await?.into_inner())
}

#[tokio::test]
async fn a_component_gets_its_own_token_for_what_is_its_own() {
    let world = World::on_sqlite().await;
    let (tasks, jobs) = (Component::new(&world, KeyKind::Ed25519), Component::new(&world, KeyKind::P256));
    let listed = json!({"tasks": tasks.keys.public_jwks(), "jobs": jobs.keys.public_jwks()}).to_string();
    let keys = Arc::new(ComponentKeys::parse(&listed).unwrap());
    let auth = world.with_settings(|settings| settings.component_keys = keys);

    let issued = ask(&auth, "tasks", tasks.says(&claims(&world, "tasks"))).await.unwrap();
    assert_eq!(issued.expires_in.unwrap().seconds, 300);
    let clean = || World::with_token(pb::CleanExpiredFlowsRequest::default(), &issued.access_token);
    auth.clone().clean_expired_flows(clean()).await.expect("tasks may clean");
    assert_eq!(world.whoami(&issued.access_token).await.unwrap_err().code(), Code::PermissionDenied);
    let jobs_token = ask(&auth, "jobs", jobs.says(&claims(&world, "jobs"))).await.unwrap().access_token;
    let clean = World::with_token(pb::CleanExpiredFlowsRequest::default(), &jobs_token);
    assert_eq!(auth.clone().clean_expired_flows(clean).await.unwrap_err().code(), Code::PermissionDenied);

    let other = ask(&auth, "tasks", jobs.says(&claims(&world, "jobs"))).await;
    expect(other, Code::PermissionDenied, Reason::Forbidden, "The assertion is that of jobs");
}

#[tokio::test]
async fn a_component_without_the_key_store_asks_for_its_token_by_itself() {
    let world = World::on_sqlite().await;
    let tasks = Component::new(&world, KeyKind::P256);
    let listed = json!({"tasks": tasks.keys.public_jwks()}).to_string();
    let keys = Arc::new(ComponentKeys::parse(&listed).unwrap());
    let auth = world.served_with_settings(|settings| settings.component_keys = keys);

    let show = Arc::new(diracx_client::issue_component_token(auth.clone(), "tasks"));
    let issuer = &world.issuer.settings().issuer;
    let token = IssuedToken::new("tasks", issuer, tasks.keys, show, Arc::new(world.clock.clone()));
    let clean = World::with_token(pb::CleanExpiredFlowsRequest::default(), &token.get().await.unwrap());
    diracx_client::auth(auth).clean_expired_flows(clean).await.expect("tasks may clean");
}

#[tokio::test]
async fn an_assertion_that_proves_nothing_is_refused() {
    let world = World::on_sqlite().await;
    let (tasks, stranger) =
        (Component::new(&world, KeyKind::Ed25519), Component::new(&world, KeyKind::Ed25519));
    let listed = json!({"tasks": tasks.keys.public_jwks()}).to_string();
    let keys = Arc::new(ComponentKeys::parse(&listed).unwrap());
    let auth = world.with_settings(|settings| settings.component_keys = keys);
    let now = world.clock.now().timestamp();
    let with = |name: &str, value: Value| {
        let mut claims = claims(&world, "tasks");
        claims[name] = value;
        tasks.says(&claims)
    };
    for assertion in [
        String::new(),
        "garbage".to_owned(),
        stranger.says(&claims(&world, "tasks")),
        with("sub", json!("jobs")),
        with("iss", json!("jobs")),
        with("aud", json!("https://elsewhere.invalid")),
        with("aud", json!([])),
        with("exp", json!(now - 1)),
        with("exp", json!(now + 3600)),
        with("exp", Value::Null),
        with("dirac_component", json!("tasks")),
        world.issuer.component("tasks").get().unwrap().to_string(),
        world.log_in("sub-alice").await.access_token,
    ] {
        let refused = ask(&auth, "tasks", assertion).await;
        expect(refused, Code::Unauthenticated, Reason::TokenInvalid, "Invalid assertion");
    }
    let nobody_listed = ask(&world.auth, "tasks", tasks.says(&claims(&world, "tasks"))).await;
    expect(nobody_listed, Code::Unauthenticated, Reason::TokenInvalid, "Invalid assertion");
}
