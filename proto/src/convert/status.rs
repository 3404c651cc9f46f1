//! `google.rpc.Status`, the error of one item of a bulk call, and `tonic::Status`, that of a whole call.

use prost::Message as _;

/// The error of a whole call as that of an item: same code, sentence and details.
pub fn of_item(status: &tonic::Status) -> tonic_types::Status {
    let decoded = tonic_types::Status::decode(status.details()).ok().filter(|_| !status.details().is_empty());
    tonic_types::Status {
        code: i32::from(status.code()),
        message: status.message().to_owned(),
        details: decoded.map(|decoded| decoded.details).unwrap_or_default(),
    }
}

/// The error of an item as that of a whole call: same code, sentence and details.
pub fn of_call(status: &tonic_types::Status) -> tonic::Status {
    let code = tonic::Code::from_i32(status.code);
    tonic::Status::with_details(code, status.message.clone(), status.encode_to_vec().into())
}

#[cfg(test)]
mod tests {
    use tonic_types::{ErrorDetails, StatusExt as _};

    use super::*;

    #[test]
    fn the_error_of_an_item_says_what_that_of_the_call_would() {
        let details =
            ErrorDetails::with_error_info("JOB_NOT_FOUND", "diracx", [("jobId".into(), "7".into())]);
        let whole = tonic::Status::with_error_details(tonic::Code::NotFound, "Job 7 not found", details);

        let item = of_item(&whole);
        assert_eq!((item.code, item.message.as_str(), item.details.len()), (5, "Job 7 not found", 1));

        let back = of_call(&item);
        assert_eq!((back.code(), back.message()), (whole.code(), whole.message()));
        assert_eq!(back.get_details_error_info().unwrap().reason, "JOB_NOT_FOUND");
    }

    #[test]
    fn a_status_without_details_has_none_as_an_item() {
        assert!(of_item(&tonic::Status::internal("oops")).details.is_empty());
    }
}
