//! A component of the system gets its token from the auth service.

use std::time::Duration;

use diracx_proto::{auth::v1::IssueComponentTokenRequest, time};
use futures::future::BoxFuture;

use crate::{AnyChannel, BoxError, Caller};

/// How long the auth service may take.
const DEADLINE: Duration = Duration::from_secs(5);

/// Shows an assertion of `component` to the auth service, whenever it is called; brings the token and how long it is
/// good.
pub fn issue_component_token(
    auth: AnyChannel,
    component: &str,
) -> impl Fn(String) -> BoxFuture<'static, Result<(String, Duration), BoxError>> + Send + Sync + 'static {
    let auth = crate::auth(Caller::default().deadline(DEADLINE).on(auth));
    let component = component.to_owned();
    move |assertion| {
        let (mut auth, component) = (auth.clone(), component.clone());
        Box::pin(async move {
            let request = IssueComponentTokenRequest { component, assertion };
            let issued = auth.issue_component_token(request).await?.into_inner();
            let seconds = time::whole_seconds(issued.expires_in.as_ref());
            Ok((issued.access_token, Duration::from_secs(u64::try_from(seconds).unwrap_or(0))))
        })
    }
}
