//! Differences that we want, or that come with a part that is not built yet. `docs/differences.md`, section
//! "Timelines", says why.
//!
//! Each changes a recorded sequence into what it would be with us, as narrowly as it can be stated, and only if our
//! sequence is that.

use serde_json::Value;

use super::sequence::{Event, Sequences, State};

/// A listed difference.
pub(super) struct Listed {
    /// Its name in `docs/differences.md`.
    pub(super) id: &'static str,
    /// Changes the recorded side; true if there was something to change.
    apply: fn(&Value, &mut Sequences, &Sequences) -> bool,
}

/// All of them.
pub(super) const LISTED: &[Listed] = &[
    Listed { id: "DELETING", apply: deleting },
    Listed { id: "session cluster without HA", apply: session_without_ha },
    Listed { id: "deletion during an upgrade", apply: deletion_during_upgrade },
    Listed { id: "redeployment from a savepoint", apply: savepoint_redeploy },
    Listed { id: "end of a failed job", apply: end_of_failed_job },
    Listed { id: "upgrade done in time", apply: done_in_time },
    Listed { id: "Ingress in place", apply: ingress_in_place },
    Listed { id: "session job that waits", apply: session_job_waits },
    Listed { id: "clean-up told once", apply: cleanup_once },
    Listed { id: "submission that fails", apply: submission_fails },
    Listed { id: "TaskManagers in place", apply: task_managers_in_place },
    Listed { id: "snapshot of a stable job", apply: snapshot_of_stable_job },
    Listed { id: "suspended cluster", apply: suspended_cluster },
    Listed { id: "replaced snapshot", apply: replaced_snapshot },
];

/// Takes what is listed out of the recorded side, and names what occurred.
pub(super) fn take_out(cluster: &Value, recorded: &mut Sequences, ours: &Sequences) -> Vec<&'static str> {
    LISTED.iter().filter(|listed| (listed.apply)(cluster, recorded, ours)).map(|listed| listed.id).collect()
}

/// The Java operator waits for the cluster's end within one pass, so that nobody sees this state.
fn deleting(_: &Value, recorded: &mut Sequences, ours: &Sequences) -> bool {
    let ends = ["DELETING", "(deleted)"];
    let deleted = recorded.lifecycle.last().is_some_and(|state| state == "(deleted)");
    let shown =
        |side: &Sequences| side.lifecycle.iter().rev().nth(1).is_some_and(|state| state == "DELETING");
    if !deleted || shown(recorded) || !ours.lifecycle.ends_with(&ends.map(str::to_owned)) {
        return false;
    }
    recorded.lifecycle.insert(recorded.lifecycle.len() - 1, "DELETING".to_owned());
    // A job that was stopped before is seen to end.
    if let [before @ .., last] = ours.job.as_slice()
        && before == recorded.job.as_slice()
        && last == "FINISHED"
    {
        recorded.job.push(last.clone());
    }
    true
}

/// A session cluster without high availability whose JobManager was lost: recorded ones stay MISSING.
fn session_without_ha(cluster: &Value, recorded: &mut Sequences, ours: &Sequences) -> bool {
    let configuration = &cluster["spec"]["flinkConfiguration"];
    let has_ha =
        configuration.get("high-availability.type").or(configuration.get("high-availability")).is_some();
    let stays = |side: &Sequences| side.job_manager.last().is_some_and(|state| state.name == "MISSING");
    let told = recorded.events.last().is_some_and(|event| event.reason == "Missing");
    if cluster["spec"].get("job").is_some() || has_ha || !stays(recorded) || !told || stays(ours) {
        return false;
    }
    recorded.job_manager.extend(["DEPLOYING", "READY"].map(State::of_cluster));
    true
}

