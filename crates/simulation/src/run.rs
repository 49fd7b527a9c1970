//! One run of one scenario: the whole operator against the whole world, from the creation of the resource to the end
//! that is kept.
//!
//! * (e) A healthy, unchanged resource causes no write.
//! * (f) When nothing goes wrong any more, the declared end is reached and kept.
//! * (g) Deletion ends: the ends of the scenarios that delete say so.

use std::sync::Arc;
use std::time::Duration;

use engine::ports::Clock;
use jiff::Timestamp;

use crate::api_server::ApiServer;
use crate::call::CallRecord;
use crate::clock::VirtualClock;
use crate::fault::Point;
use crate::normal::{EndState, differences, end_state};
use crate::operator::{Operator, Progress, Work};
use crate::planted::Plant;
use crate::scenario::Scenario;
use crate::script::Script;
use crate::stage::Stage;
use crate::world::{Run as JobRun, World, WorldSettings};

/// How long the end has to last in a run without faults, and in one with faults.
const KEEP: (Duration, Duration) = (Duration::from_secs(6 * 60), Duration::from_secs(150));
/// How long nothing may be written at its end.
const QUIET: (Duration, Duration) = (Duration::from_secs(5 * 60), Duration::from_secs(130));
/// Rounds of a run at most: more means that something goes round in circles without time passing.
const ROUNDS: usize = 50_000;

/// What to run.
#[derive(Clone, Debug)]
pub struct RunOptions {
    /// Which scenario.
    pub scenario: Scenario,
    /// What goes wrong.
    pub points: Vec<Point>,
    /// Makes times of calls and restarts a little different.
    pub seed: u64,
    /// A bug that is built in, to see whether it is found.
    pub plant: Option<Plant>,
}

/// What came of it.
#[derive(Clone, Debug)]
pub struct Report {
    /// All calls of all operators of the run.
    pub calls: Vec<CallRecord>,
    /// How many calls there were when the end was reached that lasted.
    pub settled: usize,
    /// How many events of watches were told until then.
    pub events: usize,
    /// What must never be and was.
    pub violations: Vec<String>,
    /// Why the end was not reached.
    pub failure: Option<String>,
    /// Everything that exists in the end, without what differs from run to run.
    pub end: EndState,
    /// Whether another end is as good, if the scenario's conditions hold.
    pub end_varies: bool,
    /// Starts of jobs.
    pub starts: Vec<JobRun>,
    /// Virtual time of the whole run.
    pub time: Duration,
}

impl Report {
    /// What is wrong with the run, compared with one without faults; empty: nothing.
    #[must_use]
    pub fn problems(&self, baseline: Option<&Report>) -> Vec<String> {
        let mut problems = self.violations.clone();
        problems.extend(self.failure.clone());
        if let Some(baseline) = baseline.filter(|_| self.failure.is_none() && !self.end_varies) {
            let other = differences(&baseline.end, &self.end);
            problems.extend(other.into_iter().map(|difference| format!("(f) another end: {difference}")));
        }
        problems
    }
}

/// Runs a scenario.
#[must_use]
pub fn run(options: &RunOptions) -> Report {
    let start = Timestamp::from_second(1_760_000_000).unwrap_or(Timestamp::UNIX_EPOCH);
    let clock = VirtualClock::new(start);
    let server = ApiServer::new(Arc::new(clock.clone()));
    if options.scenario.apache_crds {
        server.use_crds_of_apache();
    }
    let settings = WorldSettings { first_look: options.seed % 3, ..WorldSettings::default() };
    let world = World::new(server.clone(), clock, settings);
    let script = Script::new(options.scenario.clone());
    let stage = Stage::new(world, server, script, &options.points, options.seed);
    let mut course = Course {
        stage,
        options,
        operator: None,
        started: 0,
        restart_at: Duration::ZERO,
        old: None,
        held: None,
        failure: None,
    };
    course.run();
    course.report()
}

/// The end, since when, and how much had happened until then.
#[derive(Clone, Copy)]
struct Held {
    since: Duration,
    calls: usize,
    events: usize,
}

struct Course<'a> {
    stage: Stage,
    options: &'a RunOptions,
    operator: Option<Operator>,
    /// Operators so far.
    started: u32,
    restart_at: Duration,
    /// An operator that stands still in the middle of a pass.
    old: Option<(Operator, Work)>,
    held: Option<Held>,
    failure: Option<String>,
}

