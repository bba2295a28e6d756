//! Links by mail: who asks for one is answered in the same way whether there is an account or not, and whether a mail is sent or not.

use serde::Serialize;
use zeroize::Zeroizing;

use super::{
    super::{
        Backend,
        request::{address, site},
        session::random,
    },
    AccountFlow, Accounts, Answer, Faults, SessionNote, fault, into_validation,
};
use crate::{
    account::{
        asker::Asker,
        link_step::{AskLink, NewMail},
        mail::{MailId, associated_data, sealed_text},
        name::LoginName,
        one_time::{TOKEN_BYTES, TokenHash, Use, hash_of, parse_link, text_of},
        row::{AccountId, RowKey, shard_of, shard_of_account},
        step::{LoginOutcome, LoginStep, Right, Shard},
    },
    error::{Error, FieldFault},
    guard::backend::unavailable,
    json::{document, object::described},
    limit::{CounterGroup, Limit, LimitAlgorithm, lease},
    login::{authorization::encoded, return_path::ReturnPath},
    secret::Secret,
};

described! {
    /// Who asks for a link.
    struct AskBody as AskForLink, refused {
        /// The address that it goes to.
        email: Option<String> = None,
    }
}

#[cfg(feature = "describe")]
pub(super) fn describe(known: &mut crate::json::describe::Definitions) {
    known.add::<AskBody>();
}

/// What each of some may do, and all together.
pub(super) struct Bounds {
    name: &'static str,
    /// Of an address. A network that has many of them (IPv6: a /48) has five times as many.
    of_address: u32,
    secs: u32,
    /// Of all, in a minute. Half of it is for browsers that are known, each of which has as many of it as an address has: whoever has many
    /// addresses uses up what strangers have together, and not what those have who have logged in before.
    of_all: u32,
}

/// Mails that are asked for.
const MAILS: Bounds = Bounds { name: "mails", of_address: 10, secs: 3_600, of_all: 240 };

/// Links that are used. Their tokens cannot be guessed; this is for the objects that are asked.
const LINKS: Bounds = Bounds { name: "mailed-links", of_address: 30, secs: 900, of_all: 2_400 };

/// What an isolate may borrow, so that not each request asks the counter of all.
const LENT: lease::Terms = lease::Terms { requests: 5, secs: 1 };

/// The answer to whoever asks for a mail.
#[derive(Serialize)]
struct Accepted {
    accepted: bool,
}

