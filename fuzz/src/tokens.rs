//! Tokens, and the sealed state of logins.

use std::{
    pin::pin,
    sync::{Arc, OnceLock},
    task::{Context, Poll, Waker},
};

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD as B64};
use chrono::{DateTime, Utc};
use diracx_auth::StateKey;
use diracx_core::Clock;
use diracx_server::{KeyStore, TokenVerifier, token::DEFAULT_ALGORITHMS};
use ring::{
    hmac,
    signature::{Ed25519KeyPair, KeyPair as _},
};
use serde_json::{Value, json};

use super::must_explain_itself;

const ISSUER: &str = "http://diracx.test.invalid/";
const KID: &str = "fuzz";

/// An instant that does not pass, so that a file of the corpus means the same tomorrow.
#[derive(Debug)]
pub(super) struct Still;

impl Clock for Still {
    fn now(&self) -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000, 0).expect("an instant")
    }
}

/// Signs what nobody else would.
pub(super) struct Signer {
    pair: Ed25519KeyPair,
    pub(super) verifier: TokenVerifier,
}

impl Signer {
    pub(super) fn get() -> &'static Self {
        static SIGNER: OnceLock<Signer> = OnceLock::new();
        SIGNER.get_or_init(|| {
            let seed = [7; 32];
            let pair = Ed25519KeyPair::from_seed_unchecked(&seed).expect("a key");
            let keys = json!({"keys": [{
                "kty": "OKP", "crv": "Ed25519", "alg": "Ed25519", "kid": KID, "key_ops": ["sign", "verify"],
                "x": B64.encode(pair.public_key().as_ref()), "d": B64.encode(seed),
            }]});
            let keys = Arc::new(KeyStore::parse(&keys.to_string()).expect("a key store"));
            Self { pair, verifier: TokenVerifier::new(ISSUER, DEFAULT_ALGORITHMS, keys, Arc::new(Still)) }
        })
    }

    /// A token with this header and payload, whatever they are.
    pub(super) fn sign(&self, header: &[u8], payload: &[u8]) -> String {
        let signed = format!("{}.{}", B64.encode(header), B64.encode(payload));
        let signature = self.pair.sign(signed.as_bytes());
        format!("{signed}.{}", B64.encode(signature))
    }
}

/// Our own header.
pub(super) fn header() -> Vec<u8> {
    json!({"alg": "Ed25519", "kid": KID, "typ": "JWT"}).to_string().into_bytes()
}

/// The claims of somebody whose token is good.
pub(super) fn claims() -> Value {
    json!({
        "jti": "01890000-0000-7000-8000-000000000001", "exp": Still.now().timestamp() + 600, "iss": ISSUER,
        "dirac_policies": {}, "sub": "alpha:1", "vo": "alpha", "dirac_properties": ["NormalUser"],
        "preferred_username": "alice", "dirac_group": "alpha_user",
    })
}

/// The bytes are a token; or the claims of one that we signed; or, line by line, its header and its claims. Only
/// what is signed as we sign it, is ours and has not ended is believed.
pub fn jwt(data: &[u8]) {
    let signer = Signer::get();
    if let Ok(text) = std::str::from_utf8(data) {
        verify(text.trim_end());
        let bearer = format!("Bearer {text}");
        let _ = now(signer.verifier.authenticate(Some(bearer.as_bytes())));
    }
    let _ = now(signer.verifier.authenticate(Some(data)));
    believed_only_if_good(data, &header(), data);
    if let Some(end) = data.iter().position(|byte| *byte == b'\n') {
        believed_only_if_good(data, &data[..end], &data[end + 1..]);
    }
}

fn believed_only_if_good(data: &[u8], header: &[u8], payload: &[u8]) {
    if !verify(&Signer::get().sign(header, payload)) {
        return;
    }
    let about = String::from_utf8_lossy(data);
    let header: Value = serde_json::from_slice(header).expect("a header that was believed");
    let claims: Value = serde_json::from_slice(payload).expect("claims that were believed");
    assert_eq!(header["alg"], "Ed25519", "{about}");
    // Without a key id, every key is tried.
    assert!(header["kid"].is_null() || header["kid"] == KID, "{about}");
    assert_eq!(claims["iss"], ISSUER, "{about}");
    assert!(claims["exp"].as_i64() >= Some(Still.now().timestamp()), "{about}");
}

fn verify(token: &str) -> bool {
    let verified = now(Signer::get().verifier.verify(token));
    let refreshed = now(Signer::get().verifier.refresh_claims(token));
    for error in [verified.as_ref().err(), refreshed.as_ref().err()].into_iter().flatten() {
        must_explain_itself(error);
    }
    verified.is_ok()
}

/// What a future is worth that waits for nothing: the keys are at hand.
fn now<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("this should not wait for anything"),
    }
}

/// The text is a state, or a key; or the inside of a state with a genuine seal. Only what was sealed is opened, and
/// it is what it was.
pub fn state(data: &[u8]) {
    const KEY: &str = "cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4=";
    let key = StateKey::parse(KEY).expect("a key");
    let signing = B64.decode(KEY.trim_end_matches('=')).expect("base64");
    let mut token = vec![0x80];
    token.extend_from_slice(data);
    let seal = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &signing[..16]), &token);
    token.extend_from_slice(seal.as_ref());
    let _ = key.open::<Value>(&B64.encode(token));

    let Ok(text) = std::str::from_utf8(data) else { return };
    let _ = StateKey::parse(text);
    if let Err(error) = key.open::<Value>(text) {
        must_explain_itself(&error);
    }
    let Ok(sealed) = key.seal(&text, Still.now()) else { return };
    // A state must fit into an address; longer ones are not opened again.
    if sealed.len() <= 8192 {
        assert_eq!(key.open::<String>(&sealed).expect("a state that we sealed"), text);
    }
    let cut = sealed.get(..sealed.len() / 2).unwrap_or_default();
    assert!(key.open::<Value>(cut).is_err(), "half a state was opened");
}
