//! Units of work on device logins.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use diracx_db::{DbResult, UtcTime};
use futures::FutureExt;
use serde_json::Value;

use super::{
    super::{
        DeviceFlow, DeviceFlows, FlowStatus, NewDeviceFlow, NewRefreshToken, deadline,
        rows::DeviceRow as Row, schema::device_flows::dsl as flow,
    },
    Store, refresh_token,
};

const DB: diracx_db::DbIndex = 0;

type Columns =
    (flow::user_code, flow::status, flow::creation_time, flow::client_id, flow::scope, flow::id_token);

const COLUMNS: Columns =
    (flow::user_code, flow::status, flow::creation_time, flow::client_id, flow::scope, flow::id_token);

#[async_trait]
impl DeviceFlows for Store {
    async fn insert_device_flow(&self, new: NewDeviceFlow) -> DbResult<()> {
        let unit = self.databases.write(deadline(), move |tx| {
            let row = (
                flow::user_code.eq(new.user_code.clone()),
                flow::device_code.eq(new.hashed_device_code.clone()),
                flow::status.eq(FlowStatus::Pending.as_str()),
                flow::creation_time.eq(UtcTime::from(new.creation_time)),
                flow::client_id.eq(new.client_id.clone()),
                flow::scope.eq(new.scope.clone()),
            );
            async move {
                diesel::insert_into(flow::device_flows).values(row).execute(tx.on(DB).await?).await?;
                Ok(())
            }
            .boxed()
        });
        unit.await
    }

    async fn device_flow(&self, user_code: &str) -> DbResult<Option<DeviceFlow>> {
        let user_code = user_code.to_owned();
        let unit = self.databases.read(deadline(), move |tx| {
            let query = flow::device_flows.select(COLUMNS).filter(flow::user_code.eq(user_code.clone()));
            async move { DbResult::Ok(query.first::<Row>(tx.on(DB).await?).await.optional()?) }.boxed()
        });
        unit.await?.map(DeviceFlow::try_from).transpose()
    }

    async fn device_flow_by_code(&self, hashed_code: &str) -> DbResult<Option<DeviceFlow>> {
        let hashed_code = hashed_code.to_owned();
        let unit = self.databases.read(deadline(), move |tx| {
            let query = flow::device_flows.select(COLUMNS).filter(flow::device_code.eq(hashed_code.clone()));
            async move { DbResult::Ok(query.first::<Row>(tx.on(DB).await?).await.optional()?) }.boxed()
        });
        unit.await?.map(DeviceFlow::try_from).transpose()
    }

    async fn finish_device_flow(
        &self,
        user_code: &str,
        begun_after: DateTime<Utc>,
        id_token: Value,
    ) -> DbResult<bool> {
        let user_code = user_code.to_owned();
        let unit = self.databases.write(deadline(), move |tx| {
            let pending = flow::device_flows
                .filter(flow::user_code.eq(user_code.clone()))
                .filter(flow::status.eq(FlowStatus::Pending.as_str()))
                .filter(flow::creation_time.gt(UtcTime::from(begun_after)));
            let ready =
                (flow::status.eq(FlowStatus::Ready.as_str()), flow::id_token.eq(Some(id_token.clone())));
            async move {
                    DbResult::Ok(diesel::update(pending).set(ready).execute(tx.on(DB).await?).await? == 1)
                }
                .boxed()
        });
        unit.await
    }

    async fn deny_device_flow(&self, user_code: &str) -> DbResult<()> {
        let user_code = user_code.to_owned();
        let unit = self.databases.write(deadline(), move |tx| {
            let pending = flow::device_flows
                .filter(flow::user_code.eq(user_code.clone()))
                .filter(flow::status.eq(FlowStatus::Pending.as_str()));
            let denied = flow::status.eq(FlowStatus::Error.as_str());
            async move {
                diesel::update(pending).set(denied).execute(tx.on(DB).await?).await?;
                DbResult::Ok(())
            }
            .boxed()
        });
        unit.await
    }

    async fn remove_device_flows(&self, before: DateTime<Utc>, limit: usize) -> DbResult<usize> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let unit = self.databases.write(deadline(), move |tx| {
            let old = flow::device_flows
                .select(flow::user_code)
                .filter(flow::creation_time.lt(UtcTime::from(before)))
                .limit(limit);
            async move {
                let conn = tx.on(DB).await?;
                let keys: Vec<String> = old.load(conn).await?;
                let old = flow::device_flows.filter(flow::user_code.eq_any(keys));
                DbResult::Ok(diesel::delete(old).execute(conn).await?)
            }
            .boxed()
        });
        unit.await
    }

    async fn redeem_device_flow(&self, hashed_code: &str, token: NewRefreshToken) -> DbResult<bool> {
        let hashed_code = hashed_code.to_owned();
        let unit = self.databases.write(deadline(), move |tx| {
            let ready = flow::device_flows
                .filter(flow::device_code.eq(hashed_code.clone()))
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
