//! Whatever is sent, nothing panics: tokens, headers, key stores, descriptors.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test that cannot go on says so")]

use std::sync::Arc;

use diracx_server::{
    AccessTable, KeyStore, TokenMinter, TokenVerifier,
    deadline::requested_timeout,
    status::StatusInfo,
    telemetry::TraceContext,
    token::{
        AccessClaims, Algorithm, Claims, ComponentClaims, KeyKind, RefreshClaims, delete_key, rotate_key,
    },
    version_gate::VersionGate,
};
use http::{HeaderMap, HeaderValue};
use proptest::prelude::*;

mod common;
use common::{ISSUER, TestClock, noon};

fn verifier() -> (TokenVerifier, String) {
    let clock = Arc::new(TestClock::new(noon()));
    let keys = Arc::new(KeyStore::generate(noon()).unwrap());
    let minter = TokenMinter::new(keys.clone(), ISSUER, &[Algorithm::Ed25519], clock.clone()).unwrap();
    let token = minter.component("jobs").get().unwrap().to_string();
    (TokenVerifier::new(ISSUER, [Algorithm::Ed25519], keys, clock), token)
}

fn run<F: Future>(work: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(work)
}

proptest! {
    #[test]
    fn no_header_is_believed_or_panics(header in proptest::collection::vec(any::<u8>(), 0..200)) {
        let (verifier, _) = verifier();
        prop_assert!(run(verifier.authenticate(Some(&header))).is_err());
        let bearer = [b"Bearer ".as_slice(), &header].concat();
        prop_assert!(run(verifier.authenticate(Some(&bearer))).is_err());
    }

    #[test]
    fn no_header_object_is_believed(text in r#"\{("(alg|kid|crit|typ)": ?("(none|Ed25519|EdDSA|x)"|\[\]|7|null),? ?){0,4}\}"#) {
        let (verifier, token) = verifier();
        let rest = token.split_once('.').unwrap().1;
        let token = format!("{}.{rest}", common::base64(&text));
        prop_assert!(run(verifier.verify(&token)).is_err());
    }

    #[test]
    fn changing_any_byte_makes_a_token_worthless(position in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let (verifier, token) = verifier();
        let mut bytes = token.clone().into_bytes();
        let position = position.index(bytes.len());
        prop_assume!(bytes[position] != byte);
        bytes[position] = byte;
        if let Ok(changed) = String::from_utf8(bytes) {
            prop_assert!(run(verifier.verify(&changed)).is_err());
        }
    }

    #[test]
    fn claims_of_any_form_are_read_or_refused(payload in r#"\{("(jti|exp|iss|sub|vo|dirac_component|legacy_exchange)": ?(7|-1|1e400|null|"x"|\[\]|\{\}),? ?){0,6}\}"#) {
        let payload = payload.as_bytes();
        let _ = AccessClaims::from_payload(payload);
        let _ = RefreshClaims::from_payload(payload);
        let _ = ComponentClaims::from_payload(payload);
    }

    #[test]
    fn any_text_is_a_key_store_or_an_error(
        text in r#"(\{"keys": ?\[)?(\{("(kty|crv|x|y|d|n|e|p|q|key_ops|alg|kid)": ?("(OKP|EC|RSA|Ed25519|P-256|AQAB|[A-Za-z0-9_-]{0,60})"|\["sign"\]|7),? ?){0,6}\})?(\]\})?"#,
    ) {
        let _ = KeyStore::parse(&text);
        let _ = rotate_key(Some(&text), KeyKind::Ed25519, noon());
        let _ = delete_key(&text, "x");
    }

    #[test]
    fn metadata_of_any_form_is_read_or_ignored(bytes in proptest::collection::vec(32_u8..=255, 0..80)) {
        let Ok(value) = HeaderValue::from_bytes(&bytes) else { return Ok(()) };
        let mut headers = HeaderMap::new();
        headers.insert("grpc-timeout", value.clone());
        headers.insert("traceparent", value.clone());
        let _ = requested_timeout(&headers);
        let _ = TraceContext::from_headers(&headers);
        let _ = VersionGate::new("0.0.1a1".parse().unwrap()).check(Some(value.as_bytes()));
    }

    #[test]
    fn details_of_any_form_are_read_or_ignored(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let status = tonic::Status::with_details(tonic::Code::Unknown, "?", bytes.clone().into());
        let _ = StatusInfo::of(&status);
        prop_assert!(AccessTable::from_descriptor_set(&bytes, &["x.Y"]).is_err());
    }
}
