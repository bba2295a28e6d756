//! The page of whoever is logged in: what it shows, and what its forms come to.
//!
//! A form is the same request as a program's wherever there is one that a form can send. The rest, such as what programs do by `DELETE`, is posted
//! to the page itself, and says what is meant by `do`.

use super::{
    account_endpoints::AccountEndpoint,
    account_pages::{AccountPages, Asked, Posted},
    login_endpoints::{SEE_OTHER, login_for, login_helps, redirect},
    session_endpoints::Asked as Question,
};
use crate::{
    error::Error,
    guard::{
        Backend, SessionNote,
        accounts::{AccountFlow, Accounts, Overview, Standing},
    },
    page::{
        Page,
        own_account::{Act, OwnAccount, OwnFactors, OwnKey, OwnSession, own_account},
    },
    policy::SecondFactor,
    session::{
        record::Device,
        step::{Listed, Which},
    },
    time::UnixTime,
    watch::message::rfc3339,
};

impl AccountPages<'_> {
    /// What comes of a page, or of its form.
    ///
    /// # Errors
    /// Those of the endpoint.
    pub async fn answer<B: Backend, A: Accounts>(
        self,
        flow: &AccountFlow<'_, B, A>,
        (endpoint, id): (AccountEndpoint, &str),
        posted: &Posted<'_>,
        (method, device): (&str, &dyn Fn() -> Device),
    ) -> Result<(Page, SessionNote), Error> {
        if endpoint == AccountEndpoint::Account {
            return match (method, posted.act()) {
                ("GET", act) => Box::pin(self.shown(flow, posted, act)).await,
                (_, act) => Box::pin(self.done_by(flow, posted, act)).await,
            };
        }
        let body = posted.json(endpoint);
        let asked = Question { method, id, body: &body, device };
        let mut answer = endpoint.answer(flow, asked).await?;
        let note = core::mem::take(&mut answer.note);
        Ok((self.after(endpoint, posted, &answer), note))
    }

    /// The page, or one of its forms.
    async fn shown<B: Backend, A: Accounts>(
        self,
        flow: &AccountFlow<'_, B, A>,
        posted: &Posted<'_>,
        act: Option<Act>,
    ) -> Result<(Page, SessionNote), Error> {
        let Some((act, endpoint)) = act.and_then(|act| Some((act, form_of(act)?))) else {
            let mut overview = flow.overview().await?;
            let note = core::mem::take(&mut overview.note);
            return Ok((self.overview(&overview), note));
        };
        let Standing { shows_password, note } = flow.standing(act != Act::Password).await?;
        let asked = Asked::to((act, posted.get("id")), shows_password);
        let page = self.form(endpoint, &asked);
        Ok((page.unwrap_or_else(|| self.to(AccountEndpoint::Account)), note))
    }

    /// What a form does that is posted to the page.
    async fn done_by<B: Backend, A: Accounts>(
        self,
        flow: &AccountFlow<'_, B, A>,
        posted: &Posted<'_>,
        act: Option<Act>,
    ) -> Result<(Page, SessionNote), Error> {
        let id = posted.get("id");
        let answer = match act {
            Some(Act::DropTotp) => flow.drop_totp(&posted.json(AccountEndpoint::Account)).await?,
            Some(Act::RemovePasskey) => {
                flow.remove_passkey(id.unwrap_or_default(), &posted.json(AccountEndpoint::Account))
                    .await?
            }
            Some(Act::End) => flow.end_sessions(Which::One, id).await?,
            Some(Act::EndOthers) => flow.end_sessions(Which::Others, None).await?,
            Some(Act::LogOut) => flow.log_out().await?,
            _ => return Err(Error::InvalidRequest("expected a form of the page")),
        };
        let next = match act {
            Some(Act::LogOut) => AccountEndpoint::LogIn,
            _ => AccountEndpoint::Account,
        };
        let mut page = self.to(next);
        page.fields
            .extend(answer.clears_cache.then(|| ("Clear-Site-Data", "\"cache\"".to_owned())));
        Ok((page, answer.note))
    }

    fn overview(self, overview: &Overview) -> Page {
        let keys = overview.factors.as_ref().and_then(|own| own.passkeys.as_ref());
        let used: Vec<String> = keys
            .into_iter()
            .flatten()
            .map(|key| minute(key.last_used_at.unwrap_or(key.created_at)))
            .collect();
        let keys: Option<Vec<OwnKey<'_>>> = keys.map(|keys| {
            let all = keys.iter().zip(&used);
            all.map(|(key, used)| OwnKey { id: &key.passkey.id, label: &key.label, used }).collect()
        });
        let account = overview.factors.as_ref().map(|own| OwnFactors {
            totp: own.factors.totp,
            may_set_up: self.accounts.mfa != SecondFactor::Off,
            codes_left: own.factors.is_second().then_some(own.factors.recovery_codes_left),
            passkeys: keys.as_deref(),
        });
        let texts: Vec<[String; 4]> = overview.sessions.iter().map(texts_of).collect();
        let listed = overview.sessions.iter().zip(&texts);
        let mut sessions: Vec<OwnSession<'_>> = listed
            .map(|(session, [id, title, place, used])| OwnSession {
                id,
                title,
                place,
                used,
                is_current: Some(session.id) == overview.current,
            })
            .collect();
        if let Some(at) = sessions.iter().position(|session| session.is_current) {
            let current = sessions.remove(at);
            sessions.insert(0, current);
        }
        let path = self.path(AccountEndpoint::Account);
        // Logins with others may have a session of their own to end.
        let log_out =
            self.policy.login.is_some().then(|| format!("{}/logout", self.policy.auth_prefix));
        let own =
            OwnAccount { path: &path, account, sessions: &sessions, log_out: log_out.as_deref() };
        own_account(&self.policy.pages, &own)
    }

    /// The page after what was refused.
    #[must_use]
    pub fn refusal(self, endpoint: AccountEndpoint, posted: &Posted<'_>, error: &Error) -> Page {
        let again = self.to_log_in(endpoint, posted, error);
        again.unwrap_or_else(|| self.refused(endpoint, posted, error))
    }

    /// To log in, and back to what somebody was about to do. `None`: that does not help.
    fn to_log_in(
        self,
        endpoint: AccountEndpoint,
        posted: &Posted<'_>,
        error: &Error,
    ) -> Option<Page> {
        if posted.get("mfa_token").is_some() {
            return None;
        }
        let act = match endpoint {
            AccountEndpoint::Account => posted.act(),
            AccountEndpoint::Password => Some(Act::Password),
            AccountEndpoint::Totp | AccountEndpoint::ConfirmTotp => Some(Act::SetUp),
            AccountEndpoint::RecoveryCodes => Some(Act::Codes),
            AccountEndpoint::Passkeys => Some(Act::AddPasskey),
            _ => return None,
        };
        match error {
            // It is gone already.
            Error::NotFound if act.is_some() => return Some(self.to(AccountEndpoint::Account)),
            Error::MissingCredentials | Error::StepUp { .. } => {}
            error if login_helps(error, true) => {}
            _ => return None,
        }
        let mut target = self.path(AccountEndpoint::Account);
        if let Some(act) = act.filter(|act| form_of(*act).is_some()) {
            target.push_str("?do=");
            target.push_str(act.name());
            let is_name = |id: &&str| {
                id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
            };
            if let Some(id) = posted.get("id").filter(is_name) {
                target.push_str("&id=");
                target.push_str(id);
            }
        }
        let url = login_for(&self.path(AccountEndpoint::LogIn), &target);
        Some(Page { status: SEE_OTHER, fields: redirect(&url), body: String::new() })
    }
}

