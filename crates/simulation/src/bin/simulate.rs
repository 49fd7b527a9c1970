//! Runs scenarios in memory: `simulate [--seed N] [--scenario NAME]… [--faults LIST] [--at INDEX:FAULT]… [--threads N]
//! [--list] [--verbose]`.

use std::process::ExitCode;

use simulation::campaign::{Campaign, Failure, ScenarioResult, Share};
use simulation::fault::{Fault, Point};
use simulation::planted::Plant;
use simulation::run::{Report, RunOptions, run};
use simulation::scenario::{self, Scenario};

/// Calls of a failing run that are shown.
const TAIL: usize = 40;
/// Failing points of a scenario that are shown in full.
const SHOWN: usize = 3;

struct Arguments {
    seed: u64,
    scenarios: Vec<String>,
    faults: Vec<Fault>,
    points: Vec<Point>,
    threads: usize,
    every_call: bool,
    share: Share,
    plant: Option<Plant>,
    list: bool,
    verbose: bool,
}

fn main() -> ExitCode {
    match arguments().and_then(|arguments| simulate(&arguments)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::from(2)
        }
    }
}

fn arguments() -> Result<Arguments, String> {
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let mut parsed = Arguments {
        seed: 1,
        scenarios: Vec::new(),
        faults: Fault::crashes(),
        points: Vec::new(),
        threads,
        every_call: false,
        share: Share::WHOLE,
        plant: None,
        list: false,
        verbose: false,
    };
    let mut given = std::env::args().skip(1);
    while let Some(name) = given.next() {
        let mut value = || given.next().ok_or_else(|| format!("{name} needs a value"));
        match name.as_str() {
            "--seed" => parsed.seed = value()?.parse().map_err(|_| "--seed needs a number".to_owned())?,
            "--scenario" => parsed.scenarios.push(value()?),
            "--faults" => parsed.faults = faults(&value()?)?,
            "--at" => parsed.points.push(value()?.parse()?),
            "--threads" => {
                parsed.threads = value()?.parse().map_err(|_| "--threads needs a number".to_owned())?;
            }
            "--every-call" => parsed.every_call = true,
            "--share" => parsed.share = value()?.parse()?,
            "--plant" => parsed.plant = Some(value()?.parse()?),
            "--list" => parsed.list = true,
            "--verbose" => parsed.verbose = true,
            _ => {
                return Err(
                    "usage: simulate [--seed N] [--scenario NAME]… [--faults all|crashes|others|none|NAME,…] \
                            [--every-call] [--share PART/PARTS] [--at INDEX:FAULT]… [--plant BUG] [--threads N] [--list] [--verbose]"
                        .to_owned(),
                );
            }
        }
    }
    Ok(parsed)
}

fn faults(list: &str) -> Result<Vec<Fault>, String> {
    let mut faults = Vec::new();
    for name in list.split(',').map(str::trim) {
        match name {
            "all" => faults.extend(Fault::all()),
            "others" => faults.extend(Fault::others()),
            "crashes" => faults.extend(Fault::crashes()),
            "none" => {}
            name => faults.push(name.parse()?),
        }
    }
    faults.sort();
    faults.dedup();
    Ok(faults)
}

