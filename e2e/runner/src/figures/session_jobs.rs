//! Figures of many jobs on one session cluster. Flink is a stub in this process, and nobody acts on Deployments, so that
//! what is measured is the operator.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use flink_client::stub::{ClusterSettings, FlinkState, Storage, StubServer};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{memory, print, print_by_resource};
use crate::audit::{self, Request};
use crate::jar_server::{self, JarServer};
use crate::kubernetes::{Change, Cluster, Kind, name, text};
use crate::operator_process::OperatorProcess;

const NAMESPACE: &str = "figures-session-jobs";
const CLUSTER: &str = "cluster";
const JAR: &str = "job.jar";
/// The end of a ZIP file without entries, which a jar has to have.
const END_OF_ZIP: [u8; 22] = *b"PK\x05\x06\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
/// Longest time for anything that is waited for.
const PATIENCE: Duration = Duration::from_mins(10);

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The operator's release binary.
    #[arg(long)]
    binary: PathBuf,
    /// The operator's configuration folder.
    #[arg(long)]
    conf_dir: PathBuf,
    /// How many FlinkSessionJobs are created.
    #[arg(long, default_value_t = 200)]
    jobs: usize,
    /// Size of the jar, which is the same for all of them, MiB.
    #[arg(long, default_value_t = 5)]
    jar_size: usize,
    /// The API server's audit log.
    #[arg(long, env = "TESTBED_AUDIT_LOG")]
    audit_log: PathBuf,
}

pub(super) async fn measure(arguments: &Arguments) -> Result<()> {
    let scratch = std::env::temp_dir().join(format!("{NAMESPACE}-{}", std::process::id()));
    let measured = measure_in(&scratch, arguments).await;
    fs::remove_dir_all(&scratch)?;
    measured
}

async fn measure_in(scratch: &Path, arguments: &Arguments) -> Result<()> {
    let (jars, configuration) = (scratch.join("jars"), scratch.join("conf"));
    fs::create_dir_all(&jars)?;
    fs::create_dir_all(&configuration)?;
    let mut jar = vec![0; arguments.jar_size * 1024 * 1024];
    jar.extend(END_OF_ZIP);
    fs::write(jars.join(JAR), jar)?;
    let options = jar_server::options(&scratch.join("fetched").display().to_string());
    fs::write(configuration.join("flink-conf.yaml"), options)?;
    let _jars = JarServer::start(&jars)?;

    let flink = FlinkState::new(ClusterSettings::default(), Storage::default(), Timestamp::now());
    let flink = StubServer::start(flink).await?;
    let cluster = Cluster::connect().await?;
    let mut command = Command::new(&arguments.binary);
    command.arg("--conf-dir").arg(&arguments.conf_dir).arg("--conf-override-dir").arg(&configuration);
    command.args(["--watch-namespaces", NAMESPACE, "--flink-address", "host:127.0.0.1"]);
    let operator = OperatorProcess::start({
        command.stdout(Stdio::null()).stderr(Stdio::null());
        command
    })?;
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}});
    cluster.create(Kind::Namespace, "", namespace).await?;
    Bench { cluster, flink, operator, arguments }.measure().await
}

struct Bench<'a> {
    cluster: Cluster,
    flink: StubServer,
    operator: OperatorProcess,
    arguments: &'a Arguments,
}

