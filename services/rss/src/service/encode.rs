//! Statuses on the wire.

use chrono::{DateTime, Utc};
use diracx_proto::{rss::v1 as pb, time::timestamp};

use crate::{
    logic::{
        list::element_type,
        plan::Entry,
        view::{Availability, Element},
    },
    model::{ALL, ElementType, Planned, RowKey, StatusType, Stored, Value, never, never_checked},
};

pub(super) fn resources(of: ElementType, elements: &[Element]) -> Vec<pb::ResourceStatus> {
    elements.iter().map(|element| resource(of, element)).collect()
}

fn resource(of: ElementType, element: &Element) -> pb::ResourceStatus {
    let mut each = element.availability.iter().map(availability);
    let status = if of == ElementType::Storage {
        // in the order of ElementType::status_types
        let [read, write, check, remove] = std::array::from_fn(|_| each.next());
        pb::resource_status::Status::Storage(pb::StorageAvailability { read, write, check, remove })
    } else {
        pb::resource_status::Status::All(each.next().unwrap_or_default())
    };
    pb::ResourceStatus {
        name: element.name.clone(),
        status: Some(status),
        drain_from: element.draining.map(|draining| timestamp(draining.from)),
        drain_until: element.draining.map(|draining| timestamp(draining.until)),
    }
}

fn availability(availability: &Availability) -> pb::Availability {
    match availability {
        Availability::Allowed(warnings) => {
            pb::Availability { allowed: true, warnings: warnings.clone(), reason: String::new() }
        }
        Availability::Forbidden(reason) => {
            pb::Availability { allowed: false, warnings: None, reason: reason.clone() }
        }
    }
}

/// A key with all that is kept of it.
pub(super) fn entry(entry: &Entry) -> pb::ElementStatus {
    let planned = entry.planned.as_ref().map(planned);
    let key = Some(key(element_type(entry), &entry.key));
    match &entry.stored {
        Some(row) => pb::ElementStatus { planned, key, ..status(row) },
        // nothing holds yet
        None => pb::ElementStatus { planned, key, ..pb::ElementStatus::default() },
    }
}

/// A status of the past.
pub(super) fn record(of: ElementType, row: &Stored) -> pb::ElementStatus {
    pb::ElementStatus { key: Some(key(of.as_str(), &row.key)), ..status(row) }
}

fn status(row: &Stored) -> pb::ElementStatus {
    pb::ElementStatus {
        key: None,
        status: value(&row.status).into(),
        status_name: row.status.clone(),
        reason: row.reason.clone(),
        effective_time: Some(timestamp(row.effective)),
        expiration_time: unless(row.expiration, row.expiration >= never()),
        last_check_time: unless(row.last_check, row.last_check <= never_checked()),
        token_owner: row.owner.clone(),
        planned: None,
    }
}

fn planned(plan: &Planned) -> pb::PlannedStatus {
    pb::PlannedStatus {
        status: value(&plan.status).into(),
        reason: plan.reason.clone(),
        effective_time: Some(timestamp(plan.effective)),
        drain_from: plan.drain_from.map(timestamp),
        expiration_time: unless(plan.expiration, plan.expiration >= never()),
        token_owner: plan.owner.clone(),
    }
}

fn unless(time: DateTime<Utc>, meaningless: bool) -> Option<prost_types::Timestamp> {
    (!meaningless).then(|| timestamp(time))
}

fn key(element_type: &str, key: &RowKey) -> pb::StatusKey {
    pb::StatusKey {
        element_type: element_type.parse().map_or(pb::ElementType::Unspecified, type_of).into(),
        name: key.name.clone(),
        status_type: key.status_type.parse().map_or(pb::StatusType::Unspecified, status_type).into(),
        vo: if key.vo == ALL { String::new() } else { key.vo.clone() },
    }
}

fn type_of(element_type: ElementType) -> pb::ElementType {
    match element_type {
        ElementType::Site => pb::ElementType::Site,
        ElementType::Compute => pb::ElementType::ComputeElement,
        ElementType::Storage => pb::ElementType::StorageElement,
        ElementType::Fts => pb::ElementType::Fts,
    }
}

fn status_type(status_type: StatusType) -> pb::StatusType {
    match status_type {
        StatusType::All => pb::StatusType::All,
        StatusType::Read => pb::StatusType::ReadAccess,
        StatusType::Write => pb::StatusType::WriteAccess,
        StatusType::Check => pb::StatusType::CheckAccess,
        StatusType::Remove => pb::StatusType::RemoveAccess,
    }
}

/// A word of other software has no number.
fn value(word: &str) -> pb::ElementStatusValue {
    match word.parse() {
        Ok(Value::Active) => pb::ElementStatusValue::Active,
        Ok(Value::Degraded) => pb::ElementStatusValue::Degraded,
        Ok(Value::Probing) => pb::ElementStatusValue::Probing,
        Ok(Value::Banned) => pb::ElementStatusValue::Banned,
        Ok(Value::Error) => pb::ElementStatusValue::Error,
        Ok(Value::Unknown) => pb::ElementStatusValue::Unknown,
        Err(()) => pb::ElementStatusValue::Unspecified,
    }
}
