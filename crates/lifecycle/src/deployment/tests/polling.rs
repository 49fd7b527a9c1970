//! What Flink is asked, how often, and where.

use std::time::Duration;

use api::JobStatusState;
use serde_json::Value;

use super::world::{World, application, restart, session, with};
use super::{refusal, savepoints};
use crate::observed::{FlinkFailure, OperationResult};
use crate::{PollPlan, Question};

const SELDOM: Duration = Duration::from_mins(1);
pub(super) const WAITING: Duration = Duration::from_secs(10);
pub(super) const BUSY: Duration = Duration::from_secs(1);

fn plan(world: &World) -> PollPlan {
    world.decide().poll.unwrap()
}

pub(super) fn interval(world: &World) -> Duration {
    plan(world).interval
}

#[test]
fn a_cluster_that_settles_is_asked_often_and_a_settled_one_seldom() {
    for spec in [application("stateless"), session()] {
        let mut world = World::new(spec);
        world.pass();
        assert_eq!(world.decide().poll, None, "no JobManager is up");
        world.job_is(JobStatusState::Running);
        let answer = world.observed.flink.answer.take();
        assert_eq!(interval(&world), BUSY);
        world.later(299);
        assert_eq!(interval(&world), BUSY);
        world.later(2);
        assert_eq!(interval(&world), WAITING, "nothing has happened for five minutes");
        world.observed.flink.answer = answer;
        world.pass();
        assert_eq!(interval(&world), SELDOM);
    }
}

#[test]
fn while_a_job_is_being_ended_its_cluster_is_asked_four_times_a_second() {
    for mode in ["savepoint", "last-state"] {
        let mut world = World::stable(application(mode));
        world.change(restart(1));
        world.pass();
        assert_eq!(interval(&world), Duration::from_millis(250), "{mode}");
        world.later(31);
        assert_eq!(interval(&world), BUSY, "{mode}: not for long");
    }
}

#[test]
fn what_makes_a_settled_cluster_interesting() {
    type Change = fn(&mut World);
    let silent: Change = |world| {
        let since = world.now;
        world.observed.flink.failure =
            Some(FlinkFailure { since, unreachable: true, untrusted: false, message: "x".to_owned() });
    };
    let cases: [(&str, Change, Duration); 5] = [
        ("nothing", |_| {}, SELDOM),
        ("an answer that fails", silent, BUSY),
        ("a job that does not run", |world| world.job_is(JobStatusState::Restarting), BUSY),
        ("a job that has failed", |world| world.job_is(JobStatusState::Failed), SELDOM),
        ("a spec that is refused", |world| world.change(refusal::invalid), SELDOM),
    ];
    for (name, change, expected) in cases {
        let mut world = World::stable(application("stateless"));
        change(&mut world);
        assert_eq!(interval(&world), expected, "{name}");
    }
}

#[test]
fn what_a_change_waits_for_is_asked_for_more_often() {
    // A snapshot that somebody waits for.
    let mut world = savepoints::pending(&[]);
    world.pass();
    assert_eq!(interval(&world), WAITING);
    // A job on a session cluster.
    let mut world = World::stable(session());
    let mut job = World::stable(application("stateless")).answer().jobs[0].clone();
    job.job_id = "a".repeat(32);
    world.answer().jobs = vec![job];
    world.change(restart(1));
    assert_eq!(interval(&world), WAITING);
    // A savepoint that has failed is not asked for: its time comes.
    let mut world = savepoints::stopping(application("savepoint"));
    world.stop_is(OperationResult::Failed("disk full".to_owned()));
    world.pass();
    assert_eq!(interval(&world), SELDOM);
}

#[test]
fn the_job_is_asked_about_and_what_is_under_way() {
    let health = [("kubernetes.operator.cluster.health-check.enabled", "true")];
    for (options, counted) in [(&[][..], false), (&health, true)] {
        let world = World::stable(with(application("stateless"), options));
        let job_id = world.status().job_id().unwrap_or_default().to_owned();
        let mut expected = vec![
            Question::ClusterInfo,
            Question::Checkpoints { job_id: job_id.clone() },
            Question::FailureCause { job_id: job_id.clone() },
            Question::Exceptions { job_id: job_id.clone() },
        ];
        if counted {
            expected.push(Question::Metrics { job_id });
        }
        assert_eq!(plan(&world).questions, expected);
    }
    assert_eq!(plan(&World::stable(session())).questions, [Question::ClusterInfo]);
    let world = savepoints::stopping(application("savepoint"));
    let operation = world.status().operation.unwrap();
    let (job_id, trigger_id) = (operation.job_id.unwrap(), operation.trigger_id.unwrap());
    assert_eq!(plan(&world).questions.last(), Some(&Question::Savepoint { job_id, trigger_id }));
}

#[test]
fn the_cluster_that_runs_is_asked_and_not_the_one_that_is_wanted() {
    let port = |spec: Value, port: &str| with(spec, &[("rest.port", port)]);
    let lag = [("rest.cache.checkpoint-statistics.timeout", "7 s")];
    let mut world = World::stable(with(port(application("savepoint"), "9999"), &lag));
    world.change(|resource| {
        resource.spec.flink_configuration.as_mut().unwrap()["rest.port"] = "8888".into();
    });
    world.round();
    let asked = plan(&world);
    assert_eq!((asked.cluster.rest_port, asked.cluster.tls), (9999, false));
    assert_eq!((asked.cluster.namespace.as_str(), asked.cluster.name.as_str()), ("ns", "app"));
    assert_eq!(asked.deployment_uid, "jm-1");
    assert_eq!(asked.statistics_lag, Duration::from_secs(7));
    assert_eq!(asked.timeout, Duration::from_secs(10));
}

#[test]
fn w_52_an_option_of_the_operator_that_is_removed_counts_no_more() {
    const HEALTH_CHECK: &str = "kubernetes.operator.cluster.health-check.enabled";
    let mut world = World::stable(with(application("savepoint"), &[(HEALTH_CHECK, "true")]));
    let asks = |world: &World| {
        let questions = world.decide().poll.unwrap().questions;
        questions.iter().any(|question| matches!(question, Question::Metrics { .. }))
    };
    assert!(asks(&world));
    world.change(|resource| {
        resource.spec.flink_configuration.as_mut().unwrap().as_object_mut().unwrap().remove(HEALTH_CHECK);
        resource.spec.image_pull_policy = Some("Always".to_owned());
    });
    world.pass();
    assert!(!asks(&world));
    assert_eq!((world.status().observed_generation, world.created, world.calls.len()), (Some(2), 1, 0));
}
