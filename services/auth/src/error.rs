//! What can go wrong in the auth service. `Display` is the sentence the caller reads: DiracX's, where it has
//! one.

use std::{sync::Arc, time::Duration};

use diracx_client::NotReady;
use diracx_core::{Explain, Explanation, Reason, scope::ScopeError};
use diracx_db::{DbError, error::UnitError};
use diracx_server::token::{KeyStoreError, TokenError};
use uuid::Uuid;

use crate::{enrichment::EnrichmentError, idp::IdpError};

/// The result of anything here.
pub(crate) type Result<T, E = Error> = std::result::Result<T, E>;

/// What can go wrong in the auth service.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A field is missing, or has a value it may not have.
    #[error("{field}: {problem}")]
    Field {
        /// Its name in the request.
        field: &'static str,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// The scope cannot be understood.
    #[error(transparent)]
    Scope(#[from] ScopeError),
    /// Somebody else's client begins a device login.
    #[error("Unrecognised client ID")]
    DeviceClient,
    /// Somebody else's client begins an authorization code login.
    #[error("Unrecognised client_id")]
    AuthorizationClient,
    /// Somebody else's client gives a token back.
    #[error("Unrecognised client_id")]
    RevokingClient,
    /// The redirect URI is not among the allowed.
    #[error("Unrecognised redirect_uri")]
    RedirectUri,
    /// The state is not one that we sealed, or its login is unknown, finished or too old.
    #[error("Invalid state")]
    InvalidState,
    /// No login with this user code is pending.
    #[error("No row was found when one was required")]
    UserCodeUnknown,
    /// The login was finished or ended while the person was with the identity provider.
    #[error("0 rows matched user_code {0}")]
    UserCodeGone(String),
    /// The person has not finished logging in.
    #[error("authorization_pending")]
    Pending,
    /// The login took too long.
    #[error("Device code expired")]
    DeviceCodeExpired,
    /// The person told the identity provider not to let the device in.
    #[error("The login was denied: the person did not allow it")]
    LoginDenied,
    /// No login has this code, or it ended long ago.
    #[error("Unknown or expired {0}")]
    CodeUnknown(&'static str),
    /// The code gave its tokens already.
    #[error("Code was already used")]
    CodeUsed,
    /// A login is in a state that nothing leads out of.
    #[error("Bad state in {0} flow")]
    BadFlow(&'static str),
    /// The login was begun by another client.
    #[error("Bad client_id")]
    BadClientId,
    /// The login was begun for another redirect URI.
    #[error("Invalid redirect_uri")]
    BadRedirectUri,
    /// The PKCE verifier does not belong to the challenge.
    #[error("Invalid code_challenge")]
    BadCodeVerifier,
    /// The identity provider fails or refuses.
    #[error(transparent)]
    Idp(#[from] Arc<IdpError>),
    /// The identity provider of an authorization code login refuses the code.
    #[error("Invalid code")]
    AuthorizationCodeRefused(#[source] Arc<IdpError>),
    /// The configuration does not know the person.
    #[error("User {sub} is not registered in VO {vo}")]
    NotRegistered {
        /// The VO.
        vo: String,
        /// The subject at the identity provider.
        sub: String,
    },
    /// The VO has suspended the person.
    #[error("User {user} is suspended in VO {vo}")]
    Suspended {
        /// The VO.
        vo: String,
        /// The user's name.
        user: String,
    },
    /// The person is not in the group.
    #[error("User is not a member of the requested group ({user}, {group})")]
    NotAMember {
        /// The user's name.
        user: String,
        /// The group asked for.
        group: String,
    },
    /// No group of the person has these properties.
    #[error("{missing} are not valid properties for user {user}, available values: {available}")]
    PropertiesNotHeld {
        /// The user's name.
        user: String,
        /// What was asked for in vain.
        missing: String,
        /// What could be asked for.
        available: String,
    },
    /// The refresh token is no token of ours, or has expired.
    #[error("{}", refresh_token_problem(.0, .1.as_deref()))]
    RefreshToken(#[source] TokenError, /** The key it names. */ Option<String>),
    /// The refresh token is unknown.
    #[error("Token {0} not found")]
    TokenNotFound(Uuid),
    /// A refresh token was used twice: somebody has it who should not.
    #[error("Revoked refresh token reused: potential attack detected. You must authenticate again")]
    Reused,
    /// A refresh token of a DIRAC server was revoked.
    #[error("The refresh token was revoked")]
    LegacyTokenRevoked,
    /// The caller may not do this.
    #[error("Forbidden")]
    Forbidden,
    /// A text that should be the id of a token is none; the words are Python's.
    #[error("badly formed hexadecimal UUID string")]
    BadTokenId,
    /// There is no refresh token with this id.
    #[error("Token {0} not found")]
    NoSuchToken(Uuid),
    /// The refresh token belongs to somebody else.
    #[error("Cannot revoke a refresh token owned by someone else")]
    NotYourToken,
    /// No DIRAC server gets tokens here.
    #[error("Legacy exchange is not enabled")]
    LegacyDisabled,
    /// A DIRAC server shows no key.
    #[error("Invalid authorization header")]
    LegacyHeader,
    /// A DIRAC server shows a wrong key.
    #[error("Invalid credentials")]
    LegacyKey,
    /// A DIRAC server asks for a scope or a user that there is not.
    #[error("Invalid scope or preferred_username")]
    LegacyAsk,
    /// One login was tried too often.
    #[error("Too many attempts, try again later")]
    TooManyAttempts(/** When to come back. */ Duration),
    /// The key store is no file, so that nothing can be removed from it.
    #[error("The key store is given inline and cannot be changed")]
    KeysInline,
    /// The file of the key store cannot be changed.
    #[error("The key store cannot be changed")]
    KeysReadOnly(#[source] std::io::Error),
    /// What a component shows proves nothing.
    #[error("Invalid assertion")]
    Assertion(#[source] TokenError),
    /// A component asks for the token of another one.
    #[error("The assertion is that of {proven}")]
    OtherComponent {
        /// Who made the assertion.
        proven: String,
    },
    /// Access tokens cannot be revoked.
    #[error("unsupported_token_type")]
    UnsupportedTokenType,
    /// There is no configuration yet.
    #[error(transparent)]
    NoConfiguration(#[from] NotReady),
    /// The database fails.
    #[error(transparent)]
    Db(#[from] DbError),
    /// All user codes we tried are taken.
    #[error("No user code is free; try again")]
    NoFreeUserCode,
    /// The machine has no randomness.
    #[error("the machine has no randomness")]
    NoRandomness,
    /// A token cannot be signed.
    #[error("a token cannot be signed")]
    Signing(#[from] KeyStoreError),
    /// An access policy says what no token can hold.
    #[error("the claims of an access policy fit into no token")]
    Enrichment(#[from] EnrichmentError),
    /// A stored login makes no sense.
    #[error("the stored ID token of a {0} login has no subject")]
    StoredIdToken(&'static str),
}

/// What DiracX's token library says.
fn refresh_token_problem(error: &TokenError, kid: Option<&str>) -> String {
    match (error, kid) {
        (TokenError::Expired, _) => "expired_token: The token is expired".to_owned(),
        (TokenError::Invalid("bad signature"), _) => "bad_signature: ".to_owned(),
        (TokenError::Invalid("no key of this kid may verify"), Some(kid)) => {
            format!("invalid_key_id: No key for kid: '{kid}'")
        }
        (TokenError::Invalid("bad header"), _) => "decode_error: Invalid header".to_owned(),
        (TokenError::Invalid("not in compact form" | "a part is no base64url" | "too long"), _) => {
            "decode_error: Invalid JSON Web Signature".to_owned()
        }
        (TokenError::Invalid(particulars), _) => format!("Invalid refresh token: {particulars}"),
        (other, _) => other.to_string(),
    }
}

impl UnitError for Error {
    fn db_error(&self) -> Option<&DbError> {
        match self {
            Self::Db(error) => Some(error),
            _ => None,
        }
    }
}

impl Explain for Error {
    fn explain(&self) -> Explanation {
        match self {
            Self::Field { field, problem } => {
                Explanation::invalid_argument(Reason::InvalidField).violation(*field, *problem)
            }
            Self::Scope(error) => error.explain(),
            Self::DeviceClient | Self::AuthorizationClient | Self::RedirectUri | Self::BadClientId => {
                Explanation::invalid_argument(Reason::InvalidClient)
            }
            Self::RevokingClient => Explanation::unauthenticated(Reason::InvalidClient),
            Self::InvalidState | Self::UserCodeUnknown | Self::BadRedirectUri | Self::BadCodeVerifier => {
                Explanation::invalid_argument(Reason::InvalidGrant)
            }
            Self::CodeUnknown(kind) => Explanation::invalid_argument(Reason::InvalidGrant).with("kind", kind),
            Self::UserCodeGone(code) => {
                Explanation::failed_precondition(Reason::InvalidGrant).with("userCode", code)
            }
            Self::Pending => Explanation::failed_precondition(Reason::AuthorizationPending),
            Self::DeviceCodeExpired => Explanation::unauthenticated(Reason::LoginExpired),
            Self::LoginDenied => Explanation::failed_precondition(Reason::LoginDenied),
            Self::CodeUsed | Self::BadFlow(_) => Explanation::failed_precondition(Reason::InvalidGrant),
            Self::Idp(error) => error.explain(),
            Self::AuthorizationCodeRefused(_) | Self::LegacyTokenRevoked => {
                Explanation::unauthenticated(Reason::InvalidGrant)
            }
            Self::NotRegistered { vo, sub } => {
                Explanation::permission_denied(Reason::Forbidden).with("vo", vo).with("sub", sub)
            }
            Self::Suspended { vo, user } => {
                Explanation::permission_denied(Reason::Forbidden).with("vo", vo).with("user", user)
            }
            Self::NotAMember { user, group } => {
                Explanation::permission_denied(Reason::InvalidScope).with("user", user).with("group", group)
            }
            Self::PropertiesNotHeld { user, missing, available } => {
                Explanation::permission_denied(Reason::InvalidScope)
                    .with("user", user)
                    .with("missing", missing)
                    .with("available", available)
            }
            Self::RefreshToken(error, _) => error.explain(),
            Self::TokenNotFound(jti) => Explanation::invalid_argument(Reason::InvalidGrant).with("jti", jti),
            Self::Forbidden | Self::NotYourToken => Explanation::permission_denied(Reason::Forbidden),
            Self::BadTokenId => {
                Explanation::invalid_argument(Reason::InvalidField).violation("jti", "must be a UUID")
            }
            Self::NoSuchToken(jti) => Explanation::not_found(Reason::InvalidGrant).with("jti", jti),
            Self::LegacyDisabled => Explanation::unavailable(Reason::LegacyExchangeDisabled),
            Self::LegacyHeader => Explanation::unauthenticated(Reason::AuthorizationHeaderInvalid),
            Self::LegacyKey => Explanation::unauthenticated(Reason::InvalidClient),
            Self::LegacyAsk => Explanation::invalid_argument(Reason::InvalidScope),
            Self::KeysInline | Self::KeysReadOnly(_) => {
                Explanation::failed_precondition(Reason::InvalidField)
            }
            Self::Assertion(error) => {
                Explanation::unauthenticated(Reason::TokenInvalid).with("problem", error.particulars())
            }
            Self::OtherComponent { proven } => {
                Explanation::permission_denied(Reason::Forbidden).with("component", proven)
            }
            Self::TooManyAttempts(delay) => {
                Explanation::resource_exhausted(Reason::TooManyAttempts).retry_after(*delay)
            }
            Self::Reused => Explanation::unauthenticated(Reason::RefreshTokenReused),
            Self::UnsupportedTokenType => Explanation::invalid_argument(Reason::InvalidField)
                .violation("token_type_hint", "access tokens cannot be revoked"),
            Self::NoConfiguration(error) => error.explain(),
            Self::Db(error) => error.explain(),
            Self::NoFreeUserCode => {
                Explanation::unavailable(Reason::Overloaded).retry_after(Duration::from_secs(1))
            }
            Self::NoRandomness | Self::Signing(_) | Self::Enrichment(_) | Self::StoredIdToken(_) => {
                Explanation::internal(Reason::Internal)
            }
        }
    }
}
