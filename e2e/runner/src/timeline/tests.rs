//! The comparison on recordings, without a cluster: what is equal, and that it would see a difference.

use std::path::Path;

use super::comparison::compare;
use super::line::{Line, What};
use super::recording::{self, Recording};
use super::sequence::{Event, Sequences, State};
use super::step::{Act, Observation, steps};
use super::{applicable, listed, rules};

fn recordings() -> Vec<Recording> {
    let Some(folder) = reference::folder("traces").unwrap() else { return Vec::new() };
    let folders = recording::folders(&folder).unwrap();
    folders.iter().map(|folder| Recording::read(folder).unwrap()).collect()
}

fn replayed() -> Vec<Recording> {
    recordings().into_iter().filter(|recording| applicable::reason_to_skip(recording).is_none()).collect()
}

/// The lines that count, as if they were ours.
fn as_ours(recording: &Recording) -> Vec<Line> {
    let cleans_up = |line: &Line| {
        line.t >= recording.end()
            && matches!(&line.what, What::Cr(cr) if cr.deleting && cr.change != "DELETED")
    };
    recording.lines.iter().filter(|line| line.t <= recording.end() && !cleans_up(line)).cloned().collect()
}

#[test]
fn only_parts_that_are_not_built_are_skipped() {
    let names: Vec<_> = recordings()
        .iter()
        .filter_map(|recording| {
            applicable::reason_to_skip(recording)
                .map(|_| recording.name.split('-').next().unwrap().to_owned())
        })
        .collect();
    if !names.is_empty() {
        assert_eq!(names, ["25"]);
    }
}

#[test]
fn every_step_of_a_replayed_recording_is_understood() {
    for recording in replayed() {
        for step in steps(&recording).unwrap() {
            let unknown = matches!(step.what, Act::Await(Observation::Time));
            assert!(!unknown, "{}: {}", recording.name, step.text);
            assert!(step.pause >= 0.0, "{}: {}", recording.name, step.text);
        }
    }
}