/// Deleted while an upgrade goes on: the recorded pass still submits the new cluster.
fn deletion_during_upgrade(_: &Value, recorded: &mut Sequences, ours: &Sequences) -> bool {
    let reasons = |side: &Sequences, count: usize| {
        let last = side.events.iter().rev().take(count).rev();
        last.map(|event| event.reason.clone()).collect::<Vec<_>>()
    };
    let submitted = reasons(recorded, 3) == ["Suspended", "Submit", "Cleanup"];
    if !submitted || reasons(ours, 2) != ["Suspended", "Cleanup"] {
        return false;
    }
    recorded.events.remove(recorded.events.len() - 2);
    remove_last(&mut recorded.lifecycle, |state| state == "DEPLOYED");
    remove_last(&mut recorded.job, |state| state == "RECONCILING");
    remove_last(&mut recorded.job_manager, |state| state.name == "DEPLOYING");
    // The old cluster's end is not looked at either.
    if ours.job_manager.last().is_some_and(|state| state.name == "READY") {
        remove_last(&mut recorded.job_manager, |state| state.name == "MISSING");
    }
    true
}

/// A session job that waits for its cluster has a status, and no Event about the cluster's version.
fn session_job_waits(job: &Value, recorded: &mut Sequences, ours: &Sequences) -> bool {
    let waits = |side: &Sequences| side.lifecycle.first().is_some_and(|state| state == "CREATED");
    if job["kind"] != "FlinkSessionJob" || waits(recorded) || !waits(ours) {
        return false;
    }
    recorded.lifecycle.insert(0, "CREATED".to_owned());
    recorded.events.retain(|event| event.reason != "UnsupportedFlinkVersion");
    true
}

/// The deletion of a session job is told once, and not with each look at it.
fn cleanup_once(job: &Value, recorded: &mut Sequences, ours: &Sequences) -> bool {
    let count = |side: &Sequences| side.events.iter().filter(|event| event.reason == "Cleanup").count();
    if job["kind"] != "FlinkSessionJob" || count(recorded) < 2 || count(ours) != 1 {
        return false;
    }
    let first = recorded.events.iter().position(|event| event.reason == "Cleanup");
    let mut place = 0;
    recorded.events.retain(|event| {
        place += 1;
        event.reason != "Cleanup" || first == Some(place - 1)
    });
    true
}

/// A jar that cannot be had: the recorded state goes to and fro with each try, and each is told.
fn submission_fails(job: &Value, recorded: &mut Sequences, ours: &Sequences) -> bool {
    let reasons = |side: &Sequences| side.events.iter().map(|event| event.reason.clone()).collect::<Vec<_>>();
    let flaps = recorded.lifecycle.iter().all(|state| ["UPGRADING", "FAILED"].contains(&state.as_str()));
    let failed = reasons(ours) == ["Submit", "Error"] && ours.lifecycle == ["UPGRADING"];
    if job["kind"] != "FlinkSessionJob" || !flaps || !failed || reasons(recorded).len() < 3 {
        return false;
    }
    recorded.lifecycle.truncate(1);
    recorded.events.truncate(2);
    true
}

/// Another number of TaskManagers of a standalone session cluster: the recorded cluster is replaced, and its job lost.
fn task_managers_in_place(resource: &Value, recorded: &mut Sequences, ours: &Sequences) -> bool {
    let texts = |what: &[&str]| what.iter().map(ToString::to_string).collect::<Vec<_>>();
    if resource["kind"] == "FlinkSessionJob" {
        let lost = texts(&["SUSPENDED", "UPGRADING", "DEPLOYED"]);
        let at = recorded.lifecycle.windows(3).position(|states| states == lost.as_slice());
        let (Some(at), false) = (at, ours.lifecycle.contains(&lost[0])) else { return false };
        recorded.lifecycle.drain(at..at + 3);
        remove_last(&mut recorded.job, |state| state == "RECONCILING");
        let again = ["Missing", "SpecChanged", "Submit"];
        for reason in again {
            remove_last(&mut recorded.events, |event| event.reason == reason);
        }
        let starts = |event: &Event| event.change.as_ref().is_some_and(|(_, to)| to == "RUNNING");
        remove_last(&mut recorded.events, starts);
        return true;
    }
    let session = resource["spec"]["mode"] == "standalone" && resource["spec"].get("job").is_none();
    let replaced = texts(&["UPGRADING", "DEPLOYED", "STABLE"]);
    if !session || ours.lifecycle.iter().filter(|state| **state == replaced[0]).count() != 1 {
        return false;
    }
    let at = recorded.lifecycle.windows(3).rposition(|states| states == replaced.as_slice());
    let Some(at) = at.filter(|at| *at > 0) else { return false };
    // TaskManagers that come and go make it DEPLOYED again.
    recorded.lifecycle.remove(at);
    recorded.job_manager.truncate(recorded.job_manager.len() - 3);
    true
}

