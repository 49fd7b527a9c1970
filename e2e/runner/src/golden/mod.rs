//! `golden`: what our operator makes of recorded resources, against what the Java operator made of them.

mod api_server;
mod refusal;
mod schema;
mod stage;
mod walk;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::Args;
use golden::{Case, Comparison};

use api_server::ApiServer;
use refusal::Refusals;

/// Compares our objects and refusals with recorded ones: any folder of cases, or one case.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Folder of cases, each with cr.yaml, objects.yaml and status.json [default: the reference's].
    folder: Option<PathBuf>,
    /// Only cases whose name contains this text.
    #[arg(long, default_value = "")]
    only: String,
    /// Sends our objects to the API server of KUBECONFIG as dry runs: its defaults and refusals count, not our tables.
    #[arg(long)]
    api_server: bool,
}

/// Numbers of cases, and what came up on the way.
#[derive(Default)]
struct Totals {
    server: Option<ApiServer>,
    equal: usize,
    differing: usize,
    not_run: usize,
    listed: BTreeMap<&'static str, usize>,
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let folder = match &arguments.folder {
        Some(folder) => folder.clone(),
        None => {
            reference::folder("golden")?.context("no folder given, and the reference is to be skipped")?
        }
    };
    let schema = schema::Schema::read()?;
    let server = if arguments.api_server { Some(ApiServer::connect()?) } else { None };
    let mut totals = Totals { server, ..Totals::default() };
    for folder in golden::folders(&folder)? {
        let case = Case::read(&folder)?;
        if case.name.contains(&arguments.only) {
            totals.add(&case, &schema)?;
        }
    }
    if totals.equal + totals.differing + totals.not_run == 0 {
        bail!("no cases in {}", folder.display());
    }
    totals.print();
    Ok(if totals.differing == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

impl Totals {
    fn add(&mut self, case: &Case, schema: &schema::Schema) -> anyhow::Result<()> {
        let refusals = Refusals::of(case, schema)?;
        let Some(comparison) = self.compare_objects(case, &refusals)? else {
            self.not_run += 1;
            println!("not run    {}: the API server refuses an object, and there is none here", case.name);
            return Ok(());
        };
        let (mut listed, mut differences) = match comparison {
            Comparison::Equal { listed } => (listed, Vec::new()),
            Comparison::Differing { listed, differences } => (listed, differences),
        };
        let (listed_refusals, differing_refusals) = refusals.compare();
        listed.extend(listed_refusals);
        differences.extend(differing_refusals);
        for difference in &listed {
            *self.listed.entry(difference).or_default() += 1;
        }
        if differences.is_empty() {
            self.equal += 1;
            println!("equal      {}", case.name);
        } else {
            self.differing += 1;
            println!("DIFFERING  {}", case.name);
            for line in differences.iter().flat_map(|difference| difference.lines()) {
                println!("           {line}");
            }
        }
        Ok(())
    }

    /// `None` if only an API server could tell.
    fn compare_objects(&self, case: &Case, refusals: &Refusals) -> anyhow::Result<Option<Comparison>> {
        let ours = refusals.objects();
        let first = match (&self.server, refusals.of_the_api_server()) {
            (None, Some(_)) => return Ok(None),
            (None, None) => golden::compare_objects(case, ours.to_vec()),
            (Some(server), expected) => {
                let answers = server.ask(ours)?;
                let mut found = answers.refusals;
                found.retain(|refusal| !expected.is_some_and(|expected| expected.contains(refusal)));
                if !found.is_empty() || answers.objects.len() == ours.len() && expected.is_some() {
                    let differences =
                        vec![format!("refusals of the API server: {expected:?}, but of ours {found:?}")];
                    return Ok(Some(Comparison::Differing { listed: Vec::new(), differences }));
                }
                if expected.is_some() {
                    return Ok(Some(Comparison::Equal { listed: Vec::new() }));
                }
                golden::compare_read_back(case, answers.objects)
            }
        };
        Ok(Some(match first {
            Comparison::Equal { .. } if case.objects_after_update.is_some() => {
                golden::compare(case, |_| false)
            }
            first => first,
        }))
    }

    fn print(&self) {
        println!();
        for (difference, cases) in &self.listed {
            println!("listed difference (docs/differences.md): {difference} in {cases} cases");
        }
        println!("not run: {}", self.not_run);
        println!("{} equal, {} differing", self.equal, self.differing);
    }
}
