//! An event as a sink is told of it: a request of HTTP, without its address.

use base64ct::{Base64, Encoding as _};
use hmac::{Hmac, Mac as _};
use serde_json::{Map, Value, json};
use sha2::Sha256;

use super::{
    dialects,
    event::{EventV1, Kind},
};
use crate::{secret::Secret, time::UnixTime};

/// What a sink understands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Standard Webhooks: `{"type", "timestamp", "data"}`, signed where there is a secret.
    Webhook,
    /// An incoming webhook of Slack, or of what understands the same.
    Slack,
    /// OpenTelemetry's logs over HTTP, in JSON.
    Otlp,
    /// The intake of Datadog.
    Datadog,
    /// An envelope of Sentry with one event.
    Sentry,
    /// What a webhook says, unsigned: who reads a queue of one's own account needs no signature.
    Queue,
}

/// What is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Fields beside `Content-Type: application/json`. One of that name stands in its place.
    pub fields: Vec<(&'static str, String)>,
    /// JSON, or lines of it.
    pub body: String,
}

impl Form {
    /// The message of an event. `secret` signs it (Standard Webhooks), or is the key of the intake (Datadog, Sentry); other forms need
    /// none.
    #[must_use]
    pub fn message(self, event: &EventV1, secret: Option<&Secret>, now: UnixTime) -> Message {
        let body = match self {
            Self::Webhook | Self::Queue => webhook_body(event).to_string(),
            Self::Slack => json!({"text": sentence(event)}).to_string(),
            Self::Otlp => dialects::otlp([event]).to_string(),
            Self::Datadog => datadog_body(event, now).to_string(),
            Self::Sentry => sentry_envelope(event, now),
        };
        let text = |secret: &Secret| String::from_utf8_lossy(secret.expose_secret()).into_owned();
        let fields = match (self, secret) {
            (Self::Webhook, Some(secret)) => signed(secret, &event.id, now, &body),
            (Self::Datadog, Some(secret)) => vec![("DD-API-KEY", text(secret))],
            (Self::Otlp, Some(secret)) => vec![("Authorization", text(secret))],
            (Self::Sentry, Some(key)) => vec![
                ("Content-Type", "application/x-sentry-envelope".to_owned()),
                ("X-Sentry-Auth", format!("Sentry sentry_version=7, sentry_key={}", text(key))),
            ],
            (_, None) | (Self::Slack | Self::Queue, _) => Vec::new(),
        };
        Message { fields, body }
    }
}

fn webhook_body(event: &EventV1) -> Value {
    let kind = match event.event {
        Kind::Firing => "alert.firing",
        Kind::Resolved => "alert.resolved",
        Kind::Admitted => "auth.admitted",
        Kind::Refused => "auth.refused",
        Kind::Administered => "admin",
        Kind::Checkpoint => "audit.checkpoint",
        Kind::Shadowed => "auth.shadowed",
        Kind::Account => "account",
    };
    json!({"type": kind, "timestamp": rfc3339(event.at.to_unix_time()), "data": event})
}

/// The intake takes logs of the last 18 hours, and what waits here may be older: then it is a log of now that says when it happened.
const DATADOG_MAX_AGE_SECS: i64 = 17 * 3600;

fn datadog_body(event: &EventV1, now: UnixTime) -> Value {
    let is_old =
        now.as_secs().saturating_sub(event.at.to_unix_time().as_secs()) > DATADOG_MAX_AGE_SECS;
    let time = if is_old { json!(now.as_secs().saturating_mul(1000)) } else { json!(event.at) };
    let status = match event.event {
        Kind::Firing => "error",
        Kind::Refused => "warn",
        Kind::Admitted
        | Kind::Administered
        | Kind::Account
        | Kind::Resolved
        | Kind::Checkpoint
        | Kind::Shadowed => "info",
    };
    json!([{
        "ddsource": "edgegate",
        "service": "edgegate",
        "status": status,
        "message": sentence(event),
        "timestamp": time,
        "edgegate": event,
    }])
}

