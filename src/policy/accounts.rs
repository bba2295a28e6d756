//! The section `accounts`: passwords as a way into a session.

pub(super) mod document;
mod mail;
mod passkeys;

use self::document::{AccountsDocument, HashDocument, PasswordList};
pub use self::{
    document::Registration,
    mail::{MailPolicy, MailRoute},
    passkeys::PasskeyPolicy,
};
use super::{
    SecondFactor, Secrets, SessionPolicy, auth_prefix,
    check::{at, each, scope_list, secret_of},
    document::Document,
    sessions::own_origin,
};
use crate::{
    account::{
        asker, attempts::Bound, device, foreign_hash::ForeignHash, hash::Cost,
        secrets::AccountSecrets, shard::Terms,
    },
    error::Error,
};

/// The cheapest of the choices of OWASP's cheat sheet, as memory times passes: 7 MiB, five times.
const MIN_WORK: u32 = 7168 * 5;

/// Each login computes one of each kind.
const MAX_IMPORTS: usize = 4;

/// Each new password is held against all of them.
const MAX_WORDS: usize = 32;

/// Each login computes one of each cost.
const MAX_EARLIER: usize = 2;

/// Accounts with passwords.
#[derive(Debug)]
pub struct AccountPolicy {
    /// What they are kept by.
    pub secrets: AccountSecrets,
    /// How often may be guessed at a name, and by an address.
    pub bound: Bound,
    /// The scopes of every account, beside its own.
    pub scopes: Vec<String>,
    /// The fewest characters of a password at login.
    pub shortest_password: usize,
    /// Whether new passwords are looked for on a list in the key-value store too.
    pub has_password_list: bool,
    /// Words of the product, in small letters, of which no new password is made.
    pub password_words: Vec<String>,
    /// Whether there are pages.
    pub pages: bool,
    /// Whether a second factor is asked for.
    pub mfa: SecondFactor,
    /// Who may make an account.
    pub registration: Registration,
    /// Whether links that come by mail log in. There is `mail` then.
    pub magic_link: bool,
    /// Who sends mails. `None`: nobody, and no link can be asked for.
    pub mail: Option<MailPolicy>,
    /// Passkeys, where they are a way in.
    pub passkeys: Option<PasskeyPolicy>,
    cost: Cost,
    /// What each login computes beside a hash of the gate's own.
    decoys: Vec<ForeignHash>,
}

impl AccountPolicy {
    /// What the writer of rows has to know.
    #[must_use]
    pub fn terms(&self) -> Terms<'_> {
        Terms {
            bound: self.bound,
            cost: self.cost,
            peppers: self.secrets.peppers(),
            authenticators: self.secrets.authenticators(),
            imports: &self.decoys,
        }
    }
}

/// The section, of a policy with these sessions.
pub(super) fn accounts(
    document: &Document,
    sessions: Option<&SessionPolicy>,
    secrets: &dyn Secrets,
) -> Result<Option<AccountPolicy>, Error> {
    let Some(section) = &document.accounts else { return Ok(None) };
    read(document, section, sessions, secrets).map(Some)
}

#[inline(never)]
fn read(
    document: &Document,
    section: &AccountsDocument,
    sessions: Option<&SessionPolicy>,
    secrets: &dyn Secrets,
) -> Result<AccountPolicy, Error> {
    if document.cookie.as_deref() == Some(device::COOKIE) {
        let problem = "is the name of the cookie of known browsers, expected another";
        return Err(Error::config("cookie", problem));
    }
    if document.cookie.as_deref() == Some(asker::COOKIE) {
        let problem = "is the name of the cookie of browsers that ask for links, expected another";
        return Err(Error::config("cookie", problem));
    }
    let Some(sessions) = sessions else {
        let problem = "needs the section sessions: a password is a way into a session";
        return Err(Error::config("accounts", problem));
    };
    let given = each("accounts.secrets", section.secrets.iter(), |path, one| {
        Ok((one.id, secret_of(&format!("{path}.secret"), &one.secret, secrets)?))
    })?;
    scope_list("accounts.scopes", &section.scopes)?;
    if section.registration != Registration::Closed && section.mail.is_none() {
        let problem = "needs accounts.mail: an address is shown to be its owner's by a link";
        return Err(Error::config("accounts.registration", problem));
    }
    if section.magic_link && section.mail.is_none() {
        return Err(Error::config("accounts.magic_link", "needs accounts.mail: links come by it"));
    }
    let browsers = sessions.browser.as_ref();
    let origin = own_origin(document.origin.as_deref())?;
    let prefix = auth_prefix(document.auth_prefix.as_deref())?;
    let own = (origin.as_deref(), prefix.as_str());
    let mail = section.mail.as_ref().map(|mail| mail::mail(mail, own, browsers, secrets));
    Ok(AccountPolicy {
        secrets: AccountSecrets::new(given).map_err(|fault| at("accounts", &fault))?,
        bound: bound(section)?,
        scopes: section.scopes.clone(),
        shortest_password: shortest_password(section)?,
        has_password_list: section.password_list == PasswordList::Kv,
        password_words: password_words(section)?,
        pages: pages(section, sessions)?,
        mfa: section.mfa,
        registration: section.registration,
        magic_link: section.magic_link,
        mail: mail.transpose()?,
        passkeys: passkeys::passkeys(document, section.passkeys.as_ref(), sessions)?,
        cost: cost("accounts.hash", &section.hash)?,
        decoys: decoys(section)?,
    })
}

