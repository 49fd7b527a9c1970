//! Every rule: what passes and what does not.

mod autoscaler;
mod deployment;
mod hosts;
mod jar_uri;
mod properties;
mod resource_amounts;
mod session_job;
mod snapshot;

use flink_conf::FlinkConf;
use serde_json::Value;

use super::{Rule, Violation, report, status_message};

/// Options in which nothing is wrong and that give no memory.
fn conf(options: &[(&str, &str)]) -> FlinkConf {
    options.iter().copied().collect()
}

/// `value` with the fields of `over` (RFC 7396: null removes).
fn with(mut value: Value, over: Value) -> Value {
    match over {
        Value::Object(fields) if value.is_object() => {
            for (key, over) in fields {
                let old = value[&key].take();
                value[&key] = with(old, over);
            }
            value
        }
        over => over,
    }
}

fn rules(violations: &[Violation]) -> Vec<Rule> {
    violations.iter().map(|violation| violation.rule).collect()
}

#[test]
fn the_first_violation_is_shown_and_all_are_reported() {
    let violation = |rule, message: &str, remedy: &str| Violation {
        rule,
        message: message.to_owned(),
        remedy: remedy.to_owned(),
    };
    let both = [
        violation(Rule::Parallelism, "Too narrow", "Widen it."),
        violation(Rule::MemoryMissing, "No memory.", "Add some."),
    ];
    assert_eq!(status_message(&both), Some("Too narrow"));
    assert_eq!(report(&both), "Too narrow. Widen it.\nNo memory. Add some.");
    assert_eq!((status_message(&[]), report(&[])), (None, String::new()));
}