/// `develop.sentry.dev/sdk/envelopes`: a line about the envelope, a line about its item, the item. Events of one rule and group are one
/// issue there.
fn sentry_envelope(event: &EventV1, now: UnixTime) -> String {
    let level = match event.event {
        Kind::Firing => "error",
        Kind::Refused => "warning",
        Kind::Admitted
        | Kind::Administered
        | Kind::Account
        | Kind::Resolved
        | Kind::Checkpoint
        | Kind::Shadowed => "info",
    };
    // 32 digits. What is left out tells years apart; who told it, and the how manieth it was there, is in the others.
    let id = event.id.get(4..).unwrap_or_default();
    let mut tags = Map::new();
    tags.insert("event".to_owned(), json!(event.event));
    for (name, value) in [("rule", &event.rule), ("code", &event.code)] {
        if let Some(value) = value {
            tags.insert(name.to_owned(), json!(value));
        }
    }
    let item = json!({
        "event_id": id,
        "timestamp": rfc3339(event.at.to_unix_time()),
        "platform": "other",
        "level": level,
        "logger": "edgegate",
        "message": {"formatted": sentence(event)},
        "fingerprint": ["edgegate", event.rule.as_deref().unwrap_or_default(), event.group.as_deref().unwrap_or_default()],
        "tags": tags,
        "contexts": {"edgegate": event},
    })
    .to_string();
    let envelope = json!({"event_id": id, "sent_at": rfc3339(now)});
    let about = json!({"type": "event", "content_type": "application/json", "length": item.len()});
    format!("{envelope}\n{about}\n{item}\n")
}

/// The fields `webhook-id`, `webhook-timestamp` and `webhook-signature` (standardwebhooks.com). A secret `whsec_…` is base64, any other is taken as
/// it is.
#[must_use]
pub fn signed(secret: &Secret, id: &str, now: UnixTime, body: &str) -> Vec<(&'static str, String)> {
    let timestamp = now.as_secs().to_string();
    let text = core::str::from_utf8(secret.expose_secret()).ok();
    let decoded = text
        .and_then(|text| text.strip_prefix("whsec_"))
        .and_then(|text| Base64::decode_vec(text).ok());
    let key = decoded.map(Secret::new);
    let key = key.as_ref().unwrap_or(secret).expose_secret();
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return Vec::new() };
    for part in [id, ".", &timestamp, ".", body] {
        mac.update(part.as_bytes());
    }
    let signature = Base64::encode_string(&mac.finalize().into_bytes());
    vec![
        ("webhook-id", id.to_owned()),
        ("webhook-timestamp", timestamp),
        ("webhook-signature", format!("v1,{signature}")),
    ]
}

/// What happened, in a sentence for people. Words of others are shown as text: nothing in them is a link or a mention.
#[must_use]
pub fn sentence(event: &EventV1) -> String {
    let text = |text: &Option<String>| plain(text.as_deref().unwrap_or("?"));
    let group = event.group.as_deref().filter(|group| !group.is_empty());
    let group = group.map(|group| format!(" ({})", plain(group))).unwrap_or_default();
    match event.event {
        Kind::Firing => {
            let measured = match (event.value, event.threshold) {
                (Some(value), Some(threshold)) => format!(": {value}, more than {threshold}"),
                _ => String::new(),
            };
            let cause = event
                .cause
                .as_deref()
                .map(|cause| format!(", most likely {}", plain(cause)))
                .unwrap_or_default();
            format!("edgegate: {} is firing{group}{measured}{cause}", text(&event.rule))
        }
        Kind::Resolved => format!("edgegate: {} is over{group}", text(&event.rule)),
        Kind::Administered => format!(
            "edgegate: {} {} by {}: {}",
            text(&event.method),
            text(&event.route),
            plain(event.actor.as_deref().unwrap_or("admin")),
            event.status.unwrap_or_default()
        ),
        Kind::Admitted => {
            format!("edgegate: {} admitted at {}", text(&event.identity), text(&event.route))
        }
        Kind::Refused => format!("edgegate: {} at {}", text(&event.code), text(&event.route)),
        Kind::Shadowed => {
            let said = plain(event.code.as_deref().unwrap_or("admitted"));
            format!(
                "edgegate: {said} at {}, and {} by the policy that may come",
                text(&event.route),
                text(&event.shadow)
            )
        }
        Kind::Account => {
            let methods = event.methods.as_deref();
            let methods = methods.map(|methods| format!(" by {}", plain(methods)));
            let (action, methods) = (text(&event.action), methods.unwrap_or_default());
            format!("edgegate: {action}{methods}: the account {}", text(&event.subject))
        }
        Kind::Checkpoint => {
            format!("edgegate: the audit has {} entries", event.seq.unwrap_or_default())
        }
    }
}

