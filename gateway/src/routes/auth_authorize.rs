//! `/api/auth/authorize`: the login of a program that has a browser, by authorization code with PKCE.

use axum::{
    extract::{RawQuery, State},
    response::Response,
};
use diracx_proto::auth::v1::{FinishAuthorizationRequest, StartAuthorizationRequest};

use super::auth::{AUTHORIZED, Callback, redirect};
use crate::{
    context::Context,
    error::Refusal,
    outgoing::outgoing,
    public_url::PublicUrl,
    validation::{Problems, query::Pairs},
};

/// A browser arrives: on to the identity provider.
pub(super) async fn authorize(
    State(context): State<Context>,
    url: PublicUrl,
    RawQuery(query): RawQuery,
) -> Result<Response, Refusal> {
    let request = ask(query.as_deref().unwrap_or_default(), url.at(AUTHORIZED))?;
    let start = context.auth().start_authorization(outgoing(request)).await?.into_inner();
    redirect(&start.authorization_url)
}

/// What the program asks for, in the order in which DiracX complains.
fn ask(query: &str, callback_url: String) -> Result<StartAuthorizationRequest, Problems> {
    let query = Pairs::parse(query);
    let mut problems = Problems::default();
    let response_type = query.literal(&mut problems, "response_type", "code");
    let code_challenge = query.required(&mut problems, "code_challenge");
    let code_challenge_method = query.literal(&mut problems, "code_challenge_method", "S256");
    let client_id = query.required(&mut problems, "client_id");
    let redirect_uri = query.required(&mut problems, "redirect_uri");
    let scope = query.required(&mut problems, "scope");
    let state = query.required(&mut problems, "state");
    let request = response_type.and_then(|_| {
        Some(StartAuthorizationRequest {
            client_id: client_id?,
            redirect_uri: redirect_uri?,
            scope: scope?,
            state: state?,
            code_challenge: code_challenge?,
            code_challenge_method: code_challenge_method?,
            callback_url,
        })
    });
    problems.none_or(request)
}

/// The browser comes back from the identity provider: on to the program.
pub(super) async fn complete(
    State(context): State<Context>,
    url: PublicUrl,
    RawQuery(query): RawQuery,
) -> Result<Response, Refusal> {
    let Callback { code, state, error, error_description, issuer } = Callback::read(query.as_deref())?;
    let callback_url = url.at(AUTHORIZED);
    let request = FinishAuthorizationRequest { code, state, callback_url, error, error_description, issuer };
    let finished = context.auth().finish_authorization(outgoing(request)).await?.into_inner();
    redirect(&finished.redirect_url)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "response_type=code&code_challenge=x&code_challenge_method=S256&client_id=c\
                        &redirect_uri=http%3A%2F%2Fweb%2Fcb&scope=vo%3Aalpha&state=s+t";

    #[test]
    fn a_complete_question_is_taken_as_it_is() {
        let ask = ask(GOOD, "http://gateway/cb".to_owned()).unwrap();
        assert_eq!((ask.redirect_uri.as_str(), ask.state.as_str()), ("http://web/cb", "s t"));
        assert_eq!((ask.scope.as_str(), ask.code_challenge_method.as_str()), ("vo:alpha", "S256"));
    }

    #[test]
    fn everything_that_is_missing_or_wrong_is_told_at_once() {
        let wrong = GOOD.replace("=code&", "=token&").replace("S256", "plain").replace("&state", "&stat");
        let problems = format!("{:?}", ask(&wrong, String::new()).unwrap_err());
        for expected in ["Input should be 'code'", "Input should be 'S256'", "Name(\"state\")"] {
            assert!(problems.contains(expected), "{expected} in {problems}");
        }
    }
}
