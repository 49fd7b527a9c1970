//! Brings a jar onto the disk: bounded in size, and checked before anybody sees it.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use engine::ports::ArtifactError;
use futures::StreamExt;
use ring::digest;
use tokio::io::AsyncWriteExt;

use crate::jar::is_jar;
use crate::open::{Body, Failure, because, too_large};
use crate::options::ArtifactOptions;
use crate::plan::{Checksum, Plan};
use crate::workspace::OwnedPath;

/// Bytes that are read from a file at once.
const CHUNK: usize = 64 << 10;

/// A jar on the disk, whole and as it should be. Its file goes with it.
#[derive(Debug)]
pub(crate) struct Spooled {
    pub(crate) file: OwnedPath,
    pub(crate) size: u64,
}

/// Why a jar is not on the disk.
pub(crate) struct Unspooled {
    pub(crate) error: ArtifactError,
    pub(crate) disk_is_full: bool,
}

impl From<ArtifactError> for Unspooled {
    fn from(error: ArtifactError) -> Self {
        Self { error, disk_is_full: false }
    }
}

/// Writes a jar to `file`. Dropping this leaves nothing behind.
pub(crate) async fn spool(
    plan: &Plan,
    mut body: Body,
    file: OwnedPath,
    options: &ArtifactOptions,
    progress: &AtomicU64,
) -> Result<Spooled, Unspooled> {
    let unwritable = |error: io::Error| Unspooled {
        error: file.error(&error),
        disk_is_full: matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded),
    };
    let limit = options.max_size;
    if let Some(length) = body.length.filter(|length| *length > limit) {
        return Err(because(plan, too_large(Some(length), limit)).into());
    }
    let mut digest = plan.checksum.map(Checksum::digest);
    let mut out = tokio::fs::File::create_new(file.path()).await.map_err(unwritable)?;
    let mut size = 0_u64;
    while let Some(chunk) = body.chunks.next().await {
        let chunk = chunk.map_err(|failure| because(plan, failure))?;
        size += u64::try_from(chunk.len()).unwrap_or(u64::MAX);
        progress.store(size, Ordering::Relaxed);
        if size > limit {
            return Err(because(plan, too_large(None, limit)).into());
        }
        if let Some(digest) = &mut digest {
            digest.update(&chunk);
        }
        out.write_all(&chunk).await.map_err(unwritable)?;
    }
    out.flush().await.map_err(unwritable)?;
    drop(out);
    if let Some(length) = body.length.filter(|length| *length != size) {
        let reason = format!("the server promised {length} bytes and sent {size}");
        return Err(because(plan, Failure::passing(reason)).into());
    }
    check_digest(plan, digest)?;
    let path = file.path().to_owned();
    let jar = tokio::task::spawn_blocking(move || is_jar(&path)).await;
    check_form(plan, jar.unwrap_or_else(|error| Err(io::Error::other(error))).map_err(unwritable)?)?;
    Ok(Spooled { file, size })
}

/// The same checks for a file that is there already.
///
/// # Errors
/// It cannot be read, or is not what it should be.
pub(crate) fn check_present(plan: &Plan, path: &Path) -> Result<(), ArtifactError> {
    let unreadable = |error: io::Error| because(plan, Failure::passing(error.to_string()));
    let digest = plan.checksum.map(|checksum| digest_of(path, checksum)).transpose().map_err(unreadable)?;
    check_digest(plan, digest)?;
    check_form(plan, is_jar(path).map_err(unreadable)?)
}

fn digest_of(path: &Path, checksum: Checksum) -> io::Result<digest::Context> {
    let mut file = fs::File::open(path)?;
    let mut digest = checksum.digest();
    let mut buffer = vec![0; CHUNK];
    loop {
        match io::Read::read(&mut file, &mut buffer)? {
            0 => return Ok(digest),
            read => digest.update(&buffer[..read]),
        }
    }
}

fn check_digest(plan: &Plan, digest: Option<digest::Context>) -> Result<(), ArtifactError> {
    let (Some(checksum), Some(digest)) = (plan.checksum, digest) else { return Ok(()) };
    let found = digest.finish();
    if found.as_ref() == checksum.expected() {
        return Ok(());
    }
    let reason = format!(
        "its checksum is {} and not {}. Correct {} if the new jar is meant",
        checksum.text(found.as_ref()),
        checksum.text(checksum.expected()),
        crate::keys::CHECKSUM
    );
    Err(because(plan, Failure::needs_user(reason)))
}

fn check_form(plan: &Plan, is_jar: bool) -> Result<(), ArtifactError> {
    if is_jar {
        return Ok(());
    }
    let reason =
        "what is there is no whole jar. Perhaps it is a page that asks to sign in, or the jar was cut off";
    Err(because(plan, Failure::needs_user(reason)))
}
