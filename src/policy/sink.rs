//! The sinks of the section `watch`: who is told of alerts, and where that is.

use super::{
    Secrets,
    check::{each, first_repeated, secret_named, secret_of, token},
};
use crate::{
    error::Error,
    jose::http_host::may_publish_keys,
    json::object::{described, words},
    secret::Secret,
    watch::message::Form,
};

pub(super) const MAX_SINKS: usize = 10;

/// In place of a URL that is in a secret which is not known here.
const STAND_IN: &[u8] = b"https://secret.invalid/";

described! {
    /// Who is told of alerts.
    #[derive(Debug)]
    pub(super) struct WatchSinkDocument as WatchSink, refused {
        /// Its name: 1 to 64 letters, digits, `-`, `_` or `.`.
        #[facts(minLength = 1, maxLength = 64)]
        pub(super) name: String,
        /// What it understands: `webhook`, Standard Webhooks; `slack`; `otlp`, OpenTelemetry; `datadog`; `sentry`; `queue`, a Queue of
        /// Cloudflare.
        pub(super) kind: SinkKind,
        /// Where it is: https, or http on loopback. Of `sentry` its DSN. Either this or `url_secret`; a queue has none.
        pub(super) url: Option<String> = None,
        /// The name of a secret that holds the URL, such as one of Slack's.
        pub(super) url_secret: Option<String> = None,
        /// The name of the secret that signs webhooks, is the API key of Datadog, or the `Authorization` for OpenTelemetry.
        pub(super) secret: Option<String> = None,
        /// The name of the binding of a Queue, for `queue` alone.
        pub(super) binding: Option<String> = None,
    }
}

/// What a sink understands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SinkKind {
    Webhook,
    Slack,
    Otlp,
    Datadog,
    Sentry,
    Queue,
}

words!(SinkKind {
    "webhook" => Self::Webhook,
    "slack" => Self::Slack,
    "otlp" => Self::Otlp,
    "datadog" => Self::Datadog,
    "sentry" => Self::Sentry,
    "queue" => Self::Queue,
});

/// Who is told of alerts.
#[derive(Debug)]
pub struct Sink {
    /// Its name.
    pub name: String,
    /// What it understands.
    pub form: Form,
    /// Where it is.
    pub target: SinkTarget,
    /// What signs, or what is presented.
    pub secret: Option<Secret>,
}

/// Where a sink is.
#[derive(Debug)]
pub enum SinkTarget {
    /// At this URL: with some, whoever knows that may write there.
    Url(Secret),
    /// A queue by the name of its binding.
    Queue(String),
}

pub(super) fn sinks(
    documents: &[WatchSinkDocument],
    secrets: &dyn Secrets,
) -> Result<Vec<Sink>, Error> {
    if documents.len() > MAX_SINKS {
        return Err(Error::config("watch.sinks", "expected at most 10"));
    }
    if let Some(index) = first_repeated(documents.iter().map(|sink| sink.name.as_str())) {
        return Err(Error::config(format!("watch.sinks[{index}].name"), "is given twice"));
    }
    each("watch.sinks", documents.iter(), |path, sink| one_sink(path, sink, secrets))
}

fn one_sink(
    path: &str,
    document: &WatchSinkDocument,
    secrets: &dyn Secrets,
) -> Result<Sink, Error> {
    let name = token(&format!("{path}.name"), &document.name)?;
    let form = match document.kind {
        SinkKind::Webhook => Form::Webhook,
        SinkKind::Slack => Form::Slack,
        SinkKind::Otlp => Form::Otlp,
        SinkKind::Datadog => Form::Datadog,
        SinkKind::Sentry => Form::Sentry,
        SinkKind::Queue => Form::Queue,
    };
    let (target, key) = match (&document.binding, form) {
        (Some(binding), Form::Queue) => (queue(path, document, binding)?, None),
        (None, Form::Queue) => {
            return Err(Error::config(format!("{path}.binding"), "is required for this kind"));
        }
        (Some(_), _) => {
            return Err(Error::config(format!("{path}.binding"), "only a queue has it"));
        }
        (None, Form::Sentry) => project(path, document, secrets)?,
        (None, _) => (url(path, document, secrets)?, None),
    };
    let secret = secret_for(&format!("{path}.secret"), document, form, secrets)?;
    Ok(Sink { name, form, target, secret: secret.or(key) })
}

fn queue(path: &str, document: &WatchSinkDocument, binding: &str) -> Result<SinkTarget, Error> {
    if document.url.is_some() || document.url_secret.is_some() {
        return Err(Error::config(path, "a queue has a binding, and no URL"));
    }
    Ok(SinkTarget::Queue(token(&format!("{path}.binding"), binding)?))
}

