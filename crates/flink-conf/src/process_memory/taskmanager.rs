//! Memory of a TaskManager (`TaskExecutorProcessUtils`, `TaskExecutorFlinkMemoryUtils`).

use super::{JvmMemory, JvmOptions, Range, Reader, with_legacy_heap};
use crate::conf::FlinkConf;
use crate::error::ConfError;
use crate::memory_size::MemorySize;
use crate::option::Key;

const JVM: JvmOptions = JvmOptions {
    process: Key::new("taskmanager.memory.process.size"),
    flink: Key::new("taskmanager.memory.flink.size"),
    metaspace: Key::new("taskmanager.memory.jvm-metaspace.size"),
    overhead_min: Key::new("taskmanager.memory.jvm-overhead.min"),
    overhead_max: Key::new("taskmanager.memory.jvm-overhead.max"),
    overhead_fraction: Key::new("taskmanager.memory.jvm-overhead.fraction"),
    legacy_heap: Key::new("taskmanager.heap.size"),
    legacy_heap_megabytes: Key::new("taskmanager.heap.mb"),
};
const FRAMEWORK_HEAP: Key = Key::new("taskmanager.memory.framework.heap.size");
const FRAMEWORK_OFF_HEAP: Key = Key::new("taskmanager.memory.framework.off-heap.size");
const TASK_HEAP: Key = Key::new("taskmanager.memory.task.heap.size");
const TASK_OFF_HEAP: Key = Key::new("taskmanager.memory.task.off-heap.size");
const MANAGED: Key = Key { name: "taskmanager.memory.managed.size", fallbacks: &["taskmanager.memory.size"] };
const MANAGED_FRACTION: Key =
    Key { name: "taskmanager.memory.managed.fraction", fallbacks: &["taskmanager.memory.fraction"] };
const NETWORK_MIN: Key =
    Key { name: "taskmanager.memory.network.min", fallbacks: &["taskmanager.network.memory.min"] };
const NETWORK_MAX: Key =
    Key { name: "taskmanager.memory.network.max", fallbacks: &["taskmanager.network.memory.max"] };
const NETWORK_FRACTION: Key =
    Key { name: "taskmanager.memory.network.fraction", fallbacks: &["taskmanager.network.memory.fraction"] };

/// The memory of a TaskManager process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TaskManagerMemory {
    /// Heap of Flink itself.
    pub framework_heap: MemorySize,
    /// Direct and native memory of Flink itself.
    pub framework_off_heap: MemorySize,
    /// Heap of the job's tasks.
    pub task_heap: MemorySize,
    /// Direct and native memory of the job's tasks.
    pub task_off_heap: MemorySize,
    /// Managed memory (state backends, sorting).
    pub managed: MemorySize,
    /// Network buffers.
    pub network: MemorySize,
    /// Metaspace and overhead.
    pub jvm: JvmMemory,
}

impl TaskManagerMemory {
    /// JVM heap (`-Xmx`, `-Xms`).
    #[must_use]
    pub fn jvm_heap(&self) -> MemorySize {
        MemorySize::from_bytes(self.framework_heap.bytes() + self.task_heap.bytes())
    }

    /// Direct memory (`-XX:MaxDirectMemorySize`).
    #[must_use]
    pub fn jvm_direct(&self) -> MemorySize {
        MemorySize::from_bytes(
            self.framework_off_heap.bytes() + self.task_off_heap.bytes() + self.network.bytes(),
        )
    }

    /// Flink's total memory.
    #[must_use]
    pub fn flink(&self) -> MemorySize {
        MemorySize::from_bytes(self.jvm_heap().bytes() + self.jvm_direct().bytes() + self.managed.bytes())
    }

    /// The whole process, which is the container's memory request (in whole mebibytes, rounded down).
    #[must_use]
    pub fn process(&self) -> MemorySize {
        MemorySize::from_bytes(self.flink().bytes() + self.jvm.metaspace.bytes() + self.jvm.overhead.bytes())
    }
}

/// Parts of Flink's memory, in bytes.
struct Parts {
    framework_heap: u64,
    framework_off_heap: u64,
    task_off_heap: u64,
    task_heap: u64,
    managed: u64,
    network: u64,
}

