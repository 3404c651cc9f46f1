//! Keys and tokens: what is signed here is believed here, and nothing else is.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test that cannot go on says so")]

use std::sync::Arc;

use chrono::{DateTime, Duration, Utc};
use diracx_server::{
    Identity, KeyStore, TokenMinter, TokenVerifier,
    token::{
        AccessClaims, Algorithm, Claims, ComponentClaims, KeyKind, MAX_TOKEN_BYTES, PilotClaims,
        RefreshClaims, TokenError, delete_key, new_token_id, rotate_key,
    },
};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

mod common;
use common::{ISSUER, TestClock, noon};

const ALL: [Algorithm; 3] = [Algorithm::Ed25519, Algorithm::Rs256, Algorithm::Es256];

fn vectors() -> Value {
    serde_json::from_str(include_str!("data/vectors.json")).unwrap()
}

fn store(keys: &[&Value]) -> KeyStore {
    KeyStore::parse(&json!({ "keys": keys }).to_string()).unwrap()
}

struct Setup {
    document: String,
    clock: TestClock,
    minter: TokenMinter,
    verifier: TokenVerifier,
}

fn setup(document: &str) -> Setup {
    let clock = TestClock::new(noon());
    let keys = Arc::new(KeyStore::parse(document).unwrap());
    let minter = TokenMinter::new(keys.clone(), ISSUER, &ALL, Arc::new(clock.clone())).unwrap();
    let verifier = TokenVerifier::new(ISSUER, ALL, keys, Arc::new(clock.clone()));
    Setup { document: document.to_owned(), clock, minter, verifier }
}

fn fresh() -> Setup {
    setup(&rotate_key(None, KeyKind::Ed25519, noon()).unwrap())
}

fn claims(now: DateTime<Utc>) -> AccessClaims {
    AccessClaims {
        jti: new_token_id(now),
        exp: (now + Duration::minutes(20)).timestamp(),
        dirac_policies: serde_json::Map::new(),
        sub: "alpha:1".to_owned(),
        vo: "alpha".to_owned(),
        iss: ISSUER.to_owned(),
        dirac_properties: vec!["NormalUser".to_owned()],
        preferred_username: "alice".to_owned(),
        dirac_group: "alpha_user".to_owned(),
    }
}

async fn particulars(verifier: &TokenVerifier, token: &str) -> &'static str {
    let error = verifier.verify(token).await.unwrap_err();
    assert_eq!(error.to_string(), "Invalid JWT");
    error.particulars()
}

#[test]
fn tokens_of_other_implementations_verify() {
    let vectors = vectors();
    for algorithm in ALL {
        let name = algorithm.as_str();
        let token = vectors["tokens"][name].as_str().unwrap();
        let store = store(&[&vectors["keys"][name]]);
        assert!(store.verify(token, &[algorithm]).is_ok(), "{name}");
        let damaged = format!("{}A.{}", &token[..20], &token[21..]);
        assert!(store.verify(&damaged, &[algorithm]).is_err(), "{name}");
        let others: Vec<_> = ALL.into_iter().filter(|other| *other != algorithm).collect();
        assert!(store.verify(token, &others).is_err(), "{name} was not allowed");
    }
}

#[test]
fn deterministic_signatures_are_those_of_other_implementations() {
    let vectors = vectors();
    for name in ["Ed25519", "RS256"] {
        let clock = Arc::new(TestClock::new(noon()));
        let minter =
            TokenMinter::new(Arc::new(store(&[&vectors["keys"][name]])), ISSUER, &ALL, clock).unwrap();
        let claims: AccessClaims = serde_json::from_value(vectors["claims"].clone()).unwrap();
        assert_eq!(minter.mint(&claims).unwrap(), vectors["tokens"][name].as_str().unwrap(), "{name}");
    }
}

#[tokio::test]
async fn what_is_signed_with_any_kind_of_key_is_believed() {
    let vectors = vectors();
    let generated = rotate_key(None, KeyKind::P256, noon()).unwrap();
    let documents = ALL
        .map(|algorithm| json!({ "keys": [vectors["keys"][algorithm.as_str()]] }).to_string())
        .into_iter()
        .chain([generated]);
    for document in documents {
        let Setup { minter, verifier, .. } = setup(&document);
        let claims = claims(noon());
        let token = minter.mint(&claims).unwrap();
        let identity = verifier.verify(&token).await.unwrap();
        let user = identity.as_user().unwrap();
        assert_eq!((user.vo.as_str(), user.preferred_username.as_str()), ("alpha", "alice"));
        assert_eq!(user.token_id, claims.jti);
        assert_eq!(user.token.expose(), token);
        assert!(user.has_property("NormalUser") && !user.has_property("JobAdministrator"));
        assert!(!format!("{identity:?}").contains(&token), "the token must not be shown");
    }
}

