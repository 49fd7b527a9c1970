//! Jobs on session clusters.

use super::*;

/// A store with one jar, whatever is asked for.
struct OneJar;

#[async_trait]
impl Artifacts for OneJar {
    async fn fetch(&self, request: &ArtifactRequest) -> Result<Artifact, ArtifactError> {
        let name = request.uri.rsplit('/').next().unwrap_or_default().to_owned();
        Ok(Artifact { jar: JarFile::Bytes { name, content: "PK".into() }, keep: None })
    }

    fn empty_jar(&self) -> JarFile {
        NoArtifacts.empty_jar()
    }
}

fn submission(job: Value) -> JobSubmission {
    let job: api::JobSpec = serde_json::from_value(job).unwrap();
    JobSubmission {
        cluster: FlinkCluster {
            namespace: "ns".to_owned(),
            name: "session".to_owned(),
            rest_port: 8081,
            tls: false,
        },
        job_id: JOB.to_owned(),
        jar_uri: job.jar_uri,
        configuration: flink_conf::FlinkConf::new(),
        entry_class: job.entry_class,
        args: job.args.unwrap_or_default(),
        parallelism: Some(2),
        savepoint_path: None,
        allow_non_restored_state: None,
        runs_alone: false,
        flink_version: Some(api::FlinkVersion::V1_20),
        time_limit: Duration::from_secs(10),
    }
}

/// What Flink is asked, in this order, to run a job of this `spec.job`.
async fn asked_to_run(job: Value) -> Vec<(String, Value)> {
    let bench = Bench::with(Arc::new(OneJar));
    let object = bench.cluster.put(Kind::FLINK_SESSION_JOB, "job", |it| {
        it.data = json!({"status": {"jobStatus": {"jobId": JOB}}});
    });
    bench.answers(200, json!({"filename": "/tmp/flink-web/flink-web-upload/1_uploaded.jar"}));
    bench.answers(200, json!({"jobid": JOB}));
    bench.answers(200, json!({}));
    let resource = Resource::new(Kind::FLINK_SESSION_JOB, &object.metadata);
    let effect = Effect::SubmitJob(Box::new(submission(job)));
    assert_eq!(bench.executor.perform(&resource, vec![effect]).await.failure, None);
    bench.flink.asked.lock().unwrap().clone()
}

/// The program is in the image, and Flink adds the jar of PyFlink by itself when it sees this class: nothing is fetched.
#[tokio::test]
async fn a_python_job_is_its_driver_with_an_empty_jar() {
    let asked = asked_to_run(json!({
        "entryClass": "org.apache.flink.client.python.PythonDriver",
        "args": ["-py", "/opt/flink/usrlib/job.py", "--name", "two words"],
    }))
    .await;
    let urls: Vec<&str> = asked.iter().map(|(url, _)| url.as_str()).collect();
    assert_eq!(
        urls,
        [
            "POST http://session-rest.ns:8081/jars/upload",
            "POST http://session-rest.ns:8081/jars/1_uploaded.jar/run",
            "DELETE http://session-rest.ns:8081/jars/1_uploaded.jar",
        ]
    );
    assert_eq!(
        asked[1].1,
        json!({
            "entryClass": "org.apache.flink.client.python.PythonDriver",
            "programArgsList": ["-py", "/opt/flink/usrlib/job.py", "--name", "two words"],
            "parallelism": 2,
            "jobId": JOB,
            "claimMode": "NO_CLAIM",
        })
    );
}

/// Beside another program it would be submitted as that one, or the other one as this one.
#[tokio::test(start_paused = true)]
async fn a_program_that_runs_alone_is_sent_when_no_other_one_is_running() {
    let bench = Bench::with(Arc::new(OneJar));
    let submission = JobSubmission { runs_alone: true, ..submission(json!({})) };
    let effect = Effect::SubmitJob(Box::new(submission.clone()));
    let running = bench.executor.turns.wait(&submission.cluster, false).await;
    let waiting = bench.executor.perform(&bench.resource, vec![effect]);
    assert!(tokio::time::timeout(Duration::from_mins(1), waiting).await.is_err());
    assert!(bench.flink.asked.lock().unwrap().is_empty());
    drop(running);
    bench.flink.prepared.lock().unwrap().push(Err(TransportError::TimedOut { sent: true }));
    let effect = Effect::SubmitJob(Box::new(submission));
    assert!(bench.executor.perform(&bench.resource, vec![effect]).await.failure.is_some());
    assert_eq!(bench.flink.asked.lock().unwrap().len(), 1, "the upload");
}

/// Statements with blanks and quotes arrive as one argument.
#[tokio::test]
async fn a_sql_job_is_a_runner_whose_argument_is_the_script() {
    let script = "CREATE TABLE t (a INT) WITH ('connector' = 'datagen');\nINSERT INTO s SELECT a FROM t;";
    let asked = asked_to_run(json!({
        "jarURI": "https://jars.example.com/flink-sql-runner-example.jar",
        "args": [script],
    }))
    .await;
    assert_eq!(
        asked[1].1,
        json!({"programArgsList": [script], "parallelism": 2, "jobId": JOB, "claimMode": "NO_CLAIM"})
    );
}