fn password_words(section: &AccountsDocument) -> Result<Vec<String>, Error> {
    let path = "accounts.password_words";
    if section.password_words.len() > MAX_WORDS {
        return Err(Error::config(path, format!("expected at most {MAX_WORDS}")));
    }
    each(path, section.password_words.iter(), |path, word| {
        // Shorter ones are in many a good password.
        if !(4..=64).contains(&word.chars().count()) {
            return Err(Error::config(path, "expected 4 to 64 characters"));
        }
        Ok(word.to_lowercase())
    })
}

/// Whoever logs in at a page gets cookies.
fn pages(section: &AccountsDocument, sessions: &SessionPolicy) -> Result<bool, Error> {
    if section.pages && sessions.browser.is_none() {
        return Err(Error::config("accounts.pages", "needs sessions.cookies = true"));
    }
    Ok(section.pages)
}

fn bound(section: &AccountsDocument) -> Result<Bound, Error> {
    if !(1..=25).contains(&section.attempts) {
        return Err(Error::config("accounts.attempts", "expected 1 to 25"));
    }
    if !(60..=86_400).contains(&section.window_secs) {
        return Err(Error::config("accounts.window_secs", "expected 60 to 86400 seconds"));
    }
    let window_millis = u64::from(section.window_secs).saturating_mul(1000);
    Ok(Bound { attempts: section.attempts, window_millis })
}

fn shortest_password(section: &AccountsDocument) -> Result<usize, Error> {
    match section.shortest_password {
        fewest @ 1..=64 => Ok(fewest.into()),
        _ => Err(Error::config("accounts.shortest_password", "expected 1 to 64")),
    }
}

fn cost(path: &str, document: &HashDocument) -> Result<Cost, Error> {
    let HashDocument { memory_kib, iterations } = *document;
    let refused =
        |name: &str, problem: String| Err(Error::config(format!("{path}.{name}"), problem));
    if !(7168..=65_536).contains(&memory_kib) {
        return refused("memory_kib", "expected 7168 to 65536".to_owned());
    }
    if !(1..=10).contains(&iterations) {
        return refused("iterations", "expected 1 to 10".to_owned());
    }
    if memory_kib.saturating_mul(iterations) < MIN_WORK {
        let problem = format!("is too few: expected memory_kib · iterations to be {MIN_WORK}");
        return refused("iterations", problem);
    }
    Ok(Cost { memory_kib, passes: iterations })
}

/// A hash of each kind of `imports`, and of each cost of `earlier_hashes`.
fn decoys(section: &AccountsDocument) -> Result<Vec<ForeignHash>, Error> {
    let path = "accounts.earlier_hashes";
    let mut decoys = imports(section)?;
    if section.earlier_hashes.len() > MAX_EARLIER {
        return Err(Error::config(path, format!("expected at most {MAX_EARLIER}")));
    }
    let today = ForeignHash::of_cost(cost("accounts.hash", &section.hash)?);
    for (index, earlier) in section.earlier_hashes.iter().enumerate() {
        let path = format!("{path}[{index}]");
        let hash = ForeignHash::of_cost(cost(&path, earlier)?);
        if hash.is_like(&today) {
            return Err(Error::config(path, "is what accounts.hash is, expected another cost"));
        }
        if decoys.iter().any(|other| other.is_like(&hash)) {
            return Err(Error::config(path, "is of a kind that is listed already"));
        }
        decoys.push(hash);
    }
    Ok(decoys)
}

fn imports(section: &AccountsDocument) -> Result<Vec<ForeignHash>, Error> {
    let path = "accounts.imports";
    if section.imports.len() > MAX_IMPORTS {
        return Err(Error::config(path, format!("expected at most {MAX_IMPORTS}")));
    }
    let mut known: Vec<ForeignHash> = Vec::new();
    for (index, text) in section.imports.iter().enumerate() {
        let refused = |problem| Err(Error::config(format!("{path}[{index}]"), problem));
        let Some(hash) = ForeignHash::parse(text) else {
            return refused(
                "expected a hash of a form of docs/accounts.md, at a cost within its bounds",
            );
        };
        if known.iter().any(|other| other.is_like(&hash)) {
            return refused("is of a kind that is listed already");
        }
        known.push(hash);
    }
    Ok(known)
}
