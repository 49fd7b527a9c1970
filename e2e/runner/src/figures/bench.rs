//! A session cluster for figures: the operator as a process on this machine, a real API server, and a stub of Flink in
//! this process. Nobody acts on Deployments, so that what is measured is the operator.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use flink_client::stub::{ClusterSettings, FlinkState, Storage, StubServer};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{print, print_by_resource};
use crate::audit::{self, Request};
use crate::jar_server::{self, JarServer};
use crate::kubernetes::{Cluster, Kind, text};
use crate::operator_process::OperatorProcess;

/// The session cluster.
pub(super) const CLUSTER: &str = "cluster";
const JAR: &str = "job.jar";
/// The end of a ZIP file without entries, which a jar has to have.
pub(super) const END_OF_ZIP: [u8; 22] = *b"PK\x05\x06\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";

#[derive(Debug, clap::Args)]
pub(super) struct BenchArguments {
    /// The operator's release binary.
    #[arg(long)]
    binary: PathBuf,
    /// The operator's configuration folder.
    #[arg(long)]
    conf_dir: PathBuf,
    /// The API server's audit log.
    #[arg(long, env = "TESTBED_AUDIT_LOG")]
    audit_log: PathBuf,
}

/// What a figure is measured with.
pub(super) struct Bench {
    pub(super) cluster: Cluster,
    pub(super) flink: StubServer,
    pub(super) operator: OperatorProcess,
    pub(super) namespace: &'static str,
    audit_log: PathBuf,
    scratch: Scratch,
    _jars: JarServer,
}

/// A folder that goes with it.
struct Scratch(PathBuf);

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

impl Bench {
    /// Starts the operator for `namespace`, which it makes, and the jar server with a jar of `jar_size` MiB.
    pub(super) async fn start(
        arguments: &BenchArguments,
        namespace: &'static str,
        jar_size: usize,
        settings: ClusterSettings,
    ) -> Result<Self> {
        Self::start_with(arguments, namespace, jar_size, settings, "").await
    }

    /// The same, with more options of the operator's configuration.
    pub(super) async fn start_with(
        arguments: &BenchArguments,
        namespace: &'static str,
        jar_size: usize,
        settings: ClusterSettings,
        options: &str,
    ) -> Result<Self> {
        let scratch = Scratch(std::env::temp_dir().join(format!("{namespace}-{}", std::process::id())));
        let (jars, configuration) = (scratch.0.join("jars"), scratch.0.join("conf"));
        fs::create_dir_all(&jars)?;
        fs::create_dir_all(&configuration)?;
        let mut jar = vec![0; jar_size * 1024 * 1024];
        jar.extend(END_OF_ZIP);
        fs::write(jars.join(JAR), jar)?;
        fs::write(configuration.join("flink-conf.yaml"), format!("{}{options}", basic_options(&scratch.0)))?;

        let flink = FlinkState::new(settings, Storage::default(), Timestamp::now());
        let cluster = Cluster::connect().await?;
        let mut command = Command::new(&arguments.binary);
        command.arg("--conf-dir").arg(&arguments.conf_dir).arg("--conf-override-dir").arg(&configuration);
        command.args(["--watch-namespaces", namespace, "--flink-address", "host:127.0.0.1"]);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let bench = Self {
            flink: StubServer::start(flink).await?,
            operator: OperatorProcess::start(command)?,
            namespace,
            audit_log: arguments.audit_log.clone(),
            _jars: JarServer::start(&jars)?,
            scratch,
            cluster,
        };
        let object = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}});
        bench.cluster.create(Kind::Namespace, "", object).await?;
        Ok(bench)
    }

    /// The folder of this measurement.
    pub(super) fn scratch(&self) -> &str {
        self.scratch.0.to_str().unwrap_or_default()
    }

    /// Plays the part of the Deployment's controller for the JobManager.
    pub(super) async fn start_cluster(&self) -> Result<()> {
        let port = self.flink.endpoint()?.port();
        let resource = json!({"resource": {"cpu": 0.2, "memory": "1024m"}});
        let deployment = json!({
            "apiVersion": "flink.apache.org/v1beta1",
            "kind": "FlinkDeployment",
            "metadata": {"name": CLUSTER},
            "spec": {
                "image": "flink:1.20",
                "flinkVersion": "v1_20",
                "serviceAccount": "flink",
                "flinkConfiguration": {"rest.port": port.to_string()},
                "jobManager": resource,
                "taskManager": resource,
            },
        });
        self.cluster.create(Kind::FlinkDeployment, self.namespace, deployment).await?;
        self.until("the JobManager may start", Kind::Deployment, CLUSTER, |job_manager| {
            job_manager["spec"]["paused"] != true
        })
        .await?;
        let status = json!({"status": {"replicas": 1, "readyReplicas": 1, "availableReplicas": 1}});
        self.cluster.patch_status(Kind::Deployment, self.namespace, CLUSTER, &status).await?;
        self.until("the session cluster is stable", Kind::FlinkDeployment, CLUSTER, |cluster| {
            text(cluster, "/status/lifecycleState") == "STABLE"
        })
        .await
    }

    /// Creates a job on the session cluster.
    pub(super) async fn create_job(&self, name: &str, configuration: Value) -> Result<()> {
        self.create_job_from(name, &format!("{}/{JAR}", jar_server::URL), configuration).await
    }

    /// The same with a jar of another server.
    pub(super) async fn create_job_from(&self, name: &str, uri: &str, configuration: Value) -> Result<()> {
        let job = json!({
            "apiVersion": "flink.apache.org/v1beta1",
            "kind": "FlinkSessionJob",
            "metadata": {"name": name},
            "spec": {
                "deploymentName": CLUSTER,
                "flinkConfiguration": configuration,
                "job": {"jarURI": uri, "parallelism": 1, "upgradeMode": "stateless"},
            },
        });
        self.cluster.create(Kind::FlinkSessionJob, self.namespace, job).await.map(drop)
    }

    pub(super) async fn until(
        &self,
        what: &str,
        kind: Kind,
        name: &str,
        condition: impl Fn(&Value) -> bool,
    ) -> Result<()> {
        let began = Instant::now();
        let found = async || self.cluster.get(kind, self.namespace, name).await;
        while !found().await?.is_some_and(|object| condition(&object)) {
            ensure!(began.elapsed() < Duration::from_mins(1), "not within a minute: {what}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        Ok(())
    }

    /// What the operator has asked the API server for since then.
    pub(super) async fn requests(&self, began: Timestamp) -> Result<Vec<Request>> {
        let ended = Timestamp::now();
        // The API server writes its log with a delay.
        tokio::time::sleep(Duration::from_secs(5)).await;
        let mut requests = audit::read(&self.audit_log)?;
        requests.retain(|request| {
            request.agent.starts_with("flink-kubernetes-operator/")
                && request.received >= began
                && request.received < ended
        });
        Ok(requests)
    }
}

/// Prints requests and writes for each of `count` things.
pub(super) fn print_per(what: &str, count: usize, requests: &[Request]) {
    let writes = requests.iter().filter(|request| request.is_write()).count();
    print(&format!("API requests for each {what}"), &per(requests.len(), count), "");
    print("writes among them", &per(writes, count), "");
    print_by_resource(requests);
}

fn basic_options(scratch: &Path) -> String {
    jar_server::options(&scratch.join("fetched").display().to_string())
}

#[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
pub(super) fn per(count: usize, all: usize) -> String {
    format!("{:.1}", count as f64 / all as f64)
}

pub(super) fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}
