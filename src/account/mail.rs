//! What is told by mail, and in which words. Who sends mails gets it as JSON, and may write words of their own.

use serde::{Deserialize, Serialize};

use super::{
    one_time::Use,
    row::{AccountId, RowKey},
};
use crate::{session::Opaque, time::UnixTime};

/// The name of a mail: the same however often it is tried.
pub type MailId = Opaque<16>;

/// What a mail is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MailKind {
    /// A link to set a new password.
    Reset,
    /// There is a new password.
    PasswordChanged,
    /// A link to confirm the address of a registration.
    Verify,
    /// Somebody has registered an address that has an account.
    Exists,
    /// A link to register.
    Invitation,
    /// A link to log in.
    MagicLink,
    /// An authenticator was set up.
    TotpAdded,
    /// The authenticator was taken out.
    TotpRemoved,
    /// There are new recovery codes.
    RecoveryCodesMade,
    /// A recovery code was used up.
    RecoveryCodeUsed,
    /// A passkey was added.
    PasskeyAdded,
    /// A passkey was taken out.
    PasskeyRemoved,
    /// An administrator took all factors out but the password.
    FactorsRemoved,
}

impl MailKind {
    /// The `type` of the message.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Reset => "account.reset",
            Self::PasswordChanged => "account.password_changed",
            Self::Verify => "account.verify",
            Self::Exists => "account.exists",
            Self::Invitation => "account.invitation",
            Self::MagicLink => "account.magic_link",
            Self::TotpAdded => "account.totp_added",
            Self::TotpRemoved => "account.totp_removed",
            Self::RecoveryCodesMade => "account.recovery_codes_made",
            Self::RecoveryCodeUsed => "account.recovery_code_used",
            Self::PasskeyAdded => "account.passkey_added",
            Self::PasskeyRemoved => "account.passkey_removed",
            Self::FactorsRemoved => "account.factors_removed",
        }
    }

    /// What its link is for; `None`: it has none.
    #[must_use]
    pub const fn link(self) -> Option<Use> {
        match self {
            Self::Reset => Some(Use::Reset),
            Self::Verify => Some(Use::VerifyEmail),
            Self::Invitation => Some(Use::Invitation),
            Self::MagicLink => Some(Use::MagicLink),
            Self::PasswordChanged
            | Self::Exists
            | Self::TotpAdded
            | Self::TotpRemoved
            | Self::RecoveryCodesMade
            | Self::RecoveryCodeUsed
            | Self::PasskeyAdded
            | Self::PasskeyRemoved
            | Self::FactorsRemoved => None,
        }
    }

    /// How long it is worth sending: a link for as long as it is good.
    #[must_use]
    pub const fn lifetime_secs(self) -> u64 {
        match self.link() {
            Some(r#use) => r#use.lifetime_secs(),
            None => 24 * 60 * 60,
        }
    }

    const fn words(self) -> Words {
        match self {
            Self::Reset => Words {
                subject: "Set a new password",
                first: "Somebody asked for a new password at ",
                ask: "Open this link to set one. It is good for ",
                last: "If it was not you, nothing has to be done: the password stays as it is.",
            },
            Self::PasswordChanged => Words {
                subject: "Your password was changed",
                first: "A new password was set at ",
                ask: "",
                last: "If it was not you, somebody else is in, or reads your mail: change the password of your mail, then set a new one here.",
            },
            Self::Verify => Words {
                subject: "Confirm your address",
                first: "Somebody registered with this address at ",
                ask: "Open this link to confirm that it is yours. It is good for ",
                last: "If it was not you, nothing has to be done: there is no account without it.",
            },
            Self::Exists => Words {
                subject: "You have an account already",
                first: "Somebody registered with this address, which has an account, at ",
                ask: "",
                last: "If it was you, log in, or ask for a new password. If it was not you, nothing has to be done.",
            },
            Self::Invitation => Words {
                subject: "You are invited",
                first: "You are invited to ",
                ask: "Open this link to set a password. It is good for ",
                last: "If you do not want to come, nothing has to be done.",
            },
            Self::MagicLink => Words {
                subject: "Log in",
                first: "Somebody asked for a link to log in at ",
                ask: "Open it in the browser that asked for it. It is good for ",
                last: "If it was not you, nothing has to be done: nobody comes in by it anywhere else. Give it to nobody.",
            },
            Self::TotpAdded => {
                Words::of_change("An authenticator was set up", "An authenticator was set up at ")
            }
            Self::TotpRemoved => Words::of_change(
                "Your authenticator was taken out",
                "The authenticator of your account was taken out at ",
            ),
            Self::RecoveryCodesMade => Words::of_change(
                "You have new recovery codes",
                "New recovery codes took the place of the old ones at ",
            ),
            Self::RecoveryCodeUsed => {
                Words::of_change("A recovery code was used", "A recovery code was used at ")
            }
            Self::PasskeyAdded => {
                Words::of_change("A passkey was added", "A passkey was added to your account at ")
            }
            Self::PasskeyRemoved => Words::of_change(
                "A passkey was taken out",
                "A passkey of your account was taken out at ",
            ),
            Self::FactorsRemoved => Words::of_change(
                "Your second factors were taken out",
                "All second factors of your account were taken out at ",
            ),
        }
    }
}

