//! Memory of a JobManager (`JobManagerProcessUtils`, `JobManagerFlinkMemoryUtils`).

use super::{JvmMemory, JvmOptions, Reader, with_legacy_heap};
use crate::conf::FlinkConf;
use crate::error::ConfError;
use crate::memory_size::MemorySize;
use crate::option::Key;

const JVM: JvmOptions = JvmOptions {
    process: Key::new("jobmanager.memory.process.size"),
    flink: Key::new("jobmanager.memory.flink.size"),
    metaspace: Key::new("jobmanager.memory.jvm-metaspace.size"),
    overhead_min: Key::new("jobmanager.memory.jvm-overhead.min"),
    overhead_max: Key::new("jobmanager.memory.jvm-overhead.max"),
    overhead_fraction: Key::new("jobmanager.memory.jvm-overhead.fraction"),
    legacy_heap: Key::new("jobmanager.heap.size"),
    legacy_heap_megabytes: Key::new("jobmanager.heap.mb"),
};
const HEAP: Key = Key::new("jobmanager.memory.heap.size");
const OFF_HEAP: Key = Key::new("jobmanager.memory.off-heap.size");
const DIRECT_LIMIT: Key = Key::new("jobmanager.memory.enable-jvm-direct-memory-limit");

/// Default of `jobmanager.memory.off-heap.size`, in mebibytes.
const OFF_HEAP_DEFAULT: u64 = 128;

/// The memory of a JobManager process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JobManagerMemory {
    /// JVM heap (`-Xmx`, `-Xms`).
    pub heap: MemorySize,
    /// Direct and native memory.
    pub off_heap: MemorySize,
    /// Metaspace and overhead.
    pub jvm: JvmMemory,
    /// Whether off-heap memory is enforced (`-XX:MaxDirectMemorySize`).
    pub direct_limit: bool,
}

impl JobManagerMemory {
    /// Flink's total memory: heap and off-heap.
    #[must_use]
    pub fn flink(&self) -> MemorySize {
        MemorySize::from_bytes(self.heap.bytes() + self.off_heap.bytes())
    }

    /// The whole process, which is the container's memory request (in whole mebibytes, rounded down).
    #[must_use]
    pub fn process(&self) -> MemorySize {
        MemorySize::from_bytes(self.flink().bytes() + self.jvm.metaspace.bytes() + self.jvm.overhead.bytes())
    }

    /// The JVM flags that the image's scripts compute from the same configuration.
    #[must_use]
    pub fn jvm_flags(&self) -> Vec<String> {
        let heap = self.heap.bytes();
        let mut flags = vec![format!("-Xmx{heap}"), format!("-Xms{heap}")];
        if self.direct_limit {
            flags.push(format!("-XX:MaxDirectMemorySize={}", self.off_heap.bytes()));
        }
        flags.push(format!("-XX:MaxMetaspaceSize={}", self.jvm.metaspace.bytes()));
        flags
    }
}

/// Derives the memory of a JobManager.
///
/// # Errors
/// [`ConfError::Value`] for a text that is no memory size; [`ConfError::Memory`] if nothing is configured
/// or the sizes contradict each other.
pub fn job_manager(conf: &FlinkConf) -> Result<JobManagerMemory, ConfError> {
    let conf = with_legacy_heap(conf, &JVM)?;
    let reader = Reader { conf: &conf, component: "JobManager" };
    let (heap, off_heap, jvm) = if let Some(heap) = reader.size(HEAP)? {
        let off_heap = off_heap_beside(&reader, heap)?;
        (heap, off_heap, reader.surround_flink(&JVM, heap.saturating_add(off_heap))?)
    } else if let Some(flink) = reader.size(JVM.flink)? {
        let (heap, off_heap) = split_flink(&reader, flink)?;
        (heap, off_heap, reader.surround_flink(&JVM, flink)?)
    } else if let Some(process) = reader.size(JVM.process)? {
        let (jvm, flink) = reader.split_process(&JVM, process)?;
        let (heap, off_heap) = split_flink(&reader, flink)?;
        (heap, off_heap, jvm)
    } else {
        return reader.fail(format!(
            "either {}, or {}, or {} needs to be configured explicitly",
            HEAP.name, JVM.flink.name, JVM.process.name
        ));
    };
    Ok(JobManagerMemory {
        heap: MemorySize::from_bytes(heap),
        off_heap: MemorySize::from_bytes(off_heap),
        jvm,
        direct_limit: conf.boolean(DIRECT_LIMIT)?.unwrap_or(false),
    })
}

/// Off-heap memory when the heap is configured: what is left of Flink's total memory, if that is
/// configured too.
fn off_heap_beside(reader: &Reader<'_>, heap: u64) -> Result<u64, ConfError> {
    let off_heap = reader.size(OFF_HEAP)?;
    let Some(flink) = reader.size(JVM.flink)? else {
        return Ok(off_heap.unwrap_or(OFF_HEAP_DEFAULT << 20));
    };
    match (off_heap, flink.checked_sub(heap)) {
        (None, Some(rest)) => Ok(rest),
        (Some(off_heap), Some(rest)) if off_heap == rest => Ok(off_heap),
        _ => reader.fail(format!(
            "{} ({flink} bytes) is not {} ({heap} bytes) and {} ({} bytes) together",
            JVM.flink.name,
            HEAP.name,
            OFF_HEAP.name,
            off_heap.unwrap_or(0)
        )),
    }
}

