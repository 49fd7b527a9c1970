//! Identifiers that Flink writes as 32 lower-case hexadecimal digits.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize};

/// A text that is not 32 hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} must be 32 hexadecimal digits, not {found:?}")]
pub struct IdentifierError {
    what: &'static str,
    found: String,
}

fn parse(what: &'static str, text: &str) -> Result<String, IdentifierError> {
    if text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Ok(text.to_ascii_lowercase());
    }
    Err(IdentifierError { what, found: text.chars().take(64).collect() })
}

macro_rules! identifier {
    ($name:ident, $what:literal, $doc:literal) => {
        #[doc = $doc]
        ///
        /// Upper-case digits are accepted and written as lower case, as Flink does.
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// The identifier with this numeric value.
            #[must_use]
            pub fn from_u128(value: u128) -> Self {
                Self(format!("{value:032x}"))
            }

            /// The 32 digits.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = IdentifierError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                parse($what, text).map(Self)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

identifier!(JobId, "a job id", "The id of a job, chosen by whoever submits it.");
identifier!(
    TriggerId,
    "a trigger id",
    "The id of an asynchronous operation (savepoint, checkpoint, disposal). Chosen by the caller where the request allows it: a repeat with the same id is the same operation."
);
identifier!(VertexId, "a job vertex id", "The id of a vertex of a job graph.");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_32_hexadecimal_digits_are_an_identifier() {
        let id: JobId = "0123456789ABCDEF0123456789abcdef".parse().unwrap();
        assert_eq!(id.as_str(), "0123456789abcdef0123456789abcdef");
        assert_eq!(TriggerId::from_u128(255).as_str(), "000000000000000000000000000000ff");
        for wrong in ["", "0123", "0123456789abcdef0123456789abcdeg", "../../jobs/0123456789abcdef01234", "é"]
        {
            assert!(wrong.parse::<JobId>().is_err(), "{wrong}");
        }
    }
}
