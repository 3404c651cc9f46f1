//! The way to the server, with the login of whoever calls.

use std::sync::Arc;

use diracx_api::{Sandboxes, Transfer};
use diracx_client::{AnyChannel, Caller, CredentialsFile, Session};
use diracx_core::SystemClock;

use crate::{arguments::Global, failure::Failure};

impl Global {
    /// A channel whose calls carry no token.
    pub(crate) fn anonymous(&self) -> Result<AnyChannel, Failure> {
        let Some(address) = &self.url else {
            let hint = "Set DIRACX_URL to the address of your DiracX server, or use --url.";
            return Err(Failure::Usage(format!("no server is configured\n{hint}")));
        };
        let channel = address.connect(self.ca_path.as_deref()).map_err(|error| {
            let cause =
                std::error::Error::source(&error).map(|cause| format!(": {cause}")).unwrap_or_default();
            Failure::Usage(format!("{error}{cause}"))
        })?;
        Ok(Caller::default().on(channel))
    }

    /// A channel whose calls carry the token of the login, refreshed when it is time.
    pub(crate) fn connect(&self) -> Result<AnyChannel, Failure> {
        let channel = self.anonymous()?;
        let session = Session::new(self.credentials()?, channel.clone(), Arc::new(SystemClock));
        let token = move || {
            let session = session.clone();
            async move { session.token().await }
        };
        Ok(Caller::default().token(token).on(channel))
    }

    /// Sandboxes, with the login.
    pub(crate) fn sandboxes(&self) -> Result<Sandboxes, Failure> {
        let channel = self.connect()?;
        let base = self.url.as_ref().map(ToString::to_string).unwrap_or_default();
        let transfer = Transfer::new(&base, self.ca_path.as_deref());
        Ok(Sandboxes::new(channel, transfer.map_err(|error| Failure::Usage(error.to_string()))?))
    }

    /// Where the login is kept.
    pub(crate) fn credentials(&self) -> Result<CredentialsFile, Failure> {
        let file = self.credentials_path.as_ref().map(CredentialsFile::at).or_else(CredentialsFile::in_home);
        file.ok_or_else(|| {
            Failure::Usage(
                "there is no home directory to keep a login in; set DIRACX_CREDENTIALS_PATH".to_owned(),
            )
        })
    }
}
