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

use crate::notes::Level;
use crate::state::State;

/// Bytes of a refusal in words.
const REFUSAL_BYTES_MAX: usize = 3072;

impl State {
    /// Refuses `what`, which `line` in the plugin's grants would allow: says so in the log and to the plugin.
    pub(crate) fn deny(&mut self, what: &str, line: &str) -> String {
        let plugin = &self.plugin;
        let why = match &self.grants.withheld {
            Some(why) => format!("{what} is refused to plugin {plugin}: {why}"),
            None => format!(
                "runwright.toml does not grant plugin {plugin} {what}; to allow it, add under [plugin.{}.grants]: {line}",
                key(plugin)
            ),
        };
        self.refuse(why)
    }

    /// Refuses `what` because this is a dry run; `line` would allow it, where anything can.
    pub(crate) fn deny_in_plan(&mut self, what: &str, line: Option<&str>) -> String {
        let help = line.map(|line| format!("; if it changes nothing, add {line} to its grant")).unwrap_or_default();
        self.refuse(format!("a dry run changes nothing, so plugin {} is refused {what}{help}", self.plugin))
    }

    pub(crate) fn refuse(&mut self, why: String) -> String {
        // What is refused is text of the plugin, and may be long or hold a secret.
        let why = self.log.hide(&log::clean(&why));
        let why = log::cut(&why, REFUSAL_BYTES_MAX).to_owned();
        self.log.write(Level::Warn, &why);
        self.denied = Some(why.clone());
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
