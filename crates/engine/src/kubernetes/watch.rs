//! Watches: list, then follow, and begin again whenever that breaks.

use futures::stream::{BoxStream, StreamExt};
use kube::Api;
use kube::core::DynamicObject;
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{self, Config, Event};

use super::request::{innermost, not_answered};
use super::{InitialList, complete};
use crate::ports::{ApiError, Kind, Scope, WatchEvent};

/// After this time the API server ends a watch, and it begins again where it was. A connection that has died without a
/// sign is noticed five seconds later, so this is also the longest time for which changes can be missed.
const WATCH_SECONDS: u32 = 120;

pub(super) fn watch(
    client: &kube::Client,
    kind: Kind,
    scope: &Scope,
    initial_list: InitialList,
) -> BoxStream<'static, WatchEvent> {
    let resource = kind.api_resource();
    let api: Api<DynamicObject> = match &scope.namespace {
        Some(namespace) => Api::namespaced_with(client.clone(), namespace, &resource),
        None => Api::all_with(client.clone(), &resource),
    };
    let mut config = Config::default().timeout(WATCH_SECONDS);
    if let Some(labels) = &scope.labels {
        config = config.labels(labels);
    }
    if initial_list == InitialList::Streaming {
        config = config.streaming_lists();
    }
    // The default back-off is client-go's: 0.8 s doubling up to 30 s, with jitter.
    let mut collected = Vec::new();
    watcher::watcher(api, config)
        .default_backoff()
        .filter_map(move |event| futures::future::ready(translate(kind, &mut collected, event)))
        .boxed()
}

/// Collects the objects of a list until it is complete; everything else is passed on.
fn translate(
    kind: Kind,
    collected: &mut Vec<DynamicObject>,
    event: watcher::Result<Event<DynamicObject>>,
) -> Option<WatchEvent> {
    let completed = |mut object: DynamicObject| {
        complete(kind, &mut object);
        object
    };
    match event {
        Ok(Event::Init) => {
            collected.clear();
            None
        }
        Ok(Event::InitApply(object)) => {
            collected.push(completed(object));
            None
        }
        Ok(Event::InitDone) => Some(WatchEvent::Restarted(std::mem::take(collected))),
        Ok(Event::Apply(object)) => Some(WatchEvent::Applied(completed(object))),
        Ok(Event::Delete(object)) => Some(WatchEvent::Deleted(completed(object))),
        Err(error) => Some(WatchEvent::Failed(failed(&error))),
    }
}

fn failed(error: &watcher::Error) -> ApiError {
    match error {
        watcher::Error::InitialListFailed(error)
        | watcher::Error::WatchStartFailed(error)
        | watcher::Error::WatchFailed(error) => not_answered(error),
        watcher::Error::WatchError(status) => {
            ApiError::from_status(status.code, &status.reason, &status.message, None)
        }
        watcher::Error::NoResourceVersion => ApiError::Malformed { message: innermost(error) },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::ObjectKey;

    #[test]
    fn a_list_arrives_as_a_whole() {
        let object = |name: &str| Kind::DEPLOYMENT.object(&ObjectKey::new("ns", name));
        let mut collected = Vec::new();
        let mut next = |event| translate(Kind::DEPLOYMENT, &mut collected, Ok(event));
        assert!(next(Event::Init).is_none());
        assert!(next(Event::InitApply(object("a"))).is_none());
        // The list breaks off and begins again: what came before must not be in it twice.
        assert!(next(Event::Init).is_none());
        assert!(next(Event::InitApply(object("a"))).is_none());
        assert!(next(Event::InitApply(object("b"))).is_none());
        let Some(WatchEvent::Restarted(all)) = next(Event::InitDone) else { panic!("the list is complete") };
        assert_eq!(all.len(), 2);
        assert!(matches!(next(Event::Apply(object("c"))), Some(WatchEvent::Applied(_))));
        assert!(matches!(next(Event::Delete(object("c"))), Some(WatchEvent::Deleted(_))));
    }

    #[test]
    fn failures_say_what_the_api_server_said() {
        let status = kube::core::Status::failure("flinkdeployments is forbidden", "Forbidden").with_code(403);
        let event = Err(watcher::Error::InitialListFailed(kube::Error::Api(status.boxed())));
        let Some(WatchEvent::Failed(error)) = translate(Kind::FLINK_DEPLOYMENT, &mut Vec::new(), event)
        else {
            panic!("a failure");
        };
        assert_eq!(error, ApiError::Forbidden { message: "flinkdeployments is forbidden".to_owned() });
    }
}
