//! The store on SQLite: the units of work, compiled for that backend.

use diracx_db::sqlite as backend;

#[path = "authorization_flow.rs"]
mod authorization_flow;
#[path = "device_flow.rs"]
mod device_flow;
#[path = "refresh_token.rs"]
mod refresh_token;

/// The databases of the auth service.
pub(super) struct Store(pub(super) backend::Databases);

impl super::AuthStore for Store {
    fn ping(&self) -> futures::future::BoxFuture<'_, diracx_db::DbResult<()>> {
        Box::pin(self.0.ping(super::deadline()))
    }
}
