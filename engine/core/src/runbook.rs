//! The checked form of a runbook: what a run is pinned to.

use std::sync::Arc;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{ActionName, Digest, Direction, Input, Map, OnFailure};

/// A runbook that was checked: what to do for one specific task.
///
/// Strings in [`Work::Action::with`], [`Runbook::outputs`] and [`Trigger::Alarm::with`] may hold `${{ }}` expressions;
/// the `script` crate works them out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Runbook {
    /// Its name: 1 to 64 characters of `a-z`, `0-9`, `-` and `_`.
    pub name: String,
    /// The version of the language that it was checked by; see [`Runbook::EDITION`].
    #[serde(default, skip_serializing_if = "is_zero")]
    pub edition: u32,
    /// One sentence for people; may be empty.
    pub description: String,
    /// What must be given to a run.
    pub inputs: IndexMap<String, Input>,
    /// What starts it besides a person.
    pub on: Vec<Trigger>,
    /// The lock that a run holds while it lasts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lock: Option<Lock>,
    /// Runs of it that are at work at the same time, at most; any number without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_parallel: Option<u32>,
    /// How long a run may take, from when it begins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<Limit>,
    /// The steps in their order; ids are unique.
    pub steps: Vec<Arc<Step>>,
    /// What a run gives back when it succeeded.
    pub outputs: Map,
}

impl Runbook {
    /// The newest version of the language. A run sees what its own runbook's version says, whatever engine goes on with it.
    ///
    /// - 0: `steps.X.error` is the message.
    /// - 1: `steps.X.error` is a map of `kind`, `message` and `code`.
    pub const EDITION: u32 = 1;

    /// The runbook of this name that has no steps.
    pub fn empty(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            edition: Self::EDITION,
            description: String::new(),
            inputs: IndexMap::new(),
            on: Vec::new(),
            lock: None,
            max_parallel: None,
            limit: None,
            steps: Vec::new(),
            outputs: Map::new(),
        }
    }

    /// The place of the step with this id.
    pub fn position(&self, step: &str) -> Option<usize> {
        self.steps.iter().position(|known| known.id == step)
    }

    /// The JSON text that the journal keeps, and its digest.
    ///
    /// # Panics
    ///
    /// Never: every part of a runbook has a JSON form.
    pub fn source(&self) -> (Digest, Vec<u8>) {
        #[expect(clippy::expect_used, reason = "maps have string keys and no value refuses to be serialized")]
        let bytes = serde_json::to_vec(self).expect("a runbook has a JSON form");
        (Digest::of(&bytes), bytes)
    }

    /// The actions that its steps use, each once, in order of first use.
    pub fn actions(&self) -> Vec<&ActionName> {
        let mut names = Vec::new();
        for step in self.all_steps() {
            for work in std::iter::once(&step.work).chain(&step.undo) {
                let used = match work {
                    Work::Action { action, .. } => std::slice::from_ref(action),
                    Work::Script { acts, .. } => acts,
                    Work::Wait { .. }
                    | Work::Approve { .. }
                    | Work::Group { .. }
                    | Work::Each { .. }
                    | Work::Runbook { .. } => &[],
                };
                for action in used {
                    if !names.contains(&action) {
                        names.push(action);
                    }
                }
            }
        }
        names
    }

    /// Every step, each followed by those in it.
    pub fn all_steps(&self) -> Vec<&Step> {
        let mut rest: Vec<&Step> = self.steps.iter().rev().map(|step| &**step).collect();
        let mut all = Vec::new();
        while let Some(step) = rest.pop() {
            all.push(step);
            rest.extend(step.steps().rev());
        }
        all
    }
}

/// How long a run may take, and what follows when it takes longer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Limit {
    /// Milliseconds.
    pub ms: u64,
    /// What follows: as after a step that failed.
    pub on_failure: OnFailure,
}

/// A lock: runs with the same key run one at a time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Lock {
    /// What is locked, a text with expressions over `inputs`, for example `vm/${{ inputs.vm }}`.
    pub key: String,
    /// What becomes of a run that finds it held.
    pub on_busy: OnBusy,
}

/// What becomes of a run that finds its lock held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnBusy {
    /// It waits for its turn, in the order in which runs came.
    #[default]
    Queue,
    /// It is not started.
    Skip,
    /// The run that holds the lock is cancelled, and this one waits for its end.
    Replace,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// What starts runs of a runbook by itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Trigger {
    /// An alarm for which the condition holds.
    Alarm {
        /// The condition, an expression over `alarm`.
        r#where: String,
        /// The inputs of the run, with expressions over `alarm`.
        with: Map,
    },
}

