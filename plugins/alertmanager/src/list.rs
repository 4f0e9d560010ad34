//! `alerts` and `silences`: what there is.

use std::collections::BTreeMap;

use runwright_sdk::schemars::{self, JsonSchema};
use runwright_sdk::{Context, Outcome, Result};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::matcher::{self, Matcher, Written};
use crate::record::Kept;
use crate::server::Server;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Alerts {
    /// Only alerts that fit all of these; without any, all alerts.
    #[serde(default)]
    #[schemars(example = json!(["severity=\"page\""]))]
    matchers: Vec<Written>,
    /// Whether muted alerts are listed too: those under a silence or inhibited by another alert.
    #[serde(default)]
    #[schemars(example = false)]
    muted: bool,
    /// How many at most.
    #[serde(default = "hundred")]
    #[schemars(range(min = 1, max = 1000), example = 100)]
    limit: usize,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Silences {
    /// Only silences that have all of these matchers' labels with these values; without any, all silences.
    #[serde(default)]
    #[schemars(example = json!(["instance=\"web-1:9100\""]))]
    matchers: Vec<Written>,
    /// Whether silences that are over are listed too.
    #[serde(default)]
    #[schemars(example = false)]
    expired: bool,
    /// How many at most.
    #[serde(default = "hundred")]
    #[schemars(range(min = 1, max = 1000), example = 100)]
    limit: usize,
}

fn hundred() -> usize {
    100
}

/// Alerts.
#[derive(Serialize, JsonSchema)]
pub(crate) struct FoundAlerts {
    /// How many fit, also beyond the limit.
    #[schemars(example = 1)]
    count: usize,
    /// The alerts, newest first.
    alerts: Vec<Alert>,
}

/// One alert.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
struct Alert {
    /// The label `alertname`.
    #[schemars(example = &"DiskFull")]
    name: String,
    /// `active`, `suppressed` or `unprocessed`.
    #[schemars(example = &"active")]
    state: String,
    /// All labels.
    #[schemars(example = json!({"instance": "web-1:9100"}))]
    labels: BTreeMap<String, String>,
    /// All annotations.
    #[schemars(example = json!({"summary": "97 % of / is used"}))]
    annotations: BTreeMap<String, String>,
    /// Since when it fires, in RFC 3339.
    #[schemars(example = &"2026-05-01T12:00:00.000Z")]
    starts_at: String,
    /// What names the alert: the same labels have the same fingerprint.
    #[schemars(example = &"4a2c1f0b7d3e9a55")]
    fingerprint: String,
    /// The silences that mute it.
    #[schemars(example = json!(["0f7c2b54-0d6b-4b6c-a3e7-6d0e0f5b9c11"]))]
    silenced_by: Vec<String>,
}

/// Silences.
#[derive(Serialize, JsonSchema)]
pub(crate) struct FoundSilences {
    /// How many fit, also beyond the limit.
    #[schemars(example = 1)]
    count: usize,
    /// The silences.
    silences: Vec<Listed>,
}

/// One silence.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
struct Listed {
    /// Its id.
    #[schemars(example = &"0f7c2b54-0d6b-4b6c-a3e7-6d0e0f5b9c11")]
    id: String,
    /// `active`, `pending` or `expired`.
    #[schemars(example = &"active")]
    state: String,
    /// Which alerts it mutes.
    #[schemars(example = json!(["alertname=\"DiskFull\""]))]
    matchers: Vec<String>,
    /// When it begins, in RFC 3339.
    #[schemars(example = &"2026-05-01T12:00:00.000Z")]
    starts_at: String,
    /// When it ends, in RFC 3339.
    #[schemars(example = &"2026-05-01T14:00:00.000Z")]
    ends_at: String,
    /// Who made it.
    #[schemars(example = &"runwright")]
    creator: String,
    /// Why.
    #[schemars(example = &"the disk of web-1 is replaced")]
    comment: String,
}

/// An alert as the API has it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Raw {
    labels: BTreeMap<String, String>,
    annotations: BTreeMap<String, String>,
    starts_at: String,
    fingerprint: String,
    status: RawStatus,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawStatus {
    state: String,
    silenced_by: Vec<String>,
}

fn filter(matchers: &[Matcher]) -> Vec<(&'static str, String)> {
    matchers.iter().map(|matcher| ("filter", matcher.to_string())).collect()
}

fn read(server: &Server, matchers: &[Matcher], muted: bool) -> Result<Vec<Raw>> {
    let mut query = filter(matchers);
    query.extend(["silenced", "inhibited"].map(|name| (name, muted.to_string())));
    server.get("/alerts", &query)
}

/// How many alerts fit that are not muted.
pub(crate) fn firing(server: &Server, matchers: &[Matcher]) -> Result<usize> {
    read(server, matchers, false).map(|found| found.len())
}

pub(crate) fn alerts(input: Alerts, context: &Context) -> Result<Outcome<FoundAlerts>> {
    let matchers = matcher::read(&input.matchers)?;
    let mut found = read(&Server::of(context)?, &matchers, input.muted)?;
    found.sort_by(|one, other| other.starts_at.cmp(&one.starts_at));
    let count = found.len();
    let alerts = found.into_iter().take(input.limit).map(Alert::from).collect();
    Ok(Outcome::unchanged(FoundAlerts { count, alerts }))
}

impl From<Raw> for Alert {
    fn from(raw: Raw) -> Self {
        Self {
            name: raw.labels.get("alertname").cloned().unwrap_or_default(),
            state: raw.status.state,
            labels: raw.labels,
            annotations: raw.annotations,
            starts_at: raw.starts_at,
            fingerprint: raw.fingerprint,
            silenced_by: raw.status.silenced_by,
        }
    }
}

pub(crate) fn silences(input: Silences, context: &Context) -> Result<Outcome<FoundSilences>> {
    let matchers = matcher::read(&input.matchers)?;
    let mut found: Vec<Kept> = Server::of(context)?.get("/silences", &filter(&matchers))?;
    found.retain(|kept| input.expired || kept.counts());
    let count = found.len();
    let silences = found.into_iter().take(input.limit).map(Listed::from).collect();
    Ok(Outcome::unchanged(FoundSilences { count, silences }))
}

impl From<Kept> for Listed {
    fn from(kept: Kept) -> Self {
        let silence = kept.silence;
        Self {
            id: kept.id,
            state: kept.status.state,
            matchers: silence.matchers.iter().map(ToString::to_string).collect(),
            starts_at: silence.starts_at,
            ends_at: silence.ends_at,
            creator: silence.created_by,
            comment: silence.comment,
        }
    }
}
