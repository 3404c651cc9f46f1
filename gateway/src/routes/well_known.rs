//! `/.well-known/…`: what everybody may know of this installation.

use axum::{
    extract::State,
    response::{IntoResponse, Response},
    routing::get,
};
use diracx_proto::auth::v1::{
    DiracGroup, GetInstallationMetadataRequest, GetJwksRequest, GetSecurityContactRequest,
    GetServerMetadataRequest, VirtualOrganization,
};
use http::StatusCode;
use serde_json::{Map, Value, json};

use crate::{
    context::Context, error::Refusal, outgoing::outgoing, public_url::PublicUrl, render::json_response,
    routing::Table,
};

pub(super) fn routes(table: Table) -> Table {
    table
        .at("/.well-known/openid-configuration", "GET", get(openid_configuration))
        .at("/.well-known/jwks.json", "GET", get(jwks))
        .at("/.well-known/dirac-metadata", "GET", get(dirac_metadata))
        .at("/.well-known/security.txt", "GET", get(security_txt))
}

async fn openid_configuration(State(context): State<Context>, url: PublicUrl) -> Result<Response, Refusal> {
    let metadata =
        context.auth().get_server_metadata(outgoing(GetServerMetadataRequest {})).await?.into_inner();
    let document = json!({
        "issuer": metadata.issuer,
        "token_endpoint": url.at("/api/auth/token"),
        "userinfo_endpoint": url.at("/api/auth/userinfo"),
        "authorization_endpoint": url.at("/api/auth/authorize"),
        "device_authorization_endpoint": url.at("/api/auth/device"),
        "revocation_endpoint": url.at("/api/auth/revoke"),
        "jwks_uri": url.at("/.well-known/jwks.json"),
        "grant_types_supported": metadata.grant_types_supported,
        "scopes_supported": metadata.scopes_supported,
        "response_types_supported": metadata.response_types_supported,
        "token_endpoint_auth_signing_alg_values_supported": metadata.token_endpoint_auth_signing_alg_values_supported,
        "token_endpoint_auth_methods_supported": metadata.token_endpoint_auth_methods_supported,
        "code_challenge_methods_supported": metadata.code_challenge_methods_supported,
    });
    Ok(json_response(StatusCode::OK, &document))
}

async fn jwks(State(context): State<Context>) -> Result<Response, Refusal> {
    let keys = context.auth().get_jwks(outgoing(GetJwksRequest {})).await?.into_inner().keys;
    Ok(json_response(StatusCode::OK, &diracx_client::jwks::key_set(keys)))
}

async fn dirac_metadata(State(context): State<Context>) -> Result<Response, Refusal> {
    let answer =
        context.auth().get_installation_metadata(outgoing(GetInstallationMetadataRequest {})).await?;
    let vos: Map<String, Value> =
        answer.into_inner().virtual_organizations.into_iter().map(virtual_organization).collect();
    Ok(json_response(StatusCode::OK, &json!({ "virtual_organizations": vos })))
}

fn virtual_organization(vo: VirtualOrganization) -> (String, Value) {
    let group = |group: DiracGroup| (group.name, json!({ "properties": group.properties }));
    let groups: Map<String, Value> = vo.groups.into_iter().map(group).collect();
    let support = vo.support.unwrap_or_default();
    let document = json!({
        "groups": groups,
        "support": { "message": support.message, "webpage": support.webpage, "email": support.email },
        "default_group": vo.default_group,
    });
    (vo.name, document)
}

/// A JSON string, not plain text: DiracX's generated clients read it as one.
async fn security_txt(State(context): State<Context>) -> Result<Response, Refusal> {
    let answer =
        context.auth().get_security_contact(outgoing(GetSecurityContactRequest {})).await?.into_inner();
    Ok(json_response(StatusCode::OK, &answer.document).into_response())
}