fn simulate(arguments: &Arguments) -> Result<bool, String> {
    let all = scenario::all().map_err(|error| error.to_string())?;
    let wanted =
        |scenario: &Scenario| arguments.scenarios.is_empty() || arguments.scenarios.contains(&scenario.name);
    let scenarios: Vec<Scenario> = all.into_iter().filter(wanted).collect();
    if scenarios.is_empty() {
        return Err("there is no such scenario; --list names them".to_owned());
    }
    if arguments.list {
        for scenario in &scenarios {
            println!("{:40} {}", scenario.name, scenario.about);
        }
        return Ok(true);
    }
    if !arguments.points.is_empty() || arguments.verbose {
        return Ok(replay(arguments, &scenarios));
    }
    let begin = std::time::Instant::now();
    let campaign = Campaign {
        scenarios,
        faults: arguments.faults.clone(),
        every_call: arguments.every_call,
        share: arguments.share,
        plant: arguments.plant,
        seed: arguments.seed,
        threads: arguments.threads,
    };
    let results = campaign.run(|result| tell(result, arguments.seed));
    let sum = |of: fn(&ScenarioResult) -> usize| results.iter().map(of).sum::<usize>();
    let points = sum(|result| result.points);
    let converged = sum(|result| result.converged);
    let wrong = results.iter().filter(|result| result.failures.iter().any(|it| it.point.is_none())).count();
    println!(
        "seed {}, share {}, scenarios {}, points tried {points}, converged {converged}, {:.1} s",
        arguments.seed,
        arguments.share,
        results.len(),
        begin.elapsed().as_secs_f64()
    );
    let passed = converged + results.len() - wrong;
    let failed = points - converged + wrong;
    println!("{passed} passed, {failed} failed");
    Ok(failed == 0)
}

fn tell(result: &ScenarioResult, seed: u64) {
    let mark = if result.failures.is_empty() { "ok  " } else { "FAIL" };
    println!(
        "{mark} {:40} {:4} calls, {:5} points, {:5} converged",
        result.name, result.calls, result.points, result.converged
    );
    for failure in result.failures.iter().take(SHOWN) {
        show(failure, seed);
    }
    if result.failures.len() > SHOWN {
        let rest: Vec<String> = result
            .failures
            .iter()
            .skip(SHOWN)
            .filter_map(|failure| Some(failure.point?.to_string()))
            .collect();
        println!("     and at {}", rest.join(" "));
    }
}

fn show(failure: &Failure, seed: u64) {
    let at = failure.point.map(|point| format!(" --at {point}")).unwrap_or_default();
    println!("     replay: e2e/simulate --seed {seed} --scenario {} --verbose{at}", failure.scenario);
    for problem in &failure.problems {
        println!("     {problem}");
    }
    let calls = &failure.report.calls;
    let end = failure.report.settled.min(calls.len());
    // What goes wrong does so after the fault.
    let begin =
        failure.point.map_or(0, |point| point.index.saturating_sub(3)).max(end.saturating_sub(TAIL)).min(end);
    for call in calls.get(begin..end).unwrap_or_default() {
        println!("       {call}");
    }
}

/// One run of each scenario, told in full.
fn replay(arguments: &Arguments, scenarios: &[Scenario]) -> bool {
    let mut passed = 0;
    for scenario in scenarios {
        let options = |points: &[Point]| RunOptions {
            scenario: scenario.clone(),
            points: points.to_vec(),
            seed: arguments.seed,
            plant: arguments.plant,
        };
        let report = run(&options(&arguments.points));
        let baseline = (!arguments.points.is_empty()).then(|| run(&options(&[])));
        let problems = report.problems(baseline.as_ref());
        println!("{}: {}", scenario.name, scenario.about);
        tell_in_full(&report);
        for problem in &problems {
            println!("{problem}");
        }
        passed += usize::from(problems.is_empty());
    }
    println!("{passed} passed, {} failed", scenarios.len() - passed);
    passed == scenarios.len()
}

fn tell_in_full(report: &Report) {
    for (index, call) in report.calls.iter().enumerate() {
        if index == report.settled {
            println!("      --- the end is reached");
        }
        println!("{index:5} {call}");
    }
    for start in &report.starts {
        let from = start.restored.as_deref().unwrap_or("empty");
        let by = if start.is_restart { "Flink" } else { "the operator" };
        println!("start of job {} by {by} at {} from {from}", start.job, start.began);
    }
    for (name, object) in &report.end {
        println!("{name} {object}");
    }
    println!("{:.0} s of virtual time", report.time.as_secs_f64());
}
