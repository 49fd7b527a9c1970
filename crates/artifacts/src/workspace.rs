//! The folder where fetched jars lie, and what removes them.

use std::fs::{self, File, TryLockError};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use engine::ports::ArtifactError;

use crate::error::{needs_user, passing};
use crate::keys;

/// Begins the names of folders with fetched jars.
pub(crate) const PRIVATE: &str = "fetched-";
/// Locked as long as the process lives that a folder belongs to.
const LOCK: &str = "lock";
static NEXT_FOLDER: AtomicU64 = AtomicU64::new(0);

/// A folder of this process below `base.dir`. It goes with its last file.
#[derive(Debug)]
pub(crate) struct Workspace {
    folder: PathBuf,
    next: AtomicU64,
    /// Unlocked when it is closed, also by the end of the process.
    _lock: File,
}

impl Workspace {
    /// Makes the folder, and removes those that crashed processes have left.
    pub(crate) fn open(base: &Path) -> Result<Arc<Self>, ArtifactError> {
        Self::try_open(base).map(Arc::new).map_err(|error| disk_error(base, &error))
    }

    fn try_open(base: &Path) -> io::Result<Self> {
        fs::create_dir_all(base)?;
        remove_leftovers(base);
        loop {
            // No name is used twice: an earlier folder of this process may still be about to go.
            let number = NEXT_FOLDER.fetch_add(1, Ordering::Relaxed);
            let folder = base.join(format!("{PRIVATE}{}-{number}", std::process::id()));
            match fs::create_dir(&folder) {
                Err(error) if error.kind() == ErrorKind::AlreadyExists => continue,
                made => made?,
            }
            let path = folder.join(LOCK);
            let lock = File::create_new(&path)?;
            // Another process may have taken it for a leftover before it was locked.
            if lock.try_lock().is_ok() && path.exists() {
                return Ok(Self { folder, next: AtomicU64::new(0), _lock: lock });
            }
        }
    }

    /// A file that does not exist yet, and will not any more when it is dropped.
    pub(crate) fn new_file(self: &Arc<Self>) -> OwnedPath {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        OwnedPath { path: self.folder.join(format!("{number}.jar")), workspace: self.clone() }
    }

    /// Whether the folder is still there: who cleans up temporary folders may have taken it.
    pub(crate) fn exists(&self) -> bool {
        self.folder.is_dir()
    }

    fn base(&self) -> &Path {
        self.folder.parent().unwrap_or(&self.folder)
    }
}

impl Drop for Workspace {
    fn drop(&mut self) {
        match fs::remove_dir_all(&self.folder) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                tracing::warn!(folder = %self.folder.display(), %error, "fetched jars were not removed");
            }
            Ok(()) | Err(_) => {}
        }
    }
}

/// A path whose file is removed with it.
#[derive(Debug)]
pub(crate) struct OwnedPath {
    path: PathBuf,
    workspace: Arc<Workspace>,
}

impl OwnedPath {
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Why the file cannot be written or read.
    pub(crate) fn error(&self, error: &io::Error) -> ArtifactError {
        disk_error(self.workspace.base(), error)
    }
}

impl Drop for OwnedPath {
    fn drop(&mut self) {
        match fs::remove_file(&self.path) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                tracing::warn!(file = %self.path.display(), %error, "a fetched jar was not removed");
            }
            Ok(()) | Err(_) => {}
        }
    }
}

/// Removes folders whose process is gone. What cannot be removed stays, and is told.
fn remove_leftovers(base: &Path) {
    let Ok(entries) = fs::read_dir(base) else { return };
    for entry in entries.flatten() {
        let folder = entry.path();
        let ours = entry.file_name().to_string_lossy().starts_with(PRIVATE);
        if !ours || !entry.file_type().is_ok_and(|kind| kind.is_dir()) || is_alive(&folder) {
            continue;
        }
        match fs::remove_dir_all(&folder) {
            Ok(()) => tracing::info!(folder = %folder.display(), "jars of an earlier process were removed"),
            Err(error) => {
                tracing::warn!(folder = %folder.display(), %error, "jars of an earlier process were not removed");
            }
        }
    }
}

fn is_alive(folder: &Path) -> bool {
    File::open(folder.join(LOCK)).is_ok_and(|lock| matches!(lock.try_lock(), Err(TryLockError::WouldBlock)))
}

fn disk_error(base: &Path, error: &io::Error) -> ArtifactError {
    let base = base.display();
    match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => passing(format!(
            "The operator's disk is full: no jar can be kept in {base}. Give the volume there more room, or lower {}.",
            keys::CACHE_SIZE
        )),
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem | ErrorKind::NotADirectory => {
            needs_user(format!(
                "The operator cannot write to {base}, where jars are kept until they are uploaded: {error}. Mount a writable \
             volume there, or set {} of the operator to another folder.",
                keys::BASE_DIR
            ))
        }
        _ => passing(format!("The operator cannot keep jars in {base}: {error}.")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_disk_can_say() {
        for (kind, needs_user, part) in [
            (ErrorKind::StorageFull, false, "disk is full"),
            (ErrorKind::QuotaExceeded, false, "disk is full"),
            (ErrorKind::PermissionDenied, true, "Mount a writable volume"),
            (ErrorKind::ReadOnlyFilesystem, true, "Mount a writable volume"),
            (ErrorKind::Interrupted, false, "cannot keep jars"),
        ] {
            let error = disk_error(Path::new("/jars"), &kind.into());
            assert!(error.message.contains(part) && error.message.contains("/jars"), "{error}");
            assert_eq!(error.needs_user, needs_user, "{error}");
        }
    }
}
