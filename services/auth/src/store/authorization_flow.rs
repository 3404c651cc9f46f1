//! Units of work on authorization code logins.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use diracx_db::{DbResult, UtcTime};
use futures::FutureExt;
use serde_json::Value;
use uuid::Uuid;

use super::{
    super::{
        AuthorizationFlow, AuthorizationFlows, FlowStatus, NewAuthorizationFlow, NewRefreshToken, deadline,
        rows::AuthorizationRow as Row, schema::authorization_flows::dsl as flow,
    },
    Store, refresh_token,
};

const DB: diracx_db::DbIndex = 0;
/// The only PKCE method there is.
const METHOD: &str = "S256";

type Columns = (
    flow::uuid,
    flow::status,
    flow::client_id,
    flow::creation_time,
    flow::scope,
    flow::code_challenge,
    flow::redirect_uri,
    flow::id_token,
);

const COLUMNS: Columns = (
    flow::uuid,
    flow::status,
    flow::client_id,
    flow::creation_time,
    flow::scope,
    flow::code_challenge,
    flow::redirect_uri,
    flow::id_token,
);

/// As the column has it: without hyphens.
fn key(id: Uuid) -> String {
    id.simple().to_string()
}

#[async_trait]
impl AuthorizationFlows for Store {
    async fn insert_authorization_flow(&self, new: NewAuthorizationFlow) -> DbResult<()> {
        let unit = self.databases.write(deadline(), move |tx| {
            let row = (
                flow::uuid.eq(key(new.id)),
                flow::status.eq(FlowStatus::Pending.as_str()),
                flow::client_id.eq(new.client_id.clone()),
                flow::creation_time.eq(UtcTime::from(new.creation_time)),
                flow::scope.eq(new.scope.clone()),
                flow::code_challenge.eq(new.code_challenge.clone()),
                flow::code_challenge_method.eq(METHOD),
                flow::redirect_uri.eq(new.redirect_uri.clone()),
            );
            async move {
                diesel::insert_into(flow::authorization_flows).values(row).execute(tx.on(DB).await?).await?;
                Ok(())
            }
            .boxed()
        });
        unit.await
    }

    async fn authorization_flow(&self, id: Uuid) -> DbResult<Option<AuthorizationFlow>> {
        let unit = self.databases.read(deadline(), move |tx| {
            let query = flow::authorization_flows.select(COLUMNS).filter(flow::uuid.eq(key(id)));
            async move { DbResult::Ok(query.first::<Row>(tx.on(DB).await?).await.optional()?) }.boxed()
        });
        unit.await?.map(AuthorizationFlow::try_from).transpose()
    }

    async fn authorization_flow_by_code(
        &self,
        hashed_code: &str,
        begun_after: DateTime<Utc>,
    ) -> DbResult<Option<AuthorizationFlow>> {
        let hashed_code = hashed_code.to_owned();
        let unit = self.databases.read(deadline(), move |tx| {
            let query = flow::authorization_flows
                .select(COLUMNS)
                .filter(flow::code.eq(Some(hashed_code.clone())))
                .filter(flow::creation_time.gt(UtcTime::from(begun_after)));
            async move { DbResult::Ok(query.first::<Row>(tx.on(DB).await?).await.optional()?) }.boxed()
        });
        unit.await?.map(AuthorizationFlow::try_from).transpose()
    }

    async fn deny_authorization_flow(&self, id: Uuid, begun_after: DateTime<Utc>) -> DbResult<bool> {
        let unit = self.databases.write(deadline(), move |tx| {
            let pending = flow::authorization_flows
                .filter(flow::uuid.eq(key(id)))
                .filter(flow::status.eq(FlowStatus::Pending.as_str()))
                .filter(flow::creation_time.gt(UtcTime::from(begun_after)));
            let denied = flow::status.eq(FlowStatus::Error.as_str());
            async move {
                    DbResult::Ok(diesel::update(pending).set(denied).execute(tx.on(DB).await?).await? == 1)
                }
                .boxed()
        });
        unit.await
    }

    async fn finish_authorization_flow(
        &self,
        id: Uuid,
        begun_after: DateTime<Utc>,
        hashed_code: &str,
        id_token: Value,
    ) -> DbResult<bool> {
        let hashed_code = hashed_code.to_owned();
        let unit = self.databases.write(deadline(), move |tx| {
            let pending = flow::authorization_flows
                .filter(flow::uuid.eq(key(id)))
                .filter(flow::status.eq(FlowStatus::Pending.as_str()))
                .filter(flow::creation_time.gt(UtcTime::from(begun_after)));
            let ready = (
                flow::status.eq(FlowStatus::Ready.as_str()),
                flow::code.eq(Some(hashed_code.clone())),
                flow::id_token.eq(Some(id_token.clone())),
            );
            async move {
                    DbResult::Ok(diesel::update(pending).set(ready).execute(tx.on(DB).await?).await? == 1)
                }
                .boxed()
        });
        unit.await
    }

    async fn remove_authorization_flows(&self, before: DateTime<Utc>, limit: usize) -> DbResult<usize> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let unit = self.databases.write(deadline(), move |tx| {
            let old = flow::authorization_flows
                .select(flow::uuid)
                .filter(flow::creation_time.lt(UtcTime::from(before)))
                .limit(limit);
            async move {
                let conn = tx.on(DB).await?;
                let keys: Vec<String> = old.load(conn).await?;
                let old = flow::authorization_flows.filter(flow::uuid.eq_any(keys));
                DbResult::Ok(diesel::delete(old).execute(conn).await?)
            }
            .boxed()
        });
        unit.await
    }

    async fn redeem_authorization_flow(&self, id: Uuid, token: NewRefreshToken) -> DbResult<bool> {
        let unit = self.databases.write(deadline(), move |tx| {
            let ready = flow::authorization_flows
                .filter(flow::uuid.eq(key(id)))
                .filter(flow::status.eq(FlowStatus::Ready.as_str()));
            let token = token.clone();
            async move {
                let conn = tx.on(DB).await?;
                let done = flow::status.eq(FlowStatus::Done.as_str());
                if diesel::update(ready).set(done).execute(conn).await? != 1 {
                    return DbResult::Ok(false);
                }
                refresh_token::insert(conn, &token).await?;
                Ok(true)
            }
            .boxed()
        });
        unit.await
    }
}
