//! Names of Event objects, as the Java operator makes them: both operators count the same event in the same object.

use lifecycle::EventRecord;

use crate::ports::Kind;

/// Name of the Event object: `<component>.<number>`, where the number is Java's hash of what makes two events the same
/// (`EventUtils.generateEventName`).
#[must_use]
pub fn event_name(record: &EventRecord, kind: Kind, name: &str, uid: &str) -> String {
    let identity = record.key.as_deref().unwrap_or(&record.message);
    let text = [record.reason.as_str(), identity, record.event_type.as_str(), kind.name, name, uid].concat();
    format!("{}.{}", record.component.as_str(), java_hash(&text) & i32::MAX)
}

/// `String.hashCode` of Java.
fn java_hash(text: &str) -> i32 {
    text.encode_utf16().fold(0_i32, |hash, unit| hash.wrapping_mul(31).wrapping_add(i32::from(unit)))
}

#[cfg(test)]
mod tests {
    use lifecycle::{Component, Reason};

    use super::*;

    #[test]
    fn the_hash_is_javas() {
        assert_eq!(java_hash(""), 0);
        assert_eq!(java_hash("hello"), 99_162_322);
        assert_eq!(java_hash("polygenelubricants"), i32::MIN);
        // Characters beyond the first plane count as two UTF-16 units.
        assert_eq!(java_hash("😀"), 55_357 * 31 + 56_832);
    }

    #[test]
    fn the_name_has_no_sign_and_depends_on_the_key_rather_than_on_the_message() {
        let record =
            |message: &str| EventRecord::normal(Reason::Submit, Component::JobManagerDeployment, message);
        let name = |record: &EventRecord| event_name(record, Kind::FLINK_DEPLOYMENT, "app", "uid");
        let hash = java_hash("SubmitStarting deploymentNormalFlinkDeploymentappuid") & i32::MAX;
        assert_eq!(name(&record("Starting deployment")), format!("JobManagerDeployment.{hash}"));
        assert_ne!(name(&record("one")), name(&record("two")));
        assert_eq!(name(&record("one").once("key")), name(&record("two").once("key")));
        for number in 0..500 {
            let name = name(&record(&number.to_string()));
            let digits = name.strip_prefix("JobManagerDeployment.").unwrap();
            assert!(digits.bytes().all(|byte| byte.is_ascii_digit()), "{name}");
        }
    }

    /// Names that the Java operator gave to three Events of one object. Its uid is not in the recording, but it adds
    /// the same to each hash, so the differences must be the same with any uid of that length.
    #[test]
    fn names_differ_as_those_of_the_java_operator() {
        let recorded = [
            (
                EventRecord::normal(Reason::Submit, Component::JobManagerDeployment, "Starting deployment"),
                69_854_137_i64,
            ),
            (
                EventRecord::normal(
                    Reason::JobStatusChanged,
                    Component::Job,
                    "Job status changed from RECONCILING to RUNNING",
                ),
                332_887_359,
            ),
            (
                EventRecord::normal(Reason::Cleanup, Component::Operator, "Cleaning up FlinkDeployment"),
                590_757_231,
            ),
        ];
        let uid = "00000000-0000-0000-0000-000000000000";
        let ours = recorded.clone().map(|(record, _)| {
            let name = event_name(&record, Kind::FLINK_DEPLOYMENT, "app", uid);
            name.split_once('.').unwrap().1.parse::<i64>().unwrap()
        });
        let modulus = 1_i64 << 31;
        for index in 1..recorded.len() {
            assert_eq!(
                (ours[index] - ours[0]).rem_euclid(modulus),
                (recorded[index].1 - recorded[0].1).rem_euclid(modulus)
            );
        }
    }
}
