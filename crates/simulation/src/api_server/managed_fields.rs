//! Which fields the operator has set (`metadata.managedFields`), of the one kind of which it looks at that.
//!
//! Simplified: a field that somebody else writes is not the operator's any more, also if it stays the same.

use engine::ports::{FIELD_MANAGER, Kind};
use serde_json::{Map, Value, json};

/// Who writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Writer {
    Operator,
    Other,
}

/// Notes that `part` was merged into `object`.
pub(super) fn note(kind: Kind, object: &mut Value, part: &Value, writer: Writer) {
    if kind != Kind::INGRESS {
        return;
    }
    let mut fields = object.pointer("/metadata/managedFields/0/fieldsV1").cloned().unwrap_or_default();
    for name in ["metadata", "spec"] {
        if let Some(part) = part.get(name) {
            take(&mut fields, &json!({ name: part }), writer);
        }
    }
    object["metadata"]["managedFields"] = json!([{"manager": FIELD_MANAGER, "operation": "Update", "fieldsType": "FieldsV1", "fieldsV1": fields}]);
}

fn take(fields: &mut Value, part: &Value, writer: Writer) {
    if !fields.is_object() {
        *fields = Value::Object(Map::new());
    }
    let Value::Object(fields) = fields else { return };
    for (name, value) in part.as_object().into_iter().flatten() {
        let name = format!("f:{name}");
        match (value, writer) {
            (Value::Object(_), _) => take(fields.entry(name).or_insert(Value::Null), value, writer),
            (Value::Null, _) | (_, Writer::Other) => drop(fields.remove(&name)),
            (_, Writer::Operator) => drop(fields.insert(name, json!({}))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_whose_who_wrote_them_last() {
        let mut object = json!({"metadata": {"name": "a"}});
        let fields = |object: &Value| object["metadata"]["managedFields"][0]["fieldsV1"].clone();
        let ours = json!({"metadata": {"labels": {"a": "1", "b": "2"}}, "spec": {"rules": []}});
        note(Kind::INGRESS, &mut object, &ours, Writer::Operator);
        let labels = json!({"f:a": {}, "f:b": {}});
        assert_eq!(fields(&object), json!({"f:metadata": {"f:labels": labels}, "f:spec": {"f:rules": {}}}));
        note(Kind::INGRESS, &mut object, &json!({"metadata": {"labels": {"a": "9"}}}), Writer::Other);
        note(Kind::INGRESS, &mut object, &json!({"spec": {"rules": null}}), Writer::Operator);
        assert_eq!(fields(&object), json!({"f:metadata": {"f:labels": {"f:b": {}}}, "f:spec": {}}));
        let mut map = json!({"metadata": {"name": "a"}});
        note(Kind::CONFIG_MAP, &mut map, &ours, Writer::Operator);
        assert_eq!(map, json!({"metadata": {"name": "a"}}));
    }
}
