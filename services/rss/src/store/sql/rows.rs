//! Rows of DIRAC's tables, and what they mean.

use diracx_db::UtcTime;

use crate::model::{Kind, RowKey, Stored};

/// Name, status type, VO, status, reason, since when, until when, type, last check, who.
pub(super) type StatusRow =
    (String, String, String, String, String, UtcTime, UtcTime, String, UtcTime, String);

pub(super) fn stored(kind: Kind, row: StatusRow) -> Stored {
    let (name, status_type, vo, status, reason, effective, expiration, element_type, last_check, owner) = row;
    Stored {
        key: RowKey { kind, name, status_type, vo },
        element_type,
        status,
        reason,
        effective: effective.utc(),
        expiration: expiration.utc(),
        last_check: last_check.utc(),
        owner,
    }
}
