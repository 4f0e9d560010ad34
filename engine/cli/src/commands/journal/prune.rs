//! `runwright journal prune`

use std::time::Duration;

use super::{counted, forget_logs, open};
use crate::human::now;
use crate::{Context, Error, exit};

const EXAMPLES: &str = "\
Examples:
  runwright journal prune --older-than 30d --dry-run
  runwright journal prune --older-than 12w

Only runs that are over are forgotten: never one that is blocked, damaged or still runs. The key of an alarm is
remembered for 7 days at least, so that the same alarm starts nothing twice. Export the journal before.";

/// Forget runs that were over long ago
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Prune {
    /// Runs that were over before that: `12h`, `30d` or `12w`
    #[arg(long, value_name = "TIME", value_parser = age)]
    older_than: Duration,
    /// Say what would be forgotten and change nothing
    #[arg(long)]
    dry_run: bool,
}

impl Prune {
    pub(super) fn run(self, context: &Context) -> Result<u8, Error> {
        let journal = open(context, "runwright journal prune")?;
        let pruned = journal::prune(&journal, now(), self.older_than, self.dry_run)
            .map_err(|error| Error::from(error).during("prune the journal"))?;
        if !self.dry_run {
            forget_logs(context, &journal)?;
        }
        journal.close().map_err(|error| Error::from(error).during("close the journal"))?;
        context.screen.json(&pruned);
        let (runs, records) = (counted(pruned.runs, "run"), counted(pruned.records, "record"));
        let alarms = counted(pruned.entries, "alarm");
        let would = if self.dry_run { "would forget" } else { "forgot" };
        context.screen.line(format!("{would} {runs} with {records}, and {alarms}"));
        for run in &pruned.damaged {
            context.screen.line(format!("run {run} is damaged and stays"));
        }
        Ok(exit::SUCCEEDED)
    }
}

/// A whole number of hours, days or weeks.
fn age(text: &str) -> Result<Duration, String> {
    let wrong = || format!("`{text}` is no age like `12h`, `30d` or `12w`");
    let unit = text.chars().next_back().ok_or_else(wrong)?;
    let hours = match unit {
        'h' => 1,
        'd' => 24,
        'w' => 7 * 24,
        _ => return Err(wrong()),
    };
    let number: u64 = text[..text.len() - 1].parse().map_err(|_| wrong())?;
    number.checked_mul(hours * 3_600).map(Duration::from_secs).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_is_a_number_and_a_unit() {
        assert_eq!(age("30d"), Ok(Duration::from_secs(30 * 24 * 3_600)));
        assert_eq!(age("2w"), age("14d"));
        assert_eq!(age("0h"), Ok(Duration::ZERO));
        for wrong in ["", "d", "30", "3m", "-1d", "1.5d", "99999999999999999999d", "30ß"] {
            assert!(age(wrong).is_err(), "{wrong}");
        }
    }
}
