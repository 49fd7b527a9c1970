//! (j) A path that is reported was returned by Flink. (k) Files are disposed of only if a resource says so and nothing else
//! refers to them.

use std::sync::Arc;

use engine::ports::Kind;
use serde_json::{Value, json};

use super::{Caller, Checks, KINDS, is_terminating, text};
use crate::api_server::ApiServer;
use crate::world::World;

impl Checks {
    /// (j), and what is needed for (k).
    pub(super) fn learn_snapshot(&mut self, snapshot: &Value, server: &ApiServer, world: &World) {
        self.recorded.insert(text(snapshot, "/status/triggerId").to_owned());
        let path = text(snapshot, "/status/path");
        if text(snapshot, "/status/state") != "COMPLETED" || path.is_empty() {
            return;
        }
        let name = text(snapshot, "/metadata/name");
        if given_path(snapshot) != Some(path) && !world.storage().all().iter().any(|it| it.path == path) {
            self.violated(format!(
                "(j) FlinkStateSnapshot {name} has the path {path}, which Flink has never returned"
            ));
        }
        let keeps = snapshot.pointer("/spec/savepoint/disposeOnDelete") == Some(&json!(false))
            || snapshot.pointer("/spec/savepoint").is_none();
        let uid = text(snapshot, "/metadata/uid");
        let is_needed = jobs(server).any(|job| may_start_from(&job, path) || lists(&job, path))
            || is_of_snapshot(server, path, uid);
        if is_terminating(snapshot) && !keeps && !is_needed {
            self.disposable.insert(path.to_owned());
        }
    }

    /// Savepoints that a status lists may be disposed of when there are too many.
    pub(super) fn learn_history(&mut self, resource: &Value) {
        self.listed.extend(history(resource).map(str::to_owned));
    }

    /// (k)
    pub(super) fn check_disposal(&mut self, path: &str, caller: Caller, server: &ApiServer, world: &World) {
        self.learn(server, world);
        if self.disposable.contains(path) {
            return;
        }
        if !self.listed.contains(path) {
            self.violated(format!("(k) the savepoint {path} is disposed of, and no resource allows that"));
        }
        let is_needed = jobs(server).any(|job| may_start_from(&job, path))
            || jobs(server).filter(|job| lists(job, path)).count() > 1
            || is_of_snapshot(server, path, "");
        // An old leader may have decided it before something else began to need it.
        if is_needed && caller == Caller::Leader {
            self.violated(format!("(k) the savepoint {path} is disposed of, and a resource needs it"));
        }
    }
}

fn jobs(server: &ApiServer) -> impl Iterator<Item = Arc<Value>> {
    KINDS.iter().flat_map(|kind| server.all(*kind))
}

fn may_start_from(job: &Value, path: &str) -> bool {
    text(job, "/spec/job/initialSavepointPath") == path
        || text(job, "/status/jobStatus/upgradeSavepointPath") == path
}

fn lists(job: &Value, path: &str) -> bool {
    text(job, "/status/jobStatus/savepointInfo/lastSavepoint/location") == path
        || history(job).any(|listed| listed == path)
}

fn history(job: &Value) -> impl Iterator<Item = &str> {
    let history = job.pointer("/status/jobStatus/savepointInfo/savepointHistory");
    let history = history.and_then(Value::as_array).into_iter().flatten();
    history.map(|entry| text(entry, "/location"))
}

/// Whether a snapshot that stays, and is not the one of that uid, has these files.
fn is_of_snapshot(server: &ApiServer, path: &str, except: &str) -> bool {
    server.all(Kind::FLINK_STATE_SNAPSHOT).iter().any(|snapshot| {
        text(snapshot, "/metadata/uid") != except
            && (text(snapshot, "/status/path") == path || given_path(snapshot) == Some(path))
            && !is_terminating(snapshot)
    })
}

/// The path of a savepoint that was there before its resource.
fn given_path(snapshot: &Value) -> Option<&str> {
    let savepoint = snapshot.pointer("/spec/savepoint")?;
    (savepoint.get("alreadyExists") == Some(&json!(true))).then(|| text(savepoint, "/path"))
}
