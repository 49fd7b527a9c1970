//! `timeline`: recorded scenarios on real Flink with our operator, and the order in which things happen compared.

mod applicable;
mod comparison;
mod line;
mod listed;
pub(crate) mod place;
mod recorder;
pub(crate) mod recording;
mod replay;
mod rules;
mod sequence;
mod snapshots;
mod step;
#[cfg(test)]
mod tests;
mod watching;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use futures::StreamExt as _;
use jiff::Timestamp;

use crate::audit;
use crate::chart_operator::ChartOperator;
use crate::jar_server::{self, JarServer};
use crate::kubernetes::Cluster;
use comparison::{Comparison, Step};
use line::{Line, Request, What};
use place::Place;
use recording::Recording;
use replay::Replay;

/// Replays recorded timelines on the cluster of `KUBECONFIG`, a test bed; ends with `N equal, M differing`.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Folder of recordings, each with timeline.jsonl and crs.yaml, or one of them [default: the reference's].
    folder: Option<PathBuf>,
    /// Only recordings whose name contains one of these texts.
    #[arg(long)]
    only: Vec<String>,
    /// The operator.
    #[arg(long)]
    binary: Option<PathBuf>,
    /// Where our timelines are written, a folder for each.
    #[arg(long, default_value = "/tmp/timelines")]
    output: PathBuf,
    /// Runs nothing: compares with the timelines that were written before.
    #[arg(long)]
    again: bool,
    /// How many run at a time.
    #[arg(long, default_value_t = 2)]
    parallel: usize,
    /// Where the directories lie that pods write to.
    #[arg(long, default_value = "/tmp")]
    data: PathBuf,
    /// The API server's audit log, for the operator's writes.
    #[arg(long, env = "TESTBED_AUDIT_LOG")]
    audit_log: Option<PathBuf>,
}

/// How long a replay goes on at least after its last step, seconds: Events follow what they tell.
const AFTERWARDS: f64 = 2.0;