impl Bench<'_> {
    async fn measure(&mut self) -> Result<()> {
        self.start_cluster().await?;
        tokio::time::sleep(Duration::from_secs(5)).await;
        let jobs = self.arguments.jobs;
        print("resident memory, a session cluster without jobs", &memory(self.operator.id())?, "");

        let began = (Timestamp::now(), Instant::now());
        let running = RefCell::new(BTreeSet::new());
        let all_run = async {
            while running.borrow().len() < jobs {
                ensure!(began.1.elapsed() < PATIENCE, "{} of {jobs} jobs run", running.borrow().len());
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            Ok(began.1.elapsed())
        };
        let version = self.cluster.version(Kind::FlinkSessionJob, NAMESPACE).await?;
        let follow = self.cluster.follow(Kind::FlinkSessionJob, NAMESPACE, version, |change, job| {
            if change == Change::Modified && text(&job, "/status/jobStatus/state") == "RUNNING" {
                running.borrow_mut().insert(name(&job).to_owned());
            }
        });
        let took = tokio::select! {
            took = async { tokio::try_join!(self.create_jobs(), all_run) } => took?.1,
            failed = follow => return failed,
        };
        print(&format!("{jobs} session jobs: from the first create to all RUNNING"), &seconds(took), "");
        let requests = self.requests(began.0).await?;
        self.print_per_job(&requests);
        self.operator.must_run()?;

        // Polls of what is settled come once a minute.
        tokio::time::sleep(Duration::from_mins(1)).await;
        print(&format!("resident memory, {jobs} session jobs"), &memory(self.operator.id())?, "");
        let (began, asked) = (Timestamp::now(), self.flink.state().requests().len());
        tokio::time::sleep(Duration::from_mins(1)).await;
        let asked = self.flink.state().requests().len() - asked;
        let requests = self.requests(began).await?;
        let writes = requests.iter().filter(|request| request.is_write()).count();
        let counts = format!("{} ({writes} writes)", requests.len());
        print(&format!("API requests in a minute of {jobs} stable jobs"), &counts, "0 writes");
        print(&format!("requests to Flink in a minute of {jobs} stable jobs"), &asked.to_string(), "");
        Ok(())
    }

    /// Plays the part of the Deployment's controller for the JobManager.
    async fn start_cluster(&self) -> Result<()> {
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
        self.cluster.create(Kind::FlinkDeployment, NAMESPACE, deployment).await?;
        self.until("the JobManager may start", Kind::Deployment, |job_manager| {
            job_manager["spec"]["paused"] != true
        })
        .await?;
        let status = json!({"status": {"replicas": 1, "readyReplicas": 1, "availableReplicas": 1}});
        self.cluster.patch_status(Kind::Deployment, NAMESPACE, CLUSTER, &status).await?;
        self.until("the session cluster is stable", Kind::FlinkDeployment, |cluster| {
            text(cluster, "/status/lifecycleState") == "STABLE"
        })
        .await
    }

    async fn until(&self, what: &str, kind: Kind, condition: impl Fn(&Value) -> bool) -> Result<()> {
        let began = Instant::now();
        while !self.cluster.get(kind, NAMESPACE, CLUSTER).await?.is_some_and(|object| condition(&object)) {
            ensure!(began.elapsed() < Duration::from_mins(1), "not within a minute: {what}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        Ok(())
    }

    async fn create_jobs(&self) -> Result<()> {
        for number in 0..self.arguments.jobs {
            let uri = format!("{}/{JAR}", jar_server::URL);
            let job = json!({
                "apiVersion": "flink.apache.org/v1beta1",
                "kind": "FlinkSessionJob",
                "metadata": {"name": format!("job-{number}")},
                "spec": {
                    "deploymentName": CLUSTER,
                    "job": {"jarURI": uri, "parallelism": 1, "upgradeMode": "stateless"},
                },
            });
            self.cluster.create(Kind::FlinkSessionJob, NAMESPACE, job).await?;
        }
        Ok(())
    }

    /// What the operator has asked the API server for since then.
    async fn requests(&self, began: Timestamp) -> Result<Vec<Request>> {
        let ended = Timestamp::now();
        // The API server writes its log with a delay.
        tokio::time::sleep(Duration::from_secs(5)).await;
        let mut requests = audit::read(&self.arguments.audit_log)?;
        requests.retain(|request| {
            request.agent.starts_with("flink-kubernetes-operator/")
                && request.received >= began
                && request.received < ended
        });
        Ok(requests)
    }

    fn print_per_job(&self, requests: &[Request]) {
        let writes = requests.iter().filter(|request| request.is_write()).count();
        print("API requests for each job until all run", &self.per_job(requests.len()), "");
        print("writes among them", &self.per_job(writes), "");
        print_by_resource(requests);
        let asked = self.flink.state().requests().len();
        print("requests to Flink for each job until all run", &self.per_job(asked), "");
    }

    #[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
    fn per_job(&self, count: usize) -> String {
        format!("{:.1}", count as f64 / self.arguments.jobs as f64)
    }
}

fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}
