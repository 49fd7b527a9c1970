//! Exceptions of jobs as Events.

use api::JobStatusState;

use super::world::{World, application, with};
use crate::observed::JobException;

pub(super) fn exception(timestamp: i64, text: &str) -> JobException {
    JobException {
        timestamp,
        exception: "a.B".to_owned(),
        stacktrace: format!("a.B: {text}\n\tat one\n\tat two\n\tat three\n\tat four\n\tat five\n\tat six"),
        task_name: Some("map\n(1/1)".to_owned()),
        endpoint: Some("10.0.0.1:1".to_owned()),
        task_manager_id: None,
        failure_labels: [("TYPE".to_owned(), "USER".to_owned())].into(),
    }
}

/// Times of the exceptions that one pass tells.
fn told(world: &mut World) -> Vec<i64> {
    world.pass();
    let events = std::mem::take(&mut world.events);
    let times: Vec<i64> = events.iter().filter_map(crate::EventRecord::exception_timestamp).collect();
    world.observed.exceptions_reported = times.iter().max().copied().or(world.observed.exceptions_reported);
    times
}

#[test]
fn an_exception_is_told_once_with_the_first_lines_of_its_trace() {
    let mut world = World::stable(application("stateless"));
    world.job_is(JobStatusState::Restarting);
    let now = world.now.as_millisecond();
    world.answer().exceptions = vec![exception(now, "x")];
    world.pass();
    let event = world.events.iter().find(|event| event.exception_timestamp().is_some()).unwrap().clone();
    assert_eq!(event.message, "a.B: x\n\tat one\n\tat two\n\tat three\n\tat four\n... (2 more lines)");
    assert_eq!((event.reason.as_str(), event.component.as_str()), ("JobException", "Job"));
    assert!(event.key.unwrap().starts_with("jobmanager-exception-"));
    let annotation =
        |name: &str| event.annotations.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
    assert_eq!(annotation("task-name"), Some("map (1/1)"));
    assert_eq!(annotation("endpoint"), Some("10.0.0.1:1"));
    assert_eq!(annotation("failure-label-TYPE"), Some("USER"));
    world.observed.exceptions_reported = Some(now);
    world.events.clear();
    world.pass();
    assert!(world.events.is_empty());
}

#[test]
fn a_trace_that_fits_is_told_whole() {
    for (extra, left) in [("", None), ("\n\tmore", Some("... (1 more lines)"))] {
        let mut world = World::stable(application("stateless"));
        world.job_is(JobStatusState::Restarting);
        let now = world.now.as_millisecond();
        let stacktrace = format!("a.B: x\n\tone\n\ttwo\n\tthree\n\tfour{extra}");
        world.answer().exceptions = vec![JobException { stacktrace, ..exception(now, "x") }];
        world.pass();
        let event = world.events.iter().find(|event| event.exception_timestamp().is_some()).unwrap();
        assert_eq!(event.message.lines().nth(5), left);
        // The name of the Event is that of the Java operator: the hash of Java over the message.
        let hash = if left.is_some() { "a2dc6b39" } else { "351b3041" };
        assert_eq!(event.key.as_deref(), Some(format!("jobmanager-exception-{hash}").as_str()));
    }
}

#[test]
fn when_all_are_told_nobody_looks_again_for_more() {
    for (count, again) in [(9, false), (10, false), (11, true)] {
        let mut world = World::stable(application("stateless"));
        world.later(1000);
        world.job_is(JobStatusState::Running);
        let now = world.now.as_millisecond();
        world.answer().exceptions = (0..count).map(|ago| exception(now - ago, "x")).collect();
        let soon = std::time::Duration::from_secs(10);
        assert_eq!(world.round() == crate::Requeue::After(soon), again, "{count}");
    }
}

#[test]
fn w_53_exceptions_beyond_the_limit_are_told_in_the_next_pass() {
    let limit = [("kubernetes.operator.events.exceptions.limit-per-reconciliation", "2")];
    let mut world = World::stable(application("stateless"));
    world.defaults = flink_conf::OperatorDefaults::new(limit.into_iter().collect());
    world.job_is(JobStatusState::Restarting);
    let now = world.now.as_millisecond();
    world.answer().exceptions = [5, 4, 3, 2, 1].map(|ago| exception(now - ago, "x")).to_vec();
    assert_eq!(told(&mut world), [now - 5, now - 4]);
    assert_eq!(told(&mut world), [now - 3, now - 2]);
    assert_eq!(told(&mut world), [now - 1]);
    assert_eq!(told(&mut world), Vec::<i64>::new());
}

#[test]
fn exceptions_of_one_moment_are_told_together() {
    let limit = [("kubernetes.operator.events.exceptions.limit-per-reconciliation", "1")];
    let mut world = World::stable(application("stateless"));
    world.defaults = flink_conf::OperatorDefaults::new(limit.into_iter().collect());
    world.job_is(JobStatusState::Restarting);
    let now = world.now.as_millisecond();
    world.answer().exceptions = vec![exception(now, "x"), exception(now, "y"), exception(now + 1, "z")];
    assert_eq!(told(&mut world), [now, now]);
    assert_eq!(told(&mut world), [now + 1]);
}

#[test]
fn an_operator_that_knows_nothing_looks_half_an_hour_back() {
    let mut world = World::stable(with(application("stateless"), &[]));
    world.job_is(JobStatusState::Running);
    let now = world.now.as_millisecond();
    world.answer().exceptions =
        vec![exception(now - 31 * 60_000, "old"), exception(now - 29 * 60_000, "new")];
    assert_eq!(told(&mut world), [now - 29 * 60_000]);
}
