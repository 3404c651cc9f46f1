//! Rows as the database has them, and what they mean.

use std::str::FromStr;

use diracx_db::{DbError, DbResult, UtcTime};
use serde_json::Value;

use super::{AuthorizationFlow, DeviceFlow, RefreshToken, StoredToken};

/// The status of a refresh token that can be used.
pub(super) const CREATED: &str = "CREATED";
/// The status of one that cannot.
pub(super) const REVOKED: &str = "REVOKED";

/// A row of `DeviceFlows`.
pub(super) type DeviceRow = (String, String, UtcTime, String, String, Option<Value>);

/// A row of `AuthorizationFlows`.
pub(super) type AuthorizationRow = (String, String, String, UtcTime, String, String, String, Option<Value>);

/// A row of `RefreshTokens`.
pub(super) type TokenRow = (String, String, String, String);

impl TryFrom<TokenRow> for StoredToken {
    type Error = DbError;

    fn try_from((jti, status, scope, sub): TokenRow) -> DbResult<Self> {
        let revoked = is_revoked(&jti, &status)?;
        Ok(Self {
            jti: read("RefreshTokens", "JTI", &jti, &jti)?,
            token: RefreshToken { revoked, scope, sub },
        })
    }
}

impl TryFrom<DeviceRow> for DeviceFlow {
    type Error = DbError;

    fn try_from((user_code, status, creation_time, client_id, scope, id_token): DeviceRow) -> DbResult<Self> {
        let status = read("DeviceFlows", "Status", &user_code, &status)?;
        Ok(Self { status, creation_time: creation_time.utc(), client_id, scope, id_token })
    }
}

impl TryFrom<AuthorizationRow> for AuthorizationFlow {
    type Error = DbError;

    fn try_from(row: AuthorizationRow) -> DbResult<Self> {
        const TABLE: &str = "AuthorizationFlows";
        let (id, status, client_id, creation_time, scope, code_challenge, redirect_uri, id_token) = row;
        Ok(Self {
            status: read(TABLE, "Status", &id, &status)?,
            id: read(TABLE, "UUID", &id, &id)?,
            client_id,
            creation_time: creation_time.utc(),
            scope,
            code_challenge,
            redirect_uri,
            id_token,
        })
    }
}

/// Whether a refresh token was revoked.
pub(super) fn is_revoked(jti: &str, status: &str) -> DbResult<bool> {
    match status {
        CREATED => Ok(false),
        REVOKED => Ok(true),
        other => Err(DbError::Inconsistency {
            table: "RefreshTokens",
            column: "Status",
            row: jti.to_owned(),
            problem: format!("{other:?} is no status of a token"),
        }),
    }
}

/// A value of a row that means something, or what is wrong with the row.
fn read<T: FromStr>(table: &'static str, column: &'static str, row: &str, text: &str) -> DbResult<T>
where
    T::Err: ToString,
{
    text.parse().map_err(|error: T::Err| DbError::Inconsistency {
        table,
        column,
        row: row.to_owned(),
        problem: error.to_string(),
    })
}
