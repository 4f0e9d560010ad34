//! What Grafana's unified alerting sends: Alertmanager's webhook with fields of its own, `"version": "1"` among them.
//!
//! <https://grafana.com/docs/grafana/latest/alerting/configure-notifications/manage-contact-points/integrations/webhook-notifier/>

use runwright_core::{Map, Value};

/// Fields that Grafana adds to an alert, and Alertmanager never has.
const OF_ALERTS: [&str; 4] = ["valueString", "silenceURL", "dashboardURL", "panelURL"];

/// Whether Grafana sent this webhook body.
pub(crate) fn sent(body: &Map) -> bool {
    let first = body.get("alerts").and_then(|alerts| alerts.get(0));
    body.contains_key("orgId") || first.and_then(Value::as_object).is_some_and(sent_alert)
}

/// Whether Grafana sent this alert.
pub(crate) fn sent_alert(alert: &Map) -> bool {
    OF_ALERTS.iter().any(|field| alert.contains_key(*field))
}
