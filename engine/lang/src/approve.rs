//! Steps that people approve.

use runwright_core::{OnTimeout, Work, short};

use crate::check::{Check, Keys, find};
use crate::node::{Entry, Kind, Node};
use crate::runbook::first;
use crate::scope::Scope;
use crate::step::Doing;

pub(crate) const KEYS: Keys = Keys {
    of: "`approve`",
    known: &["message", "role", "quorum", "not-requester", "timeout", "on-timeout"],
    later: &[],
};

/// People who must say yes, at most.
const QUORUM_MAX: u32 = 10;

impl Check<'_> {
    /// The work of a step with `approve`: the question as text, or a map with more.
    pub(crate) fn approve(&mut self, fields: &[Entry], entry: &Entry, scope: Scope) -> Option<Doing> {
        self.without(fields, &["retry", "with", "idempotent", "on-unknown", "undo"], "a step with `approve`");
        let node = &entry.value;
        let inner = match &node.kind {
            Kind::Map(inner) => inner.as_slice(),
            _ => {
                let message = self.question(node, scope)?;
                return Some(doing(message, None, 1, false, OnTimeout::Fail, None));
            }
        };
        self.keys(inner, &KEYS);
        let field = |key| find(inner, key).map(|entry| &entry.value);
        let message = match field("message") {
            Some(message) => self.question(message, scope),
            None => {
                let error = self.error("missing-key", first(node), "`approve` has no `message`");
                error.help("say what people are asked, for example `message: \"Restart ${{ inputs.vm }}?\"`");
                None
            }
        };
        let role = field("role").map_or(Some(None), |role| self.role(role).map(Some));
        let quorum = field("quorum").map_or(Some(1), |quorum| self.integer(quorum, 1..=QUORUM_MAX));
        let not_requester = field("not-requester").and_then(|node| self.boolean(node)).unwrap_or(false);
        let limit_ms = field("timeout").and_then(|timeout| self.duration(timeout));
        let beside = find(fields, "timeout");
        if let (Some(_), Some(beside)) = (limit_ms, beside) {
            let error = self.error("bad-value", beside.at.clone(), "the step has two timeouts");
            error.help("leave this one or the one in `approve`");
        }
        let choices = [("fail", OnTimeout::Fail), ("approve", OnTimeout::Approve)];
        let on_timeout = field("on-timeout").map_or(Some(OnTimeout::Fail), |node| self.choice(node, &choices));
        if let (Some(entry), None) =
            (find(inner, "on-timeout"), field("timeout").or(beside.map(|beside| &beside.value)))
        {
            let error = self.error("bad-value", entry.at.clone(), "`on-timeout` without a `timeout` never comes");
            error.help("say how long people have, for example `timeout: 4h`");
        }
        Some(doing(message?, role?, quorum?, not_requester, on_timeout?, limit_ms))
    }

    /// What people are asked.
    fn question(&mut self, node: &Node, scope: Scope) -> Option<String> {
        self.template(node, scope);
        let Some(text) = node.text() else {
            self.wrong_type(node, "the question, or a map like `{ message: …, quorum: 2 }`");
            return None;
        };
        if text.trim().is_empty() {
            self.error("bad-value", node.span.clone(), "the question is empty").help("say what is to be approved");
        }
        Some(text.to_owned())
    }

    fn role(&mut self, node: &Node) -> Option<String> {
        let role = self.text(node)?;
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'_');
        if !((1..=64).contains(&role.len()) && role.bytes().all(plain)) {
            let error = self.error("bad-value", node.span.clone(), format!("`{}` is no name of a role", short(role)));
            error.help("a role is 1 to 64 of `a-z`, `0-9`, `-` and `_`; who has it, `[roles]` in runwright.toml says");
            return None;
        }
        Some(role.to_owned())
    }
}

const fn doing(
    message: String,
    role: Option<String>,
    quorum: u32,
    not_requester: bool,
    on_timeout: OnTimeout,
    limit_ms: Option<u64>,
) -> Doing {
    let work = Work::Approve { message, role, quorum, not_requester, on_timeout };
    Doing { work, until: None, timeout_ms: None, limit_ms }
}
