//! Tells users what happens, as Kubernetes Events on their resources.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::{Timestamp, Unit};
use kube::core::DynamicObject;
use lifecycle::{EventMode, EventRecord};
use serde_json::{Value, json};

use crate::event_name::event_name;
use crate::ports::{ApiError, Clock, ErrorClass, Kind, KubernetesApi, ObjectKey};
use crate::resource::Resource;

/// How many Events are remembered, so that a repeat needs no read. About 200 bytes each.
const REMEMBERED: usize = 4096;

/// What is known of an Event object.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Seen {
    count: i64,
    last: Timestamp,
}

/// What came of an Event that was recorded before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Repeat {
    /// It was counted.
    Told,
    /// It is not to be told again.
    Silent,
    /// It is no longer there.
    Gone,
}

/// The Events that were recorded last.
#[derive(Debug, Default)]
struct Memory {
    seen: HashMap<ObjectKey, (Seen, u64)>,
    uses: VecDeque<(ObjectKey, u64)>,
    sequence: u64,
}

impl Memory {
    fn get(&self, key: &ObjectKey) -> Option<Seen> {
        self.seen.get(key).map(|(seen, _)| *seen)
    }

    fn put(&mut self, key: &ObjectKey, seen: Seen) {
        self.sequence += 1;
        self.seen.insert(key.clone(), (seen, self.sequence));
        self.uses.push_back((key.clone(), self.sequence));
        // An entry of `uses` stands for its key only if the key was not used again since.
        while self.seen.len() > REMEMBERED || self.uses.len() > 2 * REMEMBERED {
            let Some((oldest, used)) = self.uses.pop_front() else { return };
            if self.seen.get(&oldest).is_some_and(|(_, last)| *last == used) {
                self.seen.remove(&oldest);
            }
        }
    }

    fn forget(&mut self, key: &ObjectKey) {
        self.seen.remove(key);
    }
}

/// Records Events, in the objects in which the Java operator records the same ones.
///
/// A first Event costs one POST, a repeat at most one PATCH. What fails quickly, and may go well the next time, is tried
/// once more, because some Events are told only once: the last word on a resource that goes. What fails then is logged:
/// an Event never stops the work that it tells about (the Java operator aborts the run on anything but 403).
pub struct EventRecorder {
    api: Arc<dyn KubernetesApi>,
    clock: Arc<dyn Clock>,
    memory: Mutex<Memory>,
}

impl EventRecorder {
    /// A recorder that remembers nothing yet.
    #[must_use]
    pub fn new(api: Arc<dyn KubernetesApi>, clock: Arc<dyn Clock>) -> Self {
        Self { api, clock, memory: Mutex::new(Memory::default()) }
    }

    /// Records an Event on a resource.
    pub async fn record(&self, resource: &Resource, event: &EventRecord) {
        let told = match self.write(resource, event).await {
            Err(error) if deserves_another_try(&error) => self.write(resource, event).await,
            told => told,
        };
        match told {
            Ok(true) => tracing::info!(
                namespace = %resource.key.namespace,
                name = %resource.key.name,
                kind = %resource.kind,
                event.kind = event.event_type.as_str(),
                reason = %event.reason,
                component = event.component.as_str(),
                "{}", event.message
            ),
            Ok(false) => {}
            Err(error) => tracing::warn!(
                namespace = %resource.key.namespace,
                name = %resource.key.name,
                reason = %event.reason,
                "the Event could not be recorded: {error}. It says: {}", event.message
            ),
        }
    }

    /// Returns whether there was anything to tell.
    async fn write(&self, resource: &Resource, event: &EventRecord) -> Result<bool, ApiError> {
        let name = event_name(event, resource.kind, &resource.key.name, &resource.uid);
        let key = ObjectKey::new(&resource.key.namespace, name);
        let now = self.clock.now();
        let remembered = self.memory().get(&key);
        if let Some(seen) = remembered {
            match self.repeat(&key, event, seen, now).await? {
                Repeat::Gone => {}
                Repeat::Told => return Ok(true),
                Repeat::Silent => return Ok(false),
            }
        }
        match self.api.create(Kind::EVENT, &first(resource, event, &key, now)).await {
            Ok(_) => {
                self.memory().put(&key, Seen { count: 1, last: now });
                Ok(true)
            }
            Err(ApiError::AlreadyExists { .. }) => self.meet(&key, event, now).await,
            Err(error) => Err(error),
        }
    }

    /// The Event was recorded before this process knew of it: by an earlier one, or by the Java operator.
    async fn meet(&self, key: &ObjectKey, event: &EventRecord, now: Timestamp) -> Result<bool, ApiError> {
        // Gone again means that it has expired just now: the next repeat makes a new one.
        let Some(object) = self.api.get(Kind::EVENT, key).await? else { return Ok(false) };
        let seen = seen_in(&object);
        if (Seen { count: 1, last: whole_seconds(now) }) == seen {
            // This very one: the answer to its creation got lost.
            self.memory().put(key, seen);
            return Ok(true);
        }
        let repeat = self.repeat(key, event, seen, now).await?;
        Ok(repeat == Repeat::Told)
    }

