//! The part `accounts.mail`: who sends mails, and which pages their links open.

use super::{
    super::{Secrets, check::secret_of, needs::Binding, sessions::BrowserSessions},
    document::{LinksDocument, MailDocument, MailRouteKind},
};
use crate::{
    account::{
        mail::{MailKind, Sender},
        one_time::Use,
    },
    error::Error,
    jose::http_host::may_publish_keys,
    secret::Secret,
};

/// The longest name of a sender.
const MAX_FROM: usize = 320;

/// The longest address of a page.
const MAX_PAGE: usize = 500;

/// The field that names a binding.
const BINDING: &str = "accounts.mail.binding";

/// Who sends mails for the gate.
#[derive(Debug)]
pub struct MailPolicy {
    /// How they are handed over.
    pub route: MailRoute,
    from: Option<String>,
    host: String,
    pages: Pages,
}

/// How mails are handed over.
#[derive(Debug)]
pub enum MailRoute {
    /// A request that is signed as Standard Webhooks are.
    Webhook {
        /// Where to. Whoever knows it can do nothing without the secret, but it may be one.
        url: Secret,
        /// What signs.
        secret: Secret,
    },
    /// A Queue of Cloudflare's, by its binding.
    Queue(String),
    /// Another Worker, by its service binding.
    Service(String),
    /// A function of the application, in the npm package.
    Function,
}

/// The pages that links open.
#[derive(Debug)]
struct Pages {
    reset: String,
    verify_email: String,
    invitation: String,
    magic_link: String,
}

impl MailPolicy {
    /// What has to be bound for it, and the field that says so.
    pub(in crate::policy) fn binding(&self) -> Option<(Binding<'_>, &'static str)> {
        match &self.route {
            MailRoute::Webhook { .. } => None,
            MailRoute::Queue(name) => Some((Binding::Queue(name), BINDING)),
            MailRoute::Service(name) => Some((Binding::Service(name), BINDING)),
            MailRoute::Function => Some((Binding::Function, "accounts.mail.kind")),
        }
    }

    /// What a mail of this kind says of its sender.
    #[must_use]
    pub fn sender(&self, kind: MailKind) -> Sender<'_> {
        let page = match kind.link() {
            Some(Use::Reset) => &self.pages.reset,
            Some(Use::VerifyEmail) => &self.pages.verify_email,
            Some(Use::Invitation) => &self.pages.invitation,
            Some(Use::MagicLink) => &self.pages.magic_link,
            None => "",
        };
        Sender { host: &self.host, page, from: self.from.as_deref() }
    }
}

/// The part, of a gate with this origin.
pub(super) fn mail(
    document: &MailDocument,
    (origin, prefix): (Option<&str>, &str),
    browsers: Option<&BrowserSessions>,
    secrets: &dyn Secrets,
) -> Result<MailPolicy, Error> {
    let Some(origin) = origin else {
        let problem = "needs origin: links are made of it, never of a header";
        return Err(Error::config("accounts.mail", problem));
    };
    if document.from.as_ref().is_some_and(|from| {
        from.is_empty() || from.len() > MAX_FROM || from.chars().any(char::is_control)
    }) {
        return Err(Error::config("accounts.mail.from", "expected a line of at most 320 bytes"));
    }
    let origins = browsers.map(|browsers| browsers.origins.as_slice()).unwrap_or_default();
    let links = document.links.as_ref();
    let page = |name: &str, given: fn(&LinksDocument) -> &Option<String>, path: &str| {
        let given = links.and_then(|links| given(links).as_deref());
        page(name, given, (origin, origins))
            .map(|page| page.unwrap_or_else(|| format!("{origin}{prefix}{path}")))
    };
    Ok(MailPolicy {
        route: route(document, secrets)?,
        from: document.from.clone(),
        host: origin.split_once("://").map_or(origin, |(_, host)| host).to_owned(),
        pages: Pages {
            reset: page("reset", |links| &links.reset, "/reset/confirm")?,
            verify_email: page("verify_email", |links| &links.verify_email, "/verify-email")?,
            invitation: page("invitation", |links| &links.invitation, "/register")?,
            magic_link: page("magic_link", |links| &links.magic_link, "/magic-link/confirm")?,
        },
    })
}

fn route(document: &MailDocument, secrets: &dyn Secrets) -> Result<MailRoute, Error> {
    let field = |name: &str| format!("accounts.mail.{name}");
    let MailDocument { kind, url, secret, binding, .. } = document;
    if *kind == MailRouteKind::Function {
        if url.is_some() || secret.is_some() || binding.is_some() {
            let problem = "a function is given to createGate: expected no url, secret or binding";
            return Err(Error::config(field("kind"), problem));
        }
        return Ok(MailRoute::Function);
    }
    if *kind == MailRouteKind::Webhook {
        if binding.is_some() {
            return Err(Error::config(field("binding"), "a webhook has a url"));
        }
        let Some(url) = url.as_deref().filter(|url| may_publish_keys(url, false)) else {
            let problem = "expected an https URL (http only on loopback)";
            return Err(Error::config(field("url"), problem));
        };
        let Some(name) = secret else {
            return Err(Error::config(field("secret"), "is required for this kind"));
        };
        // The text of Standard Webhooks, `whsec_` and base64, or as it is.
        let secret = secret_of(&field("secret"), name, secrets)?;
        return Ok(MailRoute::Webhook { url: Secret::new(url.to_owned().into_bytes()), secret });
    }
    for (name, given) in [("url", url), ("secret", secret)] {
        if given.is_some() {
            return Err(Error::config(field(name), "is of a webhook, expected binding alone"));
        }
    }
    let Some(binding) = binding.as_deref().filter(|name| is_binding(name)) else {
        return Err(Error::config(BINDING, "expected the name of a binding"));
    };
    Ok(match kind {
        MailRouteKind::Service => MailRoute::Service(binding.to_owned()),
        _ => MailRoute::Queue(binding.to_owned()),
    })
}

/// As names of bindings are.
fn is_binding(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// A page of the gate's own origin, or of one whose pages may act for their visitors: it is handed a token.
fn page(
    name: &str,
    given: Option<&str>,
    (own, origins): (&str, &[String]),
) -> Result<Option<String>, Error> {
    let Some(page) = given else { return Ok(None) };
    let path = format!("accounts.mail.links.{name}");
    let of = |origin: &str| {
        page.strip_prefix(origin).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    if !of(own) && !origins.iter().any(|origin| of(origin)) {
        let problem = "expected a page of origin, or of one of sessions.origins";
        return Err(Error::config(path, problem));
    }
    let is_plain = page.bytes().all(|byte| byte.is_ascii_graphic()) && !page.contains(['#', '"']);
    if page.len() > MAX_PAGE || !is_plain {
        let problem = "expected a URL of at most 500 characters, without a fragment";
        return Err(Error::config(path, problem));
    }
    Ok(Some(page.to_owned()))
}