/// What became of a recording.
enum Verdict {
    Skipped(String),
    /// It could not be replayed.
    Failed(anyhow::Error),
    Compared {
        comparison: Comparison,
        surprises: Vec<String>,
    },
}

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let folder = match &arguments.folder {
        Some(folder) => folder.clone(),
        None => {
            reference::folder("traces")?.context("no folder given, and the reference is to be skipped")?
        }
    };
    let wanted = |recording: &Recording| {
        arguments.only.is_empty() || arguments.only.iter().any(|text| recording.name.contains(text))
    };
    let mut recordings = Vec::new();
    for folder in recording::folders(&folder)? {
        recordings.push(Recording::read(&folder)?);
    }
    recordings.retain(wanted);
    ensure!(!recordings.is_empty(), "no recordings in {}", folder.display());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let totals = runtime.block_on(run_all(arguments, &recordings))?;
    for (rule, count) in &totals.rules {
        println!("rule `{rule}` left something out in {count}");
    }
    println!("{} skipped", totals.skipped);
    println!("{} equal, {} differing", totals.equal, totals.differing);
    Ok(if totals.differing == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

#[derive(Default)]
struct Totals {
    equal: usize,
    differing: usize,
    skipped: usize,
    /// In how many recordings a rule left something out.
    rules: BTreeMap<&'static str, usize>,
}

async fn run_all(arguments: &Arguments, recordings: &[Recording]) -> Result<Totals> {
    let surroundings = if arguments.again { None } else { Some(Surroundings::start(arguments).await?) };
    let mut totals = Totals::default();
    let mut verdicts = futures::stream::iter(recordings)
        .map(|recording| {
            let surroundings = surroundings.as_ref();
            async move { (recording, judge(arguments, surroundings, recording).await) }
        })
        .buffer_unordered(arguments.parallel.max(1));
    while let Some((recording, verdict)) = verdicts.next().await {
        totals.add(recording, &verdict);
    }
    drop(verdicts);
    if let Some(mut surroundings) = surroundings {
        surroundings.operator.must_run()?;
    }
    Ok(totals)
}

/// Variable with the folder of the jars.
const JARS: &str = "TIMELINE_JARS";

/// What all replays share.
struct Surroundings {
    cluster: Cluster,
    operator: ChartOperator,
    _jars: JarServer,
}

impl Surroundings {
    async fn start(arguments: &Arguments) -> Result<Self> {
        let binary = arguments.binary.as_deref().context("no --binary")?;
        let cluster = Cluster::connect().await?;
        let folder = arguments.data.join(format!("timeline-jars-{}", std::process::id()));
        let options = jar_server::options(&folder.display().to_string());
        let operator = ChartOperator::start(&cluster, binary, "timeline-operator", &options).await?;
        let jars = std::env::var(JARS).with_context(|| format!("{JARS} does not name the folder of jars"))?;
        Ok(Self { cluster, operator, _jars: JarServer::start(jars.as_ref())? })
    }
}

async fn judge(arguments: &Arguments, surroundings: Option<&Surroundings>, recording: &Recording) -> Verdict {
    match try_judge(arguments, surroundings, recording).await {
        Ok(verdict) => verdict,
        Err(error) => Verdict::Failed(error),
    }
}

async fn try_judge(
    arguments: &Arguments,
    surroundings: Option<&Surroundings>,
    recording: &Recording,
) -> Result<Verdict> {
    if let Some(reason) = applicable::reason_to_skip(recording) {
        return Ok(Verdict::Skipped(reason));
    }
    let steps = step::steps(recording)?;
    let file = arguments.output.join(&recording.name).join("timeline.jsonl");
    let Some(surroundings) = surroundings else {
        let text = fs::read_to_string(&file).with_context(|| format!("no {}", file.display()))?;
        let comparison = comparison::compare(recording, &recording::lines(&text)?);
        return Ok(Verdict::Compared { comparison, surprises: Vec::new() });
    };
    let began = Instant::now();
    eprintln!("{}: {}", recording.name, recording.about);
    let (lines, surprises) = replay(arguments, surroundings, recording, &steps).await?;
    write(&file, &lines)?;
    eprintln!("{}: replayed in {:.0} s", recording.name, began.elapsed().as_secs_f64());
    Ok(Verdict::Compared { comparison: comparison::compare(recording, &lines), surprises })
}

async fn replay(
    arguments: &Arguments,
    surroundings: &Surroundings,
    recording: &Recording,
    steps: &[step::Step],
) -> Result<(Vec<Line>, Vec<String>)> {
    let namespace = recording.namespace().unwrap_or(&recording.name);
    let place = Place::open(&surroundings.cluster, namespace, &arguments.data).await?;
    let began = Timestamp::now();
    let last_step = recording.lines.iter().rev().find(|line| matches!(line.what, What::Step { .. }));
    let rest = last_step.map_or(0.0, |line| recording.end() - line.t).max(AFTERWARDS);
    let outcome = async { Replay::start(&place).await?.run(steps, rest).await }.await;
    let ended = Timestamp::now();
    let closed = place.close().await;
    if outcome.is_err() {
        let log = surroundings.operator.log(namespace);
        eprintln!("{}", log.get(log.len().saturating_sub(40)..).unwrap_or_default().join("\n"));
    }
    let mut outcome = outcome?;
    if let Err(error) = closed {
        outcome.surprises.push(format!("clean-up: {error:#}"));
    }
    if let Some(log) = &arguments.audit_log {
        // The API server writes its log with a delay.
        tokio::time::sleep(Duration::from_secs(3)).await;
        outcome.lines.extend(writes(log, &surroundings.operator.account, namespace, began, ended)?);
        outcome.lines.sort_by(|one, other| one.t.total_cmp(&other.t));
    }
    Ok((outcome.lines, outcome.surprises))
}

/// The operator's writes in a namespace, from one moment to another.
fn writes(log: &Path, account: &str, namespace: &str, from: Timestamp, to: Timestamp) -> Result<Vec<Line>> {
    let mut requests = audit::read(log)?;
    requests.retain(|request| {
        request.is_write()
            && request.user == account
            && request.namespace == namespace
            && (from..to).contains(&request.received)
    });
    let line = |request: audit::Request| Line {
        t: request.received.duration_since(from).as_secs_f64(),
        what: What::OperatorRequest(Request {
            verb: request.verb,
            resource: request.resource,
            name: Some(request.name).filter(|name| !name.is_empty()),
            code: request.code,
        }),
    };
    Ok(requests.into_iter().map(line).collect())
}

fn write(file: &Path, lines: &[Line]) -> Result<()> {
    let Some(folder) = file.parent() else { bail!("no folder for {}", file.display()) };
    fs::create_dir_all(folder)?;
    let mut text = String::new();
    for line in lines {
        text += &serde_json::to_string(line)?;
        text.push('\n');
    }
    fs::write(file, text).with_context(|| format!("{} cannot be written", file.display()))
}

impl Totals {
    fn add(&mut self, recording: &Recording, verdict: &Verdict) {
        let name = &recording.name;
        if let Verdict::Compared { comparison, .. } = verdict {
            for rule in &comparison.rules {
                *self.rules.entry(rule).or_default() += 1;
            }
        }
        match verdict {
            Verdict::Skipped(reason) => {
                self.skipped += 1;
                println!("skipped    {name}: {reason}");
            }
            Verdict::Failed(error) => {
                self.differing += 1;
                println!("differing  {name}: it could not be replayed: {error:#}");
            }
            Verdict::Compared { comparison, surprises }
                if comparison.differing.is_empty() && surprises.is_empty() =>
            {
                self.equal += 1;
                let listed = comparison.listed.join(", ");
                println!(
                    "equal      {name}{}",
                    if listed.is_empty() { listed } else { format!(" except for: {listed}") }
                );
            }
            Verdict::Compared { comparison, surprises } => {
                self.differing += 1;
                println!("differing  {name}: {}", recording.about);
                print_differences(comparison, surprises);
            }
        }
    }
}

fn print_differences(comparison: &Comparison, surprises: &[String]) {
    for surprise in surprises {
        println!("    {surprise}");
    }
    for difference in &comparison.differing {
        println!("    {}  (- only recorded, + only ours)", difference.what);
        for step in &difference.steps {
            match step {
                Step::Both(text) => println!("          {text}"),
                Step::Recorded(text) => println!("        - {text}"),
                Step::Ours(text) => println!("        + {text}"),
            }
        }
    }
}
