//! The rpcs of `AuthService`: decode, act, encode.

mod management;
mod metadata;

use diracx_proto::auth::v1::{self as pb, auth_service_server::AuthService, get_token_request::Grant};
use diracx_server::to_status;
use tonic::{Request, Response, Status};

use crate::{
    audit,
    deps::Deps,
    error::{Error, Result as AuthResult},
    logic::{
        authorization::{self, Ask},
        component, device, keys, legacy,
        login::Callback,
        management as tokens_of, pilot, refresh,
        tokens::Tokens,
    },
};

/// Where a person goes to begin a device login, below the address of the gateway.
const VERIFICATION_PATH: &str = "/api/auth/device";

/// The service.
#[derive(Clone)]
pub(crate) struct Auth(pub(crate) Deps);

#[tonic::async_trait]
impl AuthService for Auth {
    async fn initiate_device_flow(
        &self,
        request: Request<pb::InitiateDeviceFlowRequest>,
    ) -> Result<Response<pb::InitiateDeviceFlowResponse>, Status> {
        let request = request.into_inner();
        let begun = answer("device login", device::begin(&self.0, &request.client_id, &request.scope).await)?;
        Ok(Response::new(pb::InitiateDeviceFlowResponse {
            user_code: begun.user_code,
            device_code: begun.device_code,
            expires_in: Some(span(self.0.settings.device_flow_lifetime)),
            verification_path: VERIFICATION_PATH.to_owned(),
        }))
    }

    async fn start_device_login(
        &self,
        request: Request<pb::StartDeviceLoginRequest>,
    ) -> Result<Response<pb::StartDeviceLoginResponse>, Status> {
        let request = request.into_inner();
        let started = device::start_login(&self.0, &request.user_code, &request.callback_url).await;
        let authorization_url = answer("device login", started)?;
        Ok(Response::new(pb::StartDeviceLoginResponse { authorization_url }))
    }

    async fn finish_device_login(
        &self,
        request: Request<pb::FinishDeviceLoginRequest>,
    ) -> Result<Response<pb::FinishDeviceLoginResponse>, Status> {
        let request = request.into_inner();
        let callback = Callback {
            code: request.code,
            state: request.state,
            at: request.callback_url,
            issuer: request.issuer,
            error: request.error,
            error_description: request.error_description,
        };
        let finished = answer("device login", device::finish_login(&self.0, &callback).await)?;
        Ok(Response::new(pb::FinishDeviceLoginResponse {
            vo: finished.vo,
            preferred_username: finished.preferred_username,
            refusal: finished.refusal.map(|refusal| refusal.to_string()).unwrap_or_default(),
        }))
    }

    async fn start_authorization(
        &self,
        request: Request<pb::StartAuthorizationRequest>,
    ) -> Result<Response<pb::StartAuthorizationResponse>, Status> {
        let request = request.into_inner();
        let ask = Ask {
            client_id: request.client_id,
            redirect_uri: request.redirect_uri,
            scope: request.scope,
            state: request.state,
            code_challenge: request.code_challenge,
            code_challenge_method: request.code_challenge_method,
            callback_url: request.callback_url,
        };
        let authorization_url = answer("authorization code login", authorization::begin(&self.0, ask).await)?;
        Ok(Response::new(pb::StartAuthorizationResponse { authorization_url }))
    }

    async fn finish_authorization(
        &self,
        request: Request<pb::FinishAuthorizationRequest>,
    ) -> Result<Response<pb::FinishAuthorizationResponse>, Status> {
        let request = request.into_inner();
        let callback = Callback {
            code: request.code,
            state: request.state,
            at: request.callback_url,
            issuer: request.issuer,
            error: request.error,
            error_description: request.error_description,
        };
        let finished = authorization::finish_login(&self.0, &callback).await;
        let redirect_url = answer("authorization code login", finished)?;
        Ok(Response::new(pb::FinishAuthorizationResponse { redirect_url }))
    }