/// The words of a mail. Between `first` and `ask` stands whose gate it is, behind `ask` how long the link is good.
struct Words {
    subject: &'static str,
    first: &'static str,
    ask: &'static str,
    last: &'static str,
}

impl Words {
    /// Of a change, of which the owner is told.
    const fn of_change(subject: &'static str, first: &'static str) -> Self {
        let last = "If it was not you, somebody else is in: set a new password, then look at your passkeys and your authenticator.";
        Self { subject, first, ask: "", last }
    }
}

/// Separates these seals from all others, and has the version of their form.
const LABEL: &[u8] = b"edgegate-mail-v1\0";

/// What is bound to the address of a mail while it waits: whose row it is in. One that is moved to another row does not open.
#[must_use]
pub fn associated_data(row: &RowKey) -> Vec<u8> {
    [LABEL, row.as_bytes()].concat()
}

/// What is sealed: where a mail goes, and the token of its link.
#[must_use]
pub fn sealed_text(address: &str, token: &str) -> String {
    format!("{token}\n{address}")
}

/// A mail, opened.
#[derive(Clone, Copy)]
pub struct Mail<'a> {
    /// What it is about.
    pub kind: MailKind,
    /// Whose it is.
    pub account: &'a AccountId,
    /// What was sealed ([`sealed_text`]).
    pub opened: &'a str,
    /// Until when its link is good.
    pub until: UnixTime,
}

/// What a message says beside the mail itself.
#[derive(Debug, Clone, Copy)]
pub struct Sender<'a> {
    /// The host that people know the gate by.
    pub host: &'a str,
    /// The page that the link opens; the token stands behind it.
    pub page: &'a str,
    /// From whom mails are.
    pub from: Option<&'a str>,
}

/// As it is sent.
#[derive(Serialize)]
struct Message<'a> {
    r#type: &'static str,
    to: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    link: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_in: Option<u64>,
    subject: &'static str,
    text: String,
    html: String,
}

impl Mail<'_> {
    /// The message, JSON; `None`: what was sealed has another form.
    #[must_use]
    pub fn message(&self, sender: Sender<'_>, now: UnixTime) -> Option<String> {
        let (token, to) = self.opened.split_once('\n')?;
        let link =
            self.kind.link().map(|_| format!("{}#token={}{token}", sender.page, self.account));
        let words = self.kind.words();
        let left = self.until.secs_since(now);
        let message = Message {
            r#type: self.kind.as_str(),
            to,
            from: sender.from,
            link: link.as_deref(),
            expires_in: link.as_ref().map(|_| left),
            subject: words.subject,
            text: text(&words, sender.host, link.as_deref().map(|link| (link, left))),
            html: html(&words, sender.host, link.as_deref().map(|link| (link, left))),
        };
        serde_json::to_string(&message).ok()
    }
}

