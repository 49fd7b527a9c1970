//! Our objects of native clusters against those recorded from the Java operator.

use golden::{Case, Comparison};

/// Every recorded case that the Java operator deploys as a native cluster has equal objects but for the listed
/// differences. Cases that are refused are compared where refusals are decided.
#[test]
fn native_clusters_are_equal() {
    let Some(folder) = reference::folder("golden").unwrap() else { return };
    let mut compared = 0;
    let mut differing = Vec::new();
    for folder in golden::folders(&folder).unwrap() {
        let case = Case::read(&folder).unwrap();
        if case.name.starts_with("invalid-") || case.is_standalone() {
            continue;
        }
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
    assert!(compared >= 40, "only {compared} cases: is the reference complete?");
}