impl Course<'_> {
    fn run(&mut self) {
        self.stage.begin();
        for _ in 0..ROUNDS {
            self.stage.tick();
            if self.has_ended() || self.failure.is_some() {
                return;
            }
            self.replace_operator();
            if self.work() {
                continue;
            }
            self.wait();
        }
        self.failure = Some("(f) it goes round in circles".to_owned());
    }

    fn replace_operator(&mut self) {
        if self.stage.take_kill() {
            self.operator = None;
            self.restart_at = self.stage.clock.monotonic() + self.absence();
        }
        if self.operator.is_some() || self.restart_at > self.stage.clock.monotonic() {
            return;
        }
        self.started += 1;
        let configuration = &self.options.scenario.operator;
        match Operator::start(self.started, &self.stage, configuration, self.options.plant) {
            Ok(operator) => self.operator = Some(operator),
            Err(message) => self.failure = Some(message),
        }
    }

    /// How long it takes until there is a new operator after one has ended.
    fn absence(&self) -> Duration {
        const SECONDS: [u64; 4] = [1, 4, 20, 60];
        let calls = u64::try_from(self.stage.call_count()).unwrap_or(0);
        let choice = usize::try_from((self.options.seed ^ calls) % 4).unwrap_or(0);
        Duration::from_secs(SECONDS.get(choice).copied().unwrap_or(1))
    }

    /// Does one thing that is due. Returns whether there was one.
    fn work(&mut self) -> bool {
        let Some(operator) = &mut self.operator else { return false };
        let told = operator.deliver();
        let Some(work) = operator.begin() else { return told };
        let number = operator.number;
        let mut progress = operator.go_on(work);
        if self.stage.take_interruption(number) {
            self.wake_old_leader();
            if let (Progress::Waits(work), Some(operator)) = (progress, &self.operator) {
                progress = operator.go_on(work);
            } else {
                return true;
            }
        }
        if let Progress::Waits(work) = progress {
            if self.stage.take_crash(number) {
                self.operator = None;
                self.restart_at = self.stage.clock.monotonic() + self.absence();
            } else if self.stage.is_asleep(number) {
                self.old = self.operator.take().map(|operator| (operator, work));
                self.restart_at = self.stage.clock.monotonic() + self.absence();
            } else {
                self.failure = Some("a pass waits for something that is no call".to_owned());
            }
        }
        true
    }

    /// The operator that stands still goes on with its pass, and ends after it.
    fn wake_old_leader(&mut self) {
        let Some((old, work)) = self.old.take() else { return };
        self.stage.wake_old_leader();
        self.held = None;
        if let Progress::Waits(_) = old.go_on(work) {
            self.failure = Some("the old leader's pass does not end".to_owned());
        }
    }

    /// How long the end has to last, and how long nothing may be written at its end.
    fn patience(&self) -> (Duration, Duration) {
        if self.options.points.is_empty() { (KEEP.0, QUIET.0) } else { (KEEP.1, QUIET.1) }
    }

    fn deadline(&self) -> Duration {
        self.stage.progress() + Duration::from_secs(60 * self.options.scenario.minutes)
    }

    /// Moves on to whatever comes next.
    fn wait(&self) {
        let now = self.stage.clock.monotonic();
        let due = [
            self.stage.next_due(),
            self.operator.as_ref().and_then(Operator::next_due),
            self.operator.is_none().then_some(self.restart_at),
            self.held.map(|held| held.since + self.patience().0),
            Some(self.deadline()),
        ];
        let next = due.into_iter().flatten().filter(|due| *due > now).min();
        // Something may be due that is not allowed to run yet.
        self.stage.clock.move_to(next.unwrap_or(now + Duration::from_millis(1)));
    }

    /// Whether the end is reached and has lasted, or cannot be reached any more.
    fn has_ended(&mut self) -> bool {
        let now = self.stage.clock.monotonic();
        if !self.stage.is_at_end() {
            self.held = None;
            if now >= self.deadline() {
                self.failure = Some(format!("(f) {}", self.stage.waits_for()));
            }
            return false;
        }
        let held = *self.held.get_or_insert(Held {
            since: now,
            calls: self.stage.call_count(),
            events: self.stage.event_count(),
        });
        let (keep, quiet) = self.patience();
        if now < held.since + keep {
            return false;
        }
        if self.old.is_some() {
            self.wake_old_leader();
            return false;
        }
        let last = self.stage.last_write().filter(|call| call.at + quiet > now);
        if let Some(call) = last.filter(|_| self.options.scenario.quiet) {
            if now >= self.deadline() + keep {
                self.failure = Some(format!("(e) a settled resource is still written to: {call}"));
            }
            return false;
        }
        self.stage.check_end();
        true
    }

    fn report(self) -> Report {
        let held = self.held.map(|held| (held.calls, held.events));
        let (settled, events) = held.unwrap_or((self.stage.call_count(), self.stage.event_count()));
        Report {
            calls: self.stage.calls(),
            settled,
            events,
            violations: self.stage.violations(),
            failure: self.failure,
            end: end_state(&self.stage.server),
            end_varies: self.options.scenario.end_varies.is_some(),
            starts: self.stage.world.runs(),
            time: self.stage.clock.monotonic(),
        }
    }
}
