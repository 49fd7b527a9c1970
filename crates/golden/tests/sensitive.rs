//! The comparison sees every difference: whatever is taken out of a recording, added to it or changed in it makes the
//! case differ.

#![allow(clippy::unwrap_used, reason = "a test may fail that way")]

use golden::{Case, Comparison, compare};
use serde_json::{Value, json};

/// Cases that together have every kind of object and every listed difference.
const CASES: [&str; 7] = [
    "flink-configuration-nested-v2",
    "ingress-tls-labels-session",
    "kubernetes-options-misc",
    "kubernetes-options-native",
    "kubernetes-options-standalone",
    "pod-template-security-and-command",
    "rest-loadbalancer-ports",
];

fn cases() -> Vec<Case> {
    let Some(folder) = reference::folder("golden").unwrap() else { return Vec::new() };
    CASES.iter().map(|name| Case::read(&folder.join(name)).unwrap()).collect()
}

fn differs(case: &Case) -> bool {
    matches!(compare(case, |_| false), Comparison::Differing { .. })
}

/// Paths of everything below a value that has nothing below it.
fn leaves(value: &Value, path: &str, found: &mut Vec<String>) {
    let below: Vec<(String, &Value)> = match value {
        Value::Object(fields) if !fields.is_empty() => {
            fields.iter().map(|(field, value)| (field.replace('~', "~0").replace('/', "~1"), value)).collect()
        }
        Value::Array(elements) if !elements.is_empty() => {
            elements.iter().enumerate().map(|(index, value)| (index.to_string(), value)).collect()
        }
        _ => return found.push(path.to_owned()),
    };
    for (field, value) in below {
        leaves(value, &format!("{path}/{field}"), found);
    }
}

fn remove(root: &mut Value, path: &str) {
    let (parent, last) = path.rsplit_once('/').unwrap();
    match root.pointer_mut(parent).unwrap() {
        Value::Object(fields) => drop(fields.remove(&last.replace("~1", "/").replace("~0", "~"))),
        Value::Array(elements) => drop(elements.remove(last.parse().unwrap())),
        _ => unreachable!("a path leads through objects and lists"),
    }
}

/// Parts of recordings that are taken out because a listed difference says so.
fn is_listed(object: &Value, path: &str) -> bool {
    let is_autoscaler = object["metadata"]["labels"]["component"] == "autoscaler";
    let hosts_probe = object.pointer("/spec/template/spec/hostNetwork") == Some(&json!(true))
        && path.contains("/startupProbe/");
    is_autoscaler || hosts_probe
}

#[test]
fn untouched_cases_are_equal() {
    for case in cases() {
        assert!(!differs(&case), "{}", case.name);
    }
}

#[test]
fn every_recorded_field_counts() {
    let mut tried = 0;
    for case in cases() {
        for (index, object) in case.objects.iter().enumerate() {
            let mut paths = Vec::new();
            leaves(object, "", &mut paths);
            for path in paths.iter().filter(|path| !is_listed(object, path)) {
                let mut changed = case.clone();
                remove(&mut changed.objects[index], path);
                assert!(differs(&changed), "{}: {path} of {} was taken away", case.name, object["kind"]);
                tried += 1;
            }
        }
    }
    assert!(tried > 300 || cases().is_empty(), "{tried}");
}

#[test]
fn every_changed_value_counts() {
    for case in cases() {
        for (index, object) in case.objects.iter().enumerate() {
            let mut paths = Vec::new();
            leaves(object, "", &mut paths);
            for path in paths.iter().filter(|path| !is_listed(object, path)) {
                let mut changed = case.clone();
                let value = changed.objects[index].pointer_mut(path).unwrap();
                *value = match &*value {
                    Value::String(text) => json!(format!("{text}x.other: y")),
                    Value::Number(_) => json!(77_777),
                    Value::Bool(flag) => json!(!flag),
                    _ => json!("other"),
                };
                assert!(differs(&changed), "{}: {path} of {} was changed", case.name, object["kind"]);
            }
        }
    }
}

#[test]
fn every_line_of_the_configuration_counts() {
    for case in cases() {
        for (index, object) in case.objects.iter().enumerate() {
            let Some(text) = object["data"]["flink-conf.yaml"].as_str() else { continue };
            let lines: Vec<&str> = text.lines().collect();
            for (number, line) in lines.iter().enumerate() {
                if line.starts_with("kubernetes.pod-template-file.") {
                    continue;
                }
                let mut kept = lines.clone();
                kept.remove(number);
                let mut changed = case.clone();
                changed.objects[index]["data"]["flink-conf.yaml"] = json!(kept.join("\n") + "\n");
                assert!(differs(&changed), "{}: without {line}", case.name);
            }
        }
    }
}

#[test]
fn every_setting_of_the_default_log_file_counts() {
    for mut case in cases().into_iter().filter(|case| case.name == "kubernetes-options-native") {
        let position =
            case.objects.iter().position(|it| it["metadata"]["name"] == "flink-config-my-app").unwrap();
        let data = &mut case.objects[position]["data"]["log4j-console.properties"];
        let text = data
            .as_str()
            .unwrap()
            .replace("appender.rolling.strategy.max = 10", "appender.rolling.strategy.max = 9");
        *data = json!(text);
        assert!(differs(&case));
    }
}

#[test]
fn objects_that_are_missing_or_too_many_count() {
    for case in cases() {
        for index in 0..case.objects.len() {
            if is_listed(&case.objects[index], "") {
                continue;
            }
            let mut fewer = case.clone();
            fewer.objects.remove(index);
            assert!(differs(&fewer), "{}: without object {index}", case.name);
            let mut more = case.clone();
            let mut copy = case.objects[index].clone();
            copy["metadata"]["name"] = json!("another");
            more.objects.push(copy);
            assert!(differs(&more), "{}: object {index} twice", case.name);
        }
    }
}
