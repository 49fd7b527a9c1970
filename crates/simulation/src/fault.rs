//! What can go wrong with a call or an event, and where.

use std::fmt;
use std::str::FromStr;

use crate::call::CallKind;

/// Something that goes wrong once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fault {
    /// The operator ends before the call is sent.
    CrashBefore,
    /// The operator ends when the call has had its effect, and before it knows.
    CrashAfter,
    /// The operator stands still before the call; a successor takes over, and when all is done the old one goes on with
    /// the call and everything after it.
    OldLeader,
    /// As [`Fault::OldLeader`], but the old one goes on between two calls of its successor: after so many of them.
    OldLeaderAfter(u8),
    /// As [`Fault::CrashAfter`]; the successor begins with a list that is some versions old.
    Rewind(u8),
    /// Somebody adds an annotation to the resource just before the call.
    Touch,
    /// 409 `Conflict`, without effect.
    Conflict,
    /// 429, without effect.
    TooMany,
    /// 500, without effect.
    ServerError,
    /// No answer in time; the call has had its effect.
    Timeout,
    /// Flink's answer takes almost as long as it may, and is out of date when it comes.
    Late,
    /// The connection is reset; the call has had no effect.
    Reset,
    /// From here on, for a while, watches tell of nothing newer than this many versions ago.
    Stale(u8),
    /// Something other than the Flink that was asked answers with 404.
    NotFound,
    /// The last JobManager process that ended answers instead of the one that runs: about its own job, as it was.
    OldJob,
    /// The answer breaks off; the call has had its effect.
    Truncated,
    /// An event of a watch is lost, and the watch begins again half a minute later.
    EventLost,
    /// An event of a watch is told twice.
    EventTwice,
    /// An event of a watch is told after the next one.
    EventSwapped,
}

/// The annotation of [`Fault::Touch`].
pub(crate) const TOUCHED: &str = "example.com/touched";

/// Names as the command line takes them.
const NAMES: [(&str, Fault); 31] = [
    ("crash-before", Fault::CrashBefore),
    ("crash-after", Fault::CrashAfter),
    ("old-leader", Fault::OldLeader),
    ("old-leader-1", Fault::OldLeaderAfter(1)),
    ("old-leader-3", Fault::OldLeaderAfter(3)),
    ("old-leader-6", Fault::OldLeaderAfter(6)),
    ("old-leader-10", Fault::OldLeaderAfter(10)),
    ("old-leader-20", Fault::OldLeaderAfter(20)),
    ("rewind-1", Fault::Rewind(1)),
    ("rewind-2", Fault::Rewind(2)),
    ("rewind-3", Fault::Rewind(3)),
    ("rewind-4", Fault::Rewind(4)),
    ("rewind-5", Fault::Rewind(5)),
    ("touch", Fault::Touch),
    ("conflict", Fault::Conflict),
    ("too-many", Fault::TooMany),
    ("server-error", Fault::ServerError),
    ("timeout", Fault::Timeout),
    ("late", Fault::Late),
    ("reset", Fault::Reset),
    ("stale-1", Fault::Stale(1)),
    ("stale-2", Fault::Stale(2)),
    ("stale-3", Fault::Stale(3)),
    ("stale-4", Fault::Stale(4)),
    ("stale-5", Fault::Stale(5)),
    ("not-found", Fault::NotFound),
    ("old-job", Fault::OldJob),
    ("truncated", Fault::Truncated),
    ("event-lost", Fault::EventLost),
    ("event-twice", Fault::EventTwice),
    ("event-swapped", Fault::EventSwapped),
];

impl Fault {
    /// All of them.
    #[must_use]
    pub fn all() -> Vec<Self> {
        NAMES.iter().map(|(_, fault)| *fault).collect()
    }

    /// The crashes before and after each call.
    #[must_use]
    pub fn crashes() -> Vec<Self> {
        vec![Self::CrashBefore, Self::CrashAfter]
    }

    /// All but [`Fault::crashes`].
    #[must_use]
    pub fn others() -> Vec<Self> {
        Self::all().into_iter().filter(|fault| !Self::crashes().contains(fault)).collect()
    }

    /// Whether it happens to an event of a watch instead of to a call.
    #[must_use]
    pub fn is_of_event(self) -> bool {
        matches!(self, Self::EventLost | Self::EventTwice | Self::EventSwapped)
    }

    /// Whether it can happen to such a call and means something there.
    #[must_use]
    pub fn concerns(self, call: CallKind) -> bool {
        let is_flink = matches!(call, CallKind::Flink(_));
        match self {
            Self::CrashBefore | Self::Reset | Self::ServerError => true,
            // To lose an answer that changes nothing is the same as to lose the question.
            Self::CrashAfter | Self::OldLeader | Self::OldLeaderAfter(_) | Self::Rewind(_) => call.is_write(),
            // Time passes until it is known that no answer comes.
            Self::Timeout => call.is_write() || is_flink,
            Self::Conflict => call.is_write() && !is_flink,
            Self::TooMany | Self::Touch => !is_flink,
            Self::Stale(_) => call.is_write() || matches!(call, CallKind::List(_)),
            Self::NotFound | Self::Truncated | Self::Late => is_flink,
            Self::OldJob => is_flink && !call.is_write(),
            Self::EventLost | Self::EventTwice | Self::EventSwapped => false,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match NAMES.iter().find(|(_, fault)| fault == self) {
            Some((name, _)) => f.write_str(name),
            None => write!(f, "{self:?}"),
        }
    }
}

impl FromStr for Fault {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = NAMES.iter().find(|(name, _)| *name == text).map(|(_, fault)| *fault);
        found.ok_or_else(|| {
            let known: Vec<&str> = NAMES.iter().map(|(name, _)| *name).collect();
            format!("there is no fault '{text}'; there are: all, crashes, others, {}", known.join(", "))
        })
    }
}

/// A fault at a call (or at an event) of a run, counted from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Point {
    /// Number of the call, or of the event.
    pub index: usize,
    /// What goes wrong there.
    pub fault: Fault,
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.index, self.fault)
    }
}

impl FromStr for Point {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (index, fault) = text.split_once(':').ok_or_else(|| format!("'{text}' is not INDEX:FAULT"))?;
        let index = index.parse().map_err(|_| format!("'{index}' is not a number"))?;
        Ok(Self { index, fault: fault.parse()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_written() {
        for fault in Fault::all() {
            assert_eq!(fault.to_string().parse(), Ok(fault));
            let point = Point { index: 7, fault };
            assert_eq!(point.to_string().parse(), Ok(point));
        }
        assert!("7".parse::<Point>().is_err());
        assert!("7:nothing".parse::<Point>().is_err());
    }
}
