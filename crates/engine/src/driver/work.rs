//! One pass and one poll, as tasks that nothing can break.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures::FutureExt;
use lifecycle::{Component, EventRecord, Reason};
use tokio::sync::Notify;
use tracing::Instrument;

use crate::caches::ResourceId;
use crate::control::{Control, Reconciler};
use crate::poller::DuePoll;
use crate::queue::Outcome;
use crate::resource::Resource;

/// A pass over one resource. A panic in it is a failure like any other: counted, told, and tried again later.
pub(super) async fn reconcile(
    control: Arc<Control>,
    reconciler: Option<Arc<dyn Reconciler>>,
    resource: ResourceId,
) {
    let Some(reconciler) = reconciler else {
        tracing::error!(%resource, "there is no reconciler for this kind");
        return control.finish(&resource, Outcome::Gone);
    };
    let span = tracing::info_span!(
        "reconcile",
        kind = %resource.kind,
        namespace = %resource.key.namespace,
        name = %resource.key.name
    );
    let pass = async {
        let clock = &control.engine().clock;
        let begin = clock.monotonic();
        let outcome = AssertUnwindSafe(reconciler.reconcile(&resource.key)).catch_unwind().await;
        let time = clock.monotonic().saturating_sub(begin);
        let (outcome, result) = match outcome {
            Ok(outcome) => (outcome, result(outcome)),
            Err(panic) => {
                let text = text_of(panic);
                tell_panic(&control, &resource, &text).await;
                (Outcome::Failed, "panicked")
            }
        };
        control.engine().metrics.reconciled(resource.kind, result, time);
        outcome
    };
    let outcome = pass.instrument(span).await;
    control.finish(&resource, outcome);
}

fn result(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::After(_) | Outcome::OnChange => "ok",
        Outcome::Failed => "failed",
        Outcome::Gone => "gone",
    }
}

fn text_of(panic: Box<dyn Any + Send>) -> String {
    match panic.downcast::<String>() {
        Ok(text) => *text,
        Err(panic) => panic.downcast_ref::<&str>().map_or("no message", |text| text).to_owned(),
    }
}

async fn tell_panic(control: &Control, resource: &ResourceId, text: &str) {
    tracing::error!(%resource, "a pass panicked: {text}");
    let engine = control.engine();
    let Some(state) = engine.caches.state(resource.kind, &resource.key) else { return };
    let message = format!("Internal error of the operator, the resource is tried again later: {text}");
    let event = EventRecord::warning(Reason::Error, Component::Operator, message);
    engine.events.record(&Resource::new(resource.kind, &state.metadata), &event).await;
}

/// A poll of one Flink cluster.
pub(super) async fn poll(control: Arc<Control>, news: Arc<Notify>, poll: DuePoll) {
    let resource = poll.key.clone();
    let polled = AssertUnwindSafe(control.engine().poller.poll_once(poll)).catch_unwind().await;
    match polled {
        Ok(false) => {}
        Ok(true) => {
            control.wake(&resource);
            news.notify_one();
        }
        Err(_) => tracing::error!(%resource, "a poll panicked"),
    }
}
