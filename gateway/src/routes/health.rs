//! `/api/health/…`: what Kubernetes asks. Nobody needs a token for it.

use std::time::Duration;

use axum::{
    extract::State,
    response::{IntoResponse, Response},
    routing::get,
};
use http::{HeaderValue, StatusCode, header::RETRY_AFTER};
use serde_json::json;

use crate::{context::Context, error::Refusal, render::json_response, routing::Table};

pub(super) fn routes(table: Table) -> Table {
    table.at("/api/health/live", "GET", get(live)).at("/api/health/ready", "GET", get(ready)).at(
        "/api/health/startup",
        "GET",
        get(startup),
    )
}

async fn live(State(context): State<Context>) -> Response {
    answer("live", configuration(&context).await)
}

async fn ready(State(context): State<Context>) -> Response {
    answer("ready", everything(&context).await)
}

async fn startup(State(context): State<Context>) -> Response {
    answer("startup complete", everything(&context).await)
}

/// How long the config service may be away before that counts; so long DiracX goes on without its repository.
const WITHOUT_CONFIG_SERVICE: Duration = Duration::from_secs(3600);

/// What is missing, in DiracX's words.
type Missing = &'static str;

async fn configuration(context: &Context) -> Result<(), Missing> {
    // Every service goes on with the configuration it has, and so do we.
    if context.config_pulse.was_ready_within(WITHOUT_CONFIG_SERVICE).await {
        Ok(())
    } else {
        Err("Cache key latest_revision is not ready yet.")
    }
}

async fn everything(context: &Context) -> Result<(), Missing> {
    configuration(context).await?;
    if context.auth_pulse.is_ready().await { Ok(()) } else { Err("Cannot connect to AuthDB") }
}

fn answer(status: &str, state: Result<(), Missing>) -> Response {
    match state {
        Ok(()) => json_response(StatusCode::OK, &json!({ "status": status })),
        Err(missing) => {
            let mut response = Refusal::new(StatusCode::SERVICE_UNAVAILABLE, missing).into_response();
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("10"));
            response
        }
    }
}