#[tokio::test]
async fn every_way_to_be_wrong_is_refused() {
    let Setup { clock, minter, verifier, .. } = fresh();
    let good = claims(noon());
    let token = minter.mint(&good).unwrap();
    let parts: Vec<&str> = token.split('.').collect();

    let without = |name: &str| {
        let mut claims = serde_json::to_value(&good).unwrap();
        claims.as_object_mut().unwrap().shift_remove(name);
        minter.mint_json(&claims).unwrap()
    };
    let with = |name: &str, value: Value| {
        let mut claims = serde_json::to_value(&good).unwrap();
        claims[name] = value;
        minter.mint_json(&claims).unwrap()
    };
    let header = |text: &str| format!("{}.{}.{}", common::base64(text), parts[1], parts[2]);
    let forged = common::base64(&serde_json::to_string(&claims(noon())).unwrap().replace("Normal", "Super"));

    for (token, expected) in [
        (format!("{}.{forged}.{}", parts[0], parts[2]), "bad signature"),
        (format!("{}.{}.", parts[0], parts[1]), "bad signature"),
        (header(r#"{"alg":"none"}"#), "algorithm not allowed"),
        (header(r#"{"alg":"EdDSA"}"#), "algorithm not allowed"),
        (header(r#"{"alg":"HS256"}"#), "algorithm not allowed"),
        (header(r#"{"alg":"Ed25519","kid":"nobody"}"#), "no key of this kid may verify"),
        (header(r#"{"alg":"Ed25519","crit":["exp"]}"#), "critical header extensions"),
        (with("iss", json!("http://someone-else.invalid/")), "another issuer"),
        (with("iss", json!(format!("{ISSUER}/"))), "another issuer"),
        (with("jti", json!("7")), "claims missing or of a wrong type"),
        (with("exp", json!("never")), "claims missing or of a wrong type"),
        (with("exp", json!(null)), "claims missing or of a wrong type"),
        (with("legacy_exchange", json!(false)), "another kind of token"),
        (with("exp", json!((noon() - Duration::seconds(1)).timestamp())), "expired"),
        ("garbage".to_owned(), "not in compact form"),
        (format!("{token}."), "a part is no base64url"),
        ("a".repeat(1 << 20), "too long"),
    ] {
        assert_eq!(particulars(&verifier, &token).await, expected, "{}", &token[..token.len().min(300)]);
    }
    for name in ["iss", "exp", "jti", "sub", "vo", "dirac_properties", "preferred_username", "dirac_group"] {
        let token = without(name);
        assert_eq!(particulars(&verifier, &token).await, "claims missing or of a wrong type", "{name}");
    }
    assert!(verifier.verify(&without("dirac_policies")).await.is_ok(), "policies may be absent");

    // the same second is still good, the next is not, also from memory
    clock.set(noon() + Duration::minutes(20));
    assert!(verifier.verify(&token).await.is_ok());
    clock.set(noon() + Duration::minutes(20) + Duration::seconds(1));
    for _ in 0..2 {
        assert!(matches!(verifier.verify(&token).await, Err(TokenError::Expired)));
    }
}

#[tokio::test]
async fn the_three_kinds_of_token_are_never_taken_for_each_other() {
    let Setup { minter, verifier, .. } = fresh();
    let access = claims(noon());
    let refresh = RefreshClaims {
        jti: access.jti,
        exp: access.exp,
        dirac_policies: serde_json::Map::new(),
        legacy_exchange: false,
    };
    let access = minter.mint(&access).unwrap();
    let refresh_token = minter.mint(&refresh).unwrap();
    let component = minter.component("jobs").get().unwrap();

    assert!(verifier.verify(&refresh_token).await.is_err());
    assert_eq!(verifier.refresh_claims(&refresh_token).await.unwrap(), refresh);
    assert!(verifier.refresh_claims(&access).await.is_err());
    assert!(verifier.refresh_claims(&component).await.is_err());
    let identity = verifier.verify(&component).await.unwrap();
    assert!(identity.as_user().is_none());
    assert_eq!(identity.as_component().unwrap().name, "jobs");

    let both = json!({
        "jti": refresh.jti, "exp": refresh.exp, "iss": ISSUER, "sub": "component:jobs",
        "dirac_component": "jobs", "vo": "alpha", "dirac_group": "alpha_user",
        "dirac_properties": ["NormalUser"], "preferred_username": "alice",
    });
    assert!(verifier.verify(&minter.mint_json(&both).unwrap()).await.is_err());
    let liar = json!({
        "jti": refresh.jti, "exp": refresh.exp, "iss": ISSUER, "sub": "component:tasks",
        "dirac_component": "jobs",
    });
    assert!(verifier.verify(&minter.mint_json(&liar).unwrap()).await.is_err());
}

#[tokio::test]
async fn a_pilots_token_is_no_other_kind_of_token() {
    let Setup { minter, verifier, .. } = fresh();
    let claims = PilotClaims::new("alpha", "stamp1", ISSUER, noon(), Duration::minutes(20));
    let token = minter.mint(&claims).unwrap();
    let identity = verifier.verify(&token).await.unwrap();
    let pilot = identity.as_pilot().unwrap();
    assert_eq!(
        (pilot.vo.as_str(), pilot.stamp.as_str(), pilot.sub().as_str()),
        ("alpha", "stamp1", "alpha:stamp1")
    );
    assert!(identity.as_user().is_none() && identity.as_component().is_none());
    assert!(verifier.refresh_claims(&token).await.is_err());

    let written = serde_json::to_value(&claims).unwrap();
    let members: Vec<_> = written.as_object().unwrap().keys().cloned().collect();
    assert_eq!(members, ["jti", "exp", "sub", "vo", "iss", "pilot_stamp"]);
    for (name, value) in [
        ("sub", json!("alpha:stamp2")),
        ("vo", json!("beta")),
        ("vo", json!("")),
        ("pilot_stamp", json!(7)),
        ("pilot_stamp", Value::Null),
        ("dirac_properties", json!(["JobAdministrator"])),
        ("dirac_component", json!("jobs")),
        ("legacy_exchange", json!(false)),
        ("preferred_username", json!("alice")),
    ] {
        let mut forged = written.clone();
        forged[name] = value;
        assert!(verifier.verify(&minter.mint_json(&forged).unwrap()).await.is_err(), "{forged}");
    }
    // somebody's token does not become a pilot's, nor does a pilot's become somebody's
    let mut user = serde_json::to_value(self::claims(noon())).unwrap();
    user["pilot_stamp"] = json!("stamp1");
    assert!(verifier.verify(&minter.mint_json(&user).unwrap()).await.is_err());
}

#[tokio::test]
async fn the_authorization_header_is_read_as_diracx_reads_it() {
    let Setup { minter, verifier, .. } = fresh();
    let token = minter.mint(&claims(noon())).unwrap();
    let say = async |header: Option<&[u8]>| match verifier.authenticate(header).await {
        Ok(_) => "welcome".to_owned(),
        Err(error) => error.to_string(),
    };
    assert_eq!(say(Some(format!("Bearer {token}").as_bytes())).await, "welcome");
    for header in [None, Some(b"".as_slice())] {
        assert_eq!(say(header).await, "Authorization header is missing");
    }
    for header in ["bearer x", "Basic dXNlcg==", "Bearer", "Bearer ", "Token x", " Bearer x"] {
        assert_eq!(say(Some(header.as_bytes())).await, "Invalid authorization header", "{header}");
    }
    for header in [b"Bearer garbage".as_slice(), b"Bearer \xff\xfe", b"Bearer  "] {
        assert_eq!(say(Some(header)).await, "Invalid JWT");
    }
}

#[test]
fn claims_are_written_in_the_order_of_diracx() {
    let text = serde_json::to_string(&claims(noon())).unwrap();
    let order =
        ["jti", "exp", "dirac_policies", "sub", "vo", "iss", "dirac_properties", "preferred_username"];
    let positions: Vec<_> = order.iter().map(|name| text.find(&format!("\"{name}\":")).unwrap()).collect();
    assert!(positions.is_sorted(), "{text}");
    assert_eq!(AccessClaims::from_payload(text.as_bytes()).unwrap(), claims_of(&text));
}

/// What a claim can say.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::btree_map(any::<String>(), inner, 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// What policies may say, by their names; a name may be that of a claim, too.
fn any_policies() -> impl Strategy<Value = Map<String, Value>> {
    let name = prop_oneof!["[a-z_.]{1,12}", Just("dirac_component".to_owned()), Just("iss".to_owned())];
    proptest::collection::btree_map(name, any_json(), 0..4).prop_map(|said| said.into_iter().collect())
}

/// A text that is not empty.
fn any_name() -> impl Strategy<Value = String> {
    ".{1,20}"
}

/// From this second to the end of time.
fn any_end() -> impl Strategy<Value = i64> {
    noon().timestamp()..=i64::MAX
}

fn any_id() -> impl Strategy<Value = uuid::Uuid> {
    any::<u128>().prop_map(uuid::Uuid::from_u128)
}

fn any_access_claims() -> impl Strategy<Value = AccessClaims> {
    let texts = (any::<String>(), any::<String>(), any::<String>(), any::<String>());
    let properties = proptest::collection::vec(any::<String>(), 0..6);
    (any_id(), any_end(), any_policies(), properties, texts).prop_map(
        |(jti, exp, dirac_policies, dirac_properties, (sub, vo, preferred_username, dirac_group))| {
            let iss = ISSUER.to_owned();
            AccessClaims {
                jti,
                exp,
                dirac_policies,
                sub,
                vo,
                iss,
                dirac_properties,
                preferred_username,
                dirac_group,
            }
        },
    )
}

fn any_refresh_claims() -> impl Strategy<Value = RefreshClaims> {
    (any_id(), any_end(), any_policies(), any::<bool>()).prop_map(
        |(jti, exp, dirac_policies, legacy_exchange)| RefreshClaims {
            jti,
            exp,
            dirac_policies,
            legacy_exchange,
        },
    )
}

fn any_component_claims() -> impl Strategy<Value = ComponentClaims> {
    (any_id(), any_end(), any::<String>()).prop_map(|(jti, exp, dirac_component)| ComponentClaims {
        jti,
        exp,
        sub: format!("component:{dirac_component}"),
        iss: ISSUER.to_owned(),
        dirac_component,
    })
}

fn any_pilot_claims() -> impl Strategy<Value = PilotClaims> {
    (any_id(), any_end(), any_name(), any_name()).prop_map(|(jti, exp, vo, pilot_stamp)| PilotClaims {
        jti,
        exp,
        sub: format!("{vo}:{pilot_stamp}"),
        vo,
        iss: ISSUER.to_owned(),
        pilot_stamp,
    })
}

/// What the token says when its signature is believed.
fn round_trip<C: Claims>(setup: &Setup, claims: &C) -> Option<(String, C)> {
    let token = setup.minter.mint(claims).unwrap();
    if token.len() > MAX_TOKEN_BYTES {
        return None;
    }
    let keys = KeyStore::parse(&setup.document).unwrap();
    let read = C::from_payload(&keys.verify(&token, &ALL).unwrap()).unwrap();
    Some((token, read))
}

fn identity(setup: &Setup, token: &str) -> Arc<Identity> {
    futures::executor::block_on(setup.verifier.verify(token)).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_access_token_says_what_was_put_into_it(claims in any_access_claims()) {
        let setup = fresh();
        let Some((token, read)) = round_trip(&setup, &claims) else { return Ok(()) };
        prop_assert_eq!(&read, &claims);
        let identity = identity(&setup, &token);
        let user = identity.as_user().unwrap();
        prop_assert_eq!(
            (&user.sub, &user.vo, &user.dirac_group, &user.preferred_username, &user.properties, user.token_id),
            (&claims.sub, &claims.vo, &claims.dirac_group, &claims.preferred_username, &claims.dirac_properties, claims.jti)
        );
        prop_assert!(identity.as_pilot().is_none() && identity.as_component().is_none());
        prop_assert!(futures::executor::block_on(setup.verifier.refresh_claims(&token)).is_err());
    }

    #[test]
    fn every_refresh_token_says_what_was_put_into_it(claims in any_refresh_claims()) {
        let setup = fresh();
        let Some((token, read)) = round_trip(&setup, &claims) else { return Ok(()) };
        prop_assert_eq!(&read, &claims);
        prop_assert_eq!(futures::executor::block_on(setup.verifier.refresh_claims(&token)).unwrap(), claims);
        prop_assert!(futures::executor::block_on(setup.verifier.verify(&token)).is_err(), "it opens nothing");
    }

    #[test]
    fn every_component_token_says_what_was_put_into_it(claims in any_component_claims()) {
        let setup = fresh();
        let Some((token, read)) = round_trip(&setup, &claims) else { return Ok(()) };
        prop_assert_eq!(&read, &claims);
        let identity = identity(&setup, &token);
        let component = identity.as_component().unwrap();
        prop_assert_eq!((&component.name, component.token_id), (&claims.dirac_component, claims.jti));
        prop_assert!(futures::executor::block_on(setup.verifier.refresh_claims(&token)).is_err());
    }

    #[test]
    fn every_pilot_token_says_what_was_put_into_it(claims in any_pilot_claims()) {
        let setup = fresh();
        let Some((token, read)) = round_trip(&setup, &claims) else { return Ok(()) };
        prop_assert_eq!(&read, &claims);
        let identity = identity(&setup, &token);
        let pilot = identity.as_pilot().unwrap();
        prop_assert_eq!((&pilot.vo, &pilot.stamp, pilot.token_id), (&claims.vo, &claims.pilot_stamp, claims.jti));
        prop_assert!(futures::executor::block_on(setup.verifier.refresh_claims(&token)).is_err());
    }

    #[test]
    fn what_policies_say_comes_out_of_the_tokens_as_it_went_in(said in any_policies()) {
        let Setup { minter, verifier, .. } = fresh();
        let access = AccessClaims { dirac_policies: said.clone(), ..claims(noon()) };
        let refresh = RefreshClaims {
            jti: access.jti, exp: access.exp, dirac_policies: said.clone(), legacy_exchange: false,
        };
        let token = minter.mint(&access).unwrap();
        prop_assume!(token.len() <= MAX_TOKEN_BYTES);
        let identity = futures::executor::block_on(verifier.verify(&token)).unwrap();
        let user = identity.as_user().unwrap();
        prop_assert_eq!(&user.policies, &Value::Object(said.clone()));
        for (name, value) in &said {
            prop_assert_eq!(user.policy::<Value>(name).unwrap().unwrap_or_default(), value.clone());
        }
        let token = minter.mint(&refresh).unwrap();
        prop_assert_eq!(futures::executor::block_on(verifier.refresh_claims(&token)).unwrap(), refresh);
    }
}

fn claims_of(text: &str) -> AccessClaims {
    serde_json::from_str(text).unwrap()
}

#[test]
fn a_component_token_is_renewed_shortly_before_it_ends() {
    let Setup { clock, minter, .. } = fresh();
    let token = minter.component("jobs");
    let first = token.get().unwrap();
    clock.set(noon() + Duration::minutes(3));
    assert_eq!(token.clone().get().unwrap(), first);
    clock.set(noon() + Duration::minutes(4));
    assert_ne!(token.get().unwrap(), first);
}

#[tokio::test]
async fn rotation_keeps_old_tokens_good_until_the_key_is_removed() {
    let old_document = rotate_key(None, KeyKind::Ed25519, noon()).unwrap();
    let old = setup(&old_document);
    let token = old.minter.mint(&claims(noon())).unwrap();

    let rotated = rotate_key(Some(&old_document), KeyKind::P256, noon()).unwrap();
    let new = setup(&rotated);
    assert!(new.verifier.verify(&token).await.is_ok());
    let keys = KeyStore::parse(&rotated).unwrap();
    let signing = keys.signing_key(&ALL).unwrap();
    assert_eq!((signing.algorithm(), signing.kid().len()), (Algorithm::Es256, 32));
    assert!(!keys.keys()[1].may_sign() && keys.keys()[1].may_verify());
    assert!(keys.signing_key(&[Algorithm::Ed25519]).is_err(), "not the first signing key's algorithm");

    let removed = delete_key(&rotated, keys.keys()[1].kid()).unwrap();
    assert!(setup(&removed).verifier.verify(&token).await.is_err());
    assert_eq!(delete_key(&rotated, "nobody").unwrap(), rotated);
    assert!(KeyKind::from_names("RSA", "2048").is_err());
}

#[test]
fn only_the_public_members_are_published() {
    let vectors = vectors();
    let mut no_kid = vectors["keys"]["ES256"].clone();
    no_kid.as_object_mut().unwrap().shift_remove("kid");
    let store = store(&[&vectors["keys"]["Ed25519"], &vectors["keys"]["RS256"], &no_kid]);
    let published = store.public_jwks();
    let names: Vec<Vec<&String>> = published["keys"]
        .as_array()
        .unwrap()
        .iter()
        .map(|key| key.as_object().unwrap().keys().collect())
        .collect();
    assert_eq!(names[0], ["kty", "crv", "alg", "kid", "key_ops", "x"]);
    assert_eq!(names[1], ["kty", "alg", "kid", "key_ops", "n", "e"]);
    assert_eq!(names[2], ["kty", "crv", "key_ops", "x", "y", "kid"]);
    assert_eq!(published["keys"][0]["key_ops"], json!(["sign", "verify"]));
    let again = KeyStore::parse(&published.to_string()).unwrap();
    assert_eq!(again.public_jwks(), published);
    assert!(again.signing_key(&ALL).is_err(), "public keys sign nothing");
}

#[test]
fn a_key_without_id_is_called_by_its_thumbprint() {
    let mut key = vectors()["keys"]["Ed25519"].clone();
    key.as_object_mut().unwrap().shift_remove("kid");
    // RFC 8037, appendix A.3
    assert_eq!(store(&[&key]).keys()[0].kid(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
}

#[test]
fn key_stores_come_inline_or_from_files_and_say_what_is_wrong_with_them() {
    let document = rotate_key(None, KeyKind::Ed25519, noon()).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("keys.json");
    std::fs::write(&path, &document).unwrap();
    let path = path.display().to_string();
    for setting in [document.as_str(), &format!("  {document}"), &path, &format!("file://{path}")] {
        assert!(KeyStore::load(setting).is_ok());
    }
    let secret = vectors()["keys"]["Ed25519"].clone();
    let wrong_x = json!({"keys": [{"kty": "OKP", "crv": "Ed25519", "x": secret["x"], "d": "A".repeat(43)}]});
    for (setting, expected) in [
        ("https://keys.invalid/", "must be inline JSON, a path or a file:// URL, not https://"),
        ("/nowhere/keys.json", "cannot read the key store /nowhere/keys.json"),
        ("{\n  \"keys\": nonsense", "not JSON (line 2, column"),
        ("[]", "must be an object"),
        (r#"{"keys": []}"#, "non-empty list"),
        (r#"{"keys": [7]}"#, "key 0 of the key store: not an object"),
        (r#"{"keys": [{"kty": "oct", "k": "c2VjcmV0"}]}"#, "no key that can be used"),
        (r#"{"keys": [{"kty": "OKP", "crv": "Ed25519", "x": "c2hvcnQ"}]}"#, "x must be 32 bytes"),
        (&wrong_x.to_string(), "x does not belong to d"),
    ] {
        let error = KeyStore::load(setting).unwrap_err().to_string();
        assert!(error.contains(expected), "{error} should say {expected}");
    }
}

#[test]
fn keys_sign_and_verify_only_what_their_key_ops_allow() {
    let vectors = vectors();
    let with_ops = |ops: Value| {
        let mut key = vectors["keys"]["Ed25519"].clone();
        match ops {
            Value::Null => drop(key.as_object_mut().unwrap().shift_remove("key_ops")),
            ops => key["key_ops"] = ops,
        }
        store(&[&key])
    };
    let token = vectors["tokens"]["Ed25519"].as_str().unwrap();
    for (ops, signs, verifies) in [
        (json!(["sign", "verify"]), true, true),
        (json!(["sign"]), true, false),
        (json!(["verify"]), false, true),
        (json!([]), false, false),
        (Value::Null, false, true),
    ] {
        let store = with_ops(ops.clone());
        assert_eq!(store.signing_key(&ALL).is_ok(), signs, "{ops}");
        assert_eq!(store.verify(token, &ALL).is_ok(), verifies, "{ops}");
    }
    // a key that calls itself EdDSA is of an algorithm that we do not know
    let mut eddsa = vectors["keys"]["Ed25519"].clone();
    eddsa["alg"] = json!("EdDSA");
    assert!(KeyStore::parse(&json!({ "keys": [eddsa] }).to_string()).is_err());
}

#[tokio::test]
async fn a_component_is_no_identity_of_a_user() {
    let Setup { minter, verifier, .. } = fresh();
    let token = minter.component("jobs").get().unwrap();
    assert!(matches!(&*verifier.verify(&token).await.unwrap(), Identity::Component(_)));
}
