//! Which differences of a status are worth a write.

use api::FlinkDeploymentStatus;

/// Key of `clusterInfo` that changes with every checkpoint of a healthy job.
const STATE_SIZE: &str = "state-size";

/// Whether two statuses differ in nothing but numbers that change all the time: they are stored with the next change
/// that matters, so that a healthy, unchanged resource costs no write.
pub(super) fn only_noise_differs(current: &FlinkDeploymentStatus, next: &FlinkDeploymentStatus) -> bool {
    let without_noise = |status: &FlinkDeploymentStatus| {
        let mut status = status.clone();
        if let Some(info) = &mut status.cluster_info {
            info.remove(STATE_SIZE);
        }
        status
    };
    without_noise(current) == without_noise(next)
}