#[test]
fn steps_name_the_cluster_that_is_meant() {
    let Some(recording) = recordings().into_iter().find(|recording| recording.name.starts_with("12b-"))
    else {
        return;
    };
    let steps = steps(&recording).unwrap();
    let deleted: Vec<_> = steps
        .iter()
        .filter_map(|step| match &step.what {
            Act::DeleteDeployment { cluster } => Some(cluster.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(deleted, ["off", "sess"]);
    let never = Act::NeverSeen(Observation::Ready { cluster: "sess".to_owned(), job: false }, 60.0);
    assert_eq!(steps.last().map(|step| &step.what), Some(&never));
}

#[test]
fn a_recording_equals_itself() {
    for recording in replayed() {
        let comparison = compare(&recording, &as_ours(&recording));
        assert!(comparison.differing.is_empty(), "{}: {:?}", recording.name, comparison.differing);
        assert!(comparison.listed.is_empty(), "{}: {:?}", recording.name, comparison.listed);
    }
}

#[test]
fn every_event_counts() {
    for recording in replayed() {
        let ours = as_ours(&recording);
        for (index, line) in ours.iter().enumerate() {
            let What::Event(event) = &line.what else { continue };
            let components = ["Operator", "JobManagerDeployment", "Job"];
            let told = event.component.as_deref().is_some_and(|component| components.contains(&component));
            // Repeated warnings and states that pass are left out by rule.
            let started = event.message.as_deref().is_some_and(|message| message.contains("CREATED"));
            if !told || event.severity != "Normal" || started || !event.on.starts_with("FlinkDeployment/") {
                continue;
            }
            let mut without = ours.clone();
            without.remove(index);
            let comparison = compare(&recording, &without);
            let overtaken = event.reason == "SpecChanged" && comparison.rules.contains("overtaken upgrade");
            assert!(!comparison.differing.is_empty() || overtaken, "{} without {event:?}", recording.name);
        }
    }
}

#[test]
fn every_lifecycle_state_counts() {
    for recording in replayed() {
        let ours = as_ours(&recording);
        for (index, line) in ours.iter().enumerate() {
            let mut changed = ours.clone();
            let What::Cr(cr) = &mut changed[index].what else { continue };
            let Some(status) = &mut cr.status else { continue };
            if cr.kind != "FlinkDeployment" {
                continue;
            }
            status["lifecycleState"] = "OTHER".into();
            let comparison = compare(&recording, &changed);
            assert!(!comparison.differing.is_empty(), "{} with another state in {line:?}", recording.name);
        }
    }
}

fn event(severity: &str, component: &str, reason: &str) -> Event {
    Event { severity: severity.into(), component: component.into(), reason: reason.into(), change: None }
}

fn changed(from: &str, to: &str) -> Event {
    Event { change: Some((from.into(), to.into())), ..event("Normal", "Job", "JobStatusChanged") }
}

#[test]
fn a_job_that_starts_is_one_change() {
    let mut sequences = Sequences {
        job: ["RECONCILING", "CREATED", "RUNNING"].map(String::from).to_vec(),
        events: vec![
            changed("RECONCILING", "INITIALIZING"),
            changed("INITIALIZING", "CREATED"),
            changed("CREATED", "RUNNING"),
            changed("RUNNING", "FAILED"),
        ],
        ..Sequences::default()
    };
    rules::normalise(&mut sequences, true);
    assert_eq!(sequences.job, ["RECONCILING", "RUNNING"]);
    assert_eq!(sequences.events, [changed("RECONCILING", "RUNNING"), changed("RUNNING", "FAILED")]);
}

#[test]
fn only_repeats_of_warnings_are_one() {
    let submit = event("Normal", "JobManagerDeployment", "Submit");
    let pull = |reason| event("Warning", "JobManagerDeployment", reason);
    let mount = event("Warning", "JobManagerDeployment", "FailedMount");
    let mut sequences = Sequences {
        events: vec![submit.clone(), submit.clone(), mount, pull("ErrImagePull"), pull("ImagePullBackOff")],
        ..Sequences::default()
    };
    rules::normalise(&mut sequences, true);
    assert_eq!(sequences.events, [submit.clone(), submit, pull("ErrImagePull")]);
}

#[test]
fn errors_of_the_jobmanager_count_unless_a_mount_failed() {
    let state = |state: &str, reason: &str| State { reason: reason.into(), ..State::of_cluster(state) };
    let mut sequences = Sequences {
        job_manager: vec![
            state("DEPLOYING", ""),
            state("ERROR", "FailedMount"),
            state("DEPLOYING", "FailedMount"),
            state("DEPLOYED_NOT_READY", ""),
            state("ERROR", "CrashLoopBackOff"),
            state("READY", ""),
        ],
        ..Sequences::default()
    };
    rules::normalise(&mut sequences, true);
    let states: Vec<_> = sequences.job_manager.iter().map(ToString::to_string).collect();
    assert_eq!(states, ["DEPLOYING", "ERROR", "READY"]);
}

#[test]
fn a_jobmanager_that_is_replaced_before_its_job_runs_need_not_be_ready() {
    let ready = |job_ran| State { job_ran, ..State::of_cluster("READY") };
    let missing = State::of_cluster("MISSING");
    let normalised = |states: &[State]| {
        let mut sequences = Sequences { job_manager: states.to_vec(), ..Sequences::default() };
        rules::normalise(&mut sequences, true);
        sequences.job_manager.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(normalised(&[missing.clone(), ready(false), missing.clone()]), ["MISSING"]);
    assert_eq!(normalised(&[missing.clone(), ready(true), missing.clone()]), ["MISSING", "READY", "MISSING"]);
    assert_eq!(normalised(&[missing, ready(false)]), ["MISSING", "READY"]);
}

#[test]
fn an_overtaken_upgrade_is_one_with_the_next() {
    let told = |reasons: &[&str]| {
        reasons.iter().map(|reason| event("Normal", "JobManagerDeployment", reason)).collect::<Vec<_>>()
    };
    let texts = |states: &[&str]| states.iter().map(ToString::to_string).collect::<Vec<_>>();
    let early = Sequences {
        lifecycle: texts(&["STABLE", "UPGRADING", "DEPLOYED", "STABLE"]),
        job: texts(&["RUNNING", "FINISHED", "RECONCILING", "RUNNING"]),
        events: told(&["SpecChanged", "Suspended", "Submit"]),
        overtaken: 1,
        ..Sequences::default()
    };
    let mut between = Sequences {
        events: told(&["SpecChanged", "Suspended", "SpecChanged", "Submit"]),
        overtaken: 0,
        ..early.clone()
    };
    rules::normalise(&mut between, true);
    assert_eq!(between, early);
    let mut late = Sequences {
        lifecycle: texts(&["STABLE", "UPGRADING", "DEPLOYED", "UPGRADING", "DEPLOYED", "STABLE"]),
        job: texts(&["RUNNING", "FINISHED", "RECONCILING", "FINISHED", "RECONCILING", "RUNNING"]),
        events: told(&["SpecChanged", "Suspended", "Submit", "SpecChanged", "Suspended", "Submit"]),
        ..Sequences::default()
    };
    rules::normalise(&mut late, true);
    assert_eq!(late, early);
    // Without a change of the spec it is a loop, and counts.
    let mut endless = Sequences {
        lifecycle: texts(&["UPGRADING", "DEPLOYED", "UPGRADING", "DEPLOYED"]),
        events: told(&["Suspended", "Submit", "Suspended", "Submit"]),
        ..Sequences::default()
    };
    let before = endless.clone();
    rules::normalise(&mut endless, true);
    assert_eq!(endless, before);
}

#[test]
fn a_changed_ingress_restarts_recorded_jobs_only() {
    let texts = |states: &[&str]| states.iter().map(ToString::to_string).collect::<Vec<_>>();
    let submit = event("Normal", "JobManagerDeployment", "Submit");
    let runs = changed("RECONCILING", "RUNNING");
    let of_upgrade = |reason: &str| event("Normal", "JobManagerDeployment", reason);
    let ours = Sequences {
        lifecycle: texts(&["UPGRADING", "DEPLOYED", "STABLE"]),
        job: texts(&["RECONCILING", "RUNNING"]),
        events: vec![submit.clone(), runs.clone()],
        ..Sequences::default()
    };
    let upgrade = [of_upgrade("SpecChanged"), of_upgrade("Suspended"), submit, runs];
    let recorded = Sequences {
        lifecycle: [ours.lifecycle.clone(), ours.lifecycle.clone()].concat(),
        job: texts(&["RECONCILING", "RUNNING", "FINISHED", "RECONCILING", "RUNNING"]),
        events: [ours.events.as_slice(), &upgrade].concat(),
        overtaken: 1,
        ..Sequences::default()
    };
    let with_ingress = serde_json::json!({"spec": {"ingress": {"template": "a"}}});
    let mut compared = recorded.clone();
    assert_eq!(listed::take_out(&with_ingress, &mut compared, &ours), ["Ingress in place"]);
    assert_eq!(compared, ours);
    let mut compared = recorded.clone();
    let without_ingress = serde_json::json!({"spec": {}});
    assert!(listed::take_out(&without_ingress, &mut compared, &ours).is_empty());
    let other = Sequences { lifecycle: texts(&["UPGRADING", "DEPLOYED"]), ..ours };
    assert!(listed::take_out(&with_ingress, &mut compared, &other).is_empty());
    assert_eq!(compared, recorded);
}

#[test]
fn the_documentation_names_every_rule_and_every_difference() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/differences.md");
    let text = std::fs::read_to_string(path).unwrap();
    let section = text.split("\n## Timelines\n").nth(1).unwrap().split("\n## ").next().unwrap();
    let documented: Vec<_> = section
        .lines()
        .filter_map(|line| line.strip_prefix("| ")?.split(" | ").next())
        .filter(|name| *name != "name")
        .collect();
    let known: Vec<_> =
        rules::RULES.iter().map(|rule| rule.id).chain(listed::LISTED.iter().map(|it| it.id)).collect();
    assert_eq!(documented, known);
}
