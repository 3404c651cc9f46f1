//! Claims of access policies: the seam through which an extension puts something of its own into tokens.
//!
//! Whenever tokens are made, each registered policy is asked what they shall say in its name. What it says stands
//! under its name in the claim `dirac_policies`; services read it with
//! [`UserIdentity::policy`](diracx_server::identity::UserIdentity::policy), people with `dirac whoami`. DIRAC's own
//! policies say nothing, so without an extension the claim is empty.

use std::{collections::BTreeMap, fmt, sync::Arc};

use diracx_core::config::Config;
use diracx_server::token::AccessClaims;
use serde_json::{Map, Value};

/// What all policies together may put into one token, in bytes of JSON: tokens travel with every request.
pub const MAX_CLAIMS_BYTES: usize = 8 * 1024;

/// An access policy that has something to say in tokens.
///
/// # Source
/// DiracX `routers/access_policies.py`, `BaseAccessPolicy.enrich_tokens`.
pub trait TokenPolicy: Send + Sync {
    /// Under which name its claims stand.
    fn name(&self) -> &str;

    /// What the tokens shall say, decided anew each time. Nothing that takes long: the person waits.
    fn enrich(&self, occasion: &Occasion<'_>) -> Enrichment;
}

/// For whom tokens are made, and why.
#[derive(Debug)]
pub struct Occasion<'a> {
    /// What the access token will say: who somebody is, in which VO and group, with which properties.
    pub access: &'a AccessClaims,
    /// The scope that the session was asked for with.
    pub scope: &'a str,
    /// The configuration of this moment.
    pub config: &'a Config,
    /// What the policy said in the refresh token that is shown; `None` when a session begins, or if it said nothing.
    pub carried: Option<&'a Value>,
    /// Whether there will be a new refresh token. A DIRAC server keeps the one it has, whatever is said about it.
    pub has_new_refresh_token: bool,
}

/// What a policy says. What is empty leaves no trace.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Enrichment {
    /// In the access token, for services.
    pub access: Map<String, Value>,
    /// In the refresh token: the policy finds it again at the next refresh, in [`Occasion::carried`].
    pub refresh: Map<String, Value>,
}

/// A policy says what no token can hold.
#[derive(Debug, thiserror::Error)]
pub enum EnrichmentError {
    /// All of it together is too long.
    #[error(
        "the claims of the policies {policies:?} take {bytes} bytes in one token, which may hold {MAX_CLAIMS_BYTES}"
    )]
    TooLong {
        /// Whose claims they are.
        policies: Vec<String>,
        /// How long they are.
        bytes: usize,
    },
    /// Nobody could read it.
    #[error("the claims of the policies {0:?} are nested too deeply to be read again")]
    Unreadable(Vec<String>),
}

/// The policies that have something to say in tokens, one for each name. Cheap to clone.
#[derive(Clone, Default)]
pub struct TokenPolicies(Arc<BTreeMap<String, Arc<dyn TokenPolicy>>>);

impl fmt::Debug for TokenPolicies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl TokenPolicies {
    /// With this policy as well, in place of another one of its name.
    #[must_use]
    pub fn with(mut self, policy: impl TokenPolicy + 'static) -> Self {
        Arc::make_mut(&mut self.0).insert(policy.name().to_owned(), Arc::new(policy));
        self
    }

    /// What the policies say: the claims of the access token and of the refresh token.
    pub(crate) fn enrich(
        &self,
        occasion: &Occasion<'_>,
        carried: Option<&Map<String, Value>>,
    ) -> Result<Claims, EnrichmentError> {
        let mut claims = Claims::default();
        for (name, policy) in &*self.0 {
            let carried = carried.and_then(|carried| carried.get(name));
            let said = policy.enrich(&Occasion { carried, ..*occasion });
            let entries = [(&mut claims.access, said.access), (&mut claims.refresh, said.refresh)];
            for (all, own) in entries {
                if !own.is_empty() {
                    all.insert(name.clone(), Value::Object(own));
                }
            }
        }
        check(&claims.access)?;
        check(&claims.refresh)?;
        Ok(claims)
    }
}

/// What goes into `dirac_policies` of the two tokens.
#[derive(Debug, Default)]
pub(crate) struct Claims {
    pub(crate) access: Map<String, Value>,
    pub(crate) refresh: Map<String, Value>,
}

/// Refuses what would make a token that its reader refuses.
fn check(claims: &Map<String, Value>) -> Result<(), EnrichmentError> {
    if claims.is_empty() {
        return Ok(());
    }
    let policies = || claims.keys().cloned().collect();
    // a map with texts as its keys can always be written
    let text = serde_json::to_vec(claims).unwrap_or_default();
    if text.len() > MAX_CLAIMS_BYTES {
        return Err(EnrichmentError::TooLong { policies: policies(), bytes: text.len() });
    }
    // within a token it stands one level deeper than here
    let nested = [b"[".as_slice(), &text, b"]"].concat();
    match serde_json::from_slice::<Value>(&nested) {
        Ok(_) => Ok(()),
        Err(_) => Err(EnrichmentError::Unreadable(policies())),
    }
}