/// The recorded JobManager of a suspended job stays for a while.
fn suspended_cluster(_: &Value, recorded: &mut Sequences, ours: &Sequences) -> bool {
    let suspended = |side: &Sequences| side.lifecycle.last().is_some_and(|state| state == "SUSPENDED");
    let missing = |side: &Sequences| side.job_manager.last().is_some_and(|state| state.name == "MISSING");
    if !suspended(recorded) || !suspended(ours) || missing(recorded) || !missing(ours) {
        return false;
    }
    recorded.job_manager.push(State::of_cluster("MISSING"));
    true
}

/// A new nonce that asks for a snapshot: the recorded job is DEPLOYED again until it was looked at.
fn snapshot_of_stable_job(_: &Value, recorded: &mut Sequences, ours: &Sequences) -> bool {
    let changed = |side: &Sequences| side.events.iter().any(|event| event.reason == "SpecChanged");
    let deployed = |side: &Sequences| side.lifecycle.iter().filter(|state| *state == "DEPLOYED").count();
    if changed(recorded) || changed(ours) || deployed(recorded) < 2 || deployed(ours) != 1 {
        return false;
    }
    let Some(stable) = recorded.lifecycle.iter().position(|state| state == "STABLE") else { return false };
    let mut place = 0;
    recorded.lifecycle.retain(|state| {
        place += 1;
        place <= stable + 1 || state != "DEPLOYED"
    });
    recorded.lifecycle.dedup();
    true
}

fn remove_last<T>(sequence: &mut Vec<T>, what: impl Fn(&T) -> bool) {
    if let Some(at) = sequence.iter().rposition(what) {
        sequence.remove(at);
    }
}

/// A new `savepointRedeployNonce`: the recorded state stays STABLE while the job is replaced.
fn savepoint_redeploy(_: &Value, recorded: &mut Sequences, ours: &Sequences) -> bool {
    let restart = ["UPGRADING", "DEPLOYED", "STABLE"].map(str::to_owned);
    let twice = [restart.as_slice(), &["UPGRADING", "STABLE"].map(str::to_owned)].concat();
    let submits = recorded
        .events
        .windows(2)
        .filter(|pair| pair[0].reason == "SpecChanged" && pair[1].reason == "Submit");
    let silent = submits.count() == 1 && recorded.lifecycle == restart;
    if !silent || ours.lifecycle != twice {
        return false;
    }
    recorded.lifecycle = twice;
    true
}

/// A stateless upgrade of a job that has failed: the recorded state becomes FINISHED for the moment between both jobs.
fn end_of_failed_job(_: &Value, recorded: &mut Sequences, ours: &Sequences) -> bool {
    let finished = |side: &Sequences| side.job.windows(2).position(|pair| *pair == ["FAILED", "FINISHED"]);
    let (Some(at), None) = (finished(recorded), finished(ours)) else { return false };
    recorded.job.remove(at + 1);
    true
}

