//! What a jar must be: `sha256:…` or `sha512:…`.

use engine::ports::ArtifactError;
use ring::digest;

use crate::error::needs_user;
use crate::keys;

/// A digest that is expected.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Checksum {
    Sha256([u8; 32]),
    Sha512([u8; 64]),
}

impl Checksum {
    pub(crate) fn parse(text: &str) -> Result<Self, ArtifactError> {
        let digest = match text.split_once(':') {
            Some(("sha256", hex)) => bytes(hex).map(Self::Sha256),
            Some(("sha512", hex)) => bytes(hex).map(Self::Sha512),
            Some(_) | None => None,
        };
        digest.ok_or_else(|| {
            needs_user(format!(
                "{} is not sha256: with 64 or sha512: with 128 hexadecimal digits. Write what sha256sum says about \
                 the jar.",
                keys::CHECKSUM
            ))
        })
    }

    /// What computes it.
    pub(crate) fn digest(self) -> digest::Context {
        digest::Context::new(match self {
            Self::Sha256(_) => &digest::SHA256,
            Self::Sha512(_) => &digest::SHA512,
        })
    }

    /// The form that people write.
    pub(crate) fn text(self, digest: &[u8]) -> String {
        let name = match self {
            Self::Sha256(_) => "sha256",
            Self::Sha512(_) => "sha512",
        };
        digest.iter().fold(format!("{name}:"), |text, byte| text + &format!("{byte:02x}"))
    }

    /// The expected bytes.
    pub(crate) fn expected(&self) -> &[u8] {
        match self {
            Self::Sha256(bytes) => bytes,
            Self::Sha512(bytes) => bytes,
        }
    }
}

fn bytes<const N: usize>(hex: &str) -> Option<[u8; N]> {
    if hex.len() != 2 * N || !hex.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let mut bytes = [0; N];
    for (position, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(hex.get(2 * position..2 * position + 2)?, 16).ok()?;
    }
    Some(bytes)
}
