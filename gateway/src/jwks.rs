//! Public keys as a JWK set: for everybody who asks, and for our own verifier.

use std::sync::Arc;

use diracx_client::AnyChannel;
use diracx_core::Clock;
use diracx_proto::auth::v1::{GetJwksRequest, JsonWebKey};
use diracx_server::token::JwksSource;
use serde_json::{Value, json};

use crate::outgoing::outgoing;

/// The keys that the auth service publishes, fetched when they are needed. With them a gateway needs no key
/// store of its own.
pub fn published_keys(auth: AnyChannel, clock: Arc<dyn Clock>) -> JwksSource {
    let fetch = move || {
        let mut client = diracx_client::auth(auth.clone());
        let work = async move {
            let keys = client.get_jwks(outgoing(GetJwksRequest {})).await?.into_inner().keys;
            Ok(key_set(keys).to_string())
        };
        let boxed: futures::future::BoxFuture<'static, _> = Box::pin(work);
        boxed
    };
    JwksSource::new(Arc::new(fetch), clock)
}

/// The document of a JWK set.
pub(crate) fn key_set(keys: Vec<JsonWebKey>) -> Value {
    let keys: Vec<Value> = keys.into_iter().map(key).collect();
    json!({ "keys": keys })
}

/// A key without the members that its kind does not have.
fn key(key: JsonWebKey) -> Value {
    let text = |text: String| Some(text).filter(|text| !text.is_empty()).map(Value::String);
    let operations = (!key.key_ops.is_empty()).then(|| Value::from(key.key_ops));
    let members = [
        ("crv", key.crv.map(Value::String)),
        ("x", key.x.map(Value::String)),
        ("y", key.y.map(Value::String)),
        ("n", key.n.map(Value::String)),
        ("e", key.e.map(Value::String)),
        ("key_ops", operations),
        ("use", key.r#use.map(Value::String)),
        ("alg", text(key.alg)),
        ("kid", text(key.kid)),
        ("kty", text(key.kty)),
    ];
    Value::Object(members.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_has_only_the_members_of_its_kind() {
        let key = JsonWebKey {
            kid: "k1".into(),
            kty: "OKP".into(),
            alg: "Ed25519".into(),
            key_ops: vec!["sign".into(), "verify".into()],
            crv: Some("Ed25519".into()),
            x: Some("AQ".into()),
            ..JsonWebKey::default()
        };
        let expected = json!({ "keys": [{
            "crv": "Ed25519", "x": "AQ", "key_ops": ["sign", "verify"], "alg": "Ed25519", "kid": "k1", "kty": "OKP",
        }] });
        assert_eq!(key_set(vec![key]), expected);
    }
}