/// An upgrade that the recorded next change overtook, and that we had done by then.
fn done_in_time(_: &Value, recorded: &mut Sequences, ours: &Sequences) -> bool {
    if recorded.overtaken != ours.overtaken + 1 {
        return false;
    }
    let texts = |what: &[&str]| what.iter().map(ToString::to_string).collect::<Vec<_>>();
    let mut with_both = recorded.clone();
    let lifecycle = texts(&["UPGRADING", "DEPLOYED", "STABLE"]);
    let cluster = texts(&["MISSING", "DEPLOYING", "READY"]);
    let events = [
        "Normal JobManagerDeployment SpecChanged",
        "Normal JobManagerDeployment Suspended",
        "Normal JobManagerDeployment Submit",
        "Normal Job JobStatusChanged RECONCILING -> RUNNING",
    ];
    repeat_last(&mut with_both.lifecycle, &lifecycle);
    repeat_last(&mut with_both.job_manager, &cluster);
    repeat_last(&mut with_both.job, &texts(&["FINISHED", "RECONCILING", "RUNNING"]));
    repeat_last(&mut with_both.events, &texts(&events));
    let done = with_both.lifecycle == ours.lifecycle && with_both.events == ours.events;
    if done {
        *recorded = with_both;
    }
    done
}

/// A change of nothing but the Ingress: the recorded job is upgraded for it, ours runs on.
fn ingress_in_place(cluster: &Value, recorded: &mut Sequences, ours: &Sequences) -> bool {
    let upgraded = |side: &Sequences| side.events.iter().any(|event| event.reason == "SpecChanged");
    if cluster["spec"].get("ingress").is_none() || !upgraded(recorded) || upgraded(ours) {
        return false;
    }
    let mut without = recorded.clone();
    remove_last_run(&mut without.lifecycle, &["UPGRADING", "DEPLOYED", "STABLE"]);
    remove_last_run(&mut without.job_manager, &["MISSING", "DEPLOYING", "READY"]);
    remove_last_run(&mut without.job, &["FINISHED", "RECONCILING", "RUNNING"]);
    remove_last_run(
        &mut without.events,
        &[
            "Normal JobManagerDeployment SpecChanged",
            "Normal JobManagerDeployment Suspended",
            "Normal JobManagerDeployment Submit",
            "Normal Job JobStatusChanged RECONCILING -> RUNNING",
        ],
    );
    without.overtaken = ours.overtaken;
    let same = without.lifecycle == ours.lifecycle && without.events == ours.events;
    if same {
        *recorded = without;
    }
    same
}

/// Removes the last occurrence of `what`.
fn remove_last_run<T: ToString>(sequence: &mut Vec<T>, what: &[&str]) {
    let matches = |window: &[T]| window.iter().map(ToString::to_string).eq(what.iter().copied());
    if let Some(at) = sequence.windows(what.len()).rposition(matches) {
        sequence.drain(at..at + what.len());
    }
}

/// Repeats the last occurrence of `what`.
fn repeat_last<T: Clone + ToString>(sequence: &mut Vec<T>, what: &[String]) {
    let matches = |window: &[T]| window.iter().map(ToString::to_string).eq(what.iter().cloned());
    if let Some(at) = sequence.windows(what.len()).rposition(matches) {
        let again = sequence[at..at + what.len()].to_vec();
        sequence.splice(at..at, again);
    }
}

/// Of two periodic snapshots where one is to be kept, the recorded side deletes the new one while Flink takes it.
fn replaced_snapshot(_: &Value, recorded: &mut Sequences, ours: &Sequences) -> bool {
    let taken = ["IN_PROGRESS", "COMPLETED"];
    let replaced = ["IN_PROGRESS", "COMPLETED", "(deleted)", "IN_PROGRESS", "COMPLETED"];
    if recorded.lifecycle != taken || ours.lifecycle != replaced {
        return false;
    }
    recorded.lifecycle.clone_from(&ours.lifecycle);
    true
}
