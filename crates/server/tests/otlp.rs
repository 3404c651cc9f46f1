//! What a collector of OpenTelemetry receives. Alone in its program, because it sets up the logging of
//! the whole process.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test that cannot go on says so")]

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use diracx_server::telemetry::{self, LogSettings, OtelSettings};
use opentelemetry_proto::tonic::collector::{
    logs::v1::{
        ExportLogsServiceRequest, ExportLogsServiceResponse,
        logs_service_server::{LogsService, LogsServiceServer},
    },
    metrics::v1::{
        ExportMetricsServiceRequest, ExportMetricsServiceResponse,
        metrics_service_server::{MetricsService, MetricsServiceServer},
    },
    trace::v1::{
        ExportTraceServiceRequest, ExportTraceServiceResponse,
        trace_service_server::{TraceService, TraceServiceServer},
    },
};
use tonic::{Request, Response, Status, transport::Server, transport::server::TcpIncoming};

mod common;
use common::lollies::Mesh;

/// A collector that keeps what it gets.
#[derive(Clone, Default)]
struct Collector {
    traces: Arc<Mutex<Vec<ExportTraceServiceRequest>>>,
    metrics: Arc<Mutex<Vec<ExportMetricsServiceRequest>>>,
    logs: Arc<Mutex<Vec<ExportLogsServiceRequest>>>,
    keys: Arc<Mutex<Vec<Option<String>>>>,
}

impl Collector {
    fn note_key<T>(&self, request: &Request<T>) {
        let key = request.metadata().get("x-key").map(|key| key.to_str().unwrap().to_owned());
        self.keys.lock().unwrap().push(key);
    }
}

#[tonic::async_trait]
impl TraceService for Collector {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        self.note_key(&request);
        self.traces.lock().unwrap().push(request.into_inner());
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

#[tonic::async_trait]
impl MetricsService for Collector {
    async fn export(
        &self,
        request: Request<ExportMetricsServiceRequest>,
    ) -> Result<Response<ExportMetricsServiceResponse>, Status> {
        self.note_key(&request);
        self.metrics.lock().unwrap().push(request.into_inner());
        Ok(Response::new(ExportMetricsServiceResponse::default()))
    }
}

#[tonic::async_trait]
impl LogsService for Collector {
    async fn export(
        &self,
        request: Request<ExportLogsServiceRequest>,
    ) -> Result<Response<ExportLogsServiceResponse>, Status> {
        self.note_key(&request);
        self.logs.lock().unwrap().push(request.into_inner());
        Ok(Response::new(ExportLogsServiceResponse::default()))
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_collector_gets_spans_numbers_and_lines_of_the_callers_trace() {
    let collector = Collector::default();
    let incoming = TcpIncoming::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let endpoint = incoming.local_addr().unwrap().to_string();
    let serving = Server::builder()
        .add_service(TraceServiceServer::new(collector.clone()))
        .add_service(MetricsServiceServer::new(collector.clone()))
        .add_service(LogsServiceServer::new(collector.clone()))
        .serve_with_incoming(incoming);
    tokio::spawn(serving);

    let mesh = Mesh::start();
    let settings = OtelSettings {
        enabled: true,
        application_name: "lollies".to_owned(),
        endpoint,
        insecure: true,
        headers: vec![("X-Key".to_owned(), "sweet".to_owned())],
    };
    let guard = telemetry::init(&LogSettings::default(), &settings, &mesh.stack.metrics).unwrap();

    let trace = "0af7651916cd43dd8448eb211c80319c";
    let traceparent = format!("00-{trace}-b7ad6b7169203331-01");
    let status = mesh.call("Panic", &[("traceparent", &traceparent)]).await.unwrap_err();
    assert!(status.message().contains(trace), "{}", status.message());
    let flushed = tokio::task::spawn_blocking(|| guard.shutdown());
    tokio::time::timeout(Duration::from_secs(20), flushed).await.unwrap().unwrap();

    let trace_bytes = 0x0af7_6519_16cd_43dd_8448_eb21_1c80_319c_u128.to_be_bytes().to_vec();
    let traces = collector.traces.lock().unwrap();
    let spans: Vec<_> = traces
        .iter()
        .flat_map(|request| &request.resource_spans)
        .flat_map(|resource| &resource.scope_spans)
        .flat_map(|scope| &scope.spans)
        .collect();
    let span = spans.iter().find(|span| span.name == "test.panic").expect("the rpc's span");
    assert_eq!(span.trace_id, trace_bytes);
    assert_eq!(span.parent_span_id, 0xb7ad_6b71_6920_3331_u64.to_be_bytes());
    let resource = format!("{:?}", traces[0].resource_spans[0].resource);
    assert!(resource.contains("service.name") && resource.contains("lollies"), "{resource}");

    let logs = collector.logs.lock().unwrap();
    let records: Vec<_> = logs
        .iter()
        .flat_map(|request| &request.resource_logs)
        .flat_map(|resource| &resource.scope_logs)
        .flat_map(|scope| &scope.log_records)
        .collect();
    let panic = records.iter().find(|record| format!("{:?}", record.body).contains("panic: sticky"));
    assert_eq!(panic.expect("the panic's line").trace_id, trace_bytes);

    let numbers = format!("{:?}", collector.metrics.lock().unwrap());
    assert!(numbers.contains("rpc.server.duration") && numbers.contains("Panic"), "{numbers}");
    let keys = collector.keys.lock().unwrap();
    assert!(keys.len() >= 3 && keys.iter().all(|key| key.as_deref() == Some("sweet")), "{keys:?}");
}
