//! Task slots, and how many TaskManagers a parallelism needs.

use crate::conf::FlinkConf;
use crate::error::ConfError;
use crate::option::{job, process};

/// Slots per TaskManager: `taskmanager.numberOfTaskSlots`, default 1.
///
/// # Errors
/// [`ConfError::Value`] if it is not a number of at least 1.
pub fn task_slots(conf: &FlinkConf) -> Result<i32, ConfError> {
    let slots = conf.int(process::TASK_SLOTS)?.unwrap_or(1);
    if slots >= 1 {
        Ok(slots)
    } else {
        Err(ConfError::value(process::TASK_SLOTS.name, slots.to_string(), "a whole number of at least 1"))
    }
}

/// TaskManagers that the configured parallelism needs. Source: `FlinkUtils.getNumTaskManagers`.
///
/// # Errors
/// [`ConfError::Value`] if parallelism or slots are not numbers.
pub fn task_manager_replicas(conf: &FlinkConf) -> Result<i32, ConfError> {
    let parallelism = conf.int(job::PARALLELISM)?.unwrap_or(1);
    Ok(task_managers_for(parallelism, task_slots(conf)?))
}

/// TaskManagers that `parallelism` needs, with at least one slot each.
#[must_use]
pub fn task_managers_for(parallelism: i32, slots: i32) -> i32 {
    let slots = i64::from(slots.max(1));
    let count = (i64::from(parallelism) + slots - 1).div_euclid(slots);
    i32::try_from(count).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn task_managers_cover_the_parallelism() {
        for (parallelism, slots, expected) in
            [(7, 3, 3), (6, 3, 2), (1, 4, 1), (0, 2, 0), (i32::MAX, 1, i32::MAX)]
        {
            assert_eq!(task_managers_for(parallelism, slots), expected);
        }
    }

    #[test]
    fn from_the_configuration() -> Result<(), ConfError> {
        let conf = |entries: &[(&str, &str)]| entries.iter().copied().collect::<FlinkConf>();
        assert_eq!(task_manager_replicas(&conf(&[]))?, 1);
        let seven = conf(&[("parallelism.default", "7"), ("taskmanager.numberOfTaskSlots", "3")]);
        assert_eq!(task_manager_replicas(&seven)?, 3);
        assert!(task_slots(&conf(&[("taskmanager.numberOfTaskSlots", "0")])).is_err());
        assert!(task_slots(&conf(&[("taskmanager.numberOfTaskSlots", "many")])).is_err());
        Ok(())
    }
}
