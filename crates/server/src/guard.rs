//! The access guard: nobody reaches a handler whom the contract does not let in.
//!
//! It does what the contract's declaration says, and no more: who may do what to which job is the
//! service's policy, which needs the request. Whoever is refused, by the guard or by a policy, is noted for
//! administrators; bad tokens are not, since every session ends with one.

use std::{
    convert::Infallible,
    sync::Arc,
    task::{Context, Poll},
};

use diracx_core::{Explain, Explanation, Reason};
use futures::future::BoxFuture;
use http::header::AUTHORIZATION;
use tonic::Status;
use tower::{Layer, Service};

use crate::{
    RpcRequest, RpcResponse,
    access::{AccessTable, Requirement, Rule},
    identity::Identity,
    status::to_status,
    token::TokenVerifier,
};

/// Why the guard does not let somebody in, besides a bad token.
#[derive(Debug, thiserror::Error)]
enum Refusal {
    #[error("{0} is not served here")]
    NotServed(String),
    #[error("component {component} may not call {path}")]
    Component { component: String, path: String },
    #[error("a pilot may not call {path}")]
    Pilot { path: String },
}

impl Explain for Refusal {
    fn explain(&self) -> Explanation {
        match self {
            Self::NotServed(path) => Explanation::unimplemented(Reason::Unimplemented).with("method", path),
            Self::Component { component, path } => Explanation::permission_denied(Reason::Forbidden)
                .with("component", component)
                .with("method", path),
            Self::Pilot { path } => Explanation::permission_denied(Reason::Forbidden).with("method", path),
        }
    }
}

/// Decides by an access table, believing tokens that a verifier believes. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Guard {
    table: Arc<AccessTable>,
    verifier: TokenVerifier,
}

impl Guard {
    /// A guard.
    pub fn new(table: Arc<AccessTable>, verifier: TokenVerifier) -> Self {
        Self { table, verifier }
    }

    /// Who may pass with this authorization header; `None` is anybody, on open rpcs.
    pub async fn admit(
        &self,
        path: &str,
        authorization: Option<&[u8]>,
    ) -> Result<(Arc<Rule>, Option<Arc<Identity>>), Status> {
        let Some(rule) = self.table.rule(path) else {
            return Err(to_status(Refusal::NotServed(path.chars().take(200).collect())));
        };
        if let Requirement::Open { .. } = rule.requirement {
            return Ok((rule.clone(), None));
        }
        let identity = self.verifier.authenticate(authorization).await.map_err(|error| {
            tracing::debug!(rpc = path, reason = error.particulars(), "token refused");
            to_status(error)
        })?;
        if let Some(refusal) = refusal(path, rule, &identity) {
            note_refusal(path, &identity);
            return Err(to_status(refusal));
        }
        Ok((rule.clone(), Some(identity)))
    }
}

/// Why the declaration does not let this identity in.
fn refusal(path: &str, rule: &Rule, identity: &Identity) -> Option<Refusal> {
    match identity {
        Identity::User(_) => None,
        Identity::Component(component) => (!rule.components.contains(&component.name)).then(|| {
            let component = component.name.chars().take(100).collect();
            Refusal::Component { component, path: path.to_owned() }
        }),
        Identity::Pilot(_) => (!rule.pilots).then(|| Refusal::Pilot { path: path.to_owned() }),
    }
}

/// Tells administrators who was refused what. One line for each such call of somebody whom we know; the trace leads to
/// the particulars.
fn note_refusal(path: &str, identity: &Identity) {
    const TARGET: &str = "diracx_audit";
    let rpc = path.trim_start_matches('/');
    match identity {
        Identity::User(user) => {
            let (sub, name) = (&user.sub, &user.preferred_username);
            tracing::warn!(
                target: TARGET, audit = "refusal", rpc, %sub, user = %name, vo = %user.vo, group = %user.dirac_group,
                token.id = %user.token_id, "{name} of {} was refused {rpc}", user.vo
            );
        }
        Identity::Pilot(pilot) => {
            tracing::warn!(
                target: TARGET, audit = "refusal", rpc, vo = %pilot.vo, pilot.stamp = %pilot.stamp,
                token.id = %pilot.token_id, "pilot {} of {} was refused {rpc}", pilot.stamp, pilot.vo
            );
        }
        Identity::Component(component) => {
            let name = &component.name;
            tracing::warn!(
                target: TARGET, audit = "refusal", rpc, component = %name, token.id = %component.token_id,
                "{name} was refused {rpc}"
            );
        }
    }
}

/// Whether the answer says that the caller may not do this. Policies decide before anything is sent.
fn is_refused(response: &RpcResponse) -> bool {
    const PERMISSION_DENIED: &[u8] = b"7";
    response.headers().get("grpc-status").is_some_and(|status| status.as_bytes() == PERMISSION_DENIED)
}

/// Puts a [`Guard`] in front of a service.
#[derive(Debug, Clone)]
pub struct AccessGuardLayer(pub Guard);

impl<S> Layer<S> for AccessGuardLayer {
    type Service = AccessGuard<S>;

    fn layer(&self, inner: S) -> Self::Service {
        AccessGuard { guard: self.0.clone(), inner }
    }
}

/// See [`AccessGuardLayer`].
#[derive(Debug, Clone)]
pub struct AccessGuard<S> {
    guard: Guard,
    inner: S,
}

impl<S> Service<RpcRequest> for AccessGuard<S>
where
    S: Service<RpcRequest, Response = RpcResponse, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
{
    type Response = RpcResponse;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<RpcResponse, Infallible>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: RpcRequest) -> Self::Future {
        let guard = self.guard.clone();
        // the clone stays, the one that is ready goes
        let clone = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, clone);
        Box::pin(async move {
            let authorization = request.headers().get(AUTHORIZATION).map(http::HeaderValue::as_bytes);
            let admitted = guard.admit(request.uri().path(), authorization).await;
            match admitted {
                Err(status) => Ok(status.into_http()),
                Ok((rule, identity)) => {
                    // in process, a caller's extensions arrive here: what they claim counts for nothing
                    request.extensions_mut().remove::<Arc<Identity>>();
                    request.extensions_mut().insert(rule);
                    let Some(identity) = identity else { return inner.call(request).await };
                    request.extensions_mut().insert(identity.clone());
                    let path = request.uri().path().to_owned();
                    let response = inner.call(request).await?;
                    if is_refused(&response) {
                        note_refusal(&path, &identity);
                    }
                    Ok(response)
                }
            }
        })
    }
}
