//! Many runs: each scenario without faults, and then with each fault at each call.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::call::CallRecord;
use crate::fault::{Fault, Point};
use crate::planted::Plant;
use crate::run::{Report, RunOptions, run};
use crate::scenario::Scenario;

/// What to run.
#[derive(Clone, Debug)]
pub struct Campaign {
    /// The scenarios.
    pub scenarios: Vec<Scenario>,
    /// The faults that are tried at every call or event.
    pub faults: Vec<Fault>,
    /// Whether also those questions are tried that only repeat earlier ones, see [`points`].
    pub every_call: bool,
    /// A bug that is built into all runs but those that the others are compared with.
    pub plant: Option<Plant>,
    /// For all runs.
    pub seed: u64,
    /// Threads.
    pub threads: usize,
}

/// A run that did not end as it should.
#[derive(Clone, Debug)]
pub struct Failure {
    /// Name of the scenario.
    pub scenario: String,
    /// Where what went wrong; `None`: nothing did.
    pub point: Option<Point>,
    /// What is wrong.
    pub problems: Vec<String>,
    /// The run.
    pub report: Report,
}

/// What came of one scenario.
#[derive(Clone, Debug)]
pub struct ScenarioResult {
    /// Its name.
    pub name: String,
    /// Calls of the run without faults, until the end was reached.
    pub calls: usize,
    /// Runs with faults.
    pub points: usize,
    /// Those of them that ended as the run without faults did.
    pub converged: usize,
    /// The others, and the run without faults if that is wrong already.
    pub failures: Vec<Failure>,
}

/// Every fault at every call and event of a run to which it can happen.
///
/// While nothing is written, the same questions are asked again and again. Of these the first two and the last are
/// tried; all of them with `every_call`.
#[must_use]
pub fn points(baseline: &Report, faults: &[Fault], every_call: bool) -> Vec<Point> {
    let mut points = Vec::new();
    let calls = baseline.calls.get(..baseline.settled).unwrap_or(&baseline.calls);
    let repeated = repeated(calls);
    for (index, call) in calls.iter().enumerate() {
        if repeated.contains(&index) && !every_call {
            continue;
        }
        let possible = faults.iter().filter(|fault| fault.concerns(call.kind));
        points.extend(possible.map(|fault| Point { index, fault: *fault }));
    }
    for fault in faults.iter().filter(|fault| fault.is_of_event()) {
        points.extend((0..baseline.events).map(|index| Point { index, fault: *fault }));
    }
    points
}

/// Questions that were asked at least twice before, and once after, without a write between.
fn repeated(calls: &[CallRecord]) -> BTreeSet<usize> {
    let mut repeated = BTreeSet::new();
    let mut asked: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    let mut end = |asked: &mut BTreeMap<String, Vec<usize>>| {
        for (_, times) in std::mem::take(asked) {
            let inner = times.get(2..times.len().saturating_sub(1)).unwrap_or_default();
            repeated.extend(inner.iter().copied());
        }
    };
    for (index, call) in calls.iter().enumerate() {
        if call.kind.is_write() {
            end(&mut asked);
        } else {
            asked.entry(format!("{} {}", call.kind.verb(), call.text)).or_default().push(index);
        }
    }
    end(&mut asked);
    repeated
}

impl Campaign {
    /// Runs everything; `tell` hears of each scenario when it is done.
    pub fn run(&self, mut tell: impl FnMut(&ScenarioResult)) -> Vec<ScenarioResult> {
        let mut results = Vec::new();
        for scenario in &self.scenarios {
            let result = self.scenario(scenario);
            tell(&result);
            results.push(result);
        }
        results
    }

    fn options(&self, scenario: &Scenario, point: Option<Point>, plant: Option<Plant>) -> RunOptions {
        let points = point.into_iter().collect();
        RunOptions { scenario: scenario.clone(), points, seed: self.seed, plant }
    }

    fn scenario(&self, scenario: &Scenario) -> ScenarioResult {
        let baseline = run(&self.options(scenario, None, None));
        let mut result = ScenarioResult {
            name: scenario.name.clone(),
            calls: baseline.settled,
            points: 0,
            converged: 0,
            failures: Vec::new(),
        };
        let problems = baseline.problems(None);
        if !problems.is_empty() {
            let report = baseline;
            result.failures.push(Failure { scenario: scenario.name.clone(), point: None, problems, report });
            return result;
        }
        let points = points(&baseline, &self.faults, self.every_call);
        let next = AtomicUsize::new(0);
        let failures = Mutex::new(Vec::new());
        std::thread::scope(|scope| {
            for _ in 0..self.threads.max(1) {
                scope.spawn(|| {
                    while let Some(point) = points.get(next.fetch_add(1, Ordering::Relaxed)) {
                        let report = run(&self.options(scenario, Some(*point), self.plant));
                        let problems = report.problems(Some(&baseline));
                        if !problems.is_empty() {
                            let failure = Failure {
                                scenario: scenario.name.clone(),
                                point: Some(*point),
                                problems,
                                report,
                            };
                            failures.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(failure);
                        }
                    }
                });
            }
        });
        let mut failures = failures.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
        failures.sort_by_key(|failure| failure.point);
        result.points = points.len();
        result.converged = points.len() - failures.len();
        result.failures = failures;
        result
    }
}
