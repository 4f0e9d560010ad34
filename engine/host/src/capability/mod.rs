//! What plugins can ask for, one file each, and how it is refused.

mod checkpoint;
mod clock;
pub(crate) mod exec;
pub(crate) mod files;
pub(crate) mod http;
pub(crate) mod log;
pub(crate) mod secrets;
pub(crate) mod unix;

pub(crate) use checkpoint::Checkpoints;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use runwright_core::FailureKind;

use crate::grants::Granted;
use crate::said::Log;
use crate::state::State;

/// Bytes of a refusal in words.
const REFUSAL_BYTES_MAX: usize = 3072;
/// Different refusals of one call that are told.
const REFUSALS_MAX: usize = 16;

impl State {
    /// Refuses `what`, which `line` in the plugin's grants would allow: says so to the plugin and to people.
    fn deny(&self, what: &str, line: &str) -> String {
        self.refusals.deny(what, line)
    }

    /// Refuses `what` because this is a dry run; `line` would allow it, where anything can.
    fn deny_in_plan(&self, what: &str, line: Option<&str>) -> String {
        self.refusals.deny_in_plan(what, line)
    }
}

/// Something that the host refused before anything happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// [`FailureKind::Denied`], or [`FailureKind::InvalidInput`] where no grant could allow it.
    pub(crate) kind: FailureKind,
    /// For people.
    pub(crate) why: String,
}

/// What the host knows of a call that its plugin does not, for people.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Report {
    /// What was refused to it, in its order.
    pub(crate) refused: Vec<Refusal>,
    /// What its interface can't say of the last thing that it did, for example which signal ended its program.
    pub(crate) aside: Option<String>,
    /// How often it changed something outside, or may have.
    pub(crate) acts: usize,
    /// It wanted to act when it was over already, so that nothing was begun.
    pub(crate) late: bool,
}

/// Says what is refused to one call, and keeps it for what is told of the call. Its clones are one.
#[derive(Clone)]
pub(crate) struct Refusals {
    plugin: Arc<str>,
    withheld: Option<String>,
    log: Log,
    report: Arc<Mutex<Report>>,
}

impl Refusals {
    pub(crate) fn new(plugin: Arc<str>, grants: &Granted, log: Log) -> Self {
        Self { plugin, withheld: grants.withheld.clone(), log, report: Arc::default() }
    }

    /// What is known of the call; what was refused is the caller's to tell.
    pub(crate) fn take(&self) -> Report {
        std::mem::take(&mut self.report())
    }

    fn report(&self) -> MutexGuard<'_, Report> {
        self.report.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps what the plugin's interface can't say of what it did last.
    fn explain(&self, aside: impl Into<Option<String>>) {
        self.report().aside = aside.into().map(|aside| self.log.plain(&aside, REFUSAL_BYTES_MAX));
    }

    /// The call changes something outside, or may.
    fn acts(&self) {
        self.report().acts += 1;
    }

    /// Takes one [`acts`](Self::acts) back: that did not come to it.
    fn came_to_nothing(&self) {
        let acts = &mut self.report().acts;
        *acts = acts.saturating_sub(1);
    }

    /// What the plugin is told of `what` that was not begun, because the call was over.
    fn late(&self, what: &str) -> String {
        self.report().late = true;
        format!("the call was over before {what}")
    }

    fn deny(&self, what: &str, line: &str) -> String {
        let plugin = &self.plugin;
        self.refuse(match &self.withheld {
            Some(why) => format!("{what} is refused to plugin {plugin}: {why}"),
            None => format!(
                "runwright.toml does not grant plugin {plugin} {what}; to allow it, add under [plugin.{}.grants]: {line}",
                key(plugin)
            ),
        })
    }

    fn deny_in_plan(&self, what: &str, line: Option<&str>) -> String {
        let help = line.map(|line| format!("; if it changes nothing, add {line} to its grant")).unwrap_or_default();
        self.refuse(format!("a dry run changes nothing, so plugin {} is refused {what}{help}", self.plugin))
    }

    fn refuse(&self, why: String) -> String {
        self.keep(FailureKind::Denied, &why)
    }

    /// Refuses what nobody could be granted: the request itself is wrong.
    fn invalid(&self, why: &str) -> String {
        self.keep(FailureKind::InvalidInput, why)
    }

    fn keep(&self, kind: FailureKind, why: &str) -> String {
        // What is refused is text of the plugin, and may be long or hold a secret.
        let why = self.log.plain(why, REFUSAL_BYTES_MAX);
        let refusal = Refusal { kind, why: why.clone() };
        let refused = &mut self.report().refused;
        refused.retain(|known| *known != refusal);
        if refused.len() == REFUSALS_MAX {
            refused.remove(0);
        }
        refused.push(refusal);
        why
    }
}

impl Report {
    /// The refusal that the plugin's error is about: the last one.
    pub(crate) fn refusal(&self) -> Option<&Refusal> {
        self.refused.last()
    }

    /// What was refused and does not stand in `told`.
    pub(crate) fn untold<'a>(&'a self, told: &'a str) -> impl Iterator<Item = &'a str> {
        self.refused.iter().map(|refusal| refusal.why.as_str()).filter(move |why| !told.contains(why))
    }
}

/// `text` as a TOML string.
fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

/// `text` as a TOML key.
fn key(text: &str) -> String {
    let bare = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    if !text.is_empty() && text.bytes().all(bare) { text.to_owned() } else { quoted(text) }
}