    async fn get_token(
        &self,
        request: Request<pb::GetTokenRequest>,
    ) -> Result<Response<pb::GetTokenResponse>, Status> {
        let pb::GetTokenRequest { client_id, grant } = request.into_inner();
        let tokens = match grant {
            None => Err(Error::Field { field: "grant", problem: "must be given" }),
            Some(Grant::DeviceCode(grant)) => device::redeem(&self.0, &grant.device_code, &client_id).await,
            Some(Grant::AuthorizationCode(grant)) => {
                let (uri, verifier) = (&grant.redirect_uri, &grant.code_verifier);
                authorization::redeem(&self.0, &client_id, &grant.code, uri, verifier).await
            }
            Some(Grant::RefreshToken(grant)) => refresh::refresh(&self.0, &grant.refresh_token).await,
        };
        Ok(Response::new(answer("token", tokens)?.into()))
    }

    async fn get_user_info(
        &self,
        request: Request<pb::GetUserInfoRequest>,
    ) -> Result<Response<pb::GetUserInfoResponse>, Status> {
        let user = diracx_server::user(&request)?;
        let policies = user.policies.as_object().into_iter().flatten();
        let mut properties = user.properties.clone();
        properties.sort_unstable();
        Ok(Response::new(pb::GetUserInfoResponse {
            sub: user.sub.clone(),
            vo: user.vo.clone(),
            dirac_group: user.dirac_group.clone(),
            properties,
            preferred_username: user.preferred_username.clone(),
            policies: policies.map(|(name, said)| (name.clone(), said.to_string())).collect(),
        }))
    }

    async fn revoke_token(
        &self,
        request: Request<pb::RevokeTokenRequest>,
    ) -> Result<Response<pb::RevokeTokenResponse>, Status> {
        let request = request.into_inner();
        let client_id = request.client_id.as_deref();
        let revoked = refresh::revoke(&self.0, &request.token, client_id, &request.token_type_hint).await;
        answer("revocation", revoked)?;
        Ok(Response::new(pb::RevokeTokenResponse {}))
    }

    async fn exchange_legacy_token(
        &self,
        request: Request<pb::ExchangeLegacyTokenRequest>,
    ) -> Result<Response<pb::ExchangeLegacyTokenResponse>, Status> {
        let request = request.into_inner();
        let ask = legacy::Ask {
            authorization: request.authorization,
            preferred_username: request.preferred_username,
            scope: request.scope,
            refresh_token_lifetime: request.refresh_token_lifetime.map(|lifetime| lifetime.seconds),
        };
        let tokens = answer("legacy exchange", legacy::exchange(&self.0, &ask).await)?;
        Ok(Response::new(tokens.into()))
    }

    async fn issue_component_token(
        &self,
        request: Request<pb::IssueComponentTokenRequest>,
    ) -> Result<Response<pb::IssueComponentTokenResponse>, Status> {
        let pb::IssueComponentTokenRequest { component, assertion } = request.into_inner();
        let issued = answer("component token", component::issue(&self.0, &component, &assertion))?;
        let expires_in = Some(span(issued.expires_in));
        Ok(Response::new(pb::IssueComponentTokenResponse { access_token: issued.access_token, expires_in }))
    }

    async fn issue_pilot_token(
        &self,
        request: Request<pb::IssuePilotTokenRequest>,
    ) -> Result<Response<pb::IssuePilotTokenResponse>, Status> {
        let permit = management::issuer(&request)?;
        let pb::IssuePilotTokenRequest { vo, pilot_stamp } = request.into_inner();
        let issued = answer("pilot token", pilot::issue(&self.0, &vo, &pilot_stamp, &permit))?;
        let expires_in = Some(span(issued.expires_in));
        Ok(Response::new(pb::IssuePilotTokenResponse { access_token: issued.access_token, expires_in }))
    }

    async fn list_refresh_tokens(
        &self,
        request: Request<pb::ListRefreshTokensRequest>,
    ) -> Result<Response<pb::ListRefreshTokensResponse>, Status> {
        let identity = diracx_server::identity(&request)?;
        let request = request.into_inner();
        let page = tokens_of::list(&self.0, &identity, request.page_size, &request.page_token).await;
        Ok(Response::new(answer("list of tokens", page)?.into()))
    }

