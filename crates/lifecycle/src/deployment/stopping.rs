//! What becomes of the cluster when its job has ended.

use api::UpgradeMode;

use super::health;
use super::pass::Pass;

impl Pass<'_> {
    /// The cluster goes at once; nobody waits for the job to end before.
    pub(super) fn give_up_job_with_cluster(&mut self) {
        self.cancel_quietly();
        // Its state is given up; nothing of it may come back later.
        self.job().upgrade_savepoint_path = None;
        self.record_stopped(UpgradeMode::Stateless);
    }

    /// What the next job starts from is in the status: the cluster may go.
    pub(super) fn cluster_may_go(&mut self) {
        self.forget_health();
        match self.observed.job_manager.clone() {
            Some(job_manager) if job_manager.owned => self.delete_deployment(&job_manager),
            Some(_) | None => self.again_at_once(),
        }
    }

    /// What was counted about a job that ends says nothing about the next one.
    pub(super) fn forget_health(&mut self) {
        if let Some(info) = &mut self.status.cluster_info {
            info.remove(health::KEY);
        }
    }
}
