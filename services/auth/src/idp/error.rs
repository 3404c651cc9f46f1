//! What goes wrong with identity providers.

use std::time::Duration;

use diracx_core::{Explain, Explanation, Reason};

/// A failure of an identity provider, or its refusal.
#[derive(Debug, thiserror::Error)]
pub enum IdpError {
    /// The discovery document cannot be had.
    #[error("Failed to retrieve IAM server metadata")]
    Metadata(#[source] Cause),
    /// The provider is down, or talks nonsense.
    #[error("Failed to contact IAM server")]
    Failed(#[source] Cause),
    /// The provider does not accept the code.
    #[error("Failed to contact IAM server")]
    CodeRefused(#[source] Cause),
    /// The discovery document is that of another provider: whoever answers there could pass for the one configured.
    #[error("Failed to retrieve IAM server metadata: it names another issuer")]
    OtherIssuer(#[source] Cause),
    /// The browser comes from another provider than the login began at (RFC 9207).
    #[error("Invalid answer of the identity provider: {0}")]
    MixedUp(&'static str),
    /// The ID token proves nothing.
    #[error("Invalid ID token: {0}")]
    IdToken(&'static str),
    /// The provider sent the browser back with an error.
    #[error("The identity provider refused the login: {error}{}", described(description))]
    LoginRefused {
        /// OAuth's error code, such as `access_denied`.
        error: String,
        /// The provider's explanation; may be empty.
        description: String,
    },
}

fn described(description: &str) -> String {
    if description.is_empty() { String::new() } else { format!(" ({description})") }
}

/// What exactly happened, for the log: with the address, without the body.
#[derive(Debug, thiserror::Error)]
pub enum Cause {
    /// No answer, or a broken one.
    #[error(transparent)]
    Http(#[from] reqwest::Error),
    /// An answer with another status than we need.
    #[error("{url} answered {status}")]
    Status {
        /// The address asked.
        url: String,
        /// The HTTP status.
        status: u16,
    },
    /// An answer that is too large.
    #[error("{url} answered more than {limit} bytes")]
    TooLarge {
        /// The address asked.
        url: String,
        /// The limit.
        limit: usize,
    },
    /// An answer that names an issuer of another address.
    #[error("{url} is configured, and names {issuer:?} as its issuer")]
    Issuer {
        /// The address in the configuration.
        url: String,
        /// What the provider calls itself.
        issuer: String,
    },
    /// A discovery document with an address that nobody can be sent to.
    #[error("{url} names no web address as its {member}")]
    Address {
        /// The address of the document.
        url: String,
        /// Which member it is.
        member: &'static str,
    },
    /// An answer that is not what the standards say.
    #[error("{url} answered something that is no {expected}")]
    Nonsense {
        /// The address asked.
        url: String,
        /// What it should have been.
        expected: &'static str,
    },
}

impl Explain for IdpError {
    fn explain(&self) -> Explanation {
        match self {
            Self::Metadata(_) | Self::OtherIssuer(_) | Self::Failed(_) => {
                Explanation::unavailable(Reason::IdentityProviderFailed).retry_after(Duration::from_secs(10))
            }
            Self::CodeRefused(_) => Explanation::unauthenticated(Reason::InvalidGrant),
            Self::IdToken(problem) | Self::MixedUp(problem) => {
                Explanation::unauthenticated(Reason::InvalidGrant).with("problem", problem)
            }
            Self::LoginRefused { error, .. } => {
                Explanation::failed_precondition(Reason::InvalidGrant).with("error", error)
            }
        }
    }
}
