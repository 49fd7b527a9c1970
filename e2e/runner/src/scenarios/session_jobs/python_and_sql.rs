//! Jobs in SQL and in Python, as the examples have them.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};

use super::jars::Web;
use super::{change, create, delete, job_id, job_is_stable, restored_from};
use crate::kubernetes::{Kind, text};
use crate::scenarios::examples::documents;
use crate::scenarios::expectations::{error_message, nothing_left, stable};
use crate::scenarios::space::{Look, Space, TO_NOTICE};

/// A variable with the path of the jar that the example in SQL names by https.
const SQL_RUNNER: &str = "SQL_RUNNER_JAR";

/// A version of Flink with the Table API, Python and `PyFlink`.
struct Flink {
    image: &'static str,
    version: &'static str,
    /// A variable with the path of its jar for Python.
    python_jar: &'static str,
    web: Web,
}

pub(crate) async fn on_1_20(space: &Space) -> Result<()> {
    let python_jar = "PYTHON_1_20_JAR";
    let web = Web::serve_jars(&space.data, 18084, &[SQL_RUNNER, python_jar])?;
    run(space, &Flink { image: "flink:1.20-python", version: "v1_20", python_jar, web }).await
}

pub(crate) async fn on_2_2(space: &Space) -> Result<()> {
    let python_jar = "PYTHON_2_2_JAR";
    let web = Web::serve_jars(&space.data, 18085, &[SQL_RUNNER, python_jar])?;
    run(space, &Flink { image: "flink:2.2-python", version: "v2_2", python_jar, web }).await
}

async fn run(space: &Space, flink: &Flink) -> Result<()> {
    sql(space, flink).await?;
    python(space, flink).await
}

/// The script comes from a file, and then as an argument.
async fn sql(space: &Space, flink: &Flink) -> Result<()> {
    let example = Example::apply(space, "session-job-sql", flink).await?;
    example.counts(space, 0).await?;
    let script = example.text("/data/number-orders.sql")?;
    let wanted = json!({"job": {"args": ["--text", script], "parallelism": 2}});
    example.goes_on_after(space, wanted).await?;
    example.remove(space).await
}

/// Without a jar first, then with Flink's jar for Python, as applications name it.
async fn python(space: &Space, flink: &Flink) -> Result<()> {
    let example = Example::apply(space, "session-job-python", flink).await?;
    example.counts(space, 0).await?;
    let wanted = json!({"job": {"jarURI": flink.web.uri_of(flink.python_jar)?, "parallelism": 2}});
    example.goes_on_after(space, wanted).await?;
    with_option(space, &example, flink).await?;
    side_by_side(space, &example).await?;
    example.remove(space).await
}

/// An option that Flink 1.20 takes from applications only: its driver would end the JobManager.
async fn with_option(space: &Space, example: &Example, flink: &Flink) -> Result<()> {
    let arguments =
        example.job.pointer("/spec/job/args").and_then(Value::as_array).context("no arguments")?;
    let mut arguments_with_option = vec![json!("-pyclientexec"), json!("/usr/bin/python3")];
    arguments_with_option.extend(arguments.iter().cloned());
    let changed = json!({"job": {"args": arguments_with_option}});
    if flink.version != "v1_20" {
        return example.goes_on_after(space, changed).await;
    }
    let before = job_id(space, &example.job_name).await?;
    change(space, &example.job_name, changed).await?;
    super::until_job(space, &example.job_name, "is refused", |job| {
        error_message(job).contains("must begin with -py or -pym")
    })
    .await?;
    change(space, &example.job_name, json!({"job": {"args": arguments}})).await?;
    job_is_stable(space, &example.job_name).await?;
    ensure!(job_id(space, &example.job_name).await? == before, "the job was replaced");
    Ok(())
}

/// Two programs that are submitted at the same moment: each one runs as what it is.
async fn side_by_side(space: &Space, example: &Example) -> Result<()> {
    let names = ["alpha", "beta"];
    for name in names {
        let program = format!(
            "from pyflink.table import EnvironmentSettings, TableEnvironment\n\
             environment = TableEnvironment.create(EnvironmentSettings.in_streaming_mode())\n\
             environment.execute_sql(\"CREATE TABLE {name} (id BIGINT) WITH ('connector' = 'datagen')\")\n\
             environment.execute_sql(\"CREATE TABLE nowhere (id BIGINT) WITH ('connector' = 'blackhole')\")\n\
             environment.execute_sql('INSERT INTO nowhere SELECT id FROM {name}')\n"
        );
        fs::write(space.data.join(format!("{name}.py")), program)?;
        let mut job = example.job.clone();
        job["metadata"]["name"] = name.into();
        job["spec"]["job"]["args"] = json!(["-py", format!("/flink-data/{name}.py")]);
        create(space, job).await?;
    }
    for name in names {
        job_is_stable(space, name).await?;
        let id = job_id(space, name).await?;
        let job = space.cluster.ask_flink(&space.name, &example.cluster, &format!("/jobs/{id}")).await?;
        let vertices = job["vertices"].to_string();
        ensure!(vertices.contains(&format!("Source: {name}")), "{name} runs {vertices}");
    }
    for name in names {
        delete(space, name).await?;
    }
    Ok(())
}

