//! `slack`: a message in Slack's form, which Mattermost, Rocket.Chat and others take too.

use std::collections::BTreeMap;

use runwright_sdk::schemars::{self, JsonSchema};
use runwright_sdk::{Change, ChangeKind, Context, Error, Outcome, Preview, Result, Verdict};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::delivery;
use crate::post::To;

/// Characters of a message, as Slack cuts it.
const TEXT_MAX: usize = 40_000;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Input {
    #[serde(flatten)]
    to: To,
    /// The message, with Slack's marks: `*bold*`, `<https://…|a link>`. What comes from outside goes into `fields`.
    #[schemars(example = &"*recover-vm* failed")]
    text: String,
    /// More lines `name: value`. The values are escaped: none can be a link or call a channel.
    #[serde(default)]
    #[schemars(example = json!({"vm": "web-1", "reason": "the disk does not mount"}))]
    fields: BTreeMap<String, String>,
    /// Slack's blocks, where the text is not enough.
    blocks: Option<Vec<Value>>,
}

/// What the chat answered.
#[derive(Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Posted {
    /// The status, for example 200.
    #[schemars(example = 200)]
    status: u16,
}

impl Input {
    fn payload(&self) -> Result<Value> {
        let mut text = self.text.clone();
        for (name, value) in &self.fields {
            text += &format!("\n*{}:* {}", escape(name), escape(value));
        }
        if text.trim().is_empty() {
            return Err(Error::invalid_input("the message is empty").code("notify.text"));
        }
        if text.chars().count() > TEXT_MAX {
            let message = format!("the message is longer than the {TEXT_MAX} characters that a chat shows");
            return Err(Error::invalid_input(message).code("notify.text"));
        }
        let mut payload = json!({"text": text});
        if let Some(blocks) = &self.blocks {
            payload["blocks"] = json!(blocks);
        }
        Ok(payload)
    }
}

/// Escapes what Slack gives a meaning to; line ends would look like further fields.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace(['\n', '\r'], " ")
}

pub(crate) fn run(input: Input, context: &Context) -> Result<Outcome<Posted>> {
    let payload = input.payload()?;
    let target = input.to.target()?;
    let request = target.request().json(&payload)?;
    delivery::once(context, || target.send(&request).map(|status| Posted { status }))
}

pub(crate) fn plan(input: Input, _: &Context) -> Result<Preview> {
    let to = input.to.shown()?;
    let text = input.payload()?["text"].as_str().unwrap_or_default().to_owned();
    let mut change = Change::new(ChangeKind::Execute, &to, "a message");
    change.after = Some(text);
    Ok(Preview::new(format!("writes a message to {to}")).change(change))
}

pub(crate) fn verify(_: Input, _: &Context) -> Result<Verdict<Posted>> {
    delivery::verify()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn payload(json: &str) -> Result<Value> {
        serde_json::from_str::<Input>(json).unwrap().payload()
    }

    #[test]
    fn a_value_calls_nobody() {
        let payload =
            payload(r#"{"url": "http://x/", "text": "*down*", "fields": {"vm": "<!channel>\n*x*", "a": "&"}}"#);
        assert_eq!(payload.unwrap()["text"], "*down*\n*a:* &amp;\n*vm:* &lt;!channel&gt; *x*");
    }

    #[test]
    fn a_message_has_a_text() {
        assert!(payload(r#"{"url": "http://x/", "text": " "}"#).is_err());
        let long = format!(r#"{{"url": "http://x/", "text": "{}"}}"#, "x".repeat(TEXT_MAX + 1));
        assert_eq!(payload(&long).unwrap_err().code_text(), Some("notify.text"));
    }
}