impl Parts {
    fn fixed(reader: &Reader<'_>) -> Result<Self, ConfError> {
        Ok(Self {
            framework_heap: reader.size_or(FRAMEWORK_HEAP, 128)?,
            framework_off_heap: reader.size_or(FRAMEWORK_OFF_HEAP, 128)?,
            task_off_heap: reader.size_or(TASK_OFF_HEAP, 0)?,
            task_heap: 0,
            managed: 0,
            network: 0,
        })
    }

    fn total(&self) -> u64 {
        [
            self.framework_heap,
            self.framework_off_heap,
            self.task_off_heap,
            self.task_heap,
            self.managed,
            self.network,
        ]
        .into_iter()
        .fold(0, u64::saturating_add)
    }
}

/// Derives the memory of a TaskManager.
///
/// # Errors
/// [`ConfError::Value`] for a text that is no memory size; [`ConfError::Memory`] if nothing is configured
/// or the sizes contradict each other.
pub fn task_manager(conf: &FlinkConf) -> Result<TaskManagerMemory, ConfError> {
    let conf = with_legacy_heap(conf, &JVM)?;
    let reader = Reader { conf: &conf, component: "TaskManager" };
    let fine_grained = reader.size(TASK_HEAP)?.zip(reader.size(MANAGED)?);
    let (parts, jvm) = if let Some((task_heap, managed)) = fine_grained {
        let parts = from_fine_grained(&reader, task_heap, managed)?;
        let jvm = reader.surround_flink(&JVM, parts.total())?;
        (parts, jvm)
    } else if let Some(flink) = reader.size(JVM.flink)? {
        (split_flink(&reader, flink)?, reader.surround_flink(&JVM, flink)?)
    } else if let Some(process) = reader.size(JVM.process)? {
        let (jvm, flink) = reader.split_process(&JVM, process)?;
        (split_flink(&reader, flink)?, jvm)
    } else {
        return reader.fail(format!(
            "either {} and {}, or {}, or {} needs to be configured explicitly",
            TASK_HEAP.name, MANAGED.name, JVM.flink.name, JVM.process.name
        ));
    };
    Ok(TaskManagerMemory {
        framework_heap: MemorySize::from_bytes(parts.framework_heap),
        framework_off_heap: MemorySize::from_bytes(parts.framework_off_heap),
        task_heap: MemorySize::from_bytes(parts.task_heap),
        task_off_heap: MemorySize::from_bytes(parts.task_off_heap),
        managed: MemorySize::from_bytes(parts.managed),
        network: MemorySize::from_bytes(parts.network),
        jvm,
    })
}

/// Task heap and managed memory are given; network memory is what remains of Flink's total memory, or
/// its fraction.
fn from_fine_grained(reader: &Reader<'_>, task_heap: u64, managed: u64) -> Result<Parts, ConfError> {
    let mut parts = Parts { task_heap, managed, ..Parts::fixed(reader)? };
    parts.network = match reader.size(JVM.flink)? {
        Some(flink) => remaining_network(reader, &parts, flink)?,
        None => network_range(reader)?.added_to(parts.total()),
    };
    Ok(parts)
}

fn split_flink(reader: &Reader<'_>, flink: u64) -> Result<Parts, ConfError> {
    let mut parts = Parts::fixed(reader)?;
    parts.managed = match reader.size(MANAGED)? {
        Some(managed) => managed,
        None => reader.fraction(MANAGED_FRACTION, 0.4)?.of(flink),
    };
    if let Some(task_heap) = reader.size(TASK_HEAP)? {
        parts.task_heap = task_heap;
        parts.network = remaining_network(reader, &parts, flink)?;
    } else {
        parts.network = network_range(reader)?.of(flink);
        parts.task_heap = remaining(reader, &parts, flink)?;
    }
    Ok(parts)
}

fn remaining_network(reader: &Reader<'_>, parts: &Parts, flink: u64) -> Result<u64, ConfError> {
    let network = remaining(reader, parts, flink)?;
    let range = network_range(reader)?;
    if range.contains(network) {
        Ok(network)
    } else {
        reader.fail(format!(
            "the network memory that remains is {network} bytes, which is not between {} ({} bytes) and {} ({} bytes)",
            NETWORK_MIN.name, range.min, NETWORK_MAX.name, range.max
        ))
    }
}