/// One step of a runbook.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Step {
    /// Its name in the runbook: a letter, then letters, digits and `_` or `-`, at most 64.
    pub id: String,
    /// Runs only if this expression is true.
    #[serde(default, rename = "if", skip_serializing_if = "Option::is_none")]
    pub condition: Option<String>,
    /// What it does.
    pub work: Work,
    /// The lock that it holds while it is at work, a text with expressions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lock: Option<String>,
    /// Milliseconds that one attempt may take.
    pub timeout_ms: u64,
    /// Milliseconds that one attempt of a step that holds steps, or that people approve, may take; without it they have the
    /// time that they need.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit_ms: Option<u64>,
    /// When and how often to try again.
    pub retry: Retry,
    /// What a failure means for the run.
    pub on_failure: OnFailure,
    /// What to do where nobody can tell whether an attempt happened.
    pub on_unknown: OnUnknown,
    /// The author promises that repeating this step is safe, whatever the action declares.
    pub idempotent: bool,
    /// Runs also after a failure or a cancellation.
    pub always: bool,
    /// What takes the step back; without it the action's own undo does, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undo: Option<Work>,
    /// Once it succeeded, nothing that came before it is undone.
    #[serde(default)]
    pub point_of_no_return: bool,
    /// The action is called until this holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Until>,
    /// The steps before it whose results it reads: what they did is not taken back while what it did stands and could not
    /// be taken back.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub builds_on: Vec<String>,
}

impl Step {
    /// Milliseconds that one attempt may take where the step says nothing.
    pub const DEFAULT_TIMEOUT_MS: u64 = 5 * 60 * 1000;

    /// The steps in it: of a group its own and its rescue, of a for-each those for an item and those between waves, of a
    /// runbook its own.
    pub fn steps(&self) -> impl DoubleEndedIterator<Item = &Self> {
        let (steps, body, more): (&[Arc<Self>], _, _) = match &self.work {
            Work::Group { steps, rescue, .. } => (steps, None, rescue.as_ref()),
            Work::Each { body, between, .. } => (&[], Some(body), between.as_ref()),
            Work::Runbook { runbook, .. } => (&runbook.steps, None, None),
            _ => (&[], None, None),
        };
        steps.iter().chain(body).chain(more).map(|step| &**step)
    }

    /// What is called in this direction. An action's own undo is a call of the same action.
    pub fn work(&self, direction: Direction) -> &Work {
        match (direction, &self.undo) {
            (Direction::Undo, Some(undo)) => undo,
            _ => &self.work,
        }
    }

    /// A step that does this, and for the rest says nothing.
    pub fn new(id: impl Into<String>, work: Work) -> Self {
        Self {
            id: id.into(),
            condition: None,
            work,
            timeout_ms: Self::DEFAULT_TIMEOUT_MS,
            lock: None,
            limit_ms: None,
            retry: Retry::default(),
            on_failure: OnFailure::Stop,
            on_unknown: OnUnknown::default(),
            idempotent: false,
            always: false,
            undo: None,
            point_of_no_return: false,
            until: None,
            builds_on: Vec::new(),
        }
    }
}

/// What a step does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Work {
    /// Calls an action of a plugin.
    Action {
        /// The action.
        action: ActionName,
        /// Its input, with expressions.
        with: Map,
    },
    /// Evaluates a Rhai script; its last value is the step's output. It reads `inputs` and `steps`, and reaches outside
    /// through `act(…)` only, each call of which is journaled.
    Script {
        /// The script's text.
        source: String,
        /// The actions that it names in `act(…)`.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        acts: Vec<ActionName>,
        /// The line of the runbook's file on which its text begins; none where its lines are not those of the file.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        line: Option<u32>,
    },
    /// Waits. The time at which it ends is durable: a restart does not prolong it.
    Wait {
        /// A duration, for example `5m`, with expressions.
        time: String,
    },
    /// Waits until people say yes, or one says no.
    Approve {
        /// What they are asked, with expressions.
        message: String,
        /// The role that they must have.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        role: Option<String>,
        /// How many must say yes.
        quorum: u32,
        /// Whether who asked for the run may not approve it.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        not_requester: bool,
        /// What follows when nobody answers in time.
        #[serde(default)]
        on_timeout: OnTimeout,
    },
    /// Does the steps in it, one after the other or side by side.
    Group {
        /// The steps in their order; ids are unique.
        steps: Vec<Arc<Step>>,
        /// Steps at work at the same time, at most; one without it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        at_once: Option<u32>,
        /// Whether the first failure stops the others.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        fail_fast: bool,
        /// A group: what is done when one of the steps failed; its end is then the end of all.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        rescue: Option<Arc<Step>>,
    },
    /// Does the same for each item of a list.
    Each {
        /// The list: an expression, or a list with expressions.
        items: Value,
        /// The name under which the steps see their item.
        name: String,
        /// Where waves end, as numbers of items or shares of all, from the smallest; none without waves.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        waves: Vec<Share>,
        /// Items at work at the same time, at most.
        at_once: u32,
        /// Items that may fail.
        max_failures: Share,
        /// A group: the steps for one item.
        body: Arc<Step>,
        /// A group: what is done between two waves.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        between: Option<Arc<Step>>,
    },
    /// Does what another runbook says, in the same run.
    Runbook {
        /// The runbook as it was when the one around it was checked. What starts it by itself means nothing here.
        runbook: Arc<Runbook>,
        /// Its inputs, with expressions.
        with: Map,
    },
}

