//! Units of work on refresh tokens.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use diracx_db::DbResult;
use futures::FutureExt;
use uuid::Uuid;

use super::{
    super::{
        NewRefreshToken, RefreshToken, RefreshTokens, Rotation, StoredToken, deadline,
        partition_plan::smallest_key,
        rows::{self, CREATED, REVOKED, TokenRow},
        schema::{legacy_refresh_tokens::dsl as legacy, refresh_tokens::dsl as token},
    },
    Store,
    backend::{Backend, Conn},
};
use crate::policy::TokenScope;

pub(super) const DB: diracx_db::DbIndex = 0;

/// Keeps a new token.
pub(super) async fn insert(conn: &mut Conn, new: &NewRefreshToken) -> DbResult<()> {
    let row = (
        token::jti.eq(key(new.jti)),
        token::status.eq(CREATED),
        token::scope.eq(new.scope.clone()),
        token::sub.eq(new.sub.clone()),
    );
    diesel::insert_into(token::refresh_tokens).values(row).execute(conn).await?;
    Ok(())
}

/// Revokes whatever a subject has, but for the tokens of DIRAC servers; tells how many tokens that were.
async fn revoke_all_of(conn: &mut Conn, sub: &str) -> DbResult<usize> {
    let usable = token::refresh_tokens
        .filter(token::status.eq(CREATED))
        .filter(token::sub.eq(sub.to_owned()))
        .filter(token::jti.ne_all(legacy::legacy_refresh_tokens.select(legacy::jti)));
    Ok(diesel::update(usable).set(token::status.eq(REVOKED)).execute(conn).await?)
}

/// Revokes one token; false if it is revoked already, or unknown.
async fn revoke(conn: &mut Conn, jti: Uuid) -> DbResult<bool> {
    let usable = token::refresh_tokens.filter(token::jti.eq(key(jti))).filter(token::status.eq(CREATED));
    Ok(diesel::update(usable).set(token::status.eq(REVOKED)).execute(conn).await? == 1)
}

/// Revokes a token and keeps its successor. If it was revoked before, the tokens of the successor's subject are
/// revoked instead.
pub(super) async fn rotate(conn: &mut Conn, jti: Uuid, successor: &NewRefreshToken) -> DbResult<Rotation> {
    // the row is locked from here on: of two who come at once, one finds it revoked
    if !revoke(conn, jti).await? {
        let closed = revoke_all_of(conn, &successor.sub).await?;
        return Ok(Rotation::Reused { closed });
    }
    insert(conn, successor).await?;
    Ok(Rotation::Done)
}

/// As the column has it: without hyphens.
pub(super) fn key(jti: Uuid) -> String {
    jti.simple().to_string()
}

#[async_trait]
impl RefreshTokens for Store {
    async fn refresh_token(&self, jti: Uuid) -> DbResult<Option<RefreshToken>> {
        let Some((status, scope, sub)) = self.joint.read(jti).await? else { return Ok(None) };
        let revoked = rows::is_revoked(&key(jti), &status)?;
        Ok(Some(RefreshToken { revoked, scope, sub }))
    }

    async fn rotate_refresh_token(&self, jti: Uuid, successor: NewRefreshToken) -> DbResult<Rotation> {
        self.joint.rotate(jti, successor).await
    }

    async fn revoke_refresh_token(&self, jti: Uuid) -> DbResult<bool> {
        if self.refresh_token(jti).await?.is_none() {
            return Ok(false);
        }
        let unit = self
            .databases
            .write(deadline(), move |tx| async move { revoke(tx.on(DB).await?, jti).await }.boxed());
        unit.await?;
        Ok(true)
    }

    async fn refresh_tokens(
        &self,
        scope: TokenScope,
        after: Option<Uuid>,
        limit: usize,
    ) -> DbResult<Vec<StoredToken>> {
        let after = after.map(key).unwrap_or_default();
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let unit = self.databases.read(deadline(), move |tx| {
            let mut query = token::refresh_tokens
                .select((token::jti, token::status, token::scope, token::sub))
                .filter(token::jti.gt(after.clone()))
                .order(token::jti)
                .limit(limit)
                .into_boxed::<Backend>();
            if let TokenScope::Own(sub) = &scope {
                query = query.filter(token::sub.eq(sub.clone())).filter(token::status.ne(REVOKED));
            }
            async move { DbResult::Ok(query.load::<TokenRow>(tx.on(DB).await?).await?) }.boxed()
        });
        unit.await?.into_iter().map(StoredToken::try_from).collect()
    }

    async fn insert_legacy_token(&self, new: NewRefreshToken) -> DbResult<()> {
        let unit = self.databases.write(deadline(), move |tx| {
            let new = new.clone();
            async move {
                let conn = tx.on(DB).await?;
                insert(conn, &new).await?;
                let mark = legacy::jti.eq(key(new.jti));
                diesel::insert_into(legacy::legacy_refresh_tokens).values(mark).execute(conn).await?;
                Ok(())
            }
            .boxed()
        });
        unit.await
    }

    async fn forget_legacy_tokens(&self, before: DateTime<Utc>, limit: usize) -> DbResult<usize> {
        let bound = smallest_key(before);
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let unit = self.databases.write(deadline(), move |tx| {
            let old = legacy::legacy_refresh_tokens
                .select(legacy::jti)
                .filter(legacy::jti.lt(bound.clone()))
                .order(legacy::jti)
                .limit(limit);
            async move {
                let conn = tx.on(DB).await?;
                let keys: Vec<String> = old.load(conn).await?;
                let old = legacy::legacy_refresh_tokens.filter(legacy::jti.eq_any(keys));
                DbResult::Ok(diesel::delete(old).execute(conn).await?)
            }
            .boxed()
        });
        unit.await
    }

    async fn remove_refresh_tokens(&self, before: DateTime<Utc>, limit: usize) -> DbResult<usize> {
        let bound = smallest_key(before);
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let unit = self.databases.write(deadline(), move |tx| {
            let old = token::refresh_tokens
                .select(token::jti)
                .filter(token::jti.lt(bound.clone()))
                .order(token::jti)
                .limit(limit);
            async move {
                let conn = tx.on(DB).await?;
                let keys: Vec<String> = old.load(conn).await?;
                let old = token::refresh_tokens.filter(token::jti.eq_any(keys));
                DbResult::Ok(diesel::delete(old).execute(conn).await?)
            }
            .boxed()
        });
        unit.await
    }

    async fn revoke_session(&self, sub: &str) -> DbResult<usize> {
        let sub = sub.to_owned();
        let unit = self.databases.write(deadline(), move |tx| {
            let sub = sub.clone();
            async move { revoke_all_of(tx.on(DB).await?, &sub).await }.boxed()
        });
        unit.await
    }
}
