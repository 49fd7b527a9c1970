//! Processes of pods: the node of a test bed is this machine.

use std::path::Path;
use std::{fs, process};

use anyhow::{Result, bail};
use serde_json::Value;

use crate::kubernetes::uid;

/// The process in a cgroup of the pod whose command line fits; `None` if there is none (yet, or any more).
pub(crate) fn find(pod: &Value, fits: impl Fn(&[u8]) -> bool) -> Result<Option<u32>> {
    let group = format!("pod{}", uid(pod));
    for entry in fs::read_dir("/proc")? {
        let path = entry?.path();
        let pid = path.file_name().and_then(|name| name.to_str()).and_then(|name| name.parse().ok());
        if let Some(pid) = pid
            && is_in(&path, &group, &fits)
        {
            return Ok(Some(pid));
        }
    }
    Ok(None)
}

/// A process may end while it is looked at: then it is not the one.
fn is_in(process: &Path, group: &str, fits: impl Fn(&[u8]) -> bool) -> bool {
    let in_pod = fs::read_to_string(process.join("cgroup")).is_ok_and(|groups| groups.contains(group));
    in_pod && fs::read(process.join("cmdline")).is_ok_and(|command| fits(&command))
}

/// Ends a process as a crash does. Returns whether it was still there.
pub(crate) fn kill(pid: u32) -> Result<bool> {
    let status = process::Command::new("kill").args(["-KILL", &pid.to_string()]).status()?;
    if !status.success() && Path::new("/proc").join(pid.to_string()).exists() {
        bail!("kill {pid}: {status}");
    }
    Ok(status.success())
}
