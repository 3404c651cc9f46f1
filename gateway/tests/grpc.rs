//! gRPC and gRPC-Web through the gateway.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test that cannot go on says so")]

mod common;

use bytes::{BufMut, Bytes, BytesMut};
use common::{Behind, Running, ok, script};
use diracx_client::{AnyChannel, ServerAddress};
use diracx_core::{Explanation, Reason};
use diracx_proto::auth::v1::{GetSecurityContactRequest, GetSecurityContactResponse};
use diracx_server::{StatusInfo, status::from_explanation};
use prost::Message;
use tonic::Code;
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};
use tonic_prost::ProstCodec;

fn connect(gateway: &Running) -> AnyChannel {
    gateway.url().parse::<ServerAddress>().expect("an address").connect(None).expect("a channel")
}

async fn with_auth() -> Running {
    let auth = script(|path, headers, message| {
        assert_eq!(path, "/diracx.auth.v1.AuthService/GetSecurityContact");
        GetSecurityContactRequest::decode(message).expect("a request");
        if headers.contains_key("x-fail") {
            return Err(from_explanation(
                &Explanation::not_found(Reason::JobNotFound).with("jobId", 5),
                "no",
            ));
        }
        for gone in ["connection", "host", "transfer-encoding"] {
            assert!(!headers.contains_key(gone), "{gone} belongs to the caller's connection");
        }
        let document = headers.get("x-said").map(|value| value.to_str().expect("text").to_owned());
        ok(&GetSecurityContactResponse { document: document.unwrap_or_default() })
    });
    Behind { auth, ..Behind::default() }.start().await
}

#[tokio::test]
async fn a_call_goes_to_the_service_that_it_names_with_its_metadata() {
    let gateway = with_auth().await;
    let mut auth = diracx_client::auth(connect(&gateway));
    let mut request = tonic::Request::new(GetSecurityContactRequest {});
    request.metadata_mut().insert("x-said", "hello".parse().expect("a value"));
    assert_eq!(auth.get_security_contact(request).await.expect("an answer").into_inner().document, "hello");
}

#[tokio::test]
async fn the_details_of_an_error_come_through() {
    let gateway = with_auth().await;
    let mut request = tonic::Request::new(GetSecurityContactRequest {});
    request.metadata_mut().insert("x-fail", "yes".parse().expect("a value"));
    let status =
        diracx_client::auth(connect(&gateway)).get_security_contact(request).await.expect_err("an error");
    assert_eq!((status.code(), status.message()), (Code::NotFound, "no"));
    let info = StatusInfo::of(&status);
    assert_eq!((info.reason.as_deref(), info.variables["jobId"].as_str()), (Some("JOB_NOT_FOUND"), "5"));
}

#[tokio::test]
async fn a_service_that_does_not_exist_is_named() {
    let gateway = with_auth().await;
    let mut client = tonic::client::Grpc::new(connect(&gateway));
    client.ready().await.expect("a connection");
    let codec = ProstCodec::<GetSecurityContactRequest, GetSecurityContactResponse>::default();
    let path = http::uri::PathAndQuery::from_static("/lollies.v1.LollyService/Lick");
    let request = tonic::Request::new(GetSecurityContactRequest {});
    let status = client.unary(request, path, codec).await.expect_err("an error");
    assert_eq!(status.code(), Code::Unimplemented);
    assert!(status.message().contains("lollies.v1.LollyService"), "{status}");
}