fn split_flink(reader: &Reader<'_>, flink: u64) -> Result<(u64, u64), ConfError> {
    let off_heap = reader.size_or(OFF_HEAP, OFF_HEAP_DEFAULT)?;
    match flink.checked_sub(off_heap) {
        Some(heap) if heap > 0 => Ok((heap, off_heap)),
        _ => reader.fail(format!(
            "the total Flink memory ({flink} bytes) must be more than {} ({off_heap} bytes)",
            OFF_HEAP.name
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `process.size=1600m heap.size=…` to a configuration.
    fn conf(options: &str) -> FlinkConf {
        options
            .split_whitespace()
            .filter_map(|option| option.split_once('='))
            .map(|(key, value)| (format!("jobmanager.memory.{key}"), value))
            .collect()
    }

    /// Worked examples, run on Flink 2.2.0 (MiB: client 1.20.1).
    #[test]
    fn worked_examples() -> Result<(), ConfError> {
        for (options, overhead, heap, mebibytes) in [
            ("process.size=1600m", 201_326_592, 1_073_741_824, 1600),
            ("process.size=2048m", 214_748_368, 1_530_082_096, 2048),
            ("process.size=1g", 201_326_592, 469_762_048, 1024),
            ("process.size=3g", 322_122_552, 2_496_449_736, 3072),
            ("process.size=20g", 1_073_741_824, 19_998_441_472, 20480),
            ("process.size=2000000000", 201_326_592, 1_396_020_224, 1907),
            ("process.size=8g off-heap.size=512m", 858_993_472, 6_925_634_752, 8192),
            ("process.size=1g jvm-overhead.fraction=0.3 jvm-overhead.max=2g", 322_122_560, 348_966_080, 1024),
            ("flink.size=1g", 201_326_592, 939_524_096, 1472),
            ("flink.size=4g", 507_044_758, 4_160_749_568, 4835),
            ("heap.size=3g", 402_653_190, 3_221_225_472, 3840),
            ("heap.size=1g process.size=1700m", 306_184_192, 1_073_741_824, 1700),
        ] {
            let memory = job_manager(&conf(options))?;
            assert_eq!(memory.jvm.overhead.bytes(), overhead, "{options}");
            assert_eq!(memory.heap.bytes(), heap, "{options}");
            assert_eq!(memory.process().mebibytes(), mebibytes, "{options}");
        }
        Ok(())
    }

    #[test]
    fn flags() -> Result<(), ConfError> {
        let memory = job_manager(&conf("process.size=2048m"))?;
        assert_eq!(
            memory.jvm_flags(),
            ["-Xmx1530082096", "-Xms1530082096", "-XX:MaxMetaspaceSize=268435456"]
        );
        let memory = job_manager(&conf("process.size=2048m enable-jvm-direct-memory-limit=true"))?;
        assert_eq!(memory.jvm_flags().get(2).map(String::as_str), Some("-XX:MaxDirectMemorySize=134217728"));
        Ok(())
    }

    #[test]
    fn heap_and_flink_size() -> Result<(), ConfError> {
        let memory = job_manager(&conf("heap.size=1g flink.size=1200m"))?;
        assert_eq!(memory.off_heap, MemorySize::from_mebibytes(176));
        assert!(job_manager(&conf("heap.size=1g flink.size=1200m off-heap.size=176m")).is_ok());
        Ok(())
    }

    #[test]
    fn legacy_heap_is_the_process_size() -> Result<(), ConfError> {
        for (key, value) in [("jobmanager.heap.size", "1600m"), ("jobmanager.heap.mb", "1600")] {
            let conf: FlinkConf = [(key, value)].into_iter().collect();
            assert_eq!(job_manager(&conf)?.process().mebibytes(), 1600);
        }
        let both: FlinkConf =
            [("jobmanager.heap.size", "1g"), ("jobmanager.memory.process.size", "2g")].into_iter().collect();
        assert_eq!(job_manager(&both)?.process().mebibytes(), 2048);
        Ok(())
    }

    #[test]
    fn contradictions_are_refused() {
        for (options, text) in [
            ("", "needs to be configured explicitly"),
            ("heap.size=1g process.size=4g", "2818572288"),
            ("process.size=500m", "must be more than jobmanager.memory.off-heap.size"),
            ("process.size=300m", "JVM metaspace"),
            ("flink.size=128m", "must be more than"),
            ("heap.size=1g flink.size=512m", "together"),
            ("heap.size=1g flink.size=2g off-heap.size=1m", "together"),
            ("heap.size=2g process.size=1g", "less than"),
            ("process.size=1g jvm-overhead.fraction=1.0", "less than 1"),
            ("process.size=1g jvm-overhead.min=2g", "larger than"),
            ("process.size=lots", "Could not parse value 'lots' for key 'jobmanager.memory.process.size'"),
        ] {
            let error = job_manager(&conf(options)).expect_err(options).to_string();
            assert!(error.contains(text), "{options}: {error}");
        }
    }
}
