//! Watches of an operator, which may lag behind, lose, repeat or swap events.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use engine::ports::{Clock, Kind, KubernetesApi, Scope, WatchEvent};
use futures::Stream;
use futures::stream::BoxStream;

use crate::fault::Fault;
use crate::stage::Stage;

/// After a lost event the watch begins again: connections do not last for ever.
const BEGINS_AGAIN: Duration = Duration::from_secs(30);
/// How long an event waits for a later one that is told before it.
const SWAP: Duration = Duration::from_secs(10);

pub(crate) struct Watching {
    stage: Stage,
    kind: Kind,
    scope: Scope,
    inner: BoxStream<'static, WatchEvent>,
    /// Events that are known here and not told yet.
    held: VecDeque<WatchEvent>,
    /// When everything is listed again.
    again: Option<Duration>,
    /// An event that waits until the next one is told, or until that moment.
    swapped: Option<(WatchEvent, Duration)>,
}

impl Watching {
    pub(crate) fn new(stage: Stage, kind: Kind, scope: Scope) -> Self {
        let past = stage.rewind().map(|versions| stage.server.version().saturating_sub(u64::from(versions)));
        let inner = match past {
            Some(version) => stage.server.watch_from(kind, &scope, version),
            None => stage.server.watch(kind, &scope),
        };
        Self { stage, kind, scope, inner, held: VecDeque::new(), again: None, swapped: None }
    }

    fn everything(&self) -> WatchEvent {
        let all = self.stage.server.list_at(self.kind, &self.scope, self.stage.server.version());
        WatchEvent::Restarted(all.unwrap_or_default())
    }

    fn is_told_too_early(&self, event: &WatchEvent) -> bool {
        let version = match event {
            WatchEvent::Applied(object) | WatchEvent::Deleted(object) => &object.metadata.resource_version,
            WatchEvent::Restarted(_) | WatchEvent::Failed(_) => return false,
        };
        let version = version.as_ref().and_then(|version| version.parse().ok()).unwrap_or_default();
        !self.stage.may_tell(version)
    }
}

impl Stream for Watching {
    type Item = WatchEvent;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<WatchEvent>> {
        while let Poll::Ready(Some(event)) = self.inner.as_mut().poll_next(context) {
            self.held.push_back(event);
        }
        let now = self.stage.clock.monotonic();
        if self.again.is_some_and(|again| again <= now) {
            self.again = None;
            self.held.clear();
            self.swapped = None;
            return Poll::Ready(Some(self.everything()));
        }
        let is_next = self.held.front().is_some_and(|event| !self.is_told_too_early(event));
        if !is_next {
            let due = self.swapped.as_ref().is_some_and(|(_, until)| *until <= now);
            return match self.swapped.take_if(|_| due) {
                Some((event, _)) => Poll::Ready(Some(event)),
                None => Poll::Pending,
            };
        }
        let Some(event) = self.held.pop_front() else { return Poll::Pending };
        if matches!(event, WatchEvent::Restarted(_) | WatchEvent::Failed(_)) {
            return Poll::Ready(Some(event));
        }
        if let Some((earlier, _)) = self.swapped.take() {
            self.held.push_front(earlier);
            return Poll::Ready(Some(event));
        }
        match self.stage.next_event() {
            Some(Fault::EventLost) => {
                let again = now.saturating_add(BEGINS_AGAIN);
                self.again = Some(again);
                self.stage.set_alarm(again);
                context.waker().wake_by_ref();
                self.poll_next(context)
            }
            Some(Fault::EventTwice) => {
                self.held.push_front(event.clone());
                Poll::Ready(Some(event))
            }
            Some(Fault::EventSwapped) => {
                let until = now.saturating_add(SWAP);
                self.swapped = Some((event, until));
                self.stage.set_alarm(until);
                self.poll_next(context)
            }
            Some(_) | None => Poll::Ready(Some(event)),
        }
    }
}