/// What an example has made.
struct Example {
    cluster: String,
    job_name: String,
    documents: Vec<Value>,
    /// As it was created.
    job: Value,
}

impl Example {
    /// Creates what is in the file, with the image and the jar of the test; ends when the job is stable.
    async fn apply(space: &Space, name: &str, flink: &Flink) -> Result<Self> {
        let documents = documents(space, name)?;
        let (mut cluster, mut job) = (None, None);
        for document in &documents {
            let mut document = document.clone();
            match text(&document, "/kind") {
                "FlinkDeployment" => {
                    document["spec"]["image"] = flink.image.into();
                    document["spec"]["flinkVersion"] = flink.version.into();
                    cluster = Some(space.create(document).await?);
                }
                "FlinkSessionJob" => {
                    if let Some(jar) = document.pointer_mut("/spec/job/jarURI") {
                        *jar = flink.web.uri_of(SQL_RUNNER)?.into();
                    }
                    create(space, document.clone()).await?;
                    job = Some(document);
                }
                "ConfigMap" => {
                    space.cluster.create(Kind::ConfigMap, &space.name, document).await?;
                }
                kind => bail!("{name} has a {kind}"),
            }
        }
        let name_of = |object: &Value| crate::kubernetes::name(object).to_owned();
        let cluster = name_of(&cluster.context("no FlinkDeployment")?);
        let job = job.context("no FlinkSessionJob")?;
        let example = Self { cluster, job_name: name_of(&job), documents, job };
        stable(space, &example.cluster).await?;
        job_is_stable(space, &example.job_name).await?;
        Ok(example)
    }

    /// A text in the example's ConfigMap.
    fn text(&self, pointer: &str) -> Result<String> {
        let found =
            self.documents.iter().map(|document| text(document, pointer)).find(|text| !text.is_empty());
        Ok(found.with_context(|| format!("the example has no {pointer}"))?.to_owned())
    }

    /// An upgrade with a savepoint, from which the numbers go on.
    async fn goes_on_after(&self, space: &Space, wanted: Value) -> Result<()> {
        let counted = self.numbers(space)?.len();
        change(space, &self.job_name, wanted).await?;
        let job = job_is_stable(space, &self.job_name).await?;
        let savepoint = text(&job, "/status/jobStatus/upgradeSavepointPath");
        let restored = restored_from(space, &self.cluster, &self.job_name).await?;
        ensure!(
            !savepoint.is_empty() && restored == savepoint,
            "started from {restored:?}, not {savepoint:?}"
        );
        // When the old job has stopped, all of its files are complete.
        let counted = self.counts(space, counted).await?;
        self.counts(space, counted).await?;
        Ok(())
    }

    /// Waits until more than so many orders have got their numbers, and says how many.
    async fn counts(&self, space: &Space, more_than: usize) -> Result<usize> {
        let counted = space
            .until(&format!("{} counts beyond {more_than}", self.job_name), TO_NOTICE, async || {
                let counted = self.numbers(space)?.len();
                Ok(if counted > more_than { Look::Done(counted) } else { Look::NotYet(counted.to_string()) })
            })
            .await?;
        space.say(&format!("{} has counted {counted} orders, each one once", self.job_name));
        Ok(counted)
    }

    /// The numbers in complete files. None may be missing and none may be there twice.
    fn numbers(&self, space: &Space) -> Result<BTreeSet<u64>> {
        let mut numbers = BTreeSet::new();
        for file in files(&space.data.join(format!("numbered-by-{}", self.job_name)))? {
            for line in fs::read_to_string(&file)?.lines() {
                let number = line.split(',').next().unwrap_or_default().parse()?;
                ensure!(numbers.insert(number), "{number} twice");
            }
        }
        let last = numbers.last().copied().unwrap_or_default();
        ensure!(last == numbers.len() as u64, "{} numbers up to {last}", numbers.len());
        Ok(numbers)
    }

    async fn remove(self, space: &Space) -> Result<()> {
        delete(space, &self.job_name).await?;
        space.cluster.delete(Kind::FlinkDeployment, &space.name, &self.cluster).await?;
        nothing_left(space, &self.cluster, &[]).await
    }
}

/// Those that Flink has completed: the names of others begin with a dot.
fn files(folder: &Path) -> Result<Vec<std::path::PathBuf>> {
    let mut files = Vec::new();
    if folder.exists() {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            if !entry.file_name().to_string_lossy().starts_with('.') {
                files.push(entry.path());
            }
        }
    }
    Ok(files)
}
