//! `SiteStatus` and `ResourceStatus`.

use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use diracx_db::DbResult;

use super::{
    Conn, dialect,
    rows::{StatusRow, stored},
};
use crate::{
    model::{Kind, Stored},
    store::schema::{resource_status, site_status},
};

macro_rules! load {
    ($conn:ident, $locked:ident, $table:ident) => {{
        let query = $table::table.order(($table::name, $table::status_type, $table::vo)).select((
            $table::name,
            $table::status_type,
            $table::vo,
            $table::status,
            $table::reason,
            $table::date_effective,
            $table::token_expiration,
            $table::element_type,
            $table::last_check_time,
            $table::token_owner,
        ));
        let rows: Vec<StatusRow> = rows!($conn, query, locked: $locked);
        rows
    }};
}

/// The statuses of sites, then those of all other elements.
pub(super) async fn load(conn: &mut Conn, locked: bool) -> DbResult<Vec<Stored>> {
    let sites = load!(conn, locked, site_status);
    let resources = load!(conn, locked, resource_status);
    let sites = sites.into_iter().map(|row| stored(Kind::Site, row));
    Ok(sites.chain(resources.into_iter().map(|row| stored(Kind::Resource, row))).collect())
}
