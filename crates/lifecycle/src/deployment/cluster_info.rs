//! `status.clusterInfo`: what the cluster says of itself, and what it takes from Kubernetes.

use flink_conf::option::{Key, kubernetes};
use flink_conf::{ConfError, FlinkConf, java_text, process_memory};

use super::pass::Pass;
use crate::observed::FlinkAnswer;

impl Pass<'_> {
    /// Merges what was observed; keys are never removed (`AbstractFlinkService.getClusterInfo`).
    pub(super) fn observe_cluster_info(&mut self, answer: &FlinkAnswer) {
        let mut news = answer.cluster_info.clone();
        let totals = answer.task_managers.and_then(|task_managers| {
            let conf = super::build::configuration(self, &self.deployed_spec()?).ok()?;
            totals(&conf, task_managers).ok()
        });
        if let Some((cpu, memory)) = totals {
            news.insert("total-cpu".to_owned(), java_text::double(cpu));
            news.insert("total-memory".to_owned(), memory.to_string());
        }
        self.status.cluster_info.get_or_insert_default().extend(news);
    }
}

/// CPUs and bytes of all JobManagers and TaskManagers, at their limits.
fn totals(conf: &FlinkConf, task_managers: u32) -> Result<(f64, u64), ConfError> {
    let job_managers = f64::from(conf.int(kubernetes::JOB_MANAGER_REPLICAS)?.unwrap_or(1));
    let task_managers = f64::from(task_managers);
    let number = |key: Key| Ok::<f64, ConfError>(conf.double(key)?.unwrap_or(1.0));
    let cpu = number(kubernetes::JOB_MANAGER_CPU)?
        * number(kubernetes::JOB_MANAGER_CPU_LIMIT_FACTOR)?
        * job_managers
        + number(kubernetes::TASK_MANAGER_CPU)?
            * number(kubernetes::TASK_MANAGER_CPU_LIMIT_FACTOR)?
            * task_managers;
    #[expect(clippy::cast_precision_loss, reason = "memory of a cluster is far below 2^53 bytes")]
    let bytes = |size: u64| size as f64;
    let memory = bytes(process_memory::job_manager(conf)?.process().bytes())
        * number(kubernetes::JOB_MANAGER_MEMORY_LIMIT_FACTOR)?
        * job_managers
        + bytes(process_memory::task_manager(conf)?.process().bytes())
            * number(kubernetes::TASK_MANAGER_MEMORY_LIMIT_FACTOR)?
            * task_managers;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "positive and far below 2^53"
    )]
    Ok((cpu, memory as u64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn totals_are_those_of_a_recorded_cluster() {
        // Trace 02: 0.2 CPUs at limit factor 10 and 1 GiB each; one JobManager, one TaskManager.
        let conf: FlinkConf = [
            ("kubernetes.jobmanager.cpu.amount", "0.2"),
            ("kubernetes.jobmanager.cpu.limit-factor", "10.0"),
            ("kubernetes.taskmanager.cpu.amount", "0.2"),
            ("kubernetes.taskmanager.cpu.limit-factor", "10.0"),
            ("jobmanager.memory.process.size", "1 gb"),
            ("taskmanager.memory.process.size", "1 gb"),
        ]
        .into_iter()
        .collect();
        let (cpu, memory) = totals(&conf, 1).unwrap();
        assert_eq!((java_text::double(cpu).as_str(), memory), ("4.0", 2_147_483_648));
    }

    #[test]
    fn totals_are_the_limits_of_all_processes() {
        let conf: FlinkConf = [
            ("kubernetes.jobmanager.replicas", "3"),
            ("kubernetes.jobmanager.cpu.amount", "0.5"),
            ("kubernetes.jobmanager.cpu.limit-factor", "4"),
            ("kubernetes.jobmanager.memory.limit-factor", "2"),
            ("jobmanager.memory.process.size", "1g"),
            ("kubernetes.taskmanager.cpu.amount", "1.5"),
            ("kubernetes.taskmanager.cpu.limit-factor", "2"),
            ("kubernetes.taskmanager.memory.limit-factor", "1.5"),
            ("taskmanager.memory.process.size", "2g"),
        ]
        .into_iter()
        .collect();
        let gib = 1024 * 1024 * 1024;
        assert_eq!(totals(&conf, 5), Ok((0.5 * 4.0 * 3.0 + 1.5 * 2.0 * 5.0, (2 * 3 + 3 * 5) * gib)));
    }
}