fn url(
    path: &str,
    document: &WatchSinkDocument,
    secrets: &dyn Secrets,
) -> Result<SinkTarget, Error> {
    let (place, url) = given_url(path, document, secrets)?;
    let Some(url) = url else { return Ok(SinkTarget::Url(stand_in())) };
    let text = core::str::from_utf8(url.expose_secret());
    if text.is_ok_and(|text| may_publish_keys(text, false)) {
        Ok(SinkTarget::Url(url))
    } else {
        Err(Error::config(place, "expected an https URL (http only on loopback)"))
    }
}

/// Where a project of Sentry takes envelopes, and its key, by its DSN: `https://KEY@HOST/PROJECT`.
fn project(
    path: &str,
    document: &WatchSinkDocument,
    secrets: &dyn Secrets,
) -> Result<(SinkTarget, Option<Secret>), Error> {
    let (place, dsn) = given_url(path, document, secrets)?;
    let Some(dsn) = dsn else { return Ok((SinkTarget::Url(stand_in()), None)) };
    let text = core::str::from_utf8(dsn.expose_secret());
    let (url, key) = text.ok().and_then(envelopes).ok_or_else(|| {
        let problem = "expected a DSN like https://KEY@HOST/PROJECT (http only on loopback)";
        Error::config(place, problem)
    })?;
    let secret = |text: String| Secret::new(text.into_bytes());
    Ok((SinkTarget::Url(secret(url)), Some(secret(key))))
}

fn envelopes(dsn: &str) -> Option<(String, String)> {
    let (scheme, rest) = dsn.split_once("://")?;
    let (authority, path) = rest.split_once('/')?;
    let (user, host) = authority.split_once('@')?;
    // An older DSN has a second key behind it, which is not needed any more.
    let key = user.split(':').next()?;
    let (folder, project) = path.rsplit_once('/').unwrap_or(("", path));
    let is_word =
        |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let folder = if folder.is_empty() { String::new() } else { format!("/{folder}") };
    let url = format!("{scheme}://{host}{folder}/api/{project}/envelope/");
    (is_word(key) && is_word(project) && may_publish_keys(&url, false))
        .then(|| (url, key.to_owned()))
}

/// The field that has the URL, and the URL; `None`: a secret that is not known here.
fn given_url(
    path: &str,
    document: &WatchSinkDocument,
    secrets: &dyn Secrets,
) -> Result<(String, Option<Secret>), Error> {
    match (&document.url, &document.url_secret) {
        (Some(url), None) => {
            Ok((format!("{path}.url"), Some(Secret::new(url.clone().into_bytes()))))
        }
        (None, Some(name)) => {
            let place = format!("{path}.url_secret");
            let secret = secret_named(&place, name, secrets)?;
            Ok((place, secrets.is_known(name).then_some(secret)))
        }
        _ => Err(Error::config(path, "expected exactly one of url and url_secret")),
    }
}

fn stand_in() -> Secret {
    Secret::new(STAND_IN.to_vec())
}

fn secret_for(
    place: &str,
    document: &WatchSinkDocument,
    form: Form,
    secrets: &dyn Secrets,
) -> Result<Option<Secret>, Error> {
    let problem = match (&document.secret, form) {
        // Whoever knows the address of a webhook could make alerts up.
        (None, Form::Webhook | Form::Datadog) => "is required for this kind",
        (Some(_), Form::Slack) => "Slack has its secret in the URL: url_secret",
        (Some(_), Form::Sentry) => "Sentry has its key in the DSN: url_secret",
        (Some(_), Form::Queue) => "a queue has none",
        (Some(name), Form::Webhook) => return Ok(Some(secret_of(place, name, secrets)?)),
        (Some(name), _) => return Ok(Some(secret_named(place, name, secrets)?)),
        (None, _) => return Ok(None),
    };
    Err(Error::config(place, problem))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dsn_leads_to_the_envelopes_of_its_project() {
        let of = |dsn| envelopes(dsn);
        let found = |url: &str, key: &str| Some((url.to_owned(), key.to_owned()));
        let usual = "https://e12d836b@o1.ingest.sentry.io/42";
        assert_eq!(of(usual), found("https://o1.ingest.sentry.io/api/42/envelope/", "e12d836b"));
        let own = "https://key:old@sentry.example:8443/under/it/7";
        assert_eq!(of(own), found("https://sentry.example:8443/under/it/api/7/envelope/", "key"));
        let local = "http://key@127.0.0.1:9000/1";
        assert_eq!(of(local), found("http://127.0.0.1:9000/api/1/envelope/", "key"));
        for none in [
            "https://o1.ingest.sentry.io/42",
            "https://@o1.ingest.sentry.io/42",
            "https://key@o1.ingest.sentry.io/",
            "https://key@o1.ingest.sentry.io",
            "https://key@/42",
            "http://key@sentry.example/42",
            "https://key@a@sentry.example/42",
            "https://key@sentry.example/42?x=1",
            "https://key@sentry.example/4#2",
            "https://k,sentry_key=y@sentry.example/42",
            "key@sentry.example/42",
        ] {
            assert_eq!(of(none), None, "{none}");
        }
    }
}
