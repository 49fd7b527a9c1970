//! What all parts of a run share: the world, its clock, and the place where every call passes and can go wrong.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use engine::ports::{Clock, Kind, ObjectKey};
use flink_client::RestRequest;
use serde_json::json;

use crate::api_server::ApiServer;
use crate::call::{CallKind, CallRecord};
use crate::checks::{Caller, Checks, Write};
use crate::clock::VirtualClock;
use crate::fault::{Fault, Point, TOUCHED};
use crate::script::{Script, key};
use crate::world::World;

/// How long watches lag behind after a fault of that kind.
const LAG: Duration = Duration::from_secs(20);

struct State {
    script: Script,
    checks: Checks,
    calls: Vec<CallRecord>,
    points: Vec<Point>,
    /// Events of watches told so far.
    events: usize,
    /// Number of the operator that has just ended at a fault.
    crashed: Option<u32>,
    /// Number of the operator that stands still.
    asleep: Option<u32>,
    /// Whether the one that stands still may go on.
    awake: bool,
    /// Calls of its successor until it does; `None`: it waits for the end.
    wakes_after: Option<u8>,
    /// Number of the operator that waits in the middle of its pass while the old one goes on.
    interrupted: Option<u32>,
    /// Watches tell nothing newer than this many versions ago, until that moment.
    lag: Option<(u8, Duration)>,
    /// The next operator begins with lists that are so many versions old.
    rewind: Option<u8>,
    /// Moments at which something is due that nobody else knows of.
    alarms: Vec<Duration>,
    /// When a step of the script was done or a fault happened.
    progress: Duration,
}

/// The shared part of a run. Clones are the same one.
#[derive(Clone)]
pub(crate) struct Stage {
    pub(crate) server: ApiServer,
    pub(crate) world: World,
    pub(crate) clock: VirtualClock,
    seed: u64,
    state: Arc<Mutex<State>>,
}

