//! What the counting job wrote, as `e2e/job/check` judges it.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use super::space::{Look, Space};

/// The numbers that the checker prints.
pub(crate) struct Ledger(BTreeMap<String, u64>);

impl fmt::Display for Ledger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pairs: Vec<_> = self.0.iter().map(|(key, value)| format!("{key}={value}")).collect();
        f.write_str(&pairs.join(" "))
    }
}

impl Ledger {
    /// Judges a file that the job `name` of this scenario wrote. Fails if elements were lost or counted twice.
    pub(crate) fn read(space: &Space, name: &str) -> Result<Self> {
        Self::of_file(&space.data.join(format!("{name}.jsonl")))
    }

    /// Judges a file. Fails if elements were lost or counted twice.
    pub(crate) fn of_file(file: &Path) -> Result<Self> {
        let (ledger, finding) = Self::judge(file)?;
        match finding {
            None => Ok(ledger),
            Some(finding) => bail!("the ledger {} is wrong: {ledger} {finding}", file.display()),
        }
    }

    /// The numbers of a file, and what is wrong with it.
    pub(crate) fn judge(file: &Path) -> Result<(Self, Option<String>)> {
        let check = Path::new(env!("CARGO_MANIFEST_DIR")).join("../job/check");
        let output = Command::new(check).arg(file).output()?;
        let (stdout, stderr) = (String::from_utf8(output.stdout)?, String::from_utf8_lossy(&output.stderr));
        let pairs = stdout.split_whitespace().filter_map(|pair| pair.split_once('='));
        let number = |(key, value): (&str, &str)| Some((key.to_owned(), value.parse().ok()?));
        let ledger = Self(pairs.filter_map(number).collect());
        Ok((ledger, Some(stderr.into_owned()).filter(|_| !output.status.success())))
    }

    pub(crate) fn number(&self, key: &str) -> Result<u64> {
        self.0.get(key).copied().with_context(|| format!("the checker prints no {key}"))
    }
}

/// Waits until the job has started so often, has counted something since and completed a checkpoint.
pub(super) async fn counts(space: &Space, name: &str, starts: u64) -> Result<()> {
    let what = format!("{name} has started {starts} times and counts");
    let ledger = space
        .until(&what, super::space::TO_NOTICE, async || {
            let ledger = Ledger::read(space, name)?;
            let state = format!("{:?}", ledger.0);
            let counts = ledger.number("sequence")? > 100 && ledger.number("completed")? > 0;
            let enough = ledger.number("starts")? >= starts;
            Ok(if counts && enough { Look::Done(ledger) } else { Look::NotYet(state) })
        })
        .await?;
    ensure!(
        ledger.number("starts")? == starts,
        "{name} started {} times, not {starts}",
        ledger.number("starts")?
    );
    space.say(&format!("{name} counted {} elements in start {starts}", ledger.number("sequence")?));
    Ok(())
}

/// Waits until the job has started so often, so often from a snapshot, and has completed a checkpoint with more than
/// `counted` elements: then nothing was lost and nothing counted twice up to there.
pub(crate) async fn goes_on(
    space: &Space,
    name: &str,
    starts: u64,
    restored: u64,
    counted: u64,
) -> Result<Ledger> {
    let what = format!("{name} has started {starts} times, {restored} times from a snapshot, and counts");
    let ledger = space
        .until(&what, super::space::TO_NOTICE, async || {
            let ledger = Ledger::read(space, name)?;
            let counts = ledger.number("completed")? > counted && ledger.number("starts")? >= starts;
            Ok(if counts { Look::Done(ledger) } else { Look::NotYet(ledger.to_string()) })
        })
        .await?;
    let fits = ledger.number("starts")? == starts && ledger.number("restored")? == restored;
    ensure!(fits, "{name}: {starts} starts and {restored} restored were expected: {ledger}");
    space.say(&format!("{name}: {ledger}"));
    Ok(ledger)
}
