//! Our objects against those recorded from the Java operator.

use golden::{Case, Comparison};
use serde_json::Value;

/// Every recorded case that the Java operator deploys has equal objects but for the listed differences. Cases that are
/// refused are compared where refusals are decided.
#[test]
fn objects_are_equal() {
    let Some(folder) = reference::folder("golden").unwrap() else { return };
    let (mut compared, mut with_task_managers) = (0, 0);
    let mut differing = Vec::new();
    for folder in golden::folders(&folder).unwrap() {
        let case = Case::read(&folder).unwrap();
        if case.name.starts_with("invalid-") {
            continue;
        }
        let task_managers = |object: &Value| object["metadata"]["labels"]["component"] == "taskmanager";
        with_task_managers += usize::from(case.objects.iter().any(task_managers));
        match golden::compare(&case, |_| false) {
            Comparison::Equal { .. } => compared += 1,
            Comparison::Differing { differences, .. } => {
                differing.push(format!("{}\n{}", case.name, differences.join("\n")));
            }
        }
    }
    assert!(
        differing.is_empty(),
        "{} of {}:\n{}",
        differing.len(),
        differing.len() + compared,
        differing.join("\n")
    );
    assert!(compared >= 50, "only {compared} cases: is the reference complete?");
    assert!(with_task_managers >= 11, "only {with_task_managers} standalone cases");
}
