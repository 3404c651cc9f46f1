//! The real contract says for every rpc who may call it.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test that cannot go on says so")]

use diracx_proto::FILE_DESCRIPTOR_SET;
use diracx_server::{AccessTable, access::Requirement};

#[test]
fn every_rpc_of_the_contract_declares_its_access() {
    let table = AccessTable::of_prefix(FILE_DESCRIPTOR_SET, "diracx.").unwrap();
    for service in ["auth.v1.AuthService", "config.v1.ConfigService", "jobs.v1.JobsService"] {
        assert!(table.services().contains(&format!("diracx.{service}")), "{:?}", table.services());
    }
    let policy = |path: &str| table.rule(path).unwrap().requirement.clone();
    let Requirement::Policy { policy, action } = policy("/diracx.jobs.v1.JobsService/SubmitJobs") else {
        panic!("submitting needs a policy")
    };
    assert_eq!((policy.as_str(), action.as_str()), ("wms", "ACTION_CREATE"));
    assert!(table.rule("/diracx.jobs.v1.JobsService/StreamSubmitJobs").unwrap().streaming);
}
