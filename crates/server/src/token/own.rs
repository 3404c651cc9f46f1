//! The token with which a service calls its neighbours, wherever it comes from.

use std::sync::Arc;

use diracx_core::{Clock, Explain, Explanation, Reason};
use tonic::Status;

use super::{
    ComponentToken, IssueError, IssuedToken, Keyring, ShowAssertion, TokenMinter, error::KeyStoreError,
};
use crate::{BoxError, settings::TrustSettings, status::to_status};

/// A component's token: signed with the key store if the process has it, or else issued by the auth service against
/// a key of the component's own. Cheap to clone; clones share the token.
#[derive(Debug, Clone)]
pub enum OwnToken {
    /// Signed here.
    Signed(ComponentToken),
    /// Issued elsewhere.
    Issued(IssuedToken),
}

/// Why a component has no token.
#[derive(Debug, thiserror::Error)]
pub enum OwnTokenError {
    /// It cannot prove who it is.
    #[error("there is neither a key store nor a key of this component")]
    NoKey,
    /// No key signs with an allowed algorithm.
    #[error(transparent)]
    KeyStore(#[from] KeyStoreError),
}

/// A call that cannot be made for want of a token.
#[derive(Debug, thiserror::Error)]
#[error("this service has no token for its neighbours")]
struct NoToken(#[source] BoxError);

impl Explain for NoToken {
    fn explain(&self) -> Explanation {
        Explanation::unavailable(Reason::ServiceUnavailable).with("service", "auth")
    }
}

impl OwnToken {
    /// The token of the component `name`. Its own key counts more than the key store.
    ///
    /// # Errors
    /// If there is no key that it could be had with.
    pub fn new(
        name: &str,
        trust: &TrustSettings,
        component_key: Option<Keyring>,
        show: ShowAssertion,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, OwnTokenError> {
        match (component_key, &trust.keys) {
            (Some(key), _) => Ok(Self::Issued(IssuedToken::new(name, &trust.issuer, key, show, clock))),
            (None, Some(keys)) => {
                let minter = TokenMinter::new(keys.clone(), &trust.issuer, &trust.algorithms, clock)?;
                Ok(Self::Signed(minter.component(name)))
            }
            (None, None) => Err(OwnTokenError::NoKey),
        }
    }

    /// A token that is good for another minute, unless the auth service is away.
    ///
    /// # Errors
    /// If there is none, and none can be had.
    pub async fn get(self) -> Result<Arc<str>, BoxError> {
        match self {
            Self::Signed(token) => Ok(token.get()?),
            Self::Issued(token) => token.get().await.map_err(|error: IssueError| error.into()),
        }
    }

    /// The same, for a call that cannot be made without.
    ///
    /// # Errors
    /// If there is none: UNAVAILABLE.
    pub async fn of_a_call(self) -> Result<Option<Arc<str>>, Status> {
        self.get().await.map(Some).map_err(|error| to_status(NoToken(error)))
    }
}

impl From<ComponentToken> for OwnToken {
    fn from(token: ComponentToken) -> Self {
        Self::Signed(token)
    }
}
