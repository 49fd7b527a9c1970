//! Exceptions of a running job, as Events.

use jiff::Timestamp;

use super::pass::Pass;
use super::resource::JobResource;
use crate::event::{Component, EventRecord, Reason};
use crate::observed::JobException;

/// How far back an operator looks that does not know what was told before.
const LOOK_BACK_MILLIS: i64 = 30 * 60 * 1000;

/// From when on exceptions are told when it is not known which were told before, in milliseconds since 1970.
#[must_use]
pub fn look_back(now: Timestamp) -> i64 {
    now.as_millisecond() - LOOK_BACK_MILLIS
}

impl<R: JobResource> Pass<'_, R> {
    /// Exceptions that were not told yet, each as one Event with the first lines of its stack trace; as many as the
    /// settings allow in one pass. The oldest come first, so that the others are told in the next passes and none is
    /// lost.
    pub(crate) fn report_exceptions(&mut self, exceptions: &[JobException]) {
        let told = self.observed.exceptions_reported.unwrap_or_else(|| look_back(self.now()));
        let mut new: Vec<&JobException> = exceptions.iter().filter(|one| one.timestamp > told).collect();
        new.sort_by_key(|exception| exception.timestamp);
        // Those of the same moment stay together: the moment is all that is remembered.
        let limit = self.settings.exceptions_per_reconciliation.max(1);
        let newest = new.get(limit - 1).map(|exception| exception.timestamp);
        if let Some(newest) = newest {
            let all = new.len();
            new.retain(|exception| exception.timestamp <= newest);
            if new.len() < all {
                self.look_again(self.settings.progress_check_interval);
            }
        }
        for exception in new {
            let event = exception_event(exception, self.settings.exception_stacktrace_lines);
            self.event(event);
        }
    }
}

fn exception_event(exception: &JobException, lines: usize) -> EventRecord {
    let all: Vec<&str> = exception.stacktrace.lines().collect();
    let mut message = all.iter().take(lines).copied().collect::<Vec<_>>().join("\n");
    let rest = all.len().saturating_sub(lines);
    if rest > 0 {
        message = format!("{message}\n... ({rest} more lines)");
    }
    let mut annotations =
        vec![(EventRecord::EXCEPTION_TIMESTAMP.to_owned(), exception.timestamp.to_string())];
    let optional = [
        ("task-name", &exception.task_name),
        ("endpoint", &exception.endpoint),
        ("tm-id", &exception.task_manager_id),
    ];
    for (name, value) in optional {
        if let Some(value) = value {
            annotations.push((name.to_owned(), one_line(value)));
        }
    }
    for (name, value) in &exception.failure_labels {
        annotations.push((format!("failure-label-{name}"), one_line(value)));
    }
    let key = format!("jobmanager-exception-{:x}", java_hash(&message));
    let mut event = EventRecord::warning(Reason::JobException, Component::Job, message);
    event.key = Some(key);
    event.annotations = annotations;
    event
}

/// `String.hashCode` of Java: traces that are equal are one Event, of the same name as the Java operator's.
fn java_hash(text: &str) -> i32 {
    text.encode_utf16().fold(0_i32, |hash, unit| hash.wrapping_mul(31).wrapping_add(i32::from(unit)))
}

/// Annotation values without control characters.
fn one_line(text: &str) -> String {
    let text: String = text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect();
    text.trim().to_owned()
}
