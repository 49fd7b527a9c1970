//! Files of the operator's own machine: `file` and `local`.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use engine::ports::ArtifactError;

use super::{Failure, because};
use crate::keys;
use crate::options::ArtifactOptions;
use crate::plan::Plan;
use crate::workspace::PRIVATE;

/// Checks that a file may be read. It is uploaded from where it is, so it is not copied.
///
/// # Errors
/// There is no such file, it is not in one of the allowed folders, or it is too large.
pub(crate) fn check_file(
    plan: &Plan,
    path: &Path,
    options: &ArtifactOptions,
) -> Result<PathBuf, ArtifactError> {
    check(plan.uri.scheme == "local", path, options).map_err(|failure| because(plan, failure))
}

fn check(local: bool, path: &Path, options: &ArtifactOptions) -> Result<PathBuf, Failure> {
    // Links are followed first, so that none leads out of the folders. What is outside is not told apart from what is
    // not there: whoever asks learns nothing about other files.
    let real = path.canonicalize().ok().filter(|real| is_allowed(real, &options.file_directories));
    let Some(real) = real else {
        let folders: Vec<String> =
            options.file_directories.iter().map(|folder| folder.display().to_string()).collect();
        let hint = if local {
            " A jar in the image of the session cluster cannot be read by the operator: put it into the cluster's \
             /opt/flink/lib and leave out jarURI, or keep it where the operator can fetch it"
        } else {
            ""
        };
        return Err(Failure::needs_user(format!(
            "the operator's pod has no such file in the folders of {} ({}).{hint}",
            keys::FILE_DIRECTORIES,
            folders.join(", ")
        )));
    };
    let metadata = real.metadata().map_err(|error| unreadable(&error))?;
    if !metadata.is_file() {
        return Err(Failure::needs_user("it is no file"));
    }
    if metadata.len() > options.max_size {
        return Err(too_large(Some(metadata.len()), options.max_size));
    }
    Ok(real)
}

/// Inside of a folder, but not among the jars that were fetched for others.
fn is_allowed(real: &Path, folders: &[PathBuf]) -> bool {
    let private = real.components().any(|part| part.as_os_str().to_string_lossy().starts_with(PRIVATE));
    !private
        && folders
            .iter()
            .filter_map(|folder| folder.canonicalize().ok())
            .any(|folder| real.starts_with(folder))
}

fn unreadable(error: &io::Error) -> Failure {
    match error.kind() {
        ErrorKind::PermissionDenied | ErrorKind::NotFound => Failure::needs_user(error.to_string()),
        _ => Failure::passing(error.to_string()),
    }
}

/// What to say about a jar that is larger than the limit.
pub(crate) fn too_large(size: Option<u64>, limit: u64) -> Failure {
    let size = size.map_or_else(String::new, |size| format!(" It has {size} bytes."));
    Failure::needs_user(format!(
        "it is larger than {} allows ({limit} bytes).{size} Make it smaller, or have the limit raised",
        keys::MAX_SIZE
    ))
}
