//! `dirac login`.

use std::time::Duration;

use clap::Args;
use diracx_client::proto::{
    auth::v1::{
        DeviceCodeGrant, GetInstallationMetadataRequest, GetTokenRequest, GetTokenResponse,
        InitiateDeviceFlowRequest, auth_service_client::AuthServiceClient, get_token_request::Grant,
    },
    time,
};
use diracx_client::{AnyChannel, CLIENT_ID, Credentials, Refusal, credentials::CredentialsError};
use diracx_core::{Clock as _, Reason, SystemClock};
use serde_json::json;
use tokio::time::Instant;

use crate::{
    arguments::Global,
    failure::Failure,
    output::{Format, print, print_json, tell},
};

/// How often the server is asked whether the person is done.
const POLL: Duration = Duration::from_secs(1);
/// So long before the login expires it is no use any more to go on.
const MARGIN: Duration = Duration::from_secs(30);

/// Log in to a VO
///
/// Shows an address to open in a browser, on any device, and waits until you have logged in there.
#[derive(Debug, Args)]
pub(crate) struct LoginArguments {
    /// The VO; may be left out where there is only one
    vo: Option<String>,

    /// The DIRAC group to act as [default: the VO's default group]
    #[arg(long)]
    group: Option<String>,

    /// A security property to have besides those of the group; may be repeated
    #[arg(long = "property", value_name = "PROPERTY")]
    properties: Vec<String>,
}

fn unusable(error: CredentialsError) -> Failure {
    Failure::Other(format!("{error}\nName another place with DIRACX_CREDENTIALS_PATH"))
}

/// Logs in by the device flow, and keeps the tokens.
pub(crate) async fn run(global: &Global, arguments: LoginArguments) -> Result<(), Failure> {
    let file = global.credentials()?;
    let mut auth = diracx_client::auth(global.anonymous()?);
    let scopes = scopes(&mut auth, arguments).await?;
    file.check_writable().map_err(unusable)?;
    let say = |text: &str| match global.format() {
        Format::Table => print(text),
        // stdout is for the one answer
        Format::Json => {
            tell(text);
            Ok(())
        }
    };
    say(&format!("Logging in with scopes: {}", scopes.join(" ")))?;

    let request = InitiateDeviceFlowRequest { client_id: CLIENT_ID.to_owned(), scope: scopes.join(" ") };
    let flow = auth.initiate_device_flow(request).await?.into_inner();
    let address = global.url.as_ref().map(ToString::to_string).unwrap_or_default();
    say(&format!("Now go to: {address}{}?user_code={}", flow.verification_path, flow.user_code))?;

    let expires_in = flow.expires_in.as_ref().map(|span| time::span("expires_in", span));
    let expires_in = expires_in.and_then(Result::ok).unwrap_or_default();
    let patience = expires_in.checked_sub(MARGIN).unwrap_or(expires_in);
    let tokens = poll(&mut auth, flow.device_code, patience).await?;

    let credentials = Credentials::from_response(tokens, SystemClock.now().timestamp());
    file.write(&credentials).map_err(unusable)?;
    let path = file.path().display().to_string();
    if global.format() == Format::Json {
        let answer = json!({"credentials_path": path, "scope": scopes.join(" "), "expires_on": credentials.expires_on});
        return print_json(&answer);
    }
    print(&format!("Saved credentials to {path}\n\nLogin successful!"))
}

/// What to ask for: a VO that exists, and what goes with it.
async fn scopes(
    auth: &mut AuthServiceClient<AnyChannel>,
    arguments: LoginArguments,
) -> Result<Vec<String>, Failure> {
    let installation = auth.get_installation_metadata(GetInstallationMetadataRequest {}).await?.into_inner();
    let vos: Vec<&str> = installation.virtual_organizations.iter().map(|vo| vo.name.as_str()).collect();
    let available = || format!("available options are: {}", vos.join(" "));
    let vo = match (arguments.vo, &*vos) {
        (Some(vo), _) if vos.contains(&vo.as_str()) => vo,
        (Some(vo), _) => return Err(Failure::Usage(format!("Unknown VO {vo}, {}", available()))),
        (None, [only]) => (*only).to_owned(),
        (None, _) => return Err(Failure::Usage(format!("VO must be specified, {}", available()))),
    };
    let mut scopes = vec![format!("vo:{vo}")];
    scopes.extend(arguments.group.map(|group| format!("group:{group}")));
    scopes.extend(arguments.properties.into_iter().map(|property| format!("property:{property}")));
    Ok(scopes)
}

/// Asks for the tokens until there are any.
async fn poll(
    auth: &mut AuthServiceClient<AnyChannel>,
    device_code: String,
    patience: Duration,
) -> Result<GetTokenResponse, Failure> {
    let deadline = Instant::now() + patience;
    loop {
        let request = GetTokenRequest {
            client_id: CLIENT_ID.to_owned(),
            grant: Some(Grant::DeviceCode(DeviceCodeGrant { device_code: device_code.clone() })),
        };
        let status = match auth.get_token(request).await {
            Ok(response) => return Ok(response.into_inner()),
            Err(status) => status,
        };
        let refusal = Refusal::of(&status);
        if !refusal.is(Reason::AuthorizationPending) {
            return Err(status.into());
        }
        let wait = refusal.retry_after.unwrap_or(POLL).max(POLL);
        if Instant::now() + wait > deadline {
            return Err(Failure::Other("nobody logged in in time; try again with: dirac login".to_owned()));
        }
        tokio::time::sleep(wait).await;
    }
}
