//! What callers read when something goes wrong.

use super::*;

#[derive(Debug, thiserror::Error)]
enum Trouble {
    #[error("job {0} not found")]
    Missing(u32),
    #[error("the database is away")]
    Away(#[source] std::io::Error),
    #[error("password is hunter2")]
    Bug,
}

impl Explain for Trouble {
    fn explain(&self) -> Explanation {
        match self {
            Self::Missing(id) => {
                Explanation::not_found(Reason::JobNotFound).with("jobId", id).violation("job_id", "unknown")
            }
            Self::Away(_) => {
                Explanation::unavailable(Reason::DatabaseUnavailable).retry_after(Duration::from_secs(10))
            }
            Self::Bug => Explanation::internal(Reason::Internal).with("secret", "hunter2"),
        }
    }
}

#[test]
fn an_explanation_survives_the_wire() {
    let status = to_status(Trouble::Missing(7));
    assert_eq!((status.code(), status.message()), (tonic::Code::NotFound, "job 7 not found"));
    let info = StatusInfo::of(&status);
    assert!(info.is(Reason::JobNotFound));
    assert_eq!(info.variables["jobId"], "7");
    assert_eq!(info.violations, [("job_id".to_owned(), "unknown".to_owned())]);
    assert_eq!(info.retry_after, None);
}

#[test]
fn an_outage_says_when_to_come_back_and_hides_its_cause() {
    let status = to_status(Trouble::Away(std::io::Error::other("10.0.0.7 refused")));
    assert_eq!(status.message(), "the database is away");
    assert_eq!(StatusInfo::of(&status).retry_after, Some(Duration::from_secs(10)));
}

#[test]
fn nothing_of_our_bugs_leaves_the_house() {
    let status = to_status(Trouble::Bug);
    assert_eq!(status.code(), tonic::Code::Internal);
    assert!(!format!("{status:?}").contains("hunter2"));
    assert!(!String::from_utf8_lossy(status.details()).contains("hunter2"));
}

#[test]
fn the_chain_names_every_cause() {
    let error = Trouble::Away(std::io::Error::other("refused"));
    assert_eq!(chain(&error), "the database is away: refused");
}

#[test]
fn a_foreign_or_damaged_status_has_no_reason() {
    assert_eq!(StatusInfo::of(&Status::unknown("?")), StatusInfo::default());
    let damaged = Status::with_details(tonic::Code::Unknown, "?", bytes::Bytes::from_static(b"\xff\xff\xff"));
    assert_eq!(StatusInfo::of(&damaged), StatusInfo::default());
}

#[test]
fn a_very_long_sentence_is_cut_at_a_letter() {
    let status = from_explanation(&Explanation::not_found(Reason::JobNotFound), &"é".repeat(10_000));
    assert!(status.message().len() <= MAX_MESSAGE_BYTES);
}

#[test]
fn however_long_its_parts_are_a_status_fits_into_the_headers_that_clients_take() {
    let long = "\u{1f4a5}".repeat(100_000);
    let mut explanation =
        Explanation::invalid_argument(Reason::InvalidSearch).with("parameter", &long).with("short", "kept");
    for _ in 0..1000 {
        explanation = explanation.violation(&long, &long);
    }
    let status = from_explanation(&explanation, &long);
    let headers = status.clone().into_http::<()>().headers().clone();
    let size: usize = headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 32).sum();
    assert!(size < 16 * 1024, "{size} bytes");
    assert_eq!(StatusInfo::of(&status).variables["short"], "kept");
}
