//! `grpc.health.v1` of the gateway: itself, and by name each service behind it.

use std::{collections::HashMap, pin::Pin, sync::Arc, time::Duration};

use futures::{Stream, stream};
use tonic::{Request, Response, Status};
use tonic_health::pb::{
    HealthCheckRequest, HealthCheckResponse,
    health_check_response::ServingStatus,
    health_server::{Health, HealthServer},
};

use crate::health::{Backend, Pulse};

/// How often a watched service is asked.
const WATCH_INTERVAL: Duration = Duration::from_secs(5);

pub(super) fn server(services: &HashMap<&'static str, Backend>) -> HealthServer<impl Health> {
    let pulses = services.iter().map(|(name, backend)| (*name, Pulse::new(backend.clone()))).collect();
    HealthServer::new(GatewayHealth { pulses: Arc::new(pulses) })
}

struct GatewayHealth {
    pulses: Arc<HashMap<&'static str, Pulse>>,
}

impl GatewayHealth {
    /// The service to ask; none for the gateway itself, which serves if it answers.
    fn pulse(&self, service: &str) -> Result<Option<Pulse>, Status> {
        if service.is_empty() {
            return Ok(None);
        }
        match self.pulses.get(service) {
            Some(pulse) => Ok(Some(pulse.clone())),
            None => Err(Status::not_found(format!("there is no service {service:?} here"))),
        }
    }
}

async fn status(pulse: Option<&Pulse>) -> ServingStatus {
    let serving = match pulse {
        Some(pulse) => pulse.is_ready().await,
        None => true,
    };
    if serving { ServingStatus::Serving } else { ServingStatus::NotServing }
}

fn response(status: ServingStatus) -> HealthCheckResponse {
    HealthCheckResponse { status: status.into() }
}

#[tonic::async_trait]
impl Health for GatewayHealth {
    type WatchStream = Pin<Box<dyn Stream<Item = Result<HealthCheckResponse, Status>> + Send>>;

    async fn check(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<HealthCheckResponse>, Status> {
        let pulse = self.pulse(&request.get_ref().service)?;
        Ok(Response::new(response(status(pulse.as_ref()).await)))
    }

    async fn watch(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        // Of a service that is not known the protocol wants an answer, not an error.
        let Ok(pulse) = self.pulse(&request.get_ref().service) else {
            let unknown = stream::iter([Ok(response(ServingStatus::ServiceUnknown))]);
            return Ok(Response::new(Box::pin(futures::StreamExt::chain(unknown, stream::pending()))));
        };
        let changes = stream::unfold((pulse, None), |(pulse, last)| async move {
            loop {
                let now = status(pulse.as_ref()).await;
                if last != Some(now) {
                    return Some((Ok(response(now)), (pulse, Some(now))));
                }
                tokio::time::sleep(WATCH_INTERVAL).await;
            }
        });
        Ok(Response::new(Box::pin(changes)))
    }
}
