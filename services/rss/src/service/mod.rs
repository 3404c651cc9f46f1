//! The rpcs of `ResourceStatusService`: decode, authorise, act, encode.

mod administer;
mod decode;
mod due;
mod encode;
mod history;
mod list;
mod read;
mod token;

use diracx_proto::rss::v1::{self as pb, resource_status_service_server::ResourceStatusService};
use tonic::{Request, Response, Status, codegen::BoxStream};

use crate::Deps;

/// Serves statuses from memory, and changes those of the store.
pub struct Service {
    pub(crate) deps: Deps,
}

#[tonic::async_trait]
impl ResourceStatusService for Service {
    async fn get_resource_statuses(
        &self,
        request: Request<pb::GetResourceStatusesRequest>,
    ) -> Result<Response<pb::GetResourceStatusesResponse>, Status> {
        read::get_resource_statuses(&self.deps, request).await
    }

    async fn watch_resource_statuses(
        &self,
        request: Request<pb::WatchResourceStatusesRequest>,
    ) -> Result<Response<BoxStream<pb::WatchResourceStatusesResponse>>, Status> {
        read::watch_resource_statuses(&self.deps, request).await
    }

    async fn list_element_statuses(
        &self,
        request: Request<pb::ListElementStatusesRequest>,
    ) -> Result<Response<pb::ListElementStatusesResponse>, Status> {
        list::list_element_statuses(&self.deps, request).await
    }

    async fn set_element_statuses(
        &self,
        request: Request<pb::SetElementStatusesRequest>,
    ) -> Result<Response<pb::SetElementStatusesResponse>, Status> {
        administer::set_element_statuses(&self.deps, request).await
    }

    async fn remove_element_statuses(
        &self,
        request: Request<pb::RemoveElementStatusesRequest>,
    ) -> Result<Response<pb::RemoveElementStatusesResponse>, Status> {
        administer::remove_element_statuses(&self.deps, request).await
    }

    async fn cancel_planned_statuses(
        &self,
        request: Request<pb::CancelPlannedStatusesRequest>,
    ) -> Result<Response<pb::CancelPlannedStatusesResponse>, Status> {
        administer::cancel_planned_statuses(&self.deps, request).await
    }

    async fn get_element_history(
        &self,
        request: Request<pb::GetElementHistoryRequest>,
    ) -> Result<Response<pb::GetElementHistoryResponse>, Status> {
        history::get_element_history(&self.deps, request).await
    }

    async fn apply_due_statuses(
        &self,
        request: Request<pb::ApplyDueStatusesRequest>,
    ) -> Result<Response<pb::ApplyDueStatusesResponse>, Status> {
        due::apply_due_statuses(&self.deps, request).await
    }
}
