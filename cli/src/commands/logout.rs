//! `dirac logout`.

use diracx_client::proto::auth::v1::RevokeTokenRequest;
use diracx_client::{CLIENT_ID, Credentials};
use serde_json::json;

use crate::{
    arguments::Global,
    failure::Failure,
    output::{Format, print, print_json, tell},
};

/// Gives the refresh token back, and removes the credentials whatever the server says.
pub(crate) async fn run(global: &Global) -> Result<(), Failure> {
    let file = global.credentials()?;
    let path = file.path().display();
    let mut revoked = false;
    match file.read() {
        Ok(Some(credentials)) => match revoke(global, credentials).await {
            Ok(done) => revoked = done,
            Err(Failure::Status(status)) => {
                tell(&format!("The server did not take the login back: {}", status.message()));
            }
            Err(Failure::Usage(problem)) => tell(&format!("The login is not given back: {problem}")),
            Err(other) => return Err(other),
        },
        Ok(None) => {}
        // what cannot be read cannot be given back; it goes all the same
        Err(error) => tell(&error.to_string()),
    }
    let removed = file.remove().map_err(|error| Failure::Other(error.to_string()))?;
    if global.format() == Format::Json {
        return print_json(
            &json!({"credentials_path": path.to_string(), "removed": removed, "revoked": revoked}),
        );
    }
    if removed {
        print(&format!("Removed credentials from {path}\n\nLogout successful!"))
    } else {
        print("You are not connected to DiracX, or your credentials are missing.")
    }
}

async fn revoke(global: &Global, credentials: Credentials) -> Result<bool, Failure> {
    let Some(token) = credentials.refresh_token else { return Ok(false) };
    let request = RevokeTokenRequest {
        token,
        token_type_hint: "refresh_token".to_owned(),
        client_id: Some(CLIENT_ID.to_owned()),
    };
    diracx_client::auth(global.anonymous()?).revoke_token(request).await?;
    Ok(true)
}
