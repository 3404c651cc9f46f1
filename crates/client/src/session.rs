//! A person's login, shared between their programs: the token at hand, refreshed by one for all.

use std::{sync::Arc, time::Duration};

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use diracx_core::Clock;
use diracx_proto::{
    auth::v1::{
        GetTokenRequest, GetTokenResponse, RefreshTokenGrant, auth_service_client::AuthServiceClient,
        get_token_request::Grant,
    },
    time,
};
use serde::Deserialize;
use tokio::sync::Mutex;
use tonic::{Request, Status};

use crate::{
    CLIENT_ID,
    caller::TokenResult,
    channel::AnyChannel,
    credentials::{Credentials, CredentialsError, CredentialsFile, EXPIRY_MARGIN},
};

/// A refresh that takes longer fails, so that those who wait for the lock get their turn.
const REFRESH_DEADLINE: Duration = Duration::from_secs(20);

/// The login that the credentials file holds. Cheap to clone.
#[derive(Clone)]
pub struct Session {
    inner: Arc<Inner>,
}

struct Inner {
    file: CredentialsFile,
    auth: AuthServiceClient<AnyChannel>,
    clock: Arc<dyn Clock>,
    /// The last credentials seen; reading the file for every call would be waste.
    known: Mutex<Option<Credentials>>,
}

impl Session {
    /// The login in `file`, refreshed through `channel`, whose calls must not need a token.
    pub fn new(file: CredentialsFile, channel: AnyChannel, clock: Arc<dyn Clock>) -> Self {
        Self { inner: Arc::new(Inner { file, auth: crate::auth(channel), clock, known: Mutex::default() }) }
    }

    /// The access token to call with; nothing for somebody who is not logged in, or whose login is over.
    ///
    /// One program refreshes at a time; the others wait for it and use what it got.
    ///
    /// # Errors
    /// If the server refuses to refresh, or cannot be reached.
    pub async fn token(&self) -> TokenResult {
        let mut known = self.inner.known.lock().await;
        if known.as_ref().is_none_or(|known| !known.are_fresh(self.inner.now())) {
            let inner = Arc::clone(&self.inner);
            // on its own, so that a caller who gives up does not leave a used refresh token in the file
            let renewed = tokio::spawn(async move { inner.renewed().await }).await;
            *known = renewed.map_err(|error| Status::internal(format!("cannot refresh: {error}")))??;
        }
        Ok(known.as_ref().map(|known| known.access_token.as_str().into()))
    }
}

impl Inner {
    fn now(&self) -> i64 {
        self.clock.now().timestamp()
    }

    async fn renewed(&self) -> Result<Option<Credentials>, Status> {
        let file = self.file.clone();
        // waiting for the lock of another process must not hold up this one
        let locked = tokio::task::spawn_blocking(move || match file.lock()? {
            Some(mut locked) => locked.read().map(|credentials| Some((locked, credentials))),
            None => Ok(None),
        });
        let locked = locked.await.map_err(|error| Status::internal(format!("cannot lock: {error}")))?;
        let (mut locked, credentials) = match locked {
            Ok(Some(found)) => found,
            Ok(None) => return Ok(None),
            // whatever it is, it is no login
            Err(CredentialsError::Invalid { .. }) => return Ok(None),
            Err(error) => return Err(unusable(error)),
        };
        if credentials.are_fresh(self.now()) {
            return Ok(Some(credentials));
        }
        let Some(refresh_token) = credentials.refresh_token.filter(|token| !has_expired(token, self.now()))
        else {
            return Ok(None);
        };
        let mut request = Request::new(GetTokenRequest {
            client_id: CLIENT_ID.to_owned(),
            grant: Some(Grant::RefreshToken(RefreshTokenGrant { refresh_token })),
        });
        request.set_timeout(REFRESH_DEADLINE);
        let response = self.auth.clone().get_token(request).await?.into_inner();
        let credentials = Credentials::from_response(response, self.now());
        locked.write(&credentials).map_err(unusable)?;
        Ok(Some(credentials))
    }
}

impl Credentials {
    /// The credentials that the server just gave; `now` in Unix seconds.
    pub fn from_response(response: GetTokenResponse, now: i64) -> Self {
        let expires_in = time::whole_seconds(response.expires_in.as_ref());
        Self {
            access_token: response.access_token,
            refresh_token: Some(response.refresh_token).filter(|token| !token.is_empty()),
            expires_on: now.saturating_add(expires_in).saturating_sub(EXPIRY_MARGIN),
        }
    }
}

fn unusable(error: CredentialsError) -> Status {
    let mut status = Status::unauthenticated(error.to_string());
    status.set_source(Arc::new(error));
    status
}

/// Whether a refresh token says that its time is over. It is not verified: that is the server's part.
fn has_expired(token: &str, now: i64) -> bool {
    #[derive(Deserialize)]
    struct Claims {
        exp: f64,
    }
    let claims = token.split('.').nth(1).and_then(|part| BASE64_URL_SAFE_NO_PAD.decode(part).ok());
    let claims = claims.and_then(|json| serde_json::from_slice::<Claims>(&json).ok());
    #[expect(clippy::cast_precision_loss, reason = "a second more or less")]
    claims.is_none_or(|claims| claims.exp <= now as f64)
}

#[cfg(test)]
#[path = "session_tests.rs"]
mod tests;
