//! Laws of merging that hold for all templates, and the surprises that users' templates rely on.

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::{ArrayMerge, merge};

const BOTH: [ArrayMerge; 2] = [ArrayMerge::ByPosition, ArrayMerge::ByName];

fn merged(base: Value, over: Value, arrays: ArrayMerge) -> Value {
    merge(Some(base), Some(over), arrays).unwrap()
}

/// Trees of the shape of templates: a field has the same kind of value on both sides, as Kubernetes' types have it.
fn template() -> impl Strategy<Value = Value> {
    let map = |prefix: &'static str| {
        prop::collection::btree_map("[a-c]", "[x-z]", 0..3).prop_map(move |map| {
            Value::Object(
                map.into_iter().map(|(key, value)| (format!("{prefix}{key}"), json!(value))).collect(),
            )
        })
    };
    let variable = ("[A-D]", "[0-9]").prop_map(|(name, value)| json!({"name": name, "value": value}));
    let container = ("[m-p]", prop::option::of("[i-k]"), prop::collection::vec(variable, 0..4)).prop_map(
        |(name, image, env)| {
            let mut container = json!({"name": name, "env": env, "args": ["fixed"]});
            if let Some(image) = image {
                container["image"] = json!(image);
            }
            container
        },
    );
    (map("l"), map("n"), prop::collection::vec(container, 0..4)).prop_map(|(labels, selector, containers)| {
        json!({"metadata": {"labels": labels}, "spec": {"nodeSelector": selector, "containers": containers}})
    })
}

/// The same, with names that occur once in each list: what Kubernetes accepts.
fn unique(template: Value) -> Value {
    match template {
        Value::Object(fields) => Value::Object(fields.into_iter().map(|(k, v)| (k, unique(v))).collect()),
        Value::Array(elements) => {
            let mut by_name = Map::new();
            for element in elements {
                let name = element["name"].as_str().unwrap_or_default().to_owned();
                by_name.insert(name, unique(element));
            }
            Value::Array(by_name.into_iter().map(|(_, element)| element).collect())
        }
        other => other,
    }
}

fn names(value: &Value) -> Vec<String> {
    let elements = value.as_array().into_iter().flatten();
    elements.map(|element| element["name"].as_str().unwrap_or_default().to_owned()).collect()
}

proptest! {
    #[test]
    fn nothing_changes_nothing(template in template()) {
        for arrays in BOTH {
            prop_assert_eq!(merge(Some(template.clone()), None, arrays), Some(template.clone()));
            prop_assert_eq!(merge(None, Some(template.clone()), arrays), Some(template.clone()));
            prop_assert_eq!(merged(template.clone(), json!({}), arrays), template.clone());
        }
    }

    #[test]
    fn a_template_over_itself_is_itself(template in template()) {
        let template = unique(template);
        for arrays in BOTH {
            prop_assert_eq!(merged(template.clone(), template.clone(), arrays), template.clone());
        }
    }

    #[test]
    fn merging_twice_is_merging_once(base in template(), over in template()) {
        let (base, over) = (unique(base), unique(over));
        for arrays in BOTH {
            let once = merged(base.clone(), over.clone(), arrays);
            prop_assert_eq!(merged(once.clone(), over.clone(), arrays), once);
        }
    }

    #[test]
    fn every_label_of_both_is_there_and_over_wins(base in template(), over in template()) {
        for arrays in BOTH {
            let result = merged(base.clone(), over.clone(), arrays);
            for (template, wins) in [(&base, false), (&over, true)] {
                for (label, value) in template["metadata"]["labels"].as_object().unwrap() {
                    let found = &result["metadata"]["labels"][label];
                    let expected = if wins { value } else { over["metadata"]["labels"].get(label).unwrap_or(value) };
                    prop_assert_eq!(found, expected);
                }
            }
        }
    }

    #[test]
    fn by_position_the_longer_list_sets_the_length(base in template(), over in template()) {
        let length = |template: &Value| template["spec"]["containers"].as_array().unwrap().len();
        let result = merged(base.clone(), over.clone(), ArrayMerge::ByPosition);
        prop_assert_eq!(length(&result), length(&base).max(length(&over)));
        // A name that over gives wins, at its place.
        for (index, container) in over["spec"]["containers"].as_array().unwrap().iter().enumerate() {
            prop_assert_eq!(&result["spec"]["containers"][index]["name"], &container["name"]);
        }
    }

    #[test]
    fn by_name_the_base_sets_the_order_and_no_name_is_lost(base in template(), over in template()) {
        let (base, over) = (unique(base), unique(over));
        let result = merged(base.clone(), over.clone(), ArrayMerge::ByName);
        let mut expected = names(&base["spec"]["containers"]);
        let new: Vec<String> =
            names(&over["spec"]["containers"]).into_iter().filter(|name| !expected.contains(name)).collect();
        expected.extend(new);
        prop_assert_eq!(names(&result["spec"]["containers"]), expected);
    }

    #[test]
    fn lists_of_scalars_stay_as_the_base_has_them(base in template(), over in template()) {
        for arrays in BOTH {
            let result = merged(base.clone(), over.clone(), arrays);
            for container in result["spec"]["containers"].as_array().unwrap() {
                prop_assert_eq!(&container["args"], &json!(["fixed"]));
            }
        }
    }
}

#[test]
fn by_position_a_sidecar_is_merged_into_the_main_container() {
    let base = json!({"spec": {"containers": [{"name": "flink-main-container", "env": [{"name": "A"}]}]}});
    let over = json!({"spec": {"containers": [{"name": "sidecar", "image": "i"}]}});
    let expected =
        json!({"spec": {"containers": [{"name": "sidecar", "env": [{"name": "A"}], "image": "i"}]}});
    assert_eq!(merged(base, over, ArrayMerge::ByPosition), expected);
}

#[test]
fn scalars_in_lists_of_the_base_win_and_surplus_ones_are_appended() {
    let base = json!({"args": ["a"]});
    let over = json!({"args": ["b", "c"]});
    for arrays in BOTH {
        assert_eq!(merged(base.clone(), over.clone(), arrays), json!({"args": ["a", "c"]}));
    }
}

#[test]
fn one_element_without_a_name_makes_the_whole_list_positional() {
    let base = json!({"l": [{"name": "a", "x": 1}, {"y": 2}]});
    let over = json!({"l": [{"name": "b"}]});
    assert_eq!(merged(base, over, ArrayMerge::ByName), json!({"l": [{"name": "b", "x": 1}, {"y": 2}]}));
}

#[test]
fn lists_without_names_below_named_elements_are_positional() {
    let base = json!({"l": [{"name": "a", "m": [{"mountPath": "/1", "name": "v"}, {"mountPath": "/2"}]}]});
    let over = json!({"l": [{"name": "a", "m": [{"mountPath": "/3"}]}]});
    let expected =
        json!({"l": [{"name": "a", "m": [{"mountPath": "/3", "name": "v"}, {"mountPath": "/2"}]}]});
    assert_eq!(merged(base, over, ArrayMerge::ByName), expected);
}

#[test]
fn an_object_is_never_replaced_by_a_scalar() {
    let merged = merged(json!({"a": {"b": 1}}), json!({"a": 2}), ArrayMerge::ByPosition);
    assert_eq!(merged, json!({"a": {"b": 1}}));
}
