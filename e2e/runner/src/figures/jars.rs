//! Figures of jars on their way to a session cluster: the operator's memory while big ones are, and what users see of
//! servers that misbehave, while a job beside them gets its jar.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use flink_client::stub::ClusterSettings;
use serde_json::{Value, json};

use super::bench::{Bench, BenchArguments, seconds};
use super::jar_hosts::{Conduct, JarHost};
use super::{mebibytes, print, resident};
use crate::kubernetes::{Kind, text};

const NAMESPACE: &str = "figures-jars";
/// Longest time for anything that is waited for.
const PATIENCE: Duration = Duration::from_mins(5);
/// `kubernetes.operator.user.artifacts.timeout` of the operator's configuration here.
const TIMEOUT: &str = "40 s";

/// Each kind of server, and what it is called.
const HOSTS: &[(&str, Conduct)] = &[
    ("byte after byte", Conduct::Drip),
    ("silent", Conduct::Silent),
    ("silent after the head", Conduct::HeadOnly),
    ("endless", Conduct::Endless),
    ("endless head", Conduct::EndlessHead),
    ("promises 100 GB", Conduct::Huge),
    ("promises more than it sends", Conduct::Short),
    ("promises less than it has", Conduct::Long),
    ("two lengths", Conduct::TwoLengths),
    ("a page", Conduct::Page),
    ("another protocol", Conduct::NotHttp),
    ("401", Conduct::Status(401)),
    ("404", Conduct::Status(404)),
    ("503", Conduct::Status(503)),
    ("redirects in a circle", Conduct::Redirect("/job.jar")),
    ("redirects to a metadata service", Conduct::Redirect("http://169.254.169.254/latest/meta-data")),
    ("redirects to the own network", Conduct::Redirect("http://10.0.0.1/job.jar")),
    ("redirects to a file", Conduct::Redirect("file:///etc/passwd")),
];

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    bench: BenchArguments,
    /// How many jars are in flight at a time.
    #[arg(long, default_value_t = 10)]
    jars: usize,
    /// Size of each, MiB.
    #[arg(long, default_value_t = 200)]
    size: usize,
    /// How fast a server sends one, MiB a second.
    #[arg(long, default_value_t = 10)]
    rate: usize,
}

pub(super) async fn measure(arguments: &Arguments) -> Result<()> {
    let options = format!(
        "kubernetes.operator.user.artifacts.max-concurrent: {}\n\
         kubernetes.operator.user.artifacts.timeout: {TIMEOUT}\n",
        arguments.jars
    );
    let bench = &arguments.bench;
    let mut bench = Bench::start_with(bench, NAMESPACE, 1, ClusterSettings::default(), &options).await?;
    bench.start_cluster().await?;
    misbehaving(&bench).await?;
    in_flight(&bench, arguments).await?;
    bench.operator.must_run()
}

/// One job for each server, and one whose jar can be had.
async fn misbehaving(bench: &Bench) -> Result<()> {
    let mut hosts = Vec::new();
    for (number, (what, conduct)) in HOSTS.iter().enumerate() {
        let host = JarHost::start(&format!("127.0.2.{}", number + 1), *conduct).await?;
        let job = format!("misbehaving-{number}");
        bench.create_job_from(&job, host.url(), json!({})).await?;
        hosts.push((*what, job, host, Instant::now()));
    }
    let good = JarHost::start("127.0.0.1", Conduct::Jar { size: 1, rate: 100 }).await?;
    let began = Instant::now();
    bench.create_job_from("good", good.url(), json!({})).await?;
    let mut told = BTreeMap::new();
    let mut runs = None;
    while told.len() < hosts.len() || runs.is_none() {
        ensure!(began.elapsed() < PATIENCE, "only of {} servers anything is told", told.len());
        if runs.is_none() && text(&job(bench, "good").await?, "/status/jobStatus/state") == "RUNNING" {
            runs = Some(began.elapsed());
        }
        for (number, (_, name, _, began)) in hosts.iter().enumerate() {
            if let Entry::Vacant(entry) = told.entry(number) {
                let job = job(bench, name).await?;
                let error = text(&job, "/status/error");
                if !error.is_empty() {
                    entry.insert((began.elapsed(), serde_json::from_str::<Value>(error)?));
                }
            }
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let what = format!("a job beside {} servers that misbehave runs after", hosts.len());
    print(&what, &seconds(runs.unwrap_or_default()), "");
    for (number, (took, error)) in &told {
        let message = text(error, "/message").replace(bench.scratch(), "...");
        let (what, ..) = hosts[*number];
        print(&format!("server: {what}"), &seconds(*took), &message);
    }
    for (_, job, _, _) in &hosts {
        bench.cluster.delete(Kind::FlinkSessionJob, NAMESPACE, job).await?;
    }
    Ok(())
}

/// Several big jars at a time.
async fn in_flight(bench: &Bench, arguments: &Arguments) -> Result<()> {
    let Arguments { jars, size, rate, .. } = *arguments;
    let before = resident(bench.operator.id())?;
    let mut hosts = Vec::new();
    for number in 0..jars {
        // Each on a host of its own: of one, only a few are fetched at a time.
        let host = JarHost::start(&format!("127.0.1.{}", number + 1), Conduct::Jar { size, rate }).await?;
        bench.create_job_from(&format!("big-{number}"), host.url(), json!({})).await?;
        hosts.push(host);
    }
    let began = Instant::now();
    let mut most = before;
    loop {
        most = most.max(resident(bench.operator.id())?);
        let mut running = 0;
        for number in 0..jars {
            let job = bench.cluster.get(Kind::FlinkSessionJob, NAMESPACE, &format!("big-{number}")).await?;
            running += usize::from(job.is_some_and(|job| text(&job, "/status/jobStatus/state") == "RUNNING"));
        }
        if running == jars {
            break;
        }
        ensure!(began.elapsed() < PATIENCE, "{running} of {jars} jobs run");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let what = format!("{jars} jobs with jars of {size} MiB at {rate} MiB/s each: all run after");
    print(&what, &seconds(began.elapsed()), "");
    print("resident memory before", &mebibytes(before), "");
    print("resident memory at most while they are in flight", &mebibytes(most), "60 MiB more");
    Ok(())
}

async fn job(bench: &Bench, name: &str) -> Result<Value> {
    bench.cluster.get(Kind::FlinkSessionJob, NAMESPACE, name).await?.context("it is gone")
}
