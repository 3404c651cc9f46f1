//! Clients too old to be safe are turned away by every door, and told what to do about it.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test fails by panicking")]

use diracx_proto::jobs::v1::{SearchJobsRequest, jobs_service_client::JobsServiceClient};
use diracx_tests::{
    http::{Answer, send},
    mesh::Mesh,
    on_both_forms,
};
use tonic::{Code, Request, Status, transport::Channel};
use tonic_types::StatusExt as _;

const HEADER: &str = "diracx-client-version";

on_both_forms! {
    async fn a_client_of_version_0_0_0_is_refused_on_grpc_with_the_remedy(mesh: Mesh) {
        let refusal = search(&mesh.base, &mesh, Some("0.0.0")).await.expect_err("a refusal");
        assert_eq!(refusal.code(), Code::FailedPrecondition, "{refusal:?}");
        let details = refusal.get_error_details();
        let info = details.error_info().expect("a reason");
        assert_eq!((info.reason.as_str(), info.domain.as_str()), ("CLIENT_VERSION_UNSUPPORTED", "diracx"));
        let told = info.metadata.values().any(|value| value == "0.0.1a1");
        assert!(told && refusal.message().contains("0.0.1a1"), "the minimum is not told: {refusal:?}");
    }

    async fn every_service_refuses_it_by_itself(mesh: Mesh) {
        let config = mesh.processes.iter().position(|process| process.name == "diracx-config");
        let jobs = mesh.processes.iter().find(|process| process.name == "diracx-jobs");
        if let (Some(_), Some(jobs)) = (config, jobs) {
            let address = format!("http://{}", jobs.address);
            let refusal = search(&address, &mesh, Some("0.0.0")).await.expect_err("a refusal");
            assert_eq!(refusal.code(), Code::FailedPrecondition, "{refusal:?}");
            search(&address, &mesh, None).await.expect("an answer");
        }
    }

    async fn a_client_without_a_version_is_served_on_grpc(mesh: Mesh) {
        search(&mesh.base, &mesh, None).await.expect("an answer");
        search(&mesh.base, &mesh, Some("0.1.0")).await.expect("an answer");
    }

    async fn a_version_that_is_none_is_refused_on_grpc(mesh: Mesh) {
        let refusal = search(&mesh.base, &mesh, Some("newest")).await.expect_err("a refusal");
        assert_eq!(refusal.code(), Code::FailedPrecondition, "{refusal:?}");
    }

    async fn a_client_of_version_0_0_0_is_refused_on_rest_with_the_remedy(mesh: Mesh) {
        let answer = userinfo(&mesh, Some("0.0.0")).await;
        assert_eq!(answer.status, 400, "{}", answer.text);
        assert!(answer.text.contains("0.0.1a1"), "the minimum is not told: {}", answer.text);
        assert_eq!(answer.header("diracx-error-reason").as_deref(), Some("CLIENT_VERSION_UNSUPPORTED"));
    }

    async fn a_client_without_a_version_is_served_on_rest(mesh: Mesh) {
        assert_eq!(userinfo(&mesh, None).await.status, 200);
        assert_eq!(userinfo(&mesh, Some("0.1.0")).await.status, 200);
    }
}

async fn search(base: &str, mesh: &Mesh, version: Option<&str>) -> Result<(), Status> {
    let channel = Channel::from_shared(base.to_owned()).unwrap().connect().await.expect("a listener");
    let mut request = Request::new(SearchJobsRequest::default());
    let bearer = format!("Bearer {}", mesh.tokens["normal_user"]);
    request.metadata_mut().insert("authorization", bearer.parse().unwrap());
    if let Some(version) = version {
        request.metadata_mut().insert(HEADER, version.parse().unwrap());
    }
    JobsServiceClient::new(channel).search_jobs(request).await.map(drop)
}

async fn userinfo(mesh: &Mesh, version: Option<&str>) -> Answer {
    let mut headers = vec![("Authorization".to_owned(), format!("Bearer {}", mesh.tokens["normal_user"]))];
    headers.extend(version.map(|version| (HEADER.to_owned(), version.to_owned())));
    send("GET", &format!("{}/api/auth/userinfo", mesh.base), &headers, None).await.expect("an answer")
}
