//! The stub as a session cluster whose jar behaves like the counting job.

use std::time::Duration;

use bytes::Bytes;
use flink_client::JarFile;
use flink_client::stub::{ClusterSettings, FlinkState, JobEnd, JobPlan, Storage, StubServer};
use jiff::Timestamp;

fn plan(end: JobEnd) -> JobPlan {
    JobPlan {
        initializing: Duration::from_millis(20),
        scheduling: Duration::from_millis(20),
        deploying: Duration::from_millis(50),
        cancelling: Duration::from_millis(20),
        snapshot: Duration::from_millis(20),
        checkpoint_interval: Some(Duration::from_millis(200)),
        end,
        ..JobPlan::default()
    }
}

/// Starts the stub on loopback.
pub(crate) async fn start() -> std::io::Result<StubServer> {
    let mut settings = ClusterSettings {
        jar_plan: plan(JobEnd::Never),
        statistics_memory: Duration::from_millis(300),
        ..ClusterSettings::default()
    };
    let finishes = plan(JobEnd::Finishes(Duration::from_millis(500)));
    settings.plans_by_argument.insert("--count".to_owned(), finishes);
    let fails = JobEnd::Fails {
        after: Duration::from_millis(500),
        text: "planned failure".to_owned(),
        restarts: 1,
        delay: Duration::from_millis(10),
    };
    settings.plans_by_argument.insert("--fail-at".to_owned(), plan(fails));
    let storage = Storage::default();
    storage.refuse_writes_below("file:/proc/");
    StubServer::start(FlinkState::new(settings, storage, Timestamp::now())).await
}

/// A jar whose content the stub does not look at.
pub(crate) fn jar() -> JarFile {
    JarFile::Bytes { name: "conformance.jar".to_owned(), content: Bytes::from_static(b"jar") }
}
