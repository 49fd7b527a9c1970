//! How far a resource came.

use golden::Case;
use lifecycle::EventRecord;
use lifecycle::EventType;
use lifecycle::validate::Violation;
use serde_json::Value;

/// What a user sees of a resource at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// Accepted.
    Accepted,
    /// Refused by the schema, with the API server's message.
    Schema(String),
    /// `status.error` (its type and message), and the texts of Warning Events.
    Refused { class: String, message: String, warnings: Vec<String> },
    /// Warning Events only.
    Warned { warnings: Vec<String> },
}

impl Stage {
    /// From `status.error` and Warning Events as `reason/component: message`.
    fn new(error: Option<&str>, mut warnings: Vec<String>) -> Self {
        warnings.sort_unstable();
        let error: Option<Value> = error.map(|error| serde_json::from_str(error).unwrap_or_default());
        match error {
            Some(error) => {
                let part = |field: &str| error[field].as_str().unwrap_or_default().to_owned();
                Self::Refused { class: part("type"), message: part("message"), warnings }
            }
            None if warnings.is_empty() => Self::Accepted,
            None => Self::Warned { warnings },
        }
    }

    /// What was recorded of a resource; `moment` is `afterFirstReconcile` or `afterUpdate`. The Warning Events of a
    /// case with an update belong to its end.
    pub(super) fn recorded(case: &Case, moment: &str, name: &str) -> Self {
        if let Some(message) = case.status["apiRejected"][name]["message"].as_str() {
            return Self::Schema(message.to_owned());
        }
        let events = case.status["events"].as_array().into_iter().flatten();
        let warnings = events.filter(|event| event["object"] == *name && event["type"] == "Warning");
        let at_the_end = case.update.is_empty() || moment == "afterUpdate";
        let warnings = warnings.filter(|_| at_the_end).map(|event| {
            let part = |field: &str| event[field].as_str().unwrap_or_default();
            format!("{}/{}: {}", part("reason"), part("component"), part("message"))
        });
        Self::new(case.status[moment][name]["error"].as_str(), warnings.collect())
    }

    /// What a status and Events of ours say.
    pub(super) fn ours(error: Option<&str>, events: &[EventRecord]) -> Self {
        let warnings = events.iter().filter(|event| event.event_type == EventType::Warning);
        let warnings =
            warnings.map(|event| format!("{}/{}: {}", event.reason, event.component.as_str(), event.message));
        Self::new(error, warnings.collect())
    }

    /// A Warning Event of the operator.
    pub(super) fn warned(reason: &str, message: &str) -> Self {
        Self::Warned { warnings: vec![format!("{reason}/Operator: {message}")] }
    }

    /// The first violation, in status and Event.
    pub(super) fn violated(violations: &[Violation]) -> Self {
        match lifecycle::validate::status_message(violations) {
            None => Self::Accepted,
            Some(message) => Self::Refused {
                class: api::error::types::VALIDATION.to_owned(),
                message: message.to_owned(),
                warnings: vec![format!("ValidationError/Operator: {message}")],
            },
        }
    }
}
