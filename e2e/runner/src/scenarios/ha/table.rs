//! What became of the kills, as a table for people.

use std::fmt::Write as _;
use std::time::Duration;

use super::super::space::Space;
use super::super::specs::Flink;
use super::super::stateful::Mode;
use super::Store;
use super::kills::Moment;

/// What became of one kill.
pub(super) struct Row {
    pub(super) mode: Mode,
    pub(super) moment: Moment,
    pub(super) starts: u64,
    pub(super) empty: u64,
    pub(super) lost: u64,
    pub(super) doubled: u64,
    /// Those of them that Flink doubled by itself.
    pub(super) by_flink: u64,
    /// The operator asked for the path to start from.
    pub(super) by_hand: bool,
    pub(super) took: Duration,
}

/// All of them, for people.
pub(super) struct Table {
    pub(super) text: String,
    cluster: String,
    pub(super) wrong: u32,
}

impl Table {
    pub(super) fn new(flink: Flink, store: Store, job_managers: u32) -> Self {
        let cluster =
            format!("{} | {} | {job_managers}", store.name(), flink.reported().trim_end_matches('.'));
        let text =
            "| HA | Flink | JobManagers | upgradeMode | killed | starts | lost | doubled | STABLE after |\n\
                    |---|---|---|---|---|---|---|---|---|\n"
                .to_owned();
        Self { text, cluster, wrong: 0 }
    }

    pub(super) fn add(&mut self, space: &Space, row: &Row) {
        let Row { mode, moment, starts, empty, lost, doubled, by_flink, by_hand, took } = *row;
        let wrong = lost > 0 || empty > 0 || doubled > by_flink;
        let by_hand = if by_hand { ", with a path by hand" } else { "" };
        let lost = if empty > 0 { "all".to_owned() } else { lost.to_string() };
        let doubled = match by_flink {
            0 => doubled.to_string(),
            by_flink => format!("{doubled}, of these {by_flink} by Flink"),
        };
        let line = format!(
            "| {} | {} | {} | {starts} | {lost} | {doubled} | {:.0} s{by_hand} |",
            self.cluster,
            mode.upgrade_mode(),
            moment.name(),
            took.as_secs_f64()
        );
        space.say(&line);
        self.wrong += u32::from(wrong);
        let _ = writeln!(self.text, "{line}");
    }
}
