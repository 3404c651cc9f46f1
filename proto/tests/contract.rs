//! Promises of the contract that no compiler checks, read from the descriptors that servers read, too.

#![expect(clippy::expect_used, reason = "helpers of tests")]

use std::collections::BTreeSet;

use diracx_core::Reason;
use prost_reflect::{DescriptorPool, DynamicMessage, FieldDescriptor, Kind, MethodDescriptor};

fn pool() -> DescriptorPool {
    DescriptorPool::decode(diracx_proto::FILE_DESCRIPTOR_SET).expect("the descriptor set decodes")
}

fn rpcs(pool: &DescriptorPool) -> Vec<MethodDescriptor> {
    pool.services()
        .filter(|service| service.package_name().starts_with("diracx."))
        .flat_map(|service| service.methods().collect::<Vec<_>>())
        .collect()
}

/// What an rpc declares, or nothing.
fn access(pool: &DescriptorPool, rpc: &MethodDescriptor) -> Option<DynamicMessage> {
    let option = pool.get_extension_by_name("diracx.options.v1.access").expect("the option is declared");
    let options = rpc.options();
    options.has_extension(&option).then(|| options.get_extension(&option).as_message().cloned()).flatten()
}

fn text(access: &DynamicMessage, field: &str) -> String {
    access.get_field_by_name(field).and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}

/// What is wrong with the declaration of an rpc, if anything.
fn problem(pool: &DescriptorPool, rpc: &MethodDescriptor) -> Option<String> {
    const POLICIES: [&str; 6] = ["auth", "pilot", "rss", "sandbox", "tasks", "wms"];
    let Some(access) = access(pool, rpc) else { return Some("declares no access".into()) };
    let (policy, open, authenticated) =
        (text(&access, "policy"), text(&access, "open"), text(&access, "authenticated"));
    let action = access.get_field_by_name("action").and_then(|value| value.as_enum_number()).unwrap_or(0);
    let declared = [&policy, &open, &authenticated].iter().filter(|text| !text.is_empty()).count();
    let has_components = access.has_field_by_name("components");
    if declared != 1 {
        Some(format!("declares {declared} of policy, open and authenticated"))
    } else if policy.is_empty() != (action == 0) {
        Some("declares one of policy and action without the other".into())
    } else if !policy.is_empty() && !POLICIES.contains(&policy.as_str()) {
        Some(format!("names the policy {policy}, which there is not"))
    } else if !open.is_empty() && has_components {
        Some("is open and lists components all the same".into())
    } else {
        None
    }
}

#[test]
fn every_rpc_declares_who_may_call_it() {
    let pool = pool();
    let problems: Vec<_> = rpcs(&pool)
        .iter()
        .filter_map(|rpc| problem(&pool, rpc).map(|problem| format!("{} {problem}", rpc.full_name())))
        .collect();
    assert!(problems.is_empty(), "{problems:#?}");
    assert!(!rpcs(&pool).is_empty());
}

#[test]
fn an_rpc_that_declares_nothing_is_found() {
    let pool = pool();
    let undeclared = a_file_with_a_bare_rpc();
    let mut extended = pool.clone();
    extended.add_file_descriptor_proto(undeclared).expect("the file is sound");
    let rpc = extended.get_service_by_name("diracx.test.v1.BareService").unwrap().methods().next().unwrap();
    assert_eq!(problem(&extended, &rpc).as_deref(), Some("declares no access"));
}

fn a_file_with_a_bare_rpc() -> prost_types::FileDescriptorProto {
    let method = prost_types::MethodDescriptorProto {
        name: Some("Do".into()),
        input_type: Some(".diracx.config.v1.GetConfigRequest".into()),
        output_type: Some(".diracx.config.v1.GetConfigResponse".into()),
        ..Default::default()
    };
    prost_types::FileDescriptorProto {
        name: Some("diracx/test/v1/bare.proto".into()),
        package: Some("diracx.test.v1".into()),
        dependency: vec!["diracx/config/v1/messages.proto".into()],
        service: vec![prost_types::ServiceDescriptorProto {
            name: Some("BareService".into()),
            method: vec![method],
            ..Default::default()
        }],
        syntax: Some("proto3".into()),
        ..Default::default()
    }
}