#[tokio::test]
async fn a_stream_flows_in_both_directions_while_it_is_open() {
    let gateway = Behind { jobs_channel: Some(common::echo()), ..Behind::default() }.start().await;
    let mut client = tonic::client::Grpc::new(connect(&gateway));
    client.ready().await.expect("a connection");
    let codec = ProstCodec::<GetSecurityContactResponse, GetSecurityContactResponse>::default();
    let path = http::uri::PathAndQuery::from_static("/diracx.jobs.v1.JobsService/StreamSubmitJobs");
    let (say, said) = tokio::sync::mpsc::unbounded_channel();
    let words = futures::stream::unfold(said, async |mut said| Some((said.recv().await?, said)));
    let word = |document: &str| GetSecurityContactResponse { document: document.into() };
    say.send(word("one")).expect("somebody listens");
    let request = tonic::Request::new(words);
    let mut answers = client.streaming(request, path, codec).await.expect("a stream").into_inner();
    assert_eq!(answers.message().await.expect("an answer"), Some(word("one")));
    say.send(word("two")).expect("somebody listens");
    assert_eq!(answers.message().await.expect("an answer"), Some(word("two")));
    drop(say);
    assert_eq!(answers.message().await.expect("the end"), None);
}

#[tokio::test]
async fn health_is_told_for_the_gateway_and_for_each_service() {
    let behind = Behind::default();
    behind.ready.unmet("database", "gone");
    let gateway = behind.start().await;
    let mut health = HealthClient::new(connect(&gateway));
    let mut check = async |service: &str| {
        let request = HealthCheckRequest { service: service.to_owned() };
        health.check(request).await.map(|answer| answer.into_inner().status())
    };
    assert_eq!(check("").await.expect("an answer"), ServingStatus::Serving);
    assert_eq!(check("diracx.jobs.v1.JobsService").await.expect("an answer"), ServingStatus::NotServing);
    assert_eq!(check("lollies").await.expect_err("an error").code(), Code::NotFound);
}

#[tokio::test]
async fn reflection_lists_every_service_of_the_contract() {
    use tonic_reflection::pb::v1::{
        ServerReflectionRequest, server_reflection_client::ServerReflectionClient,
        server_reflection_request::MessageRequest, server_reflection_response::MessageResponse,
    };
    let gateway = with_auth().await;
    let mut client = ServerReflectionClient::new(connect(&gateway));
    let ask = ServerReflectionRequest {
        host: String::new(),
        message_request: Some(MessageRequest::ListServices(String::new())),
    };
    let mut answers =
        client.server_reflection_info(futures::stream::iter([ask])).await.expect("a stream").into_inner();
    let answer = answers.message().await.expect("an answer").and_then(|answer| answer.message_response);
    let Some(MessageResponse::ListServicesResponse(list)) = answer else { panic!("no list: {answer:?}") };
    let names: Vec<&str> = list.service.iter().map(|service| service.name.as_str()).collect();
    for name in ["diracx.auth.v1.AuthService", "diracx.config.v1.ConfigService", "diracx.jobs.v1.JobsService"]
    {
        assert!(names.contains(&name), "{names:?}");
    }
}

#[tokio::test]
async fn a_browser_calls_over_http_1_and_reads_how_it_ended() {
    let gateway = with_auth().await;
    let headers = concat!(
        "Content-Type: application/grpc-web+proto\r\nOrigin: http://localhost:3000\r\n",
        "X-Grpc-Web: 1\r\nX-Said: moin\r\n"
    );
    let path = "/diracx.auth.v1.AuthService/GetSecurityContact";
    let answer = gateway.send("POST", path, headers, &frame(&[])).await;
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/grpc-web+proto")));
    assert_eq!(answer.header("access-control-allow-origin"), Some("http://localhost:3000"));
    let exposed = answer.header("access-control-expose-headers").unwrap_or_default();
    assert!(exposed.contains("grpc-status") && exposed.contains("grpc-message"), "{exposed}");
    let expected = frame(&GetSecurityContactResponse { document: "moin".into() }.encode_to_vec());
    let (message, trailers) = answer.body.split_at(expected.len());
    assert_eq!(message, expected);
    assert!(String::from_utf8_lossy(trailers).contains("grpc-status:0"), "{trailers:?}");
}

fn frame(message: &[u8]) -> Bytes {
    let mut bytes = BytesMut::new();
    bytes.put_u8(0);
    bytes.put_u32(u32::try_from(message.len()).expect("a short message"));
    bytes.put_slice(message);
    bytes.freeze()
}
