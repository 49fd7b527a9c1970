//! Figures of many jobs on one session cluster.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use flink_client::stub::ClusterSettings;
use jiff::Timestamp;
use serde_json::json;

use super::bench::{Bench, BenchArguments, per, print_per, seconds};
use super::{memory, print};
use crate::kubernetes::{Change, Kind, name, text};

const NAMESPACE: &str = "figures-session-jobs";
/// Longest time for anything that is waited for.
const PATIENCE: Duration = Duration::from_mins(10);

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    bench: BenchArguments,
    /// How many FlinkSessionJobs are created.
    #[arg(long, default_value_t = 200)]
    jobs: usize,
    /// Size of the jar, which is the same for all of them, MiB.
    #[arg(long, default_value_t = 5)]
    jar_size: usize,
}

pub(super) async fn measure(arguments: &Arguments) -> Result<()> {
    let settings = ClusterSettings::default();
    let mut bench = Bench::start(&arguments.bench, NAMESPACE, arguments.jar_size, settings).await?;
    bench.start_cluster().await?;
    tokio::time::sleep(Duration::from_secs(5)).await;
    let jobs = arguments.jobs;
    print("resident memory, a session cluster without jobs", &memory(bench.operator.id())?, "");

    let began = (Timestamp::now(), Instant::now());
    let running = RefCell::new(BTreeSet::new());
    let all_run = async {
        while running.borrow().len() < jobs {
            ensure!(began.1.elapsed() < PATIENCE, "{} of {jobs} jobs run", running.borrow().len());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(began.1.elapsed())
    };
    let create = async {
        for number in 0..jobs {
            bench.create_job(&format!("job-{number}"), json!({})).await?;
        }
        Ok(())
    };
    let version = bench.cluster.version(Kind::FlinkSessionJob, NAMESPACE).await?;
    let follow = bench.cluster.follow(Kind::FlinkSessionJob, NAMESPACE, version, |change, job| {
        if change == Change::Modified && text(&job, "/status/jobStatus/state") == "RUNNING" {
            running.borrow_mut().insert(name(&job).to_owned());
        }
    });
    let took = tokio::select! {
        took = async { tokio::try_join!(create, all_run) } => took?.1,
        failed = follow => return failed,
    };
    print(&format!("{jobs} session jobs: from the first create to all RUNNING"), &seconds(took), "");
    let requests = bench.requests(began.0).await?;
    print_per("job until all run", jobs, &requests);
    let asked = bench.flink.state().requests().len();
    print("requests to Flink for each job until all run", &per(asked, jobs), "");
    bench.operator.must_run()?;

    // Polls of what is settled come once a minute.
    tokio::time::sleep(Duration::from_mins(1)).await;
    print(&format!("resident memory, {jobs} session jobs"), &memory(bench.operator.id())?, "");
    let (began, asked) = (Timestamp::now(), bench.flink.state().requests().len());
    tokio::time::sleep(Duration::from_mins(1)).await;
    let asked = bench.flink.state().requests().len() - asked;
    let requests = bench.requests(began).await?;
    let writes = requests.iter().filter(|request| request.is_write()).count();
    let counts = format!("{} ({writes} writes)", requests.len());
    print(&format!("API requests in a minute of {jobs} stable jobs"), &counts, "0 writes");
    print(&format!("requests to Flink in a minute of {jobs} stable jobs"), &asked.to_string(), "");
    Ok(())
}
