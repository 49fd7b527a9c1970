//! One sequence of calls whose outcomes have to be the same with every API server: the one in memory, and a real one.
//!
//! An outcome says what a caller can see, without what differs from server to server (uids, times, versions, texts).

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use engine::ports::{ApiError, DeleteOptions, Kind, KubernetesApi, ObjectKey, Scope, WatchEvent};
use futures::StreamExt;
use futures::stream::BoxStream;
use kube::core::DynamicObject;
use lifecycle::Propagation;
use serde_json::{Value, json};

use crate::api_server::ApiServer;

/// Lets an API server do what it does by itself: garbage collection, telling watchers.
#[async_trait]
pub trait Patience: Send + Sync {
    /// Waits for a while; called again and again until something is as it should be.
    async fn wait(&self);

    /// The next event of a watch, if there is one in reasonable time.
    async fn next(&self, watch: &mut BoxStream<'static, WatchEvent>) -> Option<WatchEvent>;
}

/// For the API server in memory: what is due is done at once.
#[derive(Debug)]
pub struct Collect(pub ApiServer);

#[async_trait]
impl Patience for Collect {
    async fn wait(&self) {
        self.0.collect_garbage();
    }

    async fn next(&self, watch: &mut BoxStream<'static, WatchEvent>) -> Option<WatchEvent> {
        use futures::FutureExt;
        watch.next().now_or_never().flatten()
    }
}

/// For a real API server.
#[derive(Debug)]
pub struct Wait(pub Duration);

#[async_trait]
impl Patience for Wait {
    async fn wait(&self) {
        tokio::time::sleep(self.0).await;
    }

    async fn next(&self, watch: &mut BoxStream<'static, WatchEvent>) -> Option<WatchEvent> {
        tokio::time::timeout(Duration::from_secs(10), watch.next()).await.ok().flatten()
    }
}

/// How often [`Patience::wait`] is called at most for one thing.
const WAITS: usize = 100;

/// Runs the sequence in a namespace that exists and is empty. Each line is a step and its outcome.
pub async fn outcomes(api: &dyn KubernetesApi, patience: &dyn Patience, namespace: &str) -> Vec<String> {
    let mut steps = Steps { api, patience, namespace, lines: Vec::new() };
    steps.creating().await;
    steps.status().await;
    steps.patching().await;
    steps.finalizers().await;
    steps.applying().await;
    for propagation in [Propagation::Foreground, Propagation::Background, Propagation::Orphan] {
        steps.deleting_owners(propagation).await;
    }
    steps.uids().await;
    steps.listing().await;
    steps.watching().await;
    steps.lines
}

struct Steps<'a> {
    api: &'a dyn KubernetesApi,
    patience: &'a dyn Patience,
    namespace: &'a str,
    lines: Vec<String>,
}

const CR: Kind = Kind::FLINK_DEPLOYMENT;
const MAP: Kind = Kind::CONFIG_MAP;

fn outcome<T>(result: &Result<T, ApiError>, shown: impl Fn(&T) -> String) -> String {
    match result {
        Ok(value) => format!("ok {}", shown(value)),
        Err(error) => match error {
            ApiError::Invalid { code, .. } => format!("{} {code}", error.label()),
            error => error.label().to_owned(),
        },
    }
}

/// What of an object is the same everywhere.
fn show(object: &DynamicObject) -> String {
    let mut data = object.data.clone();
    if let Some(fields) = data.as_object_mut() {
        // Filled in by the API server's defaults.
        if Kind::of(object) == Some(Kind::DEPLOYMENT) {
            fields.remove("spec");
            fields.remove("status");
        }
    }
    let meta = &object.metadata;
    let deleting = if meta.deletion_timestamp.is_some() { " terminating" } else { "" };
    let finalizers = meta.finalizers.clone().unwrap_or_default().join(",");
    let generation = meta.generation.unwrap_or_default();
    format!("generation {generation} [{finalizers}]{deleting} {}", sorted(&data))
}