impl<B: Backend, A: Accounts> AccountFlow<'_, B, A> {
    /// Whether mails are sent at all.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub(super) fn needs_mail(&self) -> Result<(), Error> {
        self.accounts.mail.as_ref().map(drop).ok_or(Error::NotFound)
    }

    /// The answer after a mail was asked for. What kept it from being sent is for the log.
    ///
    /// # Errors
    /// Those of `asked` that have nothing to do with whose address it is.
    pub(super) fn accepted(&self, asked: Result<(), Error>) -> Result<Answer, Error> {
        match asked {
            Ok(()) => {}
            Err(refusal @ Error::TooManyMails { .. }) => {
                self.unsaid.replace(Some(refusal));
            }
            Err(fault) => return Err(fault),
        }
        Ok(Answer::json(202, &Accepted { accepted: true }, SessionNote::default()))
    }

    /// Asks for a link.
    ///
    /// # Errors
    /// [`Error::TooManyMails`], [`Error::StoreUnavailable`].
    pub(super) async fn ask(
        &self,
        name: &LoginName,
        (r#use, return_to): (Use, Option<&ReturnPath>),
        asker: Option<Asker>,
    ) -> Result<(), Error> {
        self.take_mail().await?;
        let key = self.key(name)?;
        let mail = self.new_mail_leading(&key, (name, return_to)).await?;
        let asker = asker.map(|asker| asker.hash());
        let ask = AskLink { key, r#use, mail, asker, device: self.known_browser() };
        self.mailed(&key, LoginStep::AskLink(ask)).await
    }

    /// Takes a step that may send a mail.
    ///
    /// # Errors
    /// As [`AccountFlow::ask`].
    pub(super) async fn mailed(&self, key: &RowKey, step: LoginStep) -> Result<(), Error> {
        match self.apply(Shard::Names(shard_of(key)), step).await? {
            LoginOutcome::Done => Ok(()),
            LoginOutcome::TooMany(until) => {
                let secs = until.millis_since(self.now).div_ceil(1000).max(1);
                Err(too_many("name", u32::try_from(secs).unwrap_or(u32::MAX)))
            }
            _ => Err(fault("a mail has come to nothing")),
        }
    }

    /// A mail to this address, sealed, with a new token.
    ///
    /// # Errors
    /// The host has no random bytes, or does not seal.
    pub(super) async fn new_mail(&self, key: &RowKey, name: &LoginName) -> Result<NewMail, Error> {
        self.new_mail_leading(key, (name, None)).await
    }

    /// The same, with a link that leads on to this path.
    async fn new_mail_leading(
        &self,
        key: &RowKey,
        (name, return_to): (&LoginName, Option<&ReturnPath>),
    ) -> Result<NewMail, Error> {
        let token: [u8; TOKEN_BYTES] = random(self.backend.sessions())?;
        let token = text_of(&token);
        let hash = hash_of(&token).ok_or_else(|| fault("a token has no hash"))?;
        // What stands behind `#` is read by the page, as a form. The token alone is kept a hash of.
        let behind = match return_to {
            Some(target) => format!("&return_to={}", encoded(target.as_str())),
            None => String::new(),
        };
        let behind = Zeroizing::new([token.as_str(), &behind].concat());
        let sealed = self.sealed((key, name), &behind).await?;
        Ok(NewMail { id: self.mail_id()?, sealed, token: hash })
    }

    async fn sealed(
        &self,
        (key, name): (&RowKey, &LoginName),
        token: &str,
    ) -> Result<String, Error> {
        let plain = Secret::new(sealed_text(name.as_str(), token).into_bytes());
        let key_of_seal = self.accounts.secrets.mails();
        let sealed = self.edge.seal(key_of_seal, &plain, &associated_data(key)).await;
        sealed.map_err(|fault| unavailable("accounts", &fault))
    }

    /// The address that a row keeps, sealed, so that its owner is told of changes; `None`: no mails are sent.
    ///
    /// # Errors
    /// The host does not seal.
    pub(super) async fn address_to_keep(
        &self,
        key: &RowKey,
        name: &LoginName,
    ) -> Result<Option<String>, Error> {
        match &self.accounts.mail {
            Some(_) => self.sealed((key, name), "").await.map(Some),
            None => Ok(None),
        }
    }

    /// Has the row of who has logged in by an address keep it, if it does not. The owner gets in all the same if that fails.
    pub(super) async fn keep_address(&self, shard: Shard, right: &Right, name: &LoginName) {
        if right.has_address || self.accounts.mail.is_none() {
            return;
        }
        let sealed = match self.key(name) {
            Ok(key) => self.address_to_keep(&key, name).await,
            Err(fault) => Err(fault),
        };
        match sealed {
            Ok(Some(sealed)) => {
                self.edge.apply_later(shard, LoginStep::KeepAddress(right.state, sealed));
            }
            Ok(None) => {}
            Err(fault) => {
                self.unsaid.replace(Some(fault));
            }
        }
    }

    /// The name of a new mail.
    ///
    /// # Errors
    /// The host has no random bytes.
    pub(super) fn mail_id(&self) -> Result<MailId, Error> {
        random(self.backend.sessions()).map(MailId::from_bytes)
    }

    pub(super) fn read_ask(&self, body: &[u8]) -> Result<LoginName, Error> {
        let AskBody { email } = document::parse(body).map_err(into_validation)?;
        mail_address(email)
    }

    // ---- bounds ----

    /// Counts a mail that is asked for.
    ///
    /// # Errors
    /// [`Error::TooManyMails`], [`Error::StoreUnavailable`].
    pub(super) async fn take_mail(&self) -> Result<(), Error> {
        self.take(&MAILS).await
    }

    /// Counts a link that is used.
    ///
    /// # Errors
    /// As [`AccountFlow::take_mail`].
    pub(super) async fn take_link(&self) -> Result<(), Error> {
        self.take(&LINKS).await
    }

    /// One of those of the address, of its network, and of all: in this order, so that no address uses up what others have.
    async fn take(&self, bounds: &Bounds) -> Result<(), Error> {
        let Bounds { name, of_address, secs, .. } = *bounds;
        let of = |count| Limit::new(name, count, secs, LimitAlgorithm::SlidingWindow);
        let client = self.request.client_ip;
        let own = CounterGroup::new(&[name, "address", &address(client)]);
        self.take_of("address", &own, &[of(of_address)?]).await?;
        if let Some(site) = site(client) {
            let network = CounterGroup::new(&[name, "network", &site]);
            self.take_of("address", &network, &[of(of_address.saturating_mul(5))?]).await?;
        }
        let is_known = self.is_known(name, (of_address, secs)).await?;
        self.take_of("all", &CounterGroup::new(&[name]), &bounds.in_all(is_known)?).await
    }

    async fn take_of(
        &self,
        of: &'static str,
        group: &CounterGroup,
        limits: &[Limit],
    ) -> Result<(), Error> {
        match self.count(group, limits).await?.iter().find(|verdict| !verdict.admitted) {
            Some(verdict) => Err(too_many(of, verdict.retry_after_secs.max(1))),
            None => Ok(()),
        }
    }
}

impl Bounds {
    /// Those that all have together.
    fn in_all(&self, is_known: bool) -> Result<Vec<Limit>, Error> {
        let limit = |name: String, requests: u32| {
            let burst = requests.div_ceil(2);
            Limit::new(name, requests, 60, LimitAlgorithm::TokenBucket { burst })?.with_lease(LENT)
        };
        let Self { name, of_all, .. } = *self;
        let mut limits = vec![limit(name.to_owned(), of_all)?];
        if !is_known {
            limits.push(limit(format!("{name}-of-strangers"), of_all.div_ceil(2))?);
        }
        Ok(limits)
    }
}

/// An address that somebody has typed, and nothing else.
///
/// # Errors
/// [`Error::ValidationFailed`].
pub(super) fn mail_address(email: Option<String>) -> Result<LoginName, Error> {
    let mut faults = Faults::default();
    faults.address(email).ok_or_else(|| faults.into_error())
}

impl Faults {
    /// An address that somebody has typed.
    pub(super) fn address(&mut self, email: Option<String>) -> Option<LoginName> {
        self.take("email", email, |text| {
            LoginName::parse(text.trim()).ok_or_else(|| "Invalid email".to_owned())
        })
    }

    /// The link that somebody has.
    pub(super) fn link(&mut self, token: Option<String>) -> Option<Link> {
        self.take("token", token, Link::read)
    }
}

/// A link, as somebody presents it.
pub(super) struct Link {
    pub(super) id: AccountId,
    pub(super) token: TokenHash,
    pub(super) shard: Shard,
}

impl Link {
    /// Reads one.
    ///
    /// # Errors
    /// It is none, in words for a form.
    pub(super) fn read(text: String) -> Result<Self, String> {
        let link = parse_link(&text).and_then(|(id, token)| {
            Some(Self { id, token, shard: shard_of_account(&id).map(Shard::Names)? })
        });
        link.ok_or_else(|| OVER.to_owned())
    }
}

pub(super) const OVER: &str = "This link is not good, or not any more";

/// The refusal of a link that was used, is too old, or never was.
pub(super) fn link_is_over() -> Error {
    let fault = FieldFault { field: "token".to_owned(), message: OVER.to_owned() };
    Error::ValidationFailed { details: vec![fault] }
}

const fn too_many(of: &'static str, retry_after_secs: u32) -> Error {
    Error::TooManyMails { of, retry_after_secs }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_of_all_mails_and_links_are_for_browsers_that_are_known() {
        for bounds in [MAILS, LINKS] {
            let (of_known, of_strangers) =
                (bounds.in_all(true).unwrap(), bounds.in_all(false).unwrap());
            assert_eq!((of_known.len(), of_known.first()), (1, of_strangers.first()));
            assert_eq!(of_strangers[1].requests() * 2, of_strangers[0].requests());
        }
    }
}