/// Whose form it is. `None`: the button on the page is all.
const fn form_of(act: Act) -> Option<AccountEndpoint> {
    match act {
        Act::Password => Some(AccountEndpoint::Password),
        Act::SetUp => Some(AccountEndpoint::Totp),
        Act::Codes => Some(AccountEndpoint::RecoveryCodes),
        Act::AddPasskey => Some(AccountEndpoint::Passkeys),
        Act::DropTotp | Act::RemovePasskey => Some(AccountEndpoint::Account),
        Act::End | Act::EndOthers | Act::LogOut => None,
    }
}

/// The name of a session; what its owner knows it by; from where it was opened; when it was used.
fn texts_of(session: &Listed) -> [String; 4] {
    let device = &session.device;
    let agent = device.agent.as_deref().unwrap_or_default();
    let title = session.label.clone().unwrap_or_else(|| device_name(agent));
    let place = [device.network.as_deref(), device.country.as_deref()];
    let place: Vec<&str> = place.into_iter().flatten().collect();
    [session.id.to_string(), title, place.join(", "), minute(session.last_seen_at)]
}

/// What somebody calls a device with this `User-Agent`: the caller's own word, so for its owner to know it by, and for nothing else.
fn device_name(agent: &str) -> String {
    // Each calls itself what those after it are called, too.
    let browsers = [
        ("Edg", "Edge"),
        ("OPR/", "Opera"),
        ("Firefox/", "Firefox"),
        ("FxiOS/", "Firefox"),
        ("Chrome/", "Chrome"),
        ("CriOS/", "Chrome"),
        ("Safari/", "Safari"),
    ];
    let systems = [
        ("Windows", "Windows"),
        ("iPhone", "iPhone"),
        ("iPad", "iPad"),
        ("Android", "Android"),
        ("Mac OS X", "macOS"),
        ("CrOS", "ChromeOS"),
        ("Linux", "Linux"),
    ];
    let found = |all: &[(&str, &'static str)]| {
        all.iter().find(|(mark, _)| agent.contains(mark)).map(|(_, name)| *name)
    };
    match (found(&browsers), found(&systems)) {
        (Some(browser), Some(system)) => format!("{browser} · {system}"),
        _ if agent.is_empty() => "–".to_owned(),
        _ => agent.chars().take(60).collect(),
    }
}

/// A time as people read it, to the minute.
fn minute(time: UnixTime) -> String {
    let text = rfc3339(time);
    let (day, rest) = text.split_once('T').unwrap_or_default();
    format!("{day} {} UTC", rest.get(..5).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_is_called_what_people_call_it() {
        for (agent, name) in [
            (
                "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36",
                "Chrome · Windows",
            ),
            (
                "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36 Edg/142.0",
                "Edge · Windows",
            ),
            (
                "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1",
                "Safari · iPhone",
            ),
            (
                "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0",
                "Firefox · Linux",
            ),
            (
                "Mozilla/5.0 (Linux; Android 15) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0 Mobile Safari/537.36",
                "Chrome · Android",
            ),
            ("curl/8.5.0", "curl/8.5.0"),
            ("", "–"),
        ] {
            assert_eq!(device_name(agent), name);
        }
        assert_eq!(device_name(&"é".repeat(200)).chars().count(), 60);
    }

    #[test]
    fn a_time_is_said_to_the_minute() {
        assert_eq!(minute(UnixTime::from_secs(1_796_000_000)), "2026-11-30 00:53 UTC");
    }
}
