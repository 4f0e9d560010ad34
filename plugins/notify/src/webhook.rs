//! `webhook`: JSON to a URL.
//!
//! The idempotency key goes with it as the header `idempotency-key`, so a receiver can leave out what it knows. Where a
//! secret is named, the body is signed as GitHub signs its webhooks: `sha256=` and the HMAC-SHA256 in hexadecimal digits.

use std::collections::BTreeMap;

use runwright_sdk::schemars::{self, JsonSchema};
use runwright_sdk::{Change, ChangeKind, Context, Error, Outcome, Preview, Result, Verdict, secrets};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::post::To;
use crate::{delivery, hmac};

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Input {
    #[serde(flatten)]
    to: To,
    /// What is sent, as JSON.
    #[schemars(example = json!({"text": "web-1 is back", "run": "01m7y3m6kg7ynja5a7tys8m4tw"}))]
    json: Value,
    /// More headers. No secrets: they would stand in the journal.
    #[serde(default)]
    #[schemars(example = json!({"x-team": "ops"}))]
    headers: BTreeMap<String, String>,
    /// Headers whose values are secrets, by the names of the secrets.
    #[serde(default)]
    #[schemars(example = json!({"authorization": "ticket-token"}))]
    secret_headers: BTreeMap<String, String>,
    /// Signs the body.
    sign: Option<Sign>,
}

/// How the body is signed.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Sign {
    /// The secret that is the key.
    #[schemars(example = &"webhook-key")]
    secret: String,
    /// The header that the signature goes into.
    #[serde(default = "signature")]
    #[schemars(example = &"x-hub-signature-256")]
    header: String,
}

fn signature() -> String {
    "x-hub-signature-256".into()
}

/// What the receiver answered.
#[derive(Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Posted {
    /// The status, for example 200.
    #[schemars(example = 200)]
    status: u16,
}

pub(crate) fn run(input: Input, context: &Context) -> Result<Outcome<Posted>> {
    let body = input.json.to_string().into_bytes();
    let target = input.to.target()?;
    let mut request =
        target.request().header("content-type", "application/json").header("idempotency-key", context.key());
    for (name, value) in &input.headers {
        request = request.header(name, value);
    }
    for (name, secret) in &input.secret_headers {
        request = request.header(name, secrets::get(secret)?.expose());
    }
    if let Some(Sign { secret, header }) = &input.sign {
        let code = hmac::hex(secrets::get(secret)?.expose().as_bytes(), &body);
        request = request.header(header, format!("sha256={code}"));
    }
    let request = request.body(body);
    delivery::once(context, || target.send(&request).map(|status| Posted { status }))
}

pub(crate) fn plan(input: Input, _: &Context) -> Result<Preview> {
    let to = input.to.shown()?;
    let signed = input.sign.map(|sign| format!(", signed with the secret {}", sign.secret)).unwrap_or_default();
    let mut change = Change::new(ChangeKind::Execute, &to, format!("POST of JSON{signed}"));
    let text = serde_json::to_string_pretty(&input.json).map_err(|error| Error::invalid_input(error.to_string()))?;
    change.after = Some(text);
    Ok(Preview::new(format!("posts JSON to {to}{signed}")).change(change))
}

pub(crate) fn verify(_: Input, _: &Context) -> Result<Verdict<Posted>> {
    delivery::verify()
}