/// What follows when people who are asked do not answer in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnTimeout {
    /// The step fails.
    #[default]
    Fail,
    /// It counts as approved.
    Approve,
}

/// So many of the items, or a share of all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Share {
    /// This number.
    Items(u32),
    /// This many of a hundred.
    Percent(u32),
}

impl Share {
    /// How many of `all` that is as the end of a wave: a part of one counts as one.
    pub fn up(self, all: usize) -> usize {
        match self {
            Self::Items(items) => items as usize,
            Self::Percent(percent) => (all * percent as usize).div_ceil(100),
        }
    }

    /// How many of `all` that is as failures that are borne: a part of one counts as none.
    pub fn down(self, all: usize) -> usize {
        match self {
            Self::Items(items) => items as usize,
            Self::Percent(percent) => all * percent as usize / 100,
        }
    }
}

impl Work {
    /// Does these steps one after the other.
    pub const fn group(steps: Vec<Arc<Step>>) -> Self {
        Self::Group { steps, at_once: None, fail_fast: false, rescue: None }
    }

    /// The word for its kind: the key that says so in a runbook.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Action { .. } => "uses",
            Self::Script { .. } => "script",
            Self::Wait { .. } => "wait",
            Self::Approve { .. } => "approve",
            Self::Group { at_once: None, .. } => "steps",
            Self::Group { .. } => "parallel",
            Self::Each { .. } => "for-each",
            Self::Runbook { .. } => "runbook",
        }
    }

    /// The action that is called; none for scripts and waits.
    pub fn action(&self) -> Option<&ActionName> {
        match self {
            Self::Action { action, .. } => Some(action),
            _ => None,
        }
    }
}

/// Until when a reading action is called again and again. `timeout` then bounds all calls together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Until {
    /// An expression that also sees `output`, what the action gave.
    pub condition: String,
    /// Milliseconds between two calls.
    pub every_ms: u64,
}

/// How often and how soon a failed attempt is repeated. Only failures after which nothing remains are.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Retry {
    /// Attempts in all, at least 1.
    pub attempts: u32,
    /// Milliseconds before the second attempt.
    pub delay_ms: u64,
    /// Factor by which the delay grows after each further attempt, at least 1.
    pub backoff: f64,
    /// Milliseconds that no delay exceeds.
    pub max_delay_ms: u64,
}

impl Default for Retry {
    /// One attempt.
    fn default() -> Self {
        Self { attempts: 1, delay_ms: 1_000, backoff: 2.0, max_delay_ms: 60_000 }
    }
}

impl Retry {
    /// Milliseconds to wait after `spent` failed attempts.
    ///
    /// ```
    /// let retry = runwright_core::Retry { attempts: 9, delay_ms: 500, backoff: 2.0, max_delay_ms: 1_500 };
    /// assert_eq!([1, 2, 3].map(|spent| retry.delay_after_ms(spent)), [500, 1_000, 1_500]);
    /// ```
    pub fn delay_after_ms(&self, spent: u32) -> u64 {
        let exponent = i32::try_from(spent.saturating_sub(1)).unwrap_or(i32::MAX);
        let delay = self.delay_ms as f64 * self.backoff.max(1.0).powi(exponent);
        (delay.min(self.max_delay_ms as f64)) as u64
    }
}

/// What to do where nobody can tell whether an attempt happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnUnknown {
    /// Ask a person.
    #[default]
    Ask,
    /// Try again; only where repeating is safe.
    Retry,
    /// Go on as after a failure whose effects may remain.
    Fail,
}