fn remaining(reader: &Reader<'_>, parts: &Parts, flink: u64) -> Result<u64, ConfError> {
    match flink.checked_sub(parts.total()) {
        Some(rest) => Ok(rest),
        None => reader.fail(format!(
            "the sum of framework heap ({}), framework off-heap ({}), task heap ({}), task off-heap ({}), managed ({}) \
             and network memory ({}) exceeds the total Flink memory ({flink}), in bytes",
            parts.framework_heap,
            parts.framework_off_heap,
            parts.task_heap,
            parts.task_off_heap,
            parts.managed,
            parts.network
        )),
    }
}

fn network_range(reader: &Reader<'_>) -> Result<Range, ConfError> {
    reader.range((NETWORK_MIN, 64 << 20), (NETWORK_MAX, MemorySize::MAX.bytes()), (NETWORK_FRACTION, 0.1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn conf(options: &str) -> FlinkConf {
        options
            .split_whitespace()
            .filter_map(|option| option.split_once('='))
            .map(|(key, value)| (format!("taskmanager.memory.{key}"), value))
            .collect()
    }

    /// Worked examples, run on Flink 2.2.0.
    #[test]
    fn worked_examples() -> Result<(), ConfError> {
        for (process, overhead, managed, network, task_heap, heap, direct) in [
            ("1600m", 201_326_592, 483_183_828, 120_795_957, 335_544_311, 469_762_039, 255_013_685),
            ("1728m", 201_326_592, 536_870_920, 134_217_730, 402_653_174, 536_870_902, 268_435_458),
            ("2048m", 214_748_368, 665_719_939, 166_429_984, 563_714_445, 697_932_173, 300_647_712),
        ] {
            let memory = task_manager(&conf(&format!("process.size={process}")))?;
            assert_eq!(memory.jvm.overhead.bytes(), overhead, "{process}");
            assert_eq!(memory.managed.bytes(), managed, "{process}");
            assert_eq!(memory.network.bytes(), network, "{process}");
            assert_eq!(memory.task_heap.bytes(), task_heap, "{process}");
            assert_eq!(memory.jvm_heap().bytes(), heap, "{process}");
            assert_eq!(memory.jvm_direct().bytes(), direct, "{process}");
            assert_eq!(MemorySize::parse(process), Some(memory.process()), "{process}");
        }
        Ok(())
    }

    #[test]
    fn other_starting_points() -> Result<(), ConfError> {
        let memory = task_manager(&conf("flink.size=1280m"))?;
        assert_eq!(memory.flink(), MemorySize::from_mebibytes(1280));
        assert_eq!(memory.process().mebibytes(), 1280 + 256 + 192);

        let memory = task_manager(&conf("task.heap.size=512m managed.size=256m"))?;
        assert_eq!(memory.network.bytes(), 119_304_649, "a ninth of 1 GiB, with Flink's rounding");

        let memory = task_manager(&conf("task.heap.size=512m managed.size=256m flink.size=1200m"))?;
        assert_eq!(memory.network, MemorySize::from_mebibytes(1200 - 512 - 256 - 256));

        let memory = task_manager(&conf("task.heap.size=400m flink.size=1280m"))?;
        assert_eq!(memory.managed.bytes(), 536_870_920);
        Ok(())
    }

    #[test]
    fn contradictions_are_refused() {
        for (options, text) in [
            ("", "needs to be configured explicitly"),
            ("task.heap.size=1g", "needs to be configured explicitly"),
            ("process.size=600m", "exceeds the total Flink memory"),
            ("task.heap.size=512m managed.size=256m flink.size=1g", "network memory that remains is 0"),
            ("process.size=100m", "JVM metaspace"),
            ("process.size=2g managed.fraction=1.5", "less than 1"),
        ] {
            let error = task_manager(&conf(options)).expect_err(options).to_string();
            assert!(error.contains(text), "{options}: {error}");
        }
    }
}
