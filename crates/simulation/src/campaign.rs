//! Many runs: each scenario without faults, and then with each fault at each call.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError, mpsc};

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
    /// The part of the points that is tried.
    pub share: Share,
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
        let possible = faults
            .iter()
            .filter(|fault| fault.concerns(call.kind) && (call.had_older || **fault != Fault::OldJob));
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

/// A part of all points: the `part`th of `parts`, counted from 1. Which points belong to it depends on the seed, the
/// scenario and the point alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    /// Which part.
    pub part: u64,
    /// Of how many.
    pub parts: u64,
}

impl Share {
    /// Everything.
    pub const WHOLE: Self = Self { part: 1, parts: 1 };

    fn has(self, seed: u64, scenario: &str, point: Point) -> bool {
        let mut mixed = 0xcbf2_9ce4_8422_2325_u64 ^ seed;
        for byte in format!("{scenario} {point}").bytes() {
            mixed = (mixed ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
        (mixed >> 20) % self.parts.max(1) + 1 == self.part
    }
}

impl std::fmt::Display for Share {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.part, self.parts)
    }
}

impl std::str::FromStr for Share {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parsed = text
            .split_once('/')
            .and_then(|(part, parts)| Some(Self { part: part.parse().ok()?, parts: parts.parse().ok()? }));
        let valid = parsed.filter(|share| (1..=share.parts).contains(&share.part));
        valid.ok_or_else(|| format!("'{text}' is not PART/PARTS, as 1/12"))
    }
}

impl Campaign {
    /// Runs everything; `tell` hears of each scenario when it is done. All threads work on whatever is left, of any
    /// scenario.
    pub fn run(&self, mut tell: impl FnMut(&ScenarioResult)) -> Vec<ScenarioResult> {
        let baselines = self.baselines();
        let mut results = Vec::new();
        let mut points = Vec::new();
        for (number, (scenario, baseline)) in self.scenarios.iter().zip(&baselines).enumerate() {
            let (result, of_scenario) = self.begin(scenario, baseline);
            if of_scenario.is_empty() {
                tell(&result);
            }
            points.extend(of_scenario.into_iter().map(|point| (number, point)));
            results.push(result);
        }
        let next = AtomicUsize::new(0);
        let (done, told) = mpsc::channel();
        std::thread::scope(|scope| {
            for _ in 0..self.threads.max(1) {
                let done = done.clone();
                let (next, points, baselines) = (&next, &points, &baselines);
                scope.spawn(move || {
                    while let Some((number, point)) = points.get(next.fetch_add(1, Ordering::Relaxed)) {
                        let failure = self.try_point(*number, *point, baselines);
                        let _nobody_hears = done.send((*number, failure));
                    }
                });
            }
            drop(done);
            let mut tried = vec![0; results.len()];
            for (number, failure) in told {
                let (Some(result), Some(tried)) = (results.get_mut(number), tried.get_mut(number)) else {
                    continue;
                };
                *tried += 1;
                result.converged += usize::from(failure.is_none());
                result.failures.extend(failure);
                if *tried == result.points {
                    result.failures.sort_by_key(|failure| failure.point);
                    tell(result);
                }
            }
        });
        results
    }

    fn options(&self, scenario: &Scenario, point: Option<Point>, plant: Option<Plant>) -> RunOptions {
        let points = point.into_iter().collect();
        RunOptions { scenario: scenario.clone(), points, seed: self.seed, plant }
    }

    /// Every scenario without faults.
    fn baselines(&self) -> Vec<Report> {
        let next = AtomicUsize::new(0);
        let found = Mutex::new(BTreeMap::new());
        std::thread::scope(|scope| {
            for _ in 0..self.threads.max(1) {
                scope.spawn(|| {
                    loop {
                        let number = next.fetch_add(1, Ordering::Relaxed);
                        let Some(scenario) = self.scenarios.get(number) else { break };
                        let report = run(&self.options(scenario, None, None));
                        found.lock().unwrap_or_else(PoisonError::into_inner).insert(number, report);
                    }
                });
            }
        });
        found.into_inner().unwrap_or_else(PoisonError::into_inner).into_values().collect()
    }

    /// What is to be tried of a scenario; nothing, when it is wrong already without faults.
    fn begin(&self, scenario: &Scenario, baseline: &Report) -> (ScenarioResult, Vec<Point>) {
        let mut result = ScenarioResult {
            name: scenario.name.clone(),
            calls: baseline.settled,
            points: 0,
            converged: 0,
            failures: Vec::new(),
        };
        let problems = baseline.problems(None);
        if !problems.is_empty() {
            let report = baseline.clone();
            result.failures.push(Failure { scenario: scenario.name.clone(), point: None, problems, report });
            return (result, Vec::new());
        }
        let mut points = points(baseline, &self.faults, self.every_call);
        points.retain(|point| self.share.has(self.seed, &scenario.name, *point));
        result.points = points.len();
        (result, points)
    }

    fn try_point(&self, number: usize, point: Point, baselines: &[Report]) -> Option<Failure> {
        let scenario = self.scenarios.get(number)?;
        let report = run(&self.options(scenario, Some(point), self.plant));
        let problems = report.problems(baselines.get(number));
        (!problems.is_empty()).then(|| Failure {
            scenario: scenario.name.clone(),
            point: Some(point),
            problems,
            report,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::Fault;

    #[test]
    fn every_point_belongs_to_one_share() {
        for index in 0..200 {
            let point = Point { index, fault: Fault::Late };
            let of = (1..=5).filter(|part| Share { part: *part, parts: 5 }.has(3, "basic", point));
            assert_eq!(of.count(), 1);
        }
        assert!((0..200).all(|index| Share::WHOLE.has(1, "x", Point { index, fault: Fault::Reset })));
        assert_eq!("2/12".parse(), Ok(Share { part: 2, parts: 12 }));
        assert!("0/12".parse::<Share>().is_err() && "13/12".parse::<Share>().is_err());
    }
}
