//! `POST /dev-idp/token`: a code becomes an ID token.

use axum::{
    Form, Json,
    extract::{State, rejection::FormRejection},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use chrono::TimeDelta;
use diracx_server::token::Claims;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::{DevIdp, Inner, codes::Grant};

/// DiracX looks at the ID token at once.
const LIFETIME: TimeDelta = TimeDelta::minutes(5);

/// The form of RFC 6749 §4.1.3 with RFC 7636 §4.5. Absent parameters are empty.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Exchange {
    grant_type: String,
    client_id: String,
    code: String,
    redirect_uri: String,
    code_verifier: String,
}

/// What the ID token says.
#[derive(Serialize, Deserialize)]
struct IdToken {
    iss: String,
    sub: String,
    aud: String,
    exp: i64,
    iat: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    nonce: Option<String>,
    name: String,
    preferred_username: String,
}

impl Claims for IdToken {
    const FOREIGN: &'static [&'static str] = &["dirac_policies", "dirac_component"];

    fn exp(&self) -> i64 {
        self.exp
    }
}

/// Answers as RFC 6749 §5 and OpenID Connect Core §3.1.3.3 say.
pub(super) async fn token(
    State(DevIdp(idp)): State<DevIdp>,
    exchange: Result<Form<Exchange>, FormRejection>,
) -> Response {
    let answer = exchange
        .map_err(|_| Refused("invalid_request", "the body is not a form"))
        .and_then(|Form(exchange)| idp.redeem(&exchange))
        .and_then(|grant| idp.tokens(grant));
    let (status, body) = match answer {
        Ok(tokens) => (StatusCode::OK, tokens),
        Err(Refused(error, description)) => {
            (StatusCode::BAD_REQUEST, json!({"error": error, "error_description": description}))
        }
    };
    (status, [(header::CACHE_CONTROL, "no-store")], Json(body)).into_response()
}

/// OAuth's error code, and a sentence.
struct Refused(&'static str, &'static str);

impl Inner {
    fn redeem(&self, exchange: &Exchange) -> Result<Grant, Refused> {
        if exchange.grant_type != "authorization_code" {
            return Err(Refused("unsupported_grant_type", "only authorization_code is supported"));
        }
        let grant = self
            .codes
            .redeem(&exchange.code, self.clock.now())
            .ok_or(Refused("invalid_grant", "the code is unknown, used or too old"))?;
        if grant.client_id != exchange.client_id {
            return Err(Refused("invalid_grant", "the code was given to another client"));
        }
        if grant.redirect_uri != exchange.redirect_uri {
            return Err(Refused("invalid_grant", "the redirect_uri is not that of the login"));
        }
        let challenge = BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(&exchange.code_verifier));
        if grant.code_challenge != challenge {
            return Err(Refused("invalid_grant", "the code_verifier does not fit the code_challenge"));
        }
        Ok(grant)
    }

    fn tokens(&self, grant: Grant) -> Result<Value, Refused> {
        let now = self.clock.now();
        let claims = IdToken {
            iss: self.issuer.clone(),
            sub: grant.person.sub,
            aud: grant.client_id,
            exp: (now + LIFETIME).timestamp(),
            iat: now.timestamp(),
            nonce: grant.nonce,
            name: grant.person.name.clone(),
            preferred_username: grant.person.name,
        };
        let id_token =
            self.minter.mint(&claims).map_err(|_| Refused("server_error", "the token cannot be signed"))?;
        Ok(json!({
            // Opaque: there is nothing here that it would open.
            "access_token": Uuid::new_v4().simple().to_string(),
            "token_type": "Bearer",
            "expires_in": LIFETIME.num_seconds(),
            "scope": "openid profile",
            "id_token": id_token,
        }))
    }
}
