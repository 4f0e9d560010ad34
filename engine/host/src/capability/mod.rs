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

use std::sync::{Arc, Mutex, PoisonError};

use crate::grants::Granted;
use crate::notes::Level;
use crate::state::State;
use log::Log;

/// Bytes of a refusal in words.
const REFUSAL_BYTES_MAX: usize = 3072;

impl State {
    /// Refuses `what`, which `line` in the plugin's grants would allow: says so in the log and to the plugin.
    fn deny(&self, what: &str, line: &str) -> String {
        self.refusals.deny(what, line)
    }

    /// Refuses `what` because this is a dry run; `line` would allow it, where anything can.
    fn deny_in_plan(&self, what: &str, line: Option<&str>) -> String {
        self.refusals.deny_in_plan(what, line)
    }
}

/// Says what is refused to one call, and keeps what was last. Its clones are one.
#[derive(Clone)]
pub(crate) struct Refusals {
    plugin: Arc<str>,
    withheld: Option<String>,
    log: Log,
    last: Arc<Mutex<Option<String>>>,
}

impl Refusals {
    pub(crate) fn new(plugin: Arc<str>, grants: &Granted, log: Log) -> Self {
        Self { plugin, withheld: grants.withheld.clone(), log, last: Arc::default() }
    }

    /// What was refused last, in words.
    pub(crate) fn take(&self) -> Option<String> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).take()
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
        // What is refused is text of the plugin, and may be long or hold a secret.
        let why = self.log.plain(&why, REFUSAL_BYTES_MAX);
        self.log.write(Level::Warn, &why);
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(why.clone());
        why
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
