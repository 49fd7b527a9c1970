//! Bugs that are built in between the operator and its ways out, to show that the checks can fail. The product's own
//! code is not touched.

use std::sync::Arc;

use engine::ports::KubernetesApi;
use flink_client::Transport;

use crate::api_server::ApiServer;
use crate::world::World;

/// A bug.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plant {}

pub(crate) fn api(
    plant: Option<Plant>,
    api: Arc<dyn KubernetesApi>,
    _server: &ApiServer,
) -> Arc<dyn KubernetesApi> {
    match plant {
        None => api,
        Some(plant) => match plant {},
    }
}

pub(crate) fn transport(
    plant: Option<Plant>,
    transport: Arc<dyn Transport>,
    _world: &World,
) -> Arc<dyn Transport> {
    match plant {
        None => transport,
        Some(plant) => match plant {},
    }
}