fn text(words: &Words, host: &str, link: Option<(&str, u64)>) -> String {
    let asked = link.map(|(link, left)| format!("{}{}:\n\n{link}\n\n", words.ask, duration(left)));
    format!("{}{host}.\n\n{}{}\n", words.first, asked.unwrap_or_default(), words.last)
}

fn html(words: &Words, host: &str, link: Option<(&str, u64)>) -> String {
    let asked = link.map(|(link, left)| {
        let link = escaped(link);
        format!("<p>{}{}:</p><p><a href=\"{link}\">{link}</a></p>", words.ask, duration(left))
    });
    let (host, asked) = (escaped(host), asked.unwrap_or_default());
    format!("<p>{}{host}.</p>{asked}<p>{}</p>", words.first, words.last)
}

/// In the largest unit that it has one of.
fn duration(secs: u64) -> String {
    let (unit, name) = match secs {
        172_800.. => (86_400, "days"),
        7_200.. => (3_600, "hours"),
        _ => (60, "minutes"),
    };
    format!("{} {name}", secs.div_ceil(unit))
}

/// Nothing in it is markup.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const NOW: UnixTime = UnixTime::from_secs(1_700_000_000);
    const SENDER: Sender<'_> = Sender {
        host: "api.example.com",
        page: "https://api.example.com/auth/reset/confirm",
        from: Some("Example <no-reply@example.com>"),
    };

    fn message(kind: MailKind, sender: Sender<'_>) -> Value {
        let account = AccountId::from_bytes([0; 16]);
        let opened = sealed_text("ada@example.com", "T0ken");
        let until = NOW.saturating_add(900);
        let mail = Mail { kind, account: &account, opened: &opened, until };
        serde_json::from_str(&mail.message(sender, NOW).unwrap()).unwrap()
    }

    #[test]
    fn a_link_has_its_token_where_no_log_sees_it() {
        let message = message(MailKind::Reset, SENDER);
        let link = "https://api.example.com/auth/reset/confirm#token=AAAAAAAAAAAAAAAAAAAAAAT0ken";
        assert_eq!(message["link"], json!(link));
        assert_eq!(message["expires_in"], json!(900));
        assert_eq!(message["to"], json!("ada@example.com"));
        assert_eq!(message["from"], json!("Example <no-reply@example.com>"));
        let expected = format!(
            "Somebody asked for a new password at api.example.com.\n\nOpen this link to set one. It is good for 15 minutes:\n\n{link}\n\nIf it was not you, nothing has to be done: the password stays as it is.\n"
        );
        assert_eq!(message["text"], json!(expected));
        assert!(message["html"].as_str().unwrap().contains(&format!("<a href=\"{link}\">")));
    }

    #[test]
    fn what_has_no_link_says_no_time() {
        let message = message(MailKind::PasswordChanged, SENDER);
        assert_eq!((message.get("link"), message.get("expires_in")), (None, None));
        assert!(!message.to_string().contains("T0ken"));
    }

    #[test]
    fn nothing_of_a_policy_is_markup() {
        let sender = Sender { host: "a\"><b>&'", page: "https://a.example/?x='&y=\"<", from: None };
        let message = message(MailKind::Reset, sender);
        let html = message["html"].as_str().unwrap();
        assert!(html.contains("a&quot;&gt;&lt;b&gt;&amp;&#39;."), "{html}");
        assert!(
            html.contains("href=\"https://a.example/?x=&#39;&amp;y=&quot;&lt;#token="),
            "{html}"
        );
    }

    #[test]
    fn durations_are_in_words() {
        for (secs, words) in
            [(900, "15 minutes"), (86_400, "24 hours"), (604_800, "7 days"), (61, "2 minutes")]
        {
            assert_eq!(duration(secs), words);
        }
    }

    #[test]
    fn what_is_sealed_is_bound_to_its_row() {
        let of = |byte| associated_data(&RowKey::from_bytes([byte; 32]));
        assert_ne!(of(1), of(2));
    }
}
