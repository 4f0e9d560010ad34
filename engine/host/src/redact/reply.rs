//! Replies of plugins without secrets.

use runwright_core::{Answer, Failure, Outcome, Verdict};

use super::Tainted;
use crate::call::{Change, Preview, Reply};

impl Tainted {
    /// Takes secrets out of everything that a call came to.
    pub(crate) fn hide_reply(&self, reply: &mut Reply) {
        if self.finders().next().is_none() {
            return;
        }
        match reply {
            Reply::Outcome(Outcome::Succeeded(answer)) => self.hide_answer(answer),
            Reply::Outcome(Outcome::Failed(failure)) => self.hide_failure(failure),
            Reply::Outcome(Outcome::Lost { reason }) => self.hide_text(reason),
            Reply::Verdict(Ok(Verdict::Happened(answer))) => self.hide_answer(answer),
            Reply::Verdict(Ok(Verdict::CannotTell { reason })) => self.hide_text(reason),
            Reply::Verdict(Ok(Verdict::NotHappened)) => {}
            Reply::Verdict(Err(failure)) | Reply::Preview(Err(failure)) => self.hide_failure(failure),
            Reply::Preview(Ok(preview)) => self.hide_preview(preview),
        }
    }

    fn hide_answer(&self, answer: &mut Answer) {
        self.hide_value(&mut answer.output);
        if let Some(data) = &mut answer.undo_data {
            self.hide_data(data);
        }
    }

    fn hide_failure(&self, failure: &mut Failure) {
        let Failure { message, code, details, kind: _, retry_after_ms: _ } = failure;
        self.hide_text(message);
        code.iter_mut().chain(details).for_each(|text| self.hide_data(text));
    }

    fn hide_preview(&self, preview: &mut Preview) {
        let Preview { summary, changes, output } = preview;
        self.hide_text(summary);
        for Change { subject, summary, before, after, kind: _ } in changes {
            self.hide_text(subject);
            self.hide_text(summary);
            before.iter_mut().chain(after).for_each(|text| self.hide_data(text));
        }
        if let Some(output) = output {
            self.hide_value(output);
        }
    }

    fn hide_text(&self, text: &mut String) {
        let hidden = self.hide(text).into_owned();
        *text = hidden;
    }

    /// What is JSON stays JSON, so that a plugin can read it again.
    fn hide_data(&self, text: &mut String) {
        let hidden = self.hide(text).into_owned();
        if hidden == *text {
            return;
        }
        *text = match serde_json::from_str(text) {
            Ok(mut value) => {
                self.hide_value(&mut value);
                // A value may hold texts that are spelled differently now: they are looked at once more.
                self.hide(&value.to_string()).into_owned()
            }
            Err(_) => hidden,
        };
    }
}
