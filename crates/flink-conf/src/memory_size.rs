//! Flink's memory sizes (`MemorySize` in flink-core), and the mix of Flink and Kubernetes syntax that
//! custom resources use.

use std::fmt;

use crate::quantity::Quantity;

/// What [`MemorySize::parse`] accepts, for error texts.
pub const ACCEPTED: &str = "a memory size: a whole number and one of b, k, m, g, t (or bytes, kb, kibibytes, mb, mebibytes, \
     gb, gibibytes, tb, tebibytes), all binary; a number alone is bytes";

/// What [`MemorySize::parse_field`] accepts, for error texts.
pub const FIELD_ACCEPTED: &str = "a Flink memory size (2048m, 2g, 2 gb: binary units) or a Kubernetes quantity (2Gi) of a whole number of bytes";

/// Units in ascending order: labels, the label used for printing, bytes.
const UNITS: [(&[&str], &str, u64); 5] = [
    (&["b", "bytes"], "bytes", 1),
    (&["k", "kb", "kibibytes"], "kb", 1 << 10),
    (&["m", "mb", "mebibytes"], "mb", 1 << 20),
    (&["g", "gb", "gibibytes"], "gb", 1 << 30),
    (&["t", "tb", "tebibytes"], "tb", 1 << 40),
];

/// A number of bytes, at most `i64::MAX` as in Java.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct MemorySize(u64);

impl MemorySize {
    /// No memory.
    pub const ZERO: Self = Self(0);
    /// What Flink uses for "unlimited".
    pub const MAX: Self = Self(i64::MAX as u64);

    /// A size of that many bytes (at most [`MemorySize::MAX`], which is also the result above it).
    #[must_use]
    pub const fn from_bytes(bytes: u64) -> Self {
        if bytes > Self::MAX.0 { Self::MAX } else { Self(bytes) }
    }

    /// A size of that many mebibytes.
    #[must_use]
    pub const fn from_mebibytes(mebibytes: u64) -> Self {
        Self::from_bytes(mebibytes.saturating_mul(1 << 20))
    }

    /// The size in bytes.
    #[must_use]
    pub const fn bytes(self) -> u64 {
        self.0
    }

    /// The size in whole mebibytes, rounded down (what Flink puts into a container's resources).
    #[must_use]
    pub const fn mebibytes(self) -> u64 {
        self.0 >> 20
    }

    /// Parses Flink's syntax: digits, optional blanks, a unit in any case, all units binary; without a
    /// unit the number is in bytes. Fractions, signs and `Gi` are refused, as in Flink.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let (number, unit) = text.split_at(end);
        let number = number.parse::<u64>().ok()?;
        let unit = unit.trim().to_lowercase();
        let factor = if unit.is_empty() {
            1
        } else {
            UNITS.iter().find(|(labels, _, _)| labels.contains(&unit.as_str()))?.2
        };
        let bytes = number.checked_mul(factor)?;
        (bytes <= Self::MAX.0).then_some(Self(bytes))
    }

    /// Parses the text of a memory field of a custom resource (`resource.memory`,
    /// `resources.requests.memory`): Flink's syntax first, so `2048m` is 2048 MiB; what Flink cannot read
    /// is read as a Kubernetes quantity in any case and with an optional final `B` (`2Gi`, `2gi`, `2GiB`).
    /// The number must be written without a fraction, as for the Java operator (`1.5g` would otherwise
    /// be decimal where `1g` is binary). Upstream: `ResourceConfigUtils`.
    #[must_use]
    pub fn parse_field(text: &str) -> Option<FieldMemory> {
        if let Some(size) = Self::parse(text) {
            return Some(FieldMemory { size, written: size.to_string() });
        }
        let mut quantity: String =
            text.chars().filter(|c| !c.is_whitespace()).collect::<String>().to_uppercase();
        if quantity.ends_with('B') {
            quantity.pop();
        }
        if quantity.ends_with('I') {
            quantity.pop();
            quantity.push('i');
        }
        if quantity.contains('.') {
            return None;
        }
        let bytes = u64::try_from(Quantity::parse(&quantity)?.to_integer()?).ok()?;
        (bytes <= Self::MAX.0).then(|| FieldMemory { size: Self(bytes), written: bytes.to_string() })
    }
}

/// A memory field of a custom resource, understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldMemory {
    /// The size.
    pub size: MemorySize,
    /// The text the Java operator writes into the configuration: `2 gb` for Flink syntax, plain bytes
    /// for a Kubernetes quantity.
    pub written: String,
}

impl fmt::Display for MemorySize {
    /// Flink's form: the largest unit that divides the size. Multiples of a tebibyte (and zero) are
    /// printed in bytes; Flink's formatter has that quirk.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut best = ("bytes", 1);
        for (_, label, factor) in UNITS {
            if !self.0.is_multiple_of(factor) {
                return write!(f, "{} {}", self.0 / best.1, best.0);
            }
            best = (label, factor);
        }
        write!(f, "{} bytes", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_written_as_the_java_operator_writes_them() {
        for (text, written, bytes) in [
            ("2048m", "2 gb", 2_147_483_648),
            ("1600m", "1600 mb", 1_677_721_600),
            ("2Gi", "2147483648", 2_147_483_648),
            ("2gi", "2147483648", 2_147_483_648),
            ("2GiB", "2147483648", 2_147_483_648),
            ("2Gib", "2147483648", 2_147_483_648),
            ("1g", "1 gb", 1_073_741_824),
            ("1G", "1 gb", 1_073_741_824),
            ("2 gb", "2 gb", 2_147_483_648),
            ("512k", "512 kb", 524_288),
            ("512Ki", "524288", 524_288),
            ("2147483648", "2 gb", 2_147_483_648),
            ("1t", "1099511627776 bytes", 1_099_511_627_776),
            ("1e3", "1000", 1_000),
            ("100K", "100 kb", 102_400),
            ("0", "0 bytes", 0),
        ] {
            let field = MemorySize::parse_field(text);
            assert_eq!(
                field,
                Some(FieldMemory { size: MemorySize(bytes), written: written.into() }),
                "{text}"
            );
        }
        for text in ["-1", "abc", "1.5g", "1.5Gi", "2.0Gi", "", " ", "9223372036854775808", "10E"] {
            assert_eq!(MemorySize::parse_field(text), None, "{text}");
        }
    }

    #[test]
    fn flink_syntax_is_strict() {
        for text in ["2Gi", "1.5g", "-1", "", "g", "1 parsec", "9223372036854775807k"] {
            assert_eq!(MemorySize::parse(text), None, "{text}");
        }
        assert_eq!(MemorySize::parse(" 3 MebiBytes "), Some(MemorySize::from_mebibytes(3)));
        assert_eq!(MemorySize::parse("9223372036854775807"), Some(MemorySize::MAX));
    }
}
