//! Tells people and programs what happens: webhooks, Slack-compatible chat, e-mail.
//!
//! A message that was sent can't be taken back, so nothing here has an undo, and nothing is sent twice by itself: see
//! [`delivery`].

mod delivery;
mod hmac;
mod mail;
mod message;
mod post;
mod slack;
mod webhook;

use runwright_sdk::{Action, Plugin};
use serde_json::json;

fn plugin() -> Plugin {
    Plugin::new("notify", env!("CARGO_PKG_VERSION"), "Webhooks, chat and e-mail")
        .action(
            Action::unsafe_("webhook", "Posts JSON to a URL, signed where a secret is named", webhook::run)
                .plan(webhook::plan)
                .verify(webhook::verify)
                .defaults(json!({"timeout-ms": 30_000})),
        )
        .action(
            Action::unsafe_("slack", "Writes into a chat that takes Slack's incoming webhooks", slack::run)
                .plan(slack::plan)
                .verify(slack::verify)
                .defaults(json!({"timeout-ms": 30_000})),
        )
        .action(
            Action::unsafe_("mail", "Hands an e-mail to the mail program of the engine's host", mail::run)
                .plan(mail::plan)
                .verify(mail::verify)
                .defaults(json!({"timeout-ms": 60_000})),
        )
}

runwright_sdk::export!(plugin);
