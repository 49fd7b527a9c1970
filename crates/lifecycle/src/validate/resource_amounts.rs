//! Memory, CPU and storage of JobManagers and TaskManagers.
//!
//! Upstream: `DefaultValidator.validateResources`, `.validateResourceRequirements`, and `ResourceConfigUtils`.
//! Memory is read as Flink reads it (`2048m` is 2048 MiB), everything else as Kubernetes does.

use api::{Resource, ResourceRequirements};
use flink_conf::{ConfError, MemorySize, Quantity};
use serde_json::Value;

use super::{Findings, Rule};

const CPU: &str = "cpu";
const MEMORY: &str = "memory";

/// JobManager or TaskManager, as the spec describes its resources.
pub(super) struct Component<'a> {
    /// As messages name it.
    pub(super) name: &'static str,
    /// Its field of the spec.
    pub(super) field: &'static str,
    pub(super) resource: Option<&'a Resource>,
    pub(super) resources: Option<&'a ResourceRequirements>,
}

impl Component<'_> {
    /// D18 to D20. `memory_error` asks whether Flink could derive the memory of the process from options alone.
    pub(super) fn check(&self, memory_error: impl FnOnce() -> Option<ConfError>, findings: &mut Findings) {
        if !self.defines_memory()
            && let Some(error) = memory_error()
        {
            findings.add(
                Rule::MemoryMissing,
                format!(
                    "{} resource memory must be defined using `spec.{field}.resource.memory` or \
                     `spec.{field}.resources.requests.memory`",
                    self.name,
                    field = self.field
                ),
                format!("Set one of them. Flink cannot derive it from its options: {error}"),
            );
        }
        if let Some(resource) = self.resource {
            self.check_resource(resource, findings);
        }
        if let Some(resources) = self.resources {
            self.check_requirements(resources, findings);
        }
    }

    fn defines_memory(&self) -> bool {
        let field = self.resource.and_then(|resource| resource.memory.as_deref());
        field.is_some_and(|memory| !memory.trim().is_empty())
            || self.resources.is_some_and(|resources| {
                resources.request(MEMORY).or_else(|| resources.limit(MEMORY)).is_some()
            })
    }

    /// D19. CPU is never looked at.
    fn check_resource(&self, resource: &Resource, findings: &mut Findings) {
        let name = self.name;
        if let Some(Err(reason)) = resource.memory.as_deref().map(memory) {
            let message = format!("{name} resource memory parse error: {reason}");
            findings.add(
                Rule::ResourceAmount,
                message,
                format!("Write {}.", flink_conf::memory_size::FIELD_ACCEPTED),
            );
        }
        if let Some(Err(reason)) = resource.ephemeral_storage.as_deref().map(quantity) {
            let message = format!("{name} resource ephemeral storage parse error: {reason}");
            findings.add(Rule::ResourceAmount, message, "Write a Kubernetes quantity, such as 5Gi.");
        }
    }

    /// D20: all errors in one message.
    fn check_requirements(&self, resources: &ResourceRequirements, findings: &mut Findings) {
        let mut errors = Vec::new();
        for (section, amounts) in [("requests", &resources.requests), ("limits", &resources.limits)] {
            for (name, amount) in amounts.iter().flatten() {
                if let Some(error) = amount_error(name, amount) {
                    errors.push(format!("{} resource requirements {section} {name} {error}", self.name));
                }
            }
        }
        for name in [CPU, MEMORY] {
            errors.extend(self.above_limit(name, resources));
        }
        if !errors.is_empty() {
            let remedy = "Memory is written as Flink or Kubernetes writes it (2048m, 2g, 2Gi), without fractions; a \
                          request may not exceed its limit.";
            findings.add(Rule::ResourceRequirements, errors.join("; "), remedy);
        }
    }

    /// Other amounts are not compared here; Kubernetes does it when the pod is created.
    fn above_limit(&self, name: &str, resources: &ResourceRequirements) -> Option<String> {
        let (request, limit) = (resources.request(name)?, resources.limit(name)?);
        let above = if name == MEMORY {
            memory(&request).ok()? > memory(&limit).ok()?
        } else {
            quantity(&request).ok()? > quantity(&limit).ok()?
        };
        above.then(|| {
            format!(
                "{} resource requirements {name} request ({request}) must not exceed its limit ({limit})",
                self.name
            )
        })
    }
}

/// What is wrong with an amount of `resources`, if anything is.
fn amount_error(name: &str, amount: &Value) -> Option<String> {
    let text = match amount {
        // A resource without an amount is as if it were not there.
        Value::Null => return None,
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let usable = match name {
        MEMORY => memory(&text).map(|size| size > MemorySize::ZERO),
        CPU => quantity(&text).map(Quantity::is_positive),
        _ => quantity(&text).map(|amount| !amount.is_negative()),
    };
    match usable {
        Ok(true) => None,
        Ok(false) if matches!(name, MEMORY | CPU) => Some(format!("must be positive: {text}")),
        Ok(false) => Some(format!("must not be negative: {text}")),
        Err(reason) => Some(format!("parse error: {reason}")),
    }
}

fn memory(text: &str) -> Result<MemorySize, String> {
    if let Some(field) = MemorySize::parse_field(text) {
        return Ok(field.size);
    }
    // Upstream looks at the text in upper case, and its message shows that.
    Err(foreign_character(&text.to_uppercase()).unwrap_or_else(|| {
        format!("'{text}' is not a whole number of bytes in a unit that Flink or Kubernetes knows")
    }))
}

fn quantity(text: &str) -> Result<Quantity, String> {
    // Kubernetes knows `k` and `Ki`, but no `K`.
    if !text.ends_with('K')
        && let Some(quantity) = Quantity::parse(text)
    {
        return Ok(quantity);
    }
    Err(foreign_character(text).unwrap_or_else(|| format!("'{text}' is not a Kubernetes quantity")))
}

/// The complaint about the first character before the unit that does not belong into a number.
fn foreign_character(text: &str) -> Option<String> {
    let number =
        text.split(['e', 'E', 'i', 'n', 'u', 'm', 'k', 'K', 'M', 'G', 'T', 'P']).next().unwrap_or_default();
    let unsigned = number.trim().strip_prefix(['+', '-']).unwrap_or(number.trim());
    let foreign = unsigned.chars().find(|c| !c.is_ascii_digit() && *c != '.')?;
    Some(format!(
        "Character {foreign} is neither a decimal digit number, decimal point, nor \"e\" notation exponential mark."
    ))
}
