//! What makes a file a jar, and the jar that has nothing in it.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

use bytes::Bytes;
use flink_client::JarFile;

/// Begins the record at the end of every ZIP file.
const END_RECORD: [u8; 4] = *b"PK\x05\x06";
const END_RECORD_LENGTH: u64 = 22;
/// A comment may follow the record.
const LONGEST_COMMENT: u64 = u16::MAX as u64;

const MANIFEST_NAME: &[u8] = b"META-INF/MANIFEST.MF";
const MANIFEST: &[u8] = b"Manifest-Version: 1.0\r\n\r\n";
/// CRC-32 of [`MANIFEST`].
const MANIFEST_CRC: u32 = 0xee02_7fb2;

/// Whether a file ends as a ZIP file does. One that was cut off does not, nor does a page that says "sign in".
pub(crate) fn is_jar(path: &Path) -> io::Result<bool> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    let tail = length.min(END_RECORD_LENGTH + LONGEST_COMMENT);
    file.seek(SeekFrom::Start(length - tail))?;
    let mut bytes = Vec::new();
    file.take(tail).read_to_end(&mut bytes)?;
    let last = bytes.len().saturating_sub(usize::try_from(END_RECORD_LENGTH).unwrap_or(usize::MAX));
    let ends = |at: usize| {
        // The comment reaches exactly to the end of the file.
        let comment = bytes.get(at + 20..at + 22).map(|length| [length[0], length[1]]);
        comment.is_some_and(|length| at + 22 + usize::from(u16::from_le_bytes(length)) == bytes.len())
    };
    Ok((0..=last)
        .rev()
        .any(|at| bytes.get(at..).is_some_and(|rest| rest.starts_with(&END_RECORD)) && ends(at)))
}

/// A jar with nothing but a manifest, for jobs without `jarURI`: their classes are on the class path of the cluster.
/// The bytes are always the same.
#[must_use]
pub fn empty_jar() -> JarFile {
    JarFile::Bytes { name: "empty.jar".to_owned(), content: Bytes::from(empty_zip()) }
}

/// One stored entry, its directory record and the end record (PKWARE's APPNOTE 4.3).
fn empty_zip() -> Vec<u8> {
    let length = |bytes: &[u8]| u16::try_from(bytes.len()).unwrap_or(u16::MAX).to_le_bytes();
    // Version 1.0, no flags, stored, 1980-01-01 00:00.
    let mut description = vec![10, 0, 0, 0, 0, 0, 0, 0, 0x21, 0];
    description.extend(MANIFEST_CRC.to_le_bytes());
    for _compressed_and_plain in 0..2 {
        description.extend(length(MANIFEST));
        description.extend([0, 0]);
    }
    description.extend(length(MANIFEST_NAME));
    // No extra field.
    description.extend([0, 0]);

    let mut zip = b"PK\x03\x04".to_vec();
    zip.extend(&description);
    zip.extend(MANIFEST_NAME);
    zip.extend(MANIFEST);
    let directory_at = length(&zip);
    let before = zip.len();
    zip.extend(b"PK\x01\x02");
    // Made by version 1.0; then no comment, disk 0, no attributes, and the entry is at the very beginning.
    zip.extend([10, 0]);
    zip.extend(&description);
    zip.extend([0; 14]);
    zip.extend(MANIFEST_NAME);
    let directory_length = length(&zip[before..]);
    zip.extend(END_RECORD);
    // Disks 0, one entry here and in all.
    zip.extend([0, 0, 0, 0, 1, 0, 1, 0]);
    zip.extend(directory_length);
    zip.extend([0, 0]);
    zip.extend(directory_at);
    zip.extend([0, 0, 0, 0]);
    zip
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bit by bit, as the polynomial says.
    fn crc32(bytes: &[u8]) -> u32 {
        !bytes.iter().fold(u32::MAX, |crc, byte| {
            (0..8)
                .fold(crc ^ u32::from(*byte), |crc, _| crc >> 1 ^ if crc & 1 == 1 { 0xedb8_8320 } else { 0 })
        })
    }

    fn judged(bytes: &[u8]) -> bool {
        let path = std::env::temp_dir().join(format!("is-jar-{}-{}", std::process::id(), bytes.len()));
        std::fs::write(&path, bytes).unwrap();
        let judged = is_jar(&path).unwrap();
        std::fs::remove_file(path).unwrap();
        judged
    }

    #[test]
    fn the_empty_jar_is_a_jar() {
        assert_eq!(crc32(MANIFEST), MANIFEST_CRC);
        let zip = empty_zip();
        assert_eq!(zip.len(), 30 + 20 + MANIFEST.len() + 46 + 20 + 22);
        assert_eq!(zip, empty_zip());
        assert!(judged(&zip));
    }

    #[test]
    fn what_was_cut_off_or_is_something_else_is_no_jar() {
        let zip = empty_zip();
        assert!(!judged(&zip[..zip.len() - 1]));
        assert!(!judged(&zip[..40]));
        assert!(!judged(b""));
        assert!(!judged(b"<!DOCTYPE html><title>Sign in</title>"));
        let mut with_comment = zip.clone();
        let length = with_comment.len();
        with_comment[length - 2] = 3;
        with_comment.extend(b"abc");
        assert!(judged(&with_comment));
        let mut executable = b"#!/bin/sh\n".to_vec();
        executable.extend(zip);
        assert!(judged(&executable));
    }
}