    async fn revoke_refresh_token(
        &self,
        request: Request<pb::RevokeRefreshTokenRequest>,
    ) -> Result<Response<pb::RevokeRefreshTokenResponse>, Status> {
        let identity = diracx_server::identity(&request)?;
        let revoked = tokens_of::revoke(&self.0, &identity, &request.into_inner().jti).await;
        answer("revocation", revoked)?;
        Ok(Response::new(pb::RevokeRefreshTokenResponse {}))
    }

    async fn clean_expired_flows(
        &self,
        request: Request<pb::CleanExpiredFlowsRequest>,
    ) -> Result<Response<pb::CleanExpiredFlowsResponse>, Status> {
        let permit = management::cleaner(&request)?;
        let batch_size = request.into_inner().batch_size;
        let removed = self.0.cleaner().flows(&permit, batch_size).await.map_err(to_status)?;
        Ok(Response::new(removed.into()))
    }

    async fn clean_expired_tokens(
        &self,
        request: Request<pb::CleanExpiredTokensRequest>,
    ) -> Result<Response<pb::CleanExpiredTokensResponse>, Status> {
        let permit = management::cleaner(&request)?;
        let batch_size = request.into_inner().batch_size;
        let removed = self.0.cleaner().tokens(&permit, batch_size).await.map_err(to_status)?;
        Ok(Response::new(removed.into()))
    }

    async fn clean_retired_keys(
        &self,
        request: Request<pb::CleanRetiredKeysRequest>,
    ) -> Result<Response<pb::CleanRetiredKeysResponse>, Status> {
        let permit = management::cleaner(&request)?;
        let removed_key_ids = keys::clean(&self.0, &permit).await.map_err(to_status)?;
        Ok(Response::new(pb::CleanRetiredKeysResponse { removed_key_ids }))
    }

    async fn get_jwks(
        &self,
        _: Request<pb::GetJwksRequest>,
    ) -> Result<Response<pb::GetJwksResponse>, Status> {
        Ok(Response::new(metadata::jwks(&self.0)))
    }

    async fn get_server_metadata(
        &self,
        _: Request<pb::GetServerMetadataRequest>,
    ) -> Result<Response<pb::GetServerMetadataResponse>, Status> {
        Ok(Response::new(metadata::server(&self.0).map_err(to_status)?))
    }

    async fn get_installation_metadata(
        &self,
        _: Request<pb::GetInstallationMetadataRequest>,
    ) -> Result<Response<pb::GetInstallationMetadataResponse>, Status> {
        Ok(Response::new(metadata::installation(&self.0).map_err(to_status)?))
    }

    async fn get_security_contact(
        &self,
        _: Request<pb::GetSecurityContactRequest>,
    ) -> Result<Response<pb::GetSecurityContactResponse>, Status> {
        Ok(Response::new(metadata::security_contact(&self.0)))
    }
}

impl From<Tokens> for pb::GetTokenResponse {
    fn from(tokens: Tokens) -> Self {
        Self {
            access_token: tokens.access_token,
            expires_in: Some(span(tokens.expires_in)),
            token_type: "Bearer".to_owned(),
            refresh_token: tokens.refresh_token,
        }
    }
}

impl From<Tokens> for pb::ExchangeLegacyTokenResponse {
    fn from(tokens: Tokens) -> Self {
        Self {
            access_token: tokens.access_token,
            expires_in: Some(span(tokens.expires_in)),
            token_type: "Bearer".to_owned(),
            refresh_token: tokens.refresh_token,
        }
    }
}

/// What the caller gets; a refusal is noted for administrators.
fn answer<T>(what: &'static str, result: AuthResult<T>) -> Result<T, Status> {
    result.map_err(|error| {
        audit::refused(what, &error);
        to_status(error)
    })
}

/// Whole seconds: lifetimes are settings in seconds and minutes.
fn span(lifetime: chrono::Duration) -> prost_types::Duration {
    prost_types::Duration { seconds: lifetime.num_seconds(), nanos: 0 }
}