impl Stage {
    pub(crate) fn new(world: World, server: ApiServer, script: Script, points: &[Point], seed: u64) -> Self {
        let state = State {
            script,
            checks: Checks::default(),
            calls: Vec::new(),
            points: points.to_vec(),
            events: 0,
            crashed: None,
            asleep: None,
            awake: false,
            wakes_after: None,
            interrupted: None,
            lag: None,
            rewind: None,
            alarms: Vec::new(),
            progress: Duration::ZERO,
        };
        let clock = world.clock().clone();
        Self { server, world, clock, seed, state: Arc::new(Mutex::new(state)) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The world before anything happens.
    pub(crate) fn begin(&self) {
        self.state().script.begin(&self.server, &self.world);
        self.tick();
    }

    /// Lets everybody but the operator do what is due, and looks whether all is as it must be.
    pub(crate) fn tick(&self) {
        self.world.step();
        let now = self.clock.monotonic();
        let mut state = self.state();
        let State { script, calls, progress, .. } = &mut *state;
        while script.step(now, &self.server, &self.world, calls) {
            *progress = now;
        }
        state.checks.look(&self.server, &self.world);
    }

    /// Lets time pass, with everything that happens meanwhile.
    pub(crate) fn pass(&self, time: Duration) {
        let end = self.clock.monotonic().saturating_add(time);
        while let Some(next) = self.world.next_due().filter(|next| *next <= end) {
            self.clock.move_to(next);
            self.world.step();
        }
        self.clock.move_to(end);
    }

    /// A call begins: number and fault.
    pub(crate) fn enter(&self, operator: u32, kind: CallKind, text: String) -> (usize, Option<Fault>) {
        let index = self.state().calls.len();
        self.clock.pass(self.latency(index));
        self.tick();
        let mut state = self.state();
        let point = state.points.iter().find(|point| point.index == index && !point.fault.is_of_event());
        let fault = point.map(|point| point.fault).filter(|fault| fault.concerns(kind));
        let at = self.clock.monotonic();
        let had_older = self.world.has_older_flink();
        state.calls.push(CallRecord { kind, text, operator, at, fault, had_older, outcome: String::new() });
        if let Some(fault) = fault {
            state.progress = at;
            self.happen(&mut state, fault, operator, index);
        }
        (index, fault)
    }

    /// What a fault does before the call.
    fn happen(&self, state: &mut State, fault: Fault, operator: u32, index: usize) {
        let until = self.clock.monotonic().saturating_add(LAG);
        match fault {
            Fault::CrashBefore => state.crashed = Some(operator),
            Fault::OldLeader => state.asleep = Some(operator),
            Fault::OldLeaderAfter(calls) => {
                state.asleep = Some(operator);
                state.wakes_after = Some(calls);
            }
            Fault::Rewind(versions) => state.rewind = Some(versions),
            Fault::Stale(versions) => {
                state.lag = Some((versions, until));
                state.alarms.push(until);
            }
            Fault::Touch => {
                let touched = json!({"metadata": {"annotations": {TOUCHED: index.to_string()}}});
                let _is_gone = self.server.merge_patch(state.script.kind(), &key(), &touched);
            }
            Fault::CrashAfter
            | Fault::Conflict
            | Fault::TooMany
            | Fault::ServerError
            | Fault::Timeout
            | Fault::Late
            | Fault::Reset
            | Fault::NotFound
            | Fault::OldJob
            | Fault::Truncated
            | Fault::EventLost
            | Fault::EventTwice
            | Fault::EventSwapped => {}
        }
    }

    /// The operator ends here, and with it whatever waits for an answer.
    pub(crate) fn crash(&self, operator: u32) {
        self.state().crashed = Some(operator);
    }

    /// Milliseconds of a call: a little different for each, the same for each seed.
    fn latency(&self, index: usize) -> Duration {
        let number = u64::try_from(index).unwrap_or(0);
        let mixed =
            (self.seed ^ number.wrapping_mul(0x9e37_79b9_7f4a_7c15)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        Duration::from_millis(2 + (mixed >> 60))
    }

    pub(crate) fn leave(&self, index: usize, outcome: String) {
        self.world.step();
        let mut state = self.state();
        if let Some(call) = state.calls.get_mut(index) {
            call.outcome = outcome;
        }
        state.checks.look(&self.server, &self.world);
    }

    pub(crate) fn check_write(&self, kind: Kind, key: &ObjectKey, write: Write<'_>) {
        self.state().checks.before_write(kind, key, write, &self.server, &self.world);
    }

    pub(crate) fn check_flink(&self, operator: u32, request: &RestRequest) {
        let mut state = self.state();
        let caller = if state.asleep == Some(operator) { Caller::OldLeader } else { Caller::Leader };
        state.checks.before_flink(request, caller, &self.server, &self.world);
    }

    /// The end is reached and has lasted.
    pub(crate) fn check_end(&self) {
        self.state().checks.at_end(&self.server);
    }

    // ---- watches ------------------------------------------------------------------------------------------------

    /// Whether a watch may tell of this version already.
    pub(crate) fn may_tell(&self, version: u64) -> bool {
        let now = self.clock.monotonic();
        let lag = self.state().lag.filter(|(_, until)| *until > now);
        lag.is_none_or(|(versions, _)| version + u64::from(versions) <= self.server.version())
    }

    /// Counts an event of a watch; the fault that happens to it.
    pub(crate) fn next_event(&self) -> Option<Fault> {
        let now = self.clock.monotonic();
        let mut state = self.state();
        let index = state.events;
        state.events += 1;
        let point = state.points.iter().find(|point| point.index == index && point.fault.is_of_event());
        let fault = point.map(|point| point.fault);
        if fault.is_some() {
            state.progress = now;
        }
        fault
    }

    pub(crate) fn set_alarm(&self, at: Duration) {
        self.state().alarms.push(at);
    }

    pub(crate) fn rewind(&self) -> Option<u8> {
        self.state().rewind
    }

    /// All watches of a new operator have begun, with lists of the past: for a while they go on like this.
    pub(crate) fn rewound(&self) {
        let until = self.clock.monotonic().saturating_add(LAG);
        let mut state = self.state();
        if let Some(versions) = state.rewind.take() {
            state.lag = Some((versions, until));
            state.alarms.push(until);
        }
    }

    // ---- the operators ------------------------------------------------------------------------------------------

    pub(crate) fn take_crash(&self, operator: u32) -> bool {
        let mut state = self.state();
        let crashed = state.crashed == Some(operator);
        if crashed {
            state.crashed = None;
        }
        crashed
    }

    /// Whether the script wants the operator to be killed.
    pub(crate) fn take_kill(&self) -> bool {
        std::mem::take(&mut self.state().script.kill)
    }

    pub(crate) fn is_asleep(&self, operator: u32) -> bool {
        let state = self.state();
        state.asleep == Some(operator) && !state.awake
    }

    /// Counts a call of the successor of an operator that stands still; whether that one goes on before the call.
    pub(crate) fn old_leader_goes_first(&self, operator: u32) -> bool {
        let mut state = self.state();
        let sleeps = state.asleep.is_some_and(|asleep| asleep != operator) && !state.awake;
        let Some(calls) = state.wakes_after.filter(|_| sleeps) else { return false };
        state.wakes_after = calls.checked_sub(1);
        if calls == 0 {
            state.interrupted = Some(operator);
        }
        calls == 0
    }

    pub(crate) fn take_interruption(&self, operator: u32) -> bool {
        let mut state = self.state();
        state.interrupted.take_if(|interrupted| *interrupted == operator).is_some()
    }

    pub(crate) fn wake_old_leader(&self) {
        let now = self.clock.monotonic();
        let mut state = self.state();
        state.awake = true;
        state.progress = now;
    }

    // ---- looking at the run -------------------------------------------------------------------------------------

    pub(crate) fn next_due(&self) -> Option<Duration> {
        let now = self.clock.monotonic();
        let mut state = self.state();
        state.alarms.retain(|alarm| *alarm > now);
        let alarm = state.alarms.iter().min().copied();
        [alarm, state.script.next_due(), self.world.next_due()].into_iter().flatten().min()
    }

    pub(crate) fn is_at_end(&self) -> bool {
        let state = self.state();
        state.script.is_at_end(&self.server, &self.world, &state.calls)
    }

    pub(crate) fn waits_for(&self) -> String {
        let state = self.state();
        match state.script.waits_for() {
            Some(step) => format!("the step {:?} waits for {:?}", step.action, step.when),
            None => "the end is not reached".to_owned(),
        }
    }

    pub(crate) fn progress(&self) -> Duration {
        self.state().progress
    }

    pub(crate) fn call_count(&self) -> usize {
        self.state().calls.len()
    }

    pub(crate) fn event_count(&self) -> usize {
        self.state().events
    }

    pub(crate) fn calls(&self) -> Vec<CallRecord> {
        self.state().calls.clone()
    }

    /// Whether the operator changed anything after a moment.
    pub(crate) fn last_write(&self) -> Option<CallRecord> {
        self.state().calls.iter().rev().find(|call| call.kind.is_write()).cloned()
    }

    pub(crate) fn violations(&self) -> Vec<String> {
        self.state().checks.violations().to_vec()
    }
}