    /// Counts a repeat, or leaves it.
    async fn repeat(
        &self,
        key: &ObjectKey,
        event: &EventRecord,
        seen: Seen,
        now: Timestamp,
    ) -> Result<Repeat, ApiError> {
        let silent = match event.mode {
            EventMode::Count => false,
            EventMode::Once => true,
            EventMode::Interval(interval) => {
                now.duration_since(seen.last).unsigned_abs() < interval && now >= seen.last
            }
        };
        if silent {
            self.memory().put(key, seen);
            return Ok(Repeat::Silent);
        }
        let next = Seen { count: seen.count.saturating_add(1), last: now };
        match self.api.patch(Kind::EVENT, key, &repeated(event, next)).await {
            Ok(_) => {
                self.memory().put(key, next);
                Ok(Repeat::Told)
            }
            Err(ApiError::NotFound { .. }) => {
                self.memory().forget(key);
                Ok(Repeat::Gone)
            }
            Err(error) => Err(error),
        }
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whoever is made to wait for an answer in vain does not wait twice.
fn deserves_another_try(error: &ApiError) -> bool {
    match error.class() {
        ErrorClass::Retry => !matches!(error, ApiError::Timeout { .. }),
        ErrorClass::LookAgain => true,
        ErrorClass::TellUser => false,
    }
}

/// Event times have whole seconds.
fn whole_seconds(now: Timestamp) -> Timestamp {
    now.round(Unit::Second).unwrap_or(now)
}

fn time(now: Timestamp) -> String {
    whole_seconds(now).to_string()
}

fn first(resource: &Resource, event: &EventRecord, key: &ObjectKey, now: Timestamp) -> DynamicObject {
    let mut object = Kind::EVENT.object(key);
    object.metadata.annotations = annotations(event);
    object.data = json!({
        "involvedObject": {
            "apiVersion": resource.kind.api_version(),
            "kind": resource.kind.name,
            "namespace": resource.key.namespace,
            "name": resource.key.name,
            "uid": resource.uid,
        },
        "type": event.event_type.as_str(),
        "reason": event.reason.as_str(),
        "message": event.message,
        "count": 1,
        "firstTimestamp": time(now),
        "lastTimestamp": time(now),
        "source": { "component": event.component.as_str() },
    });
    object
}

fn repeated(event: &EventRecord, seen: Seen) -> Value {
    let mut patch = json!({
        "count": seen.count,
        "lastTimestamp": time(seen.last),
        "message": event.message,
    });
    if let (Some(annotations), Some(fields)) = (annotations(event), patch.as_object_mut()) {
        fields.insert("metadata".to_owned(), json!({ "annotations": annotations }));
    }
    patch
}

fn annotations(event: &EventRecord) -> Option<BTreeMap<String, String>> {
    (!event.annotations.is_empty()).then(|| event.annotations.iter().cloned().collect())
}

fn seen_in(object: &DynamicObject) -> Seen {
    let field = |name: &str| object.data.get(name);
    let last = field("lastTimestamp").and_then(Value::as_str).and_then(|text| text.parse().ok());
    Seen {
        count: field("count").and_then(Value::as_i64).unwrap_or(1),
        last: last.unwrap_or(Timestamp::UNIX_EPOCH),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use lifecycle::{Component, Reason};

    use super::*;
    use crate::testing::{Cluster, TestClock, resource};

    struct Bench {
        cluster: Arc<Cluster>,
        clock: Arc<TestClock>,
        recorder: EventRecorder,
    }

    fn bench() -> Bench {
        let cluster = Arc::new(Cluster::default());
        let clock = Arc::new(TestClock::default());
        let recorder = EventRecorder::new(cluster.clone(), clock.clone());
        Bench { cluster, clock, recorder }
    }

    fn missing() -> EventRecord {
        EventRecord::warning(
            Reason::Missing,
            Component::JobManagerDeployment,
            "Missing JobManager deployment",
        )
    }

    impl Bench {
        async fn record(&self, event: &EventRecord) -> Vec<String> {
            self.cluster.forget_calls();
            self.recorder.record(&resource("app", "uid"), event).await;
            self.cluster.calls()
        }

        fn only_event(&self) -> Value {
            let events = self.cluster.objects(Kind::EVENT);
            assert_eq!(events.len(), 1);
            serde_json::to_value(events.first().unwrap()).unwrap()
        }
    }

    #[tokio::test]
    async fn a_first_event_is_one_post_and_a_repeat_one_patch() {
        let bench = bench();
        assert_eq!(bench.record(&missing()).await, ["create Event"]);
        let event = bench.only_event();
        assert_eq!(event["involvedObject"]["kind"], "FlinkDeployment");
        assert_eq!(event["involvedObject"]["uid"], "uid");
        assert_eq!(event["source"]["component"], "JobManagerDeployment");
        assert_eq!((&event["type"], &event["count"]), (&json!("Warning"), &json!(1)));
        bench.clock.pass(Duration::from_secs(90));
        assert_eq!(bench.record(&missing()).await, ["patch Event"]);
        let event = bench.only_event();
        assert_eq!(event["count"], 2);
        assert_eq!(event["firstTimestamp"], "1970-01-01T00:00:00Z");
        assert_eq!(event["lastTimestamp"], "1970-01-01T00:01:30Z");
    }

    #[tokio::test]
    async fn an_event_of_an_earlier_process_is_counted_on() {
        let mut bench = bench();
        bench.record(&missing()).await;
        bench.clock.pass(Duration::from_secs(1));
        bench.recorder = EventRecorder::new(bench.cluster.clone(), bench.clock.clone());
        assert_eq!(bench.record(&missing()).await, ["create Event", "get Event", "patch Event"]);
        assert_eq!(bench.only_event()["count"], 2);
        assert_eq!(bench.record(&missing()).await, ["patch Event"]);
        assert_eq!(bench.only_event()["count"], 3);
    }

    #[tokio::test]
    async fn once_is_once() {
        let mut bench = bench();
        let event = missing().once("key");
        assert_eq!(bench.record(&event).await, ["create Event"]);
        assert!(bench.record(&event).await.is_empty());
        bench.recorder = EventRecorder::new(bench.cluster.clone(), bench.clock.clone());
        assert_eq!(bench.record(&event).await, ["create Event", "get Event"]);
        assert_eq!(bench.only_event()["count"], 1);
    }

    #[tokio::test]
    async fn an_interval_silences_repeats_until_it_has_passed() {
        let bench = bench();
        let event = missing().at_most_every(Duration::from_mins(1));
        bench.record(&event).await;
        bench.clock.pass(Duration::from_secs(59));
        assert!(bench.record(&event).await.is_empty());
        bench.clock.pass(Duration::from_secs(1));
        assert_eq!(bench.record(&event).await, ["patch Event"]);
    }

    #[tokio::test]
    async fn an_expired_event_is_made_again() {
        let bench = bench();
        bench.record(&missing()).await;
        bench.cluster.clear(Kind::EVENT);
        assert_eq!(bench.record(&missing()).await, ["patch Event", "create Event"]);
        assert_eq!(bench.only_event()["count"], 1);
    }

    #[tokio::test]
    async fn what_fails_is_only_logged_and_tried_again_with_the_next_repeat() {
        let bench = bench();
        bench.cluster.fail_next("create Event", ApiError::from_status(403, "Forbidden", "no", None));
        assert_eq!(bench.record(&missing()).await, ["create Event"]);
        assert_eq!(bench.record(&missing()).await, ["create Event"]);
        assert_eq!(bench.only_event()["count"], 1);
    }

    #[tokio::test]
    async fn what_fails_for_the_moment_is_told_once_more() {
        let bench = bench();
        bench.cluster.fail_next("create Event", ApiError::from_status(429, "TooManyRequests", "busy", None));
        assert_eq!(bench.record(&missing()).await, ["create Event", "create Event"]);
        assert_eq!(bench.only_event()["count"], 1);
        bench.cluster.fail_next("patch Event", ApiError::from_status(500, "", "", None));
        assert_eq!(bench.record(&missing()).await, ["patch Event", "patch Event"]);
        assert_eq!(bench.only_event()["count"], 2);
    }

    #[tokio::test]
    async fn an_event_whose_answer_got_lost_counts_once() {
        let bench = bench();
        let lost = ApiError::Unreachable { sent: true, message: "reset".to_owned() };
        bench.cluster.lose_answer_of_next("create Event", lost);
        assert_eq!(bench.record(&missing()).await, ["create Event", "create Event", "get Event"]);
        assert_eq!(bench.only_event()["count"], 1);
    }

    #[tokio::test]
    async fn nobody_waits_for_the_same_answer_twice() {
        let bench = bench();
        bench.cluster.fail_next("create Event", ApiError::Timeout { limit: Duration::from_secs(10) });
        assert_eq!(bench.record(&missing()).await, ["create Event"]);
    }

    #[tokio::test]
    async fn annotations_are_replaced_with_each_repeat() {
        let bench = bench();
        let mut event = missing().once("exception");
        event.mode = EventMode::Count;
        for time in ["1", "2"] {
            event.annotations = vec![("exception-timestamp".to_owned(), time.to_owned())];
            bench.record(&event).await;
        }
        assert_eq!(bench.only_event()["metadata"]["annotations"]["exception-timestamp"], "2");
    }

    #[test]
    fn the_memory_is_bounded_and_keeps_what_is_used() {
        let mut memory = Memory::default();
        let seen = Seen { count: 1, last: Timestamp::UNIX_EPOCH };
        let hot = ObjectKey::new("ns", "hot");
        for number in 0..(3 * REMEMBERED) {
            memory.put(&ObjectKey::new("ns", number.to_string()), seen);
            memory.put(&hot, seen);
        }
        assert!(memory.get(&hot).is_some());
        assert!(memory.get(&ObjectKey::new("ns", "0")).is_none());
        assert!(memory.seen.len() <= REMEMBERED && memory.uses.len() <= 2 * REMEMBERED);
    }
}
