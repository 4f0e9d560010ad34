//! Values that are too large to keep. Everything that a run does is an event in the journal, and the events of one commit
//! must fit into one batch, so each value in them has a bound.

use std::io::{self, Write};

use runwright_core::{Answer, Failure, FailureKind, Outcome, Verdict};
use serde::Serialize;

/// The JSON of one value of a run has at most this many bytes: its inputs and outputs, and input and answer of a step. A
/// commit has three of them at most, and the runbook: less than a batch of the journal, 8 MiB.
pub(crate) const VALUE_BYTES_MAX: usize = 2 << 20;

/// Counts what is written to it.
struct Count(usize);

impl Write for Count {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Records of at most about this many bytes become durable together: with one more record, which bears one value, and with
/// what else may stand in its commit, that is less than a batch of the journal, 8 MiB.
pub(super) const BATCH_BYTES: usize = 2 << 20;

/// Bytes of the JSON.
pub(super) fn bytes(value: &impl Serialize) -> usize {
    let mut count = Count(0);
    // Counting does not fail, and what is no JSON is found elsewhere.
    let _ = serde_json::to_writer(&mut count, value);
    count.0
}

/// Why the value can't be kept; none where it can.
pub(crate) fn too_large(value: &impl Serialize) -> Option<String> {
    let bytes = bytes(value);
    (bytes > VALUE_BYTES_MAX).then(|| format!("it takes {bytes} bytes as JSON, and {VALUE_BYTES_MAX} can be kept"))
}

fn answer_too_large(answer: &Answer) -> Option<String> {
    too_large(&(&answer.output, &answer.undo_data)).map(|why| format!("the answer is too large: {why}"))
}

/// The outcome of a script, which has done nothing outside by itself: it failed where its output can't be kept.
pub(super) fn of_script(outcome: Outcome) -> Outcome {
    if let Outcome::Succeeded(answer) = &outcome
        && let Some(why) = answer_too_large(answer)
    {
        return Outcome::Failed(Failure::new(FailureKind::Permanent, why));
    }
    outcome
}

/// The outcome of an action, whose answer is lost where it can't be kept.
pub(super) fn of_action(outcome: Outcome) -> Outcome {
    if let Outcome::Succeeded(answer) = &outcome
        && let Some(reason) = answer_too_large(answer)
    {
        return Outcome::Lost { reason };
    }
    outcome
}

/// The verdict of an action, which can't tell where its answer can't be kept.
pub(super) fn of_verify(verdict: Verdict) -> Verdict {
    if let Verdict::Happened(answer) = &verdict
        && let Some(reason) = answer_too_large(answer)
    {
        return Verdict::CannotTell { reason };
    }
    verdict
}
