//! CPU and memory of the main container.

use flink_conf::java_text;
use serde_json::{Map, Value};

use crate::pod_template::object_field;

/// Requests, and how much more the limits allow.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct ContainerResources {
    /// In cores.
    pub(crate) cpu: f64,
    /// Limit divided by request, at least 1.
    pub(crate) cpu_limit_factor: f64,
    /// Total process memory in MiB.
    pub(crate) memory_mebibytes: i32,
    /// Limit divided by request, at least 1.
    pub(crate) memory_limit_factor: f64,
}

impl ContainerResources {
    /// Writes CPU and memory over what the container has; its other resources (GPUs, ephemeral storage) stay.
    pub(crate) fn write_to(self, container: &mut Map<String, Value>) {
        let resources = object_field(container, "resources");
        let requests = object_field(resources, "requests");
        requests.insert("cpu".to_owned(), Value::String(java_text::double(self.cpu)));
        requests.insert("memory".to_owned(), mebibytes(self.memory_mebibytes));
        let limits = object_field(resources, "limits");
        limits.insert("cpu".to_owned(), Value::String(java_text::double(self.cpu * self.cpu_limit_factor)));
        limits.insert("memory".to_owned(), mebibytes(self.memory_limit()));
    }

    /// Truncated, and at most 2³¹−1, as Java's cast does it.
    #[expect(clippy::cast_possible_truncation, reason = "truncation and saturation are the rule")]
    fn memory_limit(self) -> i32 {
        (f64::from(self.memory_mebibytes) * self.memory_limit_factor) as i32
    }
}

fn mebibytes(mebibytes: i32) -> Value {
    Value::String(format!("{mebibytes}Mi"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::ContainerResources;

    #[test]
    fn limits_are_truncated_products() {
        let mut container =
            json!({"resources": {"limits": {"nvidia.com/gpu": "1"}, "requests": {"cpu": "9"}}});
        let resources = ContainerResources {
            cpu: 0.3,
            cpu_limit_factor: 1.5,
            memory_mebibytes: 1001,
            memory_limit_factor: 1.25,
        };
        resources.write_to(container.as_object_mut().unwrap());
        assert_eq!(
            container["resources"],
            json!({
                "limits": {"nvidia.com/gpu": "1", "cpu": "0.44999999999999996", "memory": "1251Mi"},
                "requests": {"cpu": "0.3", "memory": "1001Mi"},
            })
        );
        let absurd = ContainerResources { memory_limit_factor: 1.9e9, ..resources };
        assert_eq!(absurd.memory_limit(), i32::MAX);
    }
}
