//! Every rpc with messages that make no sense, or just a little.

use std::time::{Duration, Instant};

use diracx_proto::FILE_DESCRIPTOR_SET;
use diracx_server::AccessTable;
use diracx_tests::{
    as_it_is::AsItIs,
    mesh::Mesh,
    tokens::{identities, now},
};
use futures::stream;
use prost::{Message as _, bytes::Bytes};
use prost_reflect::{DescriptorPool, DynamicMessage, MethodDescriptor};
use serde_json::json;
use tonic::{Code, Request, Status, transport::Channel};

use crate::{
    messages::{Dice, any, floods},
    must_be_well,
};

/// How long an answer may take, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(10);

/// A component of the system that the rpc is open to.
const COMPONENT: &str = "a component";

/// Rpcs whose answers go on for as long as the caller listens.
const LASTING: [&str; 4] = ["WatchJobs", "WatchConfig", "WatchResourceStatuses", "ReadPilotLog"];

/// After how much silence such an rpc has answered.
const SILENCE: Duration = Duration::from_millis(50);

/// Who asks, by token; `rounds` times each, divided by this.
const CALLERS: [(&str, u64); 6] =
    [("normal_user", 1), ("admin", 2), ("service_admin", 2), (COMPONENT, 2), ("pilot", 4), ("", 10)];

/// Calls every rpc that is served with `rounds` messages, and with floods; those that take a stream also with several
/// messages at once.
pub(crate) async fn try_everything(mesh: &mut Mesh, rounds: u64) {
    let channel = Channel::from_shared(mesh.base.clone()).expect("a URI").connect().await.expect("a server");
    let pool = DescriptorPool::decode(FILE_DESCRIPTOR_SET).expect("descriptors");
    let (mut failures, mut count) = (Vec::new(), 0);
    for (number, method) in (0..).zip(methods(&pool)) {
        let mut dice = Dice::new(number);
        let path = format!("/{}/{}", method.parent_service().full_name(), method.name());
        for (who, divisor) in CALLERS {
            let mut messages = vec![DynamicMessage::new(method.input())];
            messages.extend((0..rounds / divisor).map(|_| any(&mut dice, &method.input(), 0)));
            if ["admin", "service_admin"].contains(&who) {
                messages.extend(floods(&mut dice, &method.input(), 0));
            }
            let token = token(mesh, who, &path);
            let mut cases: Vec<&[DynamicMessage]> = messages.chunks(1).collect();
            if method.is_client_streaming() {
                cases.extend(messages.chunks(4));
            }
            for messages in cases {
                count += 1;
                let begun = Instant::now();
                let answer = call(&channel, token.as_deref(), &method, messages);
                let answer = tokio::time::timeout(PATIENCE, answer).await;
                let problem = match answer {
                    Err(_) => "no answer".to_owned(),
                    Ok(Err(status)) if is_failure(status.code()) => {
                        format!("{:?} {}", status.code(), status.message())
                    }
                    Ok(_) => continue,
                };
                let (name, took) = (method.full_name(), begun.elapsed().as_millis());
                let message = beginning(messages);
                failures.push(format!("{name} as {who:?}: {problem:.300} ({took} ms)\n  {message}"));
            }
        }
        must_be_well(mesh).await;
    }
    assert!(count > 500, "only {count} calls were made of the contract");
    assert!(failures.is_empty(), "{} failures:\n{}", failures.len(), failures.join("\n"));
}

/// What a message begins with: floods are longer than memory once they are written out.
fn beginning(messages: &[DynamicMessage]) -> String {
    struct Beginning(String);
    impl std::fmt::Write for Beginning {
        fn write_str(&mut self, text: &str) -> std::fmt::Result {
            self.0.push_str(&text[..text.floor_char_boundary(600 - self.0.len())]);
            if self.0.len() > 590 { Err(std::fmt::Error) } else { Ok(()) }
        }
    }
    let mut beginning = Beginning(String::with_capacity(600));
    // The error says that there is enough.
    let _ = std::fmt::Write::write_fmt(&mut beginning, format_args!("{messages:?}"));
    beginning.0
}

/// The rpcs of the contract. Those that nobody serves answer UNIMPLEMENTED, which is fine here.
fn methods(pool: &DescriptorPool) -> Vec<MethodDescriptor> {
    let ours = pool.services().filter(|service| service.full_name().starts_with("diracx."));
    ours.flat_map(|service| service.methods().collect::<Vec<_>>()).collect()
}

/// The token of a caller; none of nobody, and of the component of an rpc that names none.
fn token(mesh: &Mesh, who: &str, path: &str) -> Option<String> {
    if who != COMPONENT {
        return mesh.tokens.get(who).cloned();
    }
    let access = AccessTable::of_prefix(FILE_DESCRIPTOR_SET, "diracx.").expect("declared access");
    let component = access.rule(path).and_then(|rule| rule.components.first().cloned())?;
    let issuer = identities().expect("identities")["issuer"].clone();
    Some(mesh.key.sign(&json!({
        "jti": "01890000-0000-7000-8000-000000000001", "exp": now() + 3600, "iss": issuer,
        "sub": format!("component:{component}"), "dirac_component": component,
    })))
}

async fn call(
    channel: &Channel,
    token: Option<&str>,
    method: &MethodDescriptor,
    messages: &[DynamicMessage],
) -> Result<(), Status> {
    let encoded: Vec<_> = messages.iter().map(|message| Bytes::from(message.encode_to_vec())).collect();
    let mut request = Request::new(stream::iter(encoded));
    if let Some(token) = token {
        request.metadata_mut().insert("authorization", format!("Bearer {token}").parse().expect("a token"));
    }
    let path = format!("/{}/{}", method.parent_service().full_name(), method.name());
    let mut grpc = tonic::client::Grpc::new(channel.clone());
    grpc.ready().await.map_err(|error| Status::unavailable(error.to_string()))?;
    let mut answers = grpc.streaming(request, path.parse().expect("a path"), AsItIs).await?.into_inner();
    let lasts = LASTING.contains(&method.name());
    loop {
        let patience = if lasts { SILENCE } else { PATIENCE };
        match tokio::time::timeout(patience, answers.message()).await {
            Ok(next) if next.as_ref().is_ok_and(Option::is_some) => {}
            Ok(last) => return last.map(drop),
            Err(_) if lasts => return Ok(()),
            Err(_) => return Err(Status::deadline_exceeded("a stream that does not go on")),
        }
    }
}

/// What a caller's mistake must not look like.
fn is_failure(code: Code) -> bool {
    use Code::{Aborted, Cancelled, DataLoss, DeadlineExceeded, Internal, Unavailable, Unknown};
    matches!(code, Internal | Unknown | Unavailable | DeadlineExceeded | Cancelled | Aborted | DataLoss)
}
