//! What comes from the wire: checked here, valid from here on.

use chrono::{DateTime, SubsecRound, Utc};
use diracx_proto::{Invalid, rss::v1 as pb, time};

use crate::{
    logic::plan::{Target, Update},
    model::{ALL, ElementType, StatusType, Value},
};

/// How many characters the columns hold.
const LONGEST_NAME: usize = 64;
const LONGEST_REASON: usize = 512;
/// How many entries a page has if the request does not say, and at the most.
const USUAL_PAGE: usize = 100;
const LARGEST_PAGE: usize = 10_000;

pub(super) fn element_type(field: &str, number: i32) -> Result<ElementType, Invalid> {
    optional_type(field, number)?.ok_or_else(|| Invalid::field(field, "is required"))
}

pub(super) fn optional_type(field: &str, number: i32) -> Result<Option<ElementType>, Invalid> {
    match pb::ElementType::try_from(number) {
        Ok(pb::ElementType::Unspecified) => Ok(None),
        Ok(pb::ElementType::Site) => Ok(Some(ElementType::Site)),
        Ok(pb::ElementType::ComputeElement) => Ok(Some(ElementType::Compute)),
        Ok(pb::ElementType::StorageElement) => Ok(Some(ElementType::Storage)),
        Ok(pb::ElementType::Fts) => Ok(Some(ElementType::Fts)),
        Err(_) => Err(Invalid::field(field, "is no type of element")),
    }
}

pub(super) fn value(field: &str, number: i32) -> Result<Value, Invalid> {
    match pb::ElementStatusValue::try_from(number) {
        Ok(pb::ElementStatusValue::Active) => Ok(Value::Active),
        Ok(pb::ElementStatusValue::Degraded) => Ok(Value::Degraded),
        Ok(pb::ElementStatusValue::Probing) => Ok(Value::Probing),
        Ok(pb::ElementStatusValue::Banned) => Ok(Value::Banned),
        Ok(pb::ElementStatusValue::Error) => Ok(Value::Error),
        Ok(pb::ElementStatusValue::Unknown) => Ok(Value::Unknown),
        Ok(pb::ElementStatusValue::Unspecified) => Err(Invalid::field(field, "is required")),
        Err(_) => Err(Invalid::field(field, "is no status")),
    }
}

/// The statuses that a key names: of an element with several accesses all, unless it says which.
pub(super) fn target(key: Option<&pb::StatusKey>) -> Result<Target, Invalid> {
    let key = key.ok_or_else(|| Invalid::field("key", "is required"))?;
    let within = |invalid: Invalid| invalid.within("key");
    let element_type = element_type("element_type", key.element_type).map_err(within)?;
    let name = text("name", &key.name, LONGEST_NAME).map_err(within)?;
    if name.is_empty() {
        return Err(Invalid::field("key.name", "is required"));
    }
    let vo = text("vo", &key.vo, LONGEST_NAME).map_err(within)?;
    let of = element_type.status_types();
    let status_types = match status_type(key.status_type).map_err(within)? {
        None => of.to_vec(),
        Some(one) if of.contains(&one) => vec![one],
        Some(_) if element_type == ElementType::Storage => {
            return Err(Invalid::field(
                "key.status_type",
                "must be one of the four accesses of a storage element",
            ));
        }
        Some(_) => {
            return Err(Invalid::field(
                "key.status_type",
                "must be ALL: only storage elements have accesses",
            ));
        }
    };
    Ok(Target { element_type, name, status_types, vo: if vo.is_empty() { ALL.to_owned() } else { vo } })
}

fn status_type(number: i32) -> Result<Option<StatusType>, Invalid> {
    match pb::StatusType::try_from(number) {
        Ok(pb::StatusType::Unspecified) => Ok(None),
        Ok(pb::StatusType::All) => Ok(Some(StatusType::All)),
        Ok(pb::StatusType::ReadAccess) => Ok(Some(StatusType::Read)),
        Ok(pb::StatusType::WriteAccess) => Ok(Some(StatusType::Write)),
        Ok(pb::StatusType::CheckAccess) => Ok(Some(StatusType::Check)),
        Ok(pb::StatusType::RemoveAccess) => Ok(Some(StatusType::Remove)),
        Err(_) => Err(Invalid::field("status_type", "is no type of status")),
    }
}

/// A status to set; `owner` is who wants it.
pub(super) fn update(
    message: &pb::ElementStatusUpdate,
    target: Target,
    owner: &str,
    now: DateTime<Utc>,
) -> Result<Update, Invalid> {
    ascii("key.name", &target.name)?;
    ascii("key.vo", &target.vo)?;
    let value = value("status", message.status)?;
    let reason = text("reason", &message.reason, LONGEST_REASON)?;
    if reason.is_empty() && value != Value::Active {
        return Err(Invalid::field("reason", "is required, unless the status is ACTIVE"));
    }
    let instant = |field: &str, time: Option<&prost_types::Timestamp>| {
        time.map(|time| time::datetime(field, time).map(|time| time.trunc_subsecs(0))).transpose()
    };
    let effective = instant("effective_time", message.effective_time.as_ref())?;
    let drain_from = instant("drain_from", message.drain_from.as_ref())?;
    let expiration = instant("expiration_time", message.expiration_time.as_ref())?;
    let begins = effective.unwrap_or(now).max(now);
    if expiration.is_some_and(|expiration| expiration <= begins) {
        return Err(Invalid::field("expiration_time", "must be after the status takes effect, and to come"));
    }
    if let Some(drain_from) = drain_from {
        if effective.is_none_or(|effective| effective <= now) {
            return Err(Invalid::field("drain_from", "needs an effective_time to come"));
        }
        if drain_from >= begins {
            return Err(Invalid::field("drain_from", "must be before effective_time"));
        }
        if value.is_usable() {
            return Err(Invalid::field("drain_from", "is for elements that cannot be used any more"));
        }
    }
    Ok(Update { target, value, reason, effective, drain_from, expiration, owner: owner.to_owned() })
}

/// 0 is the usual size, less is refused.
pub(super) fn page_size(asked: i32) -> Result<usize, Invalid> {
    match usize::try_from(asked) {
        Ok(0) => Ok(USUAL_PAGE),
        Ok(size) => Ok(size.min(LARGEST_PAGE)),
        Err(_) => Err(Invalid::field("page_size", "must not be negative")),
    }
}

/// A text without spaces around it, which would be lost in comparisons of MySQL, and without control characters.
pub(super) fn text(field: &str, text: &str, longest: usize) -> Result<String, Invalid> {
    let text = text.trim();
    if text.chars().count() > longest {
        return Err(Invalid::field(field, format!("has more than {longest} characters")));
    }
    if text.chars().any(char::is_control) {
        return Err(Invalid::field(field, "has characters that cannot be printed"));
    }
    Ok(text.to_owned())
}

/// Which other letters are the same to a database depends on its collation; DIRAC names nothing with them.
fn ascii(field: &str, text: &str) -> Result<(), Invalid> {
    if text.is_ascii() { Ok(()) } else { Err(Invalid::field(field, "has characters that are not ASCII")) }
}

/// The VO of a request for several statuses.
pub(super) fn vo(vo: &str) -> Result<String, Invalid> {
    text("vo", vo, LONGEST_NAME)
}