#[test]
fn the_local_executor_may_call_what_it_needs_to_run_a_job() {
    let pool = pool();
    let open_to = |component: &str| -> BTreeSet<String> {
        let names_it = |rpc: &&MethodDescriptor| {
            access(&pool, rpc).is_some_and(|access| {
                access.get_field_by_name("components").is_some_and(|value| {
                    value
                        .as_list()
                        .is_some_and(|list| list.iter().any(|name| name.as_str() == Some(component)))
                })
            })
        };
        rpcs(&pool).iter().filter(names_it).map(|rpc| rpc.name().to_owned()).collect()
    };
    let executor = open_to("local-executor");
    for rpc in ["SearchJobs", "SetJobStatuses", "GetJobDescriptions", "GetSandbox", "InitiateSandboxUpload"] {
        assert!(executor.contains(rpc), "{rpc} is closed to the local executor");
    }
    for rpc in ["SubmitJobs", "RemoveJobs", "GetToken"] {
        assert!(!executor.contains(rpc), "{rpc} is open to the local executor");
    }
    for component in ["auth", "jobs", "pilots", "rss", "tasks", "gateway"] {
        assert!(open_to(component).contains("GetConfig"), "{component} may not read the configuration");
    }
}

#[test]
fn error_reasons_are_those_of_the_domain() {
    let reasons = pool().get_enum_by_name("diracx.common.v1.ErrorReason").unwrap();
    let wire: Vec<_> = reasons.values().map(|value| value.name().to_owned()).collect();
    let domain = Reason::ALL.iter().map(|reason| format!("ERROR_REASON_{}", reason.as_str()));
    let expected: Vec<_> = ["ERROR_REASON_UNSPECIFIED".to_owned()].into_iter().chain(domain).collect();
    let missing = |of: &[String], inside: &[String]| -> Vec<String> {
        of.iter().filter(|name| !inside.contains(name)).cloned().collect()
    };
    assert_eq!(missing(&expected, &wire), [""; 0], "error_reason.proto lacks these reasons of diracx-core");
    assert_eq!(missing(&wire, &expected), [""; 0], "diracx-core lacks these reasons of error_reason.proto");
}

/// `Struct` would turn whole numbers into floating point ones.
#[test]
fn rows_are_typed() {
    let untyped = |field: &FieldDescriptor| match field.kind() {
        Kind::Message(message) => {
            matches!(message.full_name(), "google.protobuf.Struct" | "google.protobuf.Value")
        }
        _ => false,
    };
    let found: Vec<_> = pool()
        .all_messages()
        .filter(|message| message.package_name().starts_with("diracx."))
        .flat_map(|message| {
            message.fields().filter(untyped).map(|f| f.full_name().to_owned()).collect::<Vec<_>>()
        })
        .collect();
    assert_eq!(found, [""; 0]);
}

#[test]
fn fields_named_like_secrets_are_not_printed() {
    const SECRETS: [&str; 9] = [
        "access_token",
        "refresh_token",
        "device_code",
        "user_code",
        "code_verifier",
        "assertion",
        "secret",
        "jdl",
        "jdls",
    ];
    let printed: Vec<_> = pool()
        .all_messages()
        .filter(|message| message.package_name().starts_with("diracx."))
        .flat_map(|message| message.fields().collect::<Vec<_>>())
        .filter(|field| SECRETS.contains(&field.name()) && matches!(field.kind(), Kind::String | Kind::Bytes))
        .filter(|field| {
            let option = field.options().get_field_by_name("debug_redact").and_then(|value| value.as_bool());
            option != Some(true)
        })
        .map(|field| field.full_name().to_owned())
        .collect();
    assert_eq!(printed, [""; 0], "these fields need debug_redact");
}

#[test]
fn a_message_with_secrets_prints_the_rest() {
    let response = diracx_proto::auth::v1::GetTokenResponse {
        access_token: "eyJ0".into(),
        expires_in: Some(diracx_proto::time::seconds(1200)),
        token_type: "Bearer".into(),
        refresh_token: "eyJ1".into(),
    };
    let text = format!("{response:?}");
    assert!(!text.contains("eyJ") && text.contains("***") && text.contains("Bearer"), "{text}");

    let grant = diracx_proto::auth::v1::RefreshTokenGrant { refresh_token: "eyJ1".into() };
    let request = diracx_proto::auth::v1::GetTokenRequest {
        client_id: "myDIRACClientID".into(),
        grant: Some(diracx_proto::auth::v1::get_token_request::Grant::RefreshToken(grant)),
    };
    let text = format!("{request:?}");
    assert!(!text.contains("eyJ") && text.contains("myDIRACClientID"), "{text}");
}

#[test]
fn descriptors_hold_no_comments() {
    let commented: Vec<_> = pool()
        .files()
        .filter(|file| file.file_descriptor_proto().source_code_info.is_some())
        .map(|file| file.name().to_owned())
        .collect();
    assert_eq!(commented, [""; 0]);
}
