//! Who calls: checked before anything else of the request is looked at, as in DiracX.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use diracx_server::identity::Identity;
use http::{header::AUTHORIZATION, request::Parts};
use tonic::{
    Request,
    metadata::{Ascii, MetadataValue},
};

use crate::{context::Context, error::Refusal, outgoing::outgoing};

/// A caller with a good token.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    identity: Arc<Identity>,
    authorization: MetadataValue<Ascii>,
}

impl Caller {
    /// A call on the caller's behalf: with the caller's own token, which the service checks again.
    pub(crate) fn request<T>(&self, message: T) -> Request<T> {
        let mut request = outgoing(message);
        request.metadata_mut().insert("authorization", self.authorization.clone());
        request
    }

    /// Whether a user calls who has this security property.
    pub(crate) fn has_property(&self, property: &str) -> bool {
        self.identity.as_user().is_some_and(|user| user.has_property(property))
    }

    /// Whether a person calls, or a pilot acting as one; else a part of the system.
    pub(crate) fn is_user(&self) -> bool {
        self.identity.as_user().is_some()
    }
}

impl FromRequestParts<Context> for Caller {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, context: &Context) -> Result<Self, Refusal> {
        let header = parts.headers.get(AUTHORIZATION).map(http::HeaderValue::as_bytes);
        let identity = context.verifier.authenticate(header).await.map_err(Refusal::explained)?;
        // A header that was a good token is text; this cannot fail, and if it does nobody is let in.
        let authorization = MetadataValue::try_from(header.unwrap_or_default())
            .map_err(|_| Refusal::bad_request("Invalid authorization header"))?;
        Ok(Self { identity, authorization })
    }
}
