//! Which JobManager leads, and its end.

use anyhow::Result;
use serde_json::Value;

use super::super::space::Space;
use crate::kubernetes::{Kind, name, uid};
use crate::pod_process;

/// What Flink logs, in either store and every version, when a JobManager becomes the leader and when it is no more.
const GRANTED: &str = "DefaultDispatcherRunner was granted leadership";
const REVOKED: &str = "DefaultDispatcherRunner was revoked the leadership";

/// A JobManager's JVM.
pub(super) struct JobManager {
    pub(super) pod: String,
    process: u32,
}

impl JobManager {
    /// Ends it as a crash does. Returns whether it was still there.
    pub(super) fn kill(&self) -> Result<bool> {
        pod_process::kill(self.process)
    }
}

/// The JobManager that leads; where none does, as while the first ones start, any. Only pods count whose uid fits.
pub(super) async fn find(
    space: &Space,
    cluster: &str,
    fits: impl Fn(&str) -> bool,
) -> Result<Option<JobManager>> {
    let mut any = None;
    for pod in pods(space, cluster).await? {
        if !fits(uid(&pod)) {
            continue;
        }
        let Some(process) = pod_process::find(&pod, is_jvm_of_flink)? else { continue };
        let found = JobManager { pod: name(&pod).to_owned(), process };
        if leads(space, name(&pod)).await {
            return Ok(Some(found));
        }
        any = any.or(Some(found));
    }
    Ok(any)
}

/// The JVM itself, not those that its start script asks before.
fn is_jvm_of_flink(command: &[u8]) -> bool {
    command.windows(b"ApplicationClusterEntry".len()).any(|window| window == b"ApplicationClusterEntry")
}

async fn leads(space: &Space, pod: &str) -> bool {
    let log = space.cluster.log(&space.name, pod, 100_000, false).await.unwrap_or_default();
    log.rfind(GRANTED).is_some_and(|granted| log.rfind(REVOKED).is_none_or(|revoked| revoked < granted))
}

/// The pods of a cluster's JobManagers.
pub(super) async fn pods(space: &Space, cluster: &str) -> Result<Vec<Value>> {
    space.cluster.list(Kind::Pod, &space.name, &format!("app={cluster},component=jobmanager")).await
}
