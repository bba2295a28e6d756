//! What goes wrong beside requests, as lines of the event log.

use serde::Serialize;

/// A line. Like every line of the log it is one object.
#[derive(Serialize)]
pub(super) struct Fault<'a> {
    pub(super) event: &'a str,
    pub(super) detail: &'a str,
    /// An issuer's keys are used beyond their time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) stale_keys: Option<bool>,
    /// An older policy stays in force.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) policy_kept: Option<bool>,
}

impl Fault<'_> {
    pub(super) fn line(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// A warning: what was to be done is not done, or later.
pub(super) fn report(detail: &str) {
    warn(detail, None);
}

/// A warning; keys are used beyond their time.
pub(super) fn report_stale_keys(detail: &str) {
    warn(detail, Some(true));
}

fn warn(detail: &str, stale_keys: Option<bool>) {
    let fault = Fault { event: "fault", detail, stale_keys, policy_kept: None };
    worker::console_warn!("{}", fault.line());
}