/// With keys in the order of the alphabet, and without what is empty.
fn sorted(value: &Value) -> Value {
    let Value::Object(fields) = value else { return value.clone() };
    let fields: BTreeMap<String, Value> =
        fields.iter().map(|(name, value)| (name.clone(), sorted(value))).collect();
    let is_empty = |value: &Value| value.as_object().is_some_and(serde_json::Map::is_empty);
    Value::Object(fields.into_iter().filter(|(_, value)| !is_empty(value)).collect())
}

impl Steps<'_> {
    fn key(&self, name: &str) -> ObjectKey {
        ObjectKey::new(self.namespace, name)
    }

    fn object(&self, kind: Kind, name: &str, data: Value) -> DynamicObject {
        let mut object = kind.object(&self.key(name));
        object.data = data;
        object
    }

    fn say(&mut self, step: &str, outcome: impl AsRef<str>) {
        self.lines.push(format!("{step}: {}", outcome.as_ref()));
    }

    fn tell(&mut self, step: &str, result: &Result<DynamicObject, ApiError>) {
        let outcome = outcome(result, show);
        self.say(step, outcome);
    }

    async fn create(&mut self, step: &str, kind: Kind, object: &DynamicObject) -> DynamicObject {
        let created = self.api.create(kind, object).await;
        self.tell(step, &created);
        created.unwrap_or_else(|_| object.clone())
    }

    async fn see(&mut self, step: &str, kind: Kind, name: &str) {
        let found = self.api.get(kind, &self.key(name)).await;
        let outcome = outcome(&found, |found| found.as_ref().map_or_else(|| "nothing".to_owned(), show));
        self.say(step, outcome);
    }

    /// Waits until an object is gone, or says that it stays.
    async fn see_gone(&mut self, step: &str, kind: Kind, name: &str) {
        for _ in 0..WAITS {
            if matches!(self.api.get(kind, &self.key(name)).await, Ok(None)) {
                return self.say(step, "gone");
            }
            self.patience.wait().await;
        }
        self.say(step, "still there");
    }

    async fn delete(
        &mut self,
        step: &str,
        kind: Kind,
        name: &str,
        uid: Option<String>,
        propagation: Propagation,
    ) {
        let options = DeleteOptions { uid, propagation };
        let deleted = self.api.delete(kind, &self.key(name), &options).await;
        self.say(step, outcome(&deleted, |()| String::new()));
    }

    fn cr(&self, name: &str) -> DynamicObject {
        let spec = json!({"image": "flink:1.20", "flinkVersion": "v1_20"});
        self.object(CR, name, json!({"spec": spec, "status": {"error": "not stored"}}))
    }

    async fn creating(&mut self) {
        let cr = self.cr("one");
        self.create("create", CR, &cr).await;
        self.create("create again", CR, &cr).await;
        let bad = self.cr("Not_A_Name");
        self.create("create with a name that is none", CR, &bad).await;
        let mut event = self.object(Kind::EVENT, "Operator.123", json!({"reason": "Reason", "count": 1}));
        if let Some(fields) = event.data.as_object_mut() {
            let involved = json!({"namespace": self.namespace, "kind": "FlinkDeployment", "name": "one"});
            fields.insert("involvedObject".to_owned(), involved);
        }
        let created = self.api.create(Kind::EVENT, &event).await;
        self.say(
            "create an Event with a name that others may not have",
            outcome(&created, |_| String::new()),
        );
        self.see("get", CR, "one").await;
        self.see("get what is not there", CR, "two").await;
    }

    async fn status(&mut self) {
        let Ok(Some(current)) = self.api.get(CR, &self.key("one")).await else { return };
        let with = |version: Option<String>, uid: Option<String>, status: Value| {
            let mut object = current.clone();
            object.metadata.resource_version = version;
            object.metadata.uid = uid;
            object.data = json!({"spec": {"image": "ignored"}, "status": status});
            object
        };
        let version = current.metadata.resource_version.clone();
        let uid = current.metadata.uid.clone();
        let first = with(version.clone(), uid.clone(), json!({"error": "first"}));
        let stored = self.api.replace_status(CR, &first).await;
        self.tell("status", &stored);
        let again = self.api.replace_status(CR, &first).await;
        self.tell("status for an old version", &again);
        let newest = stored.ok().and_then(|stored| stored.metadata.resource_version);
        let foreign =
            with(newest.clone(), Some("11111111-1111-4111-8111-111111111111".to_owned()), json!({}));
        let refused = self.api.replace_status(CR, &foreign).await;
        self.tell("status for another uid", &refused);
        let unfenced = self.api.replace_status(CR, &with(None, uid.clone(), json!({}))).await;
        self.tell("status for no version", &unfenced);
        let same = self.api.replace_status(CR, &with(newest.clone(), uid, json!({"error": "first"}))).await;
        let unchanged = same.as_ref().is_ok_and(|same| same.metadata.resource_version == newest);
        self.say("the same status again", format!("is no new version: {unchanged}"));
        let mut nothing = self.cr("nothing");
        nothing.metadata.resource_version = Some("1".to_owned());
        let absent = self.api.replace_status(CR, &nothing).await;
        self.tell("status of what is not there", &absent);
    }

    async fn patch(&mut self, step: &str, kind: Kind, name: &str, part: Value) -> Option<DynamicObject> {
        let patched = self.api.patch(kind, &self.key(name), &part).await;
        self.tell(step, &patched);
        patched.ok()
    }

    async fn patching(&mut self) {
        self.patch(
            "patch the spec and the status",
            CR,
            "one",
            json!({"spec": {"image": "b"}, "status": {"error": "x"}}),
        )
        .await;
        self.patch("patch labels", CR, "one", json!({"metadata": {"labels": {"a": "1"}}})).await;
        self.patch("patch a field away", CR, "one", json!({"spec": {"image": null}})).await;
        self.patch("patch what is not there", CR, "two", json!({"spec": {"image": null}})).await;
        let old = json!({"metadata": {"resourceVersion": "1"}, "spec": {"image": "c"}});
        self.patch("patch an old version", CR, "one", old).await;
        let other =
            json!({"metadata": {"uid": "11111111-1111-4111-8111-111111111111"}, "spec": {"image": "c"}});
        self.patch("patch another uid", CR, "one", other).await;
        if let Ok(Some(current)) = self.api.get(CR, &self.key("one")).await {
            let right = json!({
                "metadata": {"uid": current.metadata.uid, "resourceVersion": current.metadata.resource_version},
                "spec": {"image": "d"},
            });
            self.patch("patch the right uid and version", CR, "one", right).await;
        }
        let map = self.object(MAP, "patched", json!({"data": {"a": "1", "b": "2"}}));
        self.create("create a ConfigMap", MAP, &map).await;
        self.patch("remove a key", MAP, "patched", json!({"data": {"a": null, "absent": null}})).await;
        let other = json!({"metadata": {"uid": "11111111-1111-4111-8111-111111111111"}, "data": {"b": null}});
        self.patch("remove a key of another uid", MAP, "patched", other).await;
    }

    async fn finalizers(&mut self) {
        const OURS: &str = "flinkdeployments.flink.apache.org/finalizer";
        self.patch("add a finalizer", CR, "one", json!({"metadata": {"finalizers": [OURS]}})).await;
        self.delete("delete what has a finalizer", CR, "one", None, Propagation::Background).await;
        self.see("get what waits for a finalizer", CR, "one").await;
        self.delete("delete it again", CR, "one", None, Propagation::Background).await;
        let more = json!({"metadata": {"finalizers": [OURS, "example.com/other"]}});
        self.patch("add another finalizer", CR, "one", more).await;
        self.patch("change the spec meanwhile", CR, "one", json!({"spec": {"image": "e"}})).await;
        self.patch("remove the finalizer", CR, "one", json!({"metadata": {"finalizers": []}})).await;
        self.see_gone("afterwards", CR, "one").await;
        self.delete("delete what is not there", CR, "one", None, Propagation::Background).await;
    }

    async fn apply(&mut self, step: &str, object: &DynamicObject) -> Option<DynamicObject> {
        let applied = self.api.apply(MAP, object).await;
        self.tell(step, &applied);
        applied.ok()
    }

    async fn applying(&mut self) {
        let object = |data: Value| self.object(MAP, "applied", json!({ "data": data }));
        let (first, second) = (object(json!({"a": "1", "b": "2"})), object(json!({"a": "3"})));
        let mut foreign = object(json!({"a": "4"}));
        foreign.metadata.uid = Some("11111111-1111-4111-8111-111111111111".to_owned());
        self.apply("apply to what is not there, with a uid", &foreign).await;
        self.apply("apply", &first).await;
        self.patch("another adds a key", MAP, "applied", json!({"data": {"theirs": "1"}})).await;
        self.apply("apply less", &second).await;
        let before = self.api.get(MAP, &self.key("applied")).await;
        let after = self.apply("apply the same", &second).await;
        let version = |object: &DynamicObject| object.metadata.resource_version.clone();
        let unchanged = before.ok().flatten().map(|it| version(&it)) == after.as_ref().map(version);
        self.say("apply the same", format!("is no new version: {unchanged}"));
        self.apply("apply with another uid", &foreign).await;
        let created = self.object(MAP, "taken", json!({"data": {"a": "1", "b": "2"}}));
        self.create("create what is applied later", MAP, &created).await;
        let taken = self.object(MAP, "taken", json!({"data": {"a": "5"}}));
        self.apply("apply to what was created", &taken).await;
    }

    fn deployment(&self, name: &str) -> DynamicObject {
        let labels = json!({"app": name});
        let spec = json!({
            "replicas": 1,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"containers": [{"name": "main", "image": "none"}]},
            },
        });
        self.object(Kind::DEPLOYMENT, name, json!({ "spec": spec }))
    }

    async fn deleting_owners(&mut self, propagation: Propagation) {
        let name = format!("owner-{}", propagation.as_str().to_lowercase());
        let step = |text: &str| format!("{} {text}", propagation.as_str());
        let owner = self.deployment(&name);
        let owner = self.create(&step("create an owner"), Kind::DEPLOYMENT, &owner).await;
        let mut owned = self.object(MAP, &name, json!({"data": {}}));
        owned.metadata.owner_references = serde_json::from_value(json!([{
            "apiVersion": "apps/v1", "kind": "Deployment", "name": name, "uid": owner.metadata.uid,
            "controller": true, "blockOwnerDeletion": true,
        }]))
        .ok();
        let owned = self.api.apply(MAP, &owned).await;
        self.say(&step("apply what it owns"), outcome(&owned, |_| String::new()));
        let uid = owner.metadata.uid.clone();
        self.delete(&step("delete the owner"), Kind::DEPLOYMENT, &name, uid, propagation).await;
        self.see_gone(&step("the owner"), Kind::DEPLOYMENT, &name).await;
        if propagation == Propagation::Orphan {
            let owned = self.api.get(MAP, &self.key(&name)).await;
            let owners = |object: &Option<DynamicObject>| {
                object.as_ref().map_or_else(
                    || "gone".to_owned(),
                    |it| format!("{} owners", it.metadata.owner_references.iter().flatten().count()),
                )
            };
            self.say(&step("what it owned"), outcome(&owned, owners));
        } else {
            self.see_gone(&step("what it owned"), MAP, &name).await;
        }
    }

    async fn uids(&mut self) {
        let map = self.object(MAP, "fenced", json!({"data": {}}));
        let created = self.create("create what is deleted by uid", MAP, &map).await;
        let other = Some("11111111-1111-4111-8111-111111111111".to_owned());
        self.delete("delete another uid", MAP, "fenced", other, Propagation::Background).await;
        self.see("get what was not meant", MAP, "fenced").await;
        let uid = created.metadata.uid.clone();
        self.delete("delete the right uid", MAP, "fenced", uid, Propagation::Background).await;
        self.see_gone("what was meant", MAP, "fenced").await;
    }

    async fn listing(&mut self) {
        for (name, labels) in [
            ("list-a", json!({"app": "a", "type": "t"})),
            ("list-b", json!({"app": "a", "type": "t", "component": "autoscaler"})),
            ("list-c", json!({"app": "c"})),
        ] {
            let mut map = self.object(MAP, name, json!({"data": {}}));
            map.metadata.labels = serde_json::from_value(labels).ok();
            self.create("create with labels", MAP, &map).await;
        }
        for selector in [
            "app=a,type=t,component!=autoscaler",
            "app in (a, c),!component",
            "component",
            "app=none",
            "a in (b",
        ] {
            let scope = Scope::namespace(self.namespace).labelled(selector);
            let listed = self.api.list(MAP, &scope).await;
            let names = |listed: &Vec<DynamicObject>| {
                let mut names: Vec<&str> =
                    listed.iter().filter_map(|it| it.metadata.name.as_deref()).collect();
                names.sort_unstable();
                let typed = listed.iter().all(|it| Kind::of(it) == Some(MAP));
                format!("{} typed {typed}", names.join(","))
            };
            self.say(&format!("list {selector}"), outcome(&listed, names));
        }
    }

    async fn watching(&mut self) {
        let map = |name: &str, label: &str| {
            let mut map = self.object(MAP, name, json!({"data": {}}));
            map.metadata.labels = Some([("watched".to_owned(), label.to_owned())].into());
            map
        };
        let (first, second, unseen) = (map("watch-1", "yes"), map("watch-2", "yes"), map("watch-3", "no"));
        self.create("create before the watch", MAP, &first).await;
        let mut watch = self.api.watch(MAP, &Scope::namespace(self.namespace).labelled("watched=yes"));
        let event = self.patience.next(&mut watch).await;
        self.say("watch", event_text(event));
        self.create("create what is watched", MAP, &second).await;
        self.create("create what is not", MAP, &unseen).await;
        self.patch("change it", MAP, "watch-2", json!({"data": {"a": "1"}})).await;
        self.patch("label it away", MAP, "watch-1", json!({"metadata": {"labels": {"watched": "no"}}})).await;
        self.patch("label it in", MAP, "watch-3", json!({"metadata": {"labels": {"watched": "yes"}}})).await;
        self.patch("hold it", MAP, "watch-2", json!({"metadata": {"finalizers": ["example.com/f"]}})).await;
        self.delete("delete it", MAP, "watch-2", None, Propagation::Background).await;
        self.patch("let it go", MAP, "watch-2", json!({"metadata": {"finalizers": null}})).await;
        for _ in 0..7 {
            let event = self.patience.next(&mut watch).await;
            self.say("watch", event_text(event));
        }
    }
}

fn event_text(event: Option<WatchEvent>) -> String {
    let name = |object: &DynamicObject| object.metadata.name.clone().unwrap_or_default();
    match event {
        None => "nothing".to_owned(),
        Some(WatchEvent::Restarted(all)) => {
            format!("all {}", all.iter().map(name).collect::<Vec<_>>().join(","))
        }
        Some(WatchEvent::Applied(object)) => format!("applied {} {}", name(&object), show(&object)),
        Some(WatchEvent::Deleted(object)) => format!("deleted {}", name(&object)),
        Some(WatchEvent::Failed(error)) => format!("failed {}", error.label()),
    }
}
