//! Refresh tokens that are read and replaced at the same time, together: the programs of a whole site begin at once,
//! and refresh at once ever after.

use std::{collections::HashMap, sync::Arc};

use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use diracx_db::{
    DbError, DbResult, Together,
    statement::{BulkInsert, one_of_texts},
};
use futures::FutureExt;
use uuid::Uuid;

use super::{
    super::{
        NewRefreshToken, Rotation, deadline, rows::CREATED, rows::REVOKED,
        schema::refresh_tokens::dsl as token,
    },
    backend::{Conn, Databases},
    refresh_token::{self, DB, key},
};

/// Status, scope and subject of a token.
pub(super) type Row = (String, String, String);

/// A token and its successor.
type Pair = (Uuid, NewRefreshToken);

/// What is done together.
pub(super) struct Joint {
    reads: Together<Uuid, Option<Row>, DbError>,
    rotations: Together<Pair, Rotation, DbError>,
}

impl Joint {
    pub(super) fn new(databases: &Databases) -> Self {
        let (reader, writer) = (databases.clone(), databases.clone());
        Self {
            reads: Together::new(move |tokens, deadline| {
                let (databases, tokens) = (reader.clone(), Arc::<[Uuid]>::from(tokens));
                async move {
                    let unit = databases.read(deadline, move |tx| {
                        let tokens = Arc::clone(&tokens);
                        async move { read(tx.on(DB).await?, &tokens).await }.boxed()
                    });
                    unit.await
                }
                .boxed()
            }),
            rotations: Together::new(move |rotations, deadline| {
                let (databases, rotations) = (writer.clone(), Arc::<[Pair]>::from(rotations));
                async move {
                    let unit = databases.write(deadline, move |tx| {
                        let rotations = Arc::clone(&rotations);
                        async move { rotate(tx.on(DB).await?, &rotations).await }.boxed()
                    });
                    unit.await
                }
                .boxed()
            }),
        }
    }

    /// What is known of a token.
    pub(super) async fn read(&self, jti: Uuid) -> DbResult<Option<Row>> {
        self.reads.call(deadline(), jti).await
    }

    /// Replaces a token, see [`refresh_token::rotate`].
    pub(super) async fn rotate(&self, jti: Uuid, successor: NewRefreshToken) -> DbResult<Rotation> {
        self.rotations.call(deadline(), (jti, successor)).await
    }
}

async fn read(conn: &mut Conn, tokens: &[Uuid]) -> DbResult<Vec<Option<Row>>> {
    let rows: Vec<(String, Row)> = token::refresh_tokens
        .filter(one_of_texts(token::jti, tokens.iter().copied().map(key)))
        .select((token::jti, (token::status, token::scope, token::sub)))
        .load(conn)
        .await?;
    let found: HashMap<String, Row> = rows.into_iter().collect();
    Ok(tokens.iter().map(|jti| found.get(&key(*jti)).cloned()).collect())
}

/// Replaces tokens: one, whatever becomes of it; or several, if every one of them is usable.
async fn rotate(conn: &mut Conn, rotations: &[Pair]) -> DbResult<Vec<Rotation>> {
    if let [(jti, successor)] = rotations {
        return Ok(vec![refresh_token::rotate(conn, *jti, successor).await?]);
    }
    let usable = token::refresh_tokens
        .filter(one_of_texts(token::jti, rotations.iter().map(|(jti, _)| key(*jti))))
        .filter(token::status.eq(CREATED));
    // the rows are locked from here on: of two who come at once, one finds it revoked
    let revoked = diesel::update(usable).set(token::status.eq(REVOKED)).execute(conn).await?;
    if revoked != rotations.len() {
        // undone, and each is looked at alone
        return Err(DbError::Refused("not every one of these tokens is usable".to_owned()));
    }
    let rows: Vec<_> = rotations
        .iter()
        .map(|(_, new)| {
            vec![key(new.jti).into(), CREATED.into(), new.scope.as_str().into(), new.sub.as_str().into()]
        })
        .collect();
    let columns = &["JTI", "Status", "Scope", "Sub"];
    BulkInsert { table: "RefreshTokens", columns, rows: &rows, or_keep: false }.execute(conn).await?;
    Ok(rotations.iter().map(|_| Rotation::Done).collect())
}
