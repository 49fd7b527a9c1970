//! Where tests find the reference: CRDs, examples, golden objects and traces recorded from Apache's Java
//! operator. It lies beside this repository (`../shared/ref` from the workspace's root), because it is
//! larger than the product and not ours.
//!
//! ```no_run
//! let Some(golden) = reference::folder("golden").unwrap() else { return };
//! ```

use std::{
    env, fmt, fs, io,
    path::{Path, PathBuf},
};

use thiserror::Error;

/// Environment variable that points to the reference; the value `skip` skips the tests that need it.
pub const VARIABLE: &str = "FLINK_OPERATOR_REF";

/// The reference is not where it should be.
#[derive(Error)]
#[error(
    "no reference at {0}: set {VARIABLE} to the folder with crds, examples, golden and traces, or to \
     `skip` to leave out the tests that compare with it"
)]
pub struct Missing(PathBuf);

/// Tests unwrap: what they print must say what to do.
impl fmt::Debug for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The folder `name` (`crds`, `examples`, `golden`, `traces`) of the reference; `None` if the caller is to
/// skip its test.
///
/// # Errors
/// The folder does not exist, so that a wrong set-up fails rather than passing without a test.
pub fn folder(name: &str) -> Result<Option<PathBuf>, Missing> {
    let root = match env::var_os(VARIABLE) {
        Some(value) if value == "skip" => return Ok(None),
        Some(value) => PathBuf::from(value),
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/ref"),
    };
    let folder = root.join(name);
    if folder.is_dir() { Ok(Some(folder)) } else { Err(Missing(folder)) }
}

/// All files below `folder` whose name ends with `suffix`, sorted.
///
/// # Errors
/// A folder cannot be read.
pub fn files(folder: &Path, suffix: &str) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.to_string_lossy().ends_with(suffix) {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}
