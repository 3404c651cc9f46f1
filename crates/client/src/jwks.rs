//! The public keys of the auth service, as a JWK set: for everybody who asks, and for verifiers without a key store.

use std::time::Duration;

use diracx_proto::auth::v1::{GetJwksRequest, JsonWebKey};
use futures::future::BoxFuture;
use serde_json::{Value, json};

use crate::{AnyChannel, BoxError, Caller};

/// How long the auth service may take.
const DEADLINE: Duration = Duration::from_secs(5);

/// Fetches the JWK set that the auth service publishes, whenever it is called.
pub fn published_keys(
    auth: AnyChannel,
) -> impl Fn() -> BoxFuture<'static, Result<String, BoxError>> + Send + Sync + 'static {
    let auth = crate::auth(Caller::default().deadline(DEADLINE).on(auth));
    move || {
        let mut auth = auth.clone();
        Box::pin(async move {
            let keys = auth.get_jwks(GetJwksRequest {}).await?.into_inner().keys;
            Ok(key_set(keys).to_string())
        })
    }
}

/// The document of a JWK set.
pub fn key_set(keys: Vec<JsonWebKey>) -> Value {
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
