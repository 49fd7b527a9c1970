//! How Flink divides the memory of a process, as far as a client needs it: the JVM sizes of the
//! JobManager, and the total size of JobManager and TaskManager containers.
//!
//! Source: flink-runtime `util/config/memory` and `AbstractContainerizedClusterClientFactory`. The
//! defaults are the same from Flink 1.17 to 2.3.

mod fraction;
mod jobmanager;
mod taskmanager;

use crate::conf::FlinkConf;
use crate::error::ConfError;
use crate::memory_size::MemorySize;
use crate::option::Key;
use fraction::Fraction;

pub use jobmanager::{JobManagerMemory, job_manager};
pub use taskmanager::{TaskManagerMemory, task_manager};

/// JVM metaspace and overhead: what a process needs besides Flink's own memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JvmMemory {
    /// JVM metaspace (`-XX:MaxMetaspaceSize`).
    pub metaspace: MemorySize,
    /// Stacks, code cache, garbage collection: reserved, not enforced by the JVM.
    pub overhead: MemorySize,
}

/// A memory size that is computed as a part of another one, within bounds.
struct Range {
    min: u64,
    max: u64,
    fraction: Fraction,
}

impl Range {
    /// The part of `whole`, in bytes.
    fn of(&self, whole: u64) -> u64 {
        self.clamp(self.fraction.of(whole))
    }

    /// The part that makes up the fraction when it is added to `rest`, in bytes.
    fn added_to(&self, rest: u64) -> u64 {
        self.clamp(self.fraction.added_to(rest))
    }

    fn clamp(&self, bytes: u64) -> u64 {
        bytes.clamp(self.min, self.max)
    }

    fn contains(&self, bytes: u64) -> bool {
        (self.min..=self.max).contains(&bytes)
    }
}

/// Reads options of one component and words its errors.
struct Reader<'a> {
    conf: &'a FlinkConf,
    component: &'static str,
}

impl Reader<'_> {
    fn size(&self, key: Key) -> Result<Option<u64>, ConfError> {
        Ok(self.conf.memory(key)?.map(MemorySize::bytes))
    }

    fn size_or(&self, key: Key, mebibytes: u64) -> Result<u64, ConfError> {
        Ok(self.size(key)?.unwrap_or(mebibytes << 20))
    }

    fn fail<T>(&self, reason: String) -> Result<T, ConfError> {
        Err(ConfError::Memory { component: self.component, reason })
    }

    fn fraction(&self, key: Key, default: f32) -> Result<Fraction, ConfError> {
        let value = self.conf.float(key)?.unwrap_or(default);
        match Fraction::new(value) {
            Some(fraction) => Ok(fraction),
            None => self.fail(format!("{} is {value}, but must be at least 0 and less than 1", key.name)),
        }
    }

    fn range(&self, min: (Key, u64), max: (Key, u64), fraction: (Key, f32)) -> Result<Range, ConfError> {
        let range = Range {
            min: self.size(min.0)?.unwrap_or(min.1),
            max: self.size(max.0)?.unwrap_or(max.1),
            fraction: self.fraction(fraction.0, fraction.1)?,
        };
        if range.min > range.max {
            return self.fail(format!(
                "{} ({} bytes) is larger than {} ({} bytes)",
                min.0.name, range.min, max.0.name, range.max
            ));
        }
        Ok(range)
    }

    /// Metaspace and overhead from the size of the whole process; also what is left for Flink.
    fn split_process(&self, jvm: &JvmOptions, process: u64) -> Result<(JvmMemory, u64), ConfError> {
        let metaspace = self.size_or(jvm.metaspace, 256)?;
        let overhead = self.overhead_range(jvm)?.of(process);
        match process.checked_sub(metaspace).and_then(|rest| rest.checked_sub(overhead)) {
            Some(flink) => Ok((jvm_memory(metaspace, overhead), flink)),
            None => self.fail(format!(
                "the total process memory ({process} bytes) is less than JVM metaspace ({metaspace} bytes) and JVM \
                 overhead ({overhead} bytes) together; set {} to more",
                jvm.process.name
            )),
        }
    }

    /// Metaspace and overhead from Flink's total memory.
    fn surround_flink(&self, jvm: &JvmOptions, flink: u64) -> Result<JvmMemory, ConfError> {
        let metaspace = self.size_or(jvm.metaspace, 256)?;
        let range = self.overhead_range(jvm)?;
        let inner = flink.saturating_add(metaspace);
        let Some(process) = self.size(jvm.process)? else {
            return Ok(jvm_memory(metaspace, range.added_to(inner)));
        };
        let Some(overhead) = process.checked_sub(inner) else {
            return self.fail(format!(
                "{} ({process} bytes) is less than Flink memory ({flink} bytes) and JVM metaspace ({metaspace} bytes) \
                 together",
                jvm.process.name
            ));
        };
        if !range.contains(overhead) {
            return self.fail(format!(
                "the JVM overhead that remains of {} is {overhead} bytes, which is not between {} ({} bytes) and {} ({} \
                 bytes)",
                jvm.process.name, jvm.overhead_min.name, range.min, jvm.overhead_max.name, range.max
            ));
        }
        Ok(jvm_memory(metaspace, overhead))
    }

    fn overhead_range(&self, jvm: &JvmOptions) -> Result<Range, ConfError> {
        self.range((jvm.overhead_min, 192 << 20), (jvm.overhead_max, 1 << 30), (jvm.overhead_fraction, 0.1))
    }
}

fn jvm_memory(metaspace: u64, overhead: u64) -> JvmMemory {
    JvmMemory { metaspace: MemorySize::from_bytes(metaspace), overhead: MemorySize::from_bytes(overhead) }
}

/// Options that both processes have under their own names.
struct JvmOptions {
    process: Key,
    flink: Key,
    metaspace: Key,
    overhead_min: Key,
    overhead_max: Key,
    overhead_fraction: Key,
    /// Options of Flink before 1.10, which count as the total process size if that is absent.
    legacy_heap: Key,
    legacy_heap_megabytes: Key,
}

/// The configuration with the legacy heap options as total process size, as containerised clients
/// read them. The environment variables that Flink would also look at (`FLINK_JM_HEAP`) are those of the
/// operator itself and deliberately ignored.
fn with_legacy_heap(conf: &FlinkConf, jvm: &JvmOptions) -> Result<FlinkConf, ConfError> {
    let mut conf = conf.clone();
    if !conf.contains(jvm.process) {
        let legacy = match conf.memory(jvm.legacy_heap)? {
            Some(size) => Some(size),
            None => conf
                .int(jvm.legacy_heap_megabytes)?
                .map(|megabytes| MemorySize::from_mebibytes(u64::try_from(megabytes).unwrap_or(0))),
        };
        if let Some(size) = legacy {
            conf.set(jvm.process.name, size.to_string());
        }
    }
    Ok(conf)
}
