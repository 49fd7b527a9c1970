//! How the world behaves.

use std::time::Duration;

use flink_client::stub::JobPlan;

/// Times and misfortunes of the world outside of the operator.
#[derive(Clone, Debug)]
pub struct WorldSettings {
    /// From the creation of a pod to the start of its container. Default: 1 s.
    pub container_start: Duration,
    /// From the start of a JobManager's container to its first answer. Default: 2 s.
    pub job_manager_start: Duration,
    /// From the deletion of a pod to the end of its processes. Default: 5 s.
    pub termination: Duration,
    /// The same for the pod of a TaskManager, which has less to do. Default: 1 s.
    pub task_manager_termination: Duration,
    /// Seconds that the Deployment controller may be late with its first look at a Deployment: that many, or fewer.
    pub first_look: u64,
    /// Parts of names of images that cannot be pulled.
    pub missing_images: Vec<String>,
    /// Message with which pods are refused (a quota, for instance); `None`: they are not.
    pub refuse_pods: Option<String>,
    /// Message with which JobManagers end right after they have begun; `None`: they do not.
    pub crash_loop: Option<String>,
    /// Whether no JobManager answers.
    pub silent: bool,
    /// How jobs behave, apart from what the configuration says.
    pub plan: JobPlan,
}

impl Default for WorldSettings {
    fn default() -> Self {
        Self {
            container_start: Duration::from_secs(1),
            job_manager_start: Duration::from_secs(2),
            termination: Duration::from_secs(5),
            task_manager_termination: Duration::from_secs(1),
            first_look: 0,
            missing_images: vec!["does-not-exist".to_owned()],
            refuse_pods: None,
            crash_loop: None,
            silent: false,
            plan: JobPlan::default(),
        }
    }
}