/// Slack reads `&`, `<` and `>` as orders, and `@` and `` ` `` so do others.
fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '&' => plain.push_str("&amp;"),
            '<' => plain.push_str("&lt;"),
            '>' => plain.push_str("&gt;"),
            '`' | '@' => plain.push('\''),
            char if char.is_control() => plain.push(' '),
            char => plain.push(char),
        }
    }
    plain
}

/// A time as RFC 3339 writes it, of the years 1970 to 9999.
#[must_use]
pub fn rfc3339(time: UnixTime) -> String {
    const DAY: u64 = 86_400;
    let secs = u64::try_from(time.as_secs()).unwrap_or(0).min(253_402_300_799);
    let (days, second) = (secs / DAY, secs % DAY);
    let (year, month, day) = civil(days);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

/// The date of a day since 1970 (H. Hinnant, *chrono-compatible low-level date algorithms*). A year begins in March here, so that the
/// day that leap years have more is its last.
fn civil(days: u64) -> (u64, u64, u64) {
    let days = days.saturating_add(719_468);
    let (era, of_era) = (days / 146_097, days % 146_097);
    let leap = (of_era / 1_460).saturating_add(of_era / 146_096);
    let year = of_era.saturating_add(of_era / 36_524).saturating_sub(leap) / 365;
    let before = year.saturating_mul(365).saturating_add(year / 4).saturating_sub(year / 100);
    let of_year = of_era.saturating_sub(before);
    let month = of_year.saturating_mul(5).saturating_add(2) / 153;
    let day =
        of_year.saturating_sub(month.saturating_mul(153).saturating_add(2) / 5).saturating_add(1);
    let month_of_year = if month < 10 { month.saturating_add(3) } else { month.saturating_sub(9) };
    let year = era.saturating_mul(400).saturating_add(year);
    (if month_of_year <= 2 { year.saturating_add(1) } else { year }, month_of_year, day)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{time::UnixMillis, watch::event::EventId};

    fn alert() -> EventV1 {
        let at = UnixMillis::from_millis(1_700_000_000_000);
        EventV1 {
            rule: Some("failures".to_owned()),
            group: Some("/v1/<!channel>&`x`@here".to_owned()),
            value: Some(101),
            threshold: Some(100),
            ..EventV1::new(Kind::Firing, &EventId { teller: 1, number: 2 }, at)
        }
    }

    #[test]
    fn times_are_those_of_the_calendar() {
        for (secs, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_399, "2000-02-28T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_700_000_000, "2023-11-14T22:13:20Z"),
            (4_107_542_399, "2100-02-28T23:59:59Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
            (i64::MAX, "9999-12-31T23:59:59Z"),
            (-5, "1970-01-01T00:00:00Z"),
        ] {
            assert_eq!(rfc3339(UnixTime::from_secs(secs)), text);
        }
    }

    /// Checked by PyPI's `standardwebhooks` (`tests/watch/`), which reads this file: a message of every kind of event.
    #[test]
    fn a_webhook_is_signed_as_its_standard_says() {
        let secret = Secret::new(b"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".to_vec());
        let now = UnixTime::from_secs(1_700_000_060);
        let message = Form::Webhook.message(&alert(), Some(&secret), now);
        let mut events = vec![alert()];
        events.extend(dialects::tests::all());
        let messages: Vec<Value> = events
            .iter()
            .map(|event| {
                let Message { fields, body } = Form::Webhook.message(event, Some(&secret), now);
                let headers: Map<String, Value> = fields
                    .into_iter()
                    .map(|(name, value)| (name.to_owned(), json!(value)))
                    .collect();
                json!({"headers": headers, "body": body})
            })
            .collect();
        let written =
            json!({"secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "messages": messages});
        let text = format!("{}\n", serde_json::to_string_pretty(&written).unwrap());
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors/watch-webhook.json");
        if std::env::var_os("EDGEGATE_WRITE_VECTORS").is_some() {
            std::fs::write(path, &text).unwrap();
        }
        assert_eq!(std::fs::read_to_string(path).unwrap(), text);
        // Any other secret is taken as it is.
        let plain = Secret::new(vec![7; 32]);
        let other = Form::Webhook.message(&alert(), Some(&plain), now);
        assert_ne!(other.fields, message.fields);
        assert!(Form::Webhook.message(&alert(), None, now).fields.is_empty());
    }

    #[test]
    fn an_envelope_of_sentry_is_three_lines_with_the_key_of_the_dsn() {
        let key = Secret::new(b"e12d836b".to_vec());
        let now = UnixTime::from_secs(1_700_000_060);
        let message = Form::Sentry.message(&alert(), Some(&key), now);
        let fields = [
            ("Content-Type", "application/x-sentry-envelope"),
            ("X-Sentry-Auth", "Sentry sentry_version=7, sentry_key=e12d836b"),
        ];
        assert_eq!(message.fields, fields.map(|(name, value)| (name, value.to_owned())));
        let lines: Vec<&str> = message.body.lines().collect();
        let [envelope, about, item] = lines.try_into().unwrap();
        let [envelope, about, event]: [Value; 3] =
            [envelope, about, item].map(|line| serde_json::from_str(line).unwrap());
        let id = "cfe56800000000000000000100000002";
        assert_eq!(envelope, json!({"event_id": id, "sent_at": "2023-11-14T22:14:20Z"}));
        assert_eq!(about["length"], json!(item.len()));
        assert_eq!((&event["event_id"], &event["level"]), (&json!(id), &json!("error")));
        assert_eq!(event["fingerprint"][1], json!("failures"));
        assert!(!message.body.contains("e12d836b"));
    }

    /// Datadog drops logs of more than 18 hours before, and says 202.
    #[test]
    fn what_has_waited_for_long_is_a_log_of_now_for_datadog() {
        let time = |secs| {
            let message = Form::Datadog.message(&alert(), None, UnixTime::from_secs(secs));
            let body: Value = serde_json::from_str(&message.body).unwrap();
            (body[0]["timestamp"].as_u64().unwrap(), body[0]["edgegate"]["at"].as_u64().unwrap())
        };
        let at = 1_700_000_000_000;
        assert_eq!(time(1_700_000_000 + 17 * 3600), (at, at));
        let later = 1_700_000_000 + 17 * 3600 + 1;
        assert_eq!(time(later), (u64::try_from(later).unwrap() * 1000, at));
    }

    #[test]
    fn a_queue_gets_what_a_webhook_says_without_a_signature() {
        let secret = Secret::new(vec![7; 32]);
        let now = UnixTime::from_secs(0);
        let hook = Form::Webhook.message(&alert(), Some(&secret), now);
        let queue = Form::Queue.message(&alert(), None, now);
        assert_eq!((queue.body, queue.fields), (hook.body, Vec::new()));
    }

    #[test]
    fn words_of_others_order_nothing_in_slack() {
        let message = Form::Slack.message(&alert(), None, UnixTime::from_secs(0));
        let expected = r#"{"text":"edgegate: failures is firing (/v1/&lt;!channel&gt;&amp;'x''here): 101, more than 100"}"#;
        assert_eq!(message.body, expected);
        assert!(message.fields.is_empty());
    }

    #[test]
    fn the_intake_of_datadog_gets_a_list_and_its_key() {
        let key = Secret::new(b"key".to_vec());
        let message = Form::Datadog.message(&alert(), Some(&key), UnixTime::from_secs(0));
        assert_eq!(message.fields, [("DD-API-KEY", "key".to_owned())]);
        let body: Value = serde_json::from_str(&message.body).unwrap();
        assert_eq!(
            (&body[0]["ddsource"], &body[0]["status"]),
            (&json!("edgegate"), &json!("error"))
        );
        assert!(!message.body.contains("\"key\""));
    }
}
