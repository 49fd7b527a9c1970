//! Identities that we choose and record before a call, so that the call is recognised when it is repeated.

use jiff::Timestamp;
use sha2::{Digest, Sha256};

/// What an identity is for; two purposes never share one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// One try to create a cluster.
    Attempt,
    /// A Flink job.
    Job,
    /// A savepoint, checkpoint or stop.
    Trigger,
}

/// 32 hexadecimal digits: Flink's form of job ids and trigger ids.
///
/// Derived from the resource and the moment of the decision. The moment makes it new for each decision, and a
/// decision counts only once its status write, fenced by `resourceVersion`, has landed.
#[must_use]
pub fn new(purpose: Purpose, uid: &str, generation: i64, now: Timestamp) -> String {
    let label = match purpose {
        Purpose::Attempt => "attempt",
        Purpose::Job => "job",
        Purpose::Trigger => "trigger",
    };
    let mut hash = Sha256::new();
    for part in [label, uid, &generation.to_string(), &now.as_nanosecond().to_string()] {
        hash.update(part.as_bytes());
        hash.update([0]);
    }
    let mut text = String::with_capacity(32);
    for byte in hash.finalize().iter().take(16) {
        for digit in [byte >> 4, byte & 0xf] {
            text.extend(char::from_digit(u32::from(digit), 16));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differs_by_purpose_resource_and_moment() {
        let now = Timestamp::from_second(1).unwrap();
        let job = new(Purpose::Job, "u", 1, now);
        assert_eq!(job.len(), 32);
        assert!(job.chars().all(|digit| digit.is_ascii_hexdigit() && !digit.is_ascii_uppercase()));
        assert_eq!(job, new(Purpose::Job, "u", 1, now));
        for other in [
            new(Purpose::Attempt, "u", 1, now),
            new(Purpose::Job, "v", 1, now),
            new(Purpose::Job, "u", 2, now),
            new(Purpose::Job, "u", 1, Timestamp::from_second(2).unwrap()),
        ] {
            assert_ne!(job, other);
        }
    }
}
