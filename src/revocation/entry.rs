//! The entry a store keeps for a revocation, and the administrator's request that makes one.

use core::fmt;

use serde::Serialize;
use zeroize::Zeroizing;

use super::deny_key::{DenyKey, Target};
use crate::api_key::KeyId;
use crate::error::Error;
use crate::json::document;
use crate::json::fault::DocumentFault;
use crate::json::object::{described, object};
use crate::time::UnixTime;

/// The version of the stored form that is written and understood.
pub const ENTRY_VERSION: u8 = 1;
/// How long an entry about tokens is kept where nothing tells when the last of them expires: 400 days.
///
/// It has to outlive every token it is about. Long-lived access tokens are issued for up to a year (366 days);
/// a month more covers clocks and renewals. Where tokens live longer, say so with `expires_in_secs`.
pub const DEFAULT_LIFETIME_SECS: u64 = 400 * 86_400;
/// How much longer than the token's `exp` an entry is kept: a verifier with a tolerance, or a clock that
/// is behind, still accepts the token then.
pub const CLOCK_MARGIN_SECS: u64 = 3600;
/// Shortest lifetime that can be asked for: what KV can expire.
const MIN_LIFETIME_SECS: u64 = 60;
/// Longest lifetime that can be asked for, and how far ahead a time may lie: 10 years of 365 days.
const MAX_LIFETIME_SECS: u64 = 10 * 365 * 86_400;
/// The farthest end that an entry names: the last second of the year 9999. Beyond it there is no end.
///
/// `exp` is the issuer's to choose, so any time has to be taken; what is farther than this is no date that anybody means.
const FARTHEST: UnixTime = UnixTime::from_secs(253_402_300_799);
/// KV refuses an expiry of less than 60 seconds.
const MIN_KV_TTL_SECS: u64 = 60;
/// Longest issuer, token id, subject and session: nothing longer fits into a token of 8 KiB.
const MAX_NAME_BYTES: usize = 8192;
/// Longest reason, in characters.
const MAX_REASON_CHARS: usize = 200;

object! {
    /// A revocation as it is stored, with what a list of revocations shows.
    ///
    /// Unknown fields are ignored when it is read; a change of meaning raises [`ENTRY_VERSION`], and such an
    /// entry is refused.
    #[derive(Debug, Clone, PartialEq, Eq, Serialize)]
    pub struct Entry, ignored {
        v: u8,
        target: Target,
        #[serde(skip_serializing_if = "Option::is_none")]
        before: Option<UnixTime> = None,
        #[serde(skip_serializing_if = "Option::is_none")]
        until: Option<UnixTime> = None,
        created_at: UnixTime,
        #[serde(skip_serializing_if = "Option::is_none")]
        reason: Option<String> = None,
    }
}

impl Entry {
    /// The entry that goes with the revocation of an API key's record. It is in force for good.
    ///
    /// The record alone would not do: a change of it elsewhere, made from an older copy, takes the
    /// revocation out again. Nothing writes this entry but a revocation.
    #[must_use]
    pub const fn of_api_key(id: KeyId, now: UnixTime) -> Self {
        Self {
            v: ENTRY_VERSION,
            target: Target::ApiKey { id },
            before: None,
            until: None,
            created_at: now,
            reason: None,
        }
    }

    /// An entry that the gate makes by itself: a session that ended, a subject that was disabled, a token that its holder gave back.
    #[must_use]
    pub const fn of_gate(
        target: Target,
        before: Option<UnixTime>,
        until: UnixTime,
        now: UnixTime,
    ) -> Self {
        Self { v: ENTRY_VERSION, target, before, until: Some(until), created_at: now, reason: None }
    }

    /// Reads what a store keeps under `key`.
    ///
    /// # Errors
    /// [`Error::StoreUnavailable`] of `revocation`: not an entry, a version that is not understood, or the entry of another
    /// key. Something was revoked there; what to do if it cannot be read is the policy's `on_error` to say.
    pub fn parse(key: &DenyKey, json: &[u8]) -> Result<Self, Error> {
        let (own, entry) = Self::parse_listed(json)?;
        if own != *key {
            return Err(damaged("entry belongs to another key".to_owned()));
        }
        Ok(entry)
    }

    /// The same where the store says no more than the entry: its key is that of its target.
    ///
    /// # Errors
    /// As [`parse`](Self::parse).
    pub fn parse_listed(json: &[u8]) -> Result<(DenyKey, Self), Error> {
        let entry: Self = document::parse(json)
            .map_err(|fault| damaged(format!("entry is not ours: {}", fault.problem)))?;
        if entry.v != ENTRY_VERSION {
            return Err(damaged(format!("entry has version {}, expected 1", entry.v)));
        }
        Ok((entry.target.deny_key(), entry))
    }

    /// Reads an entry as a listing or an export shows it, to be put back. One that is over by now
    /// ([`is_in_force`](Self::is_in_force)) is read too.
    ///
    /// # Errors
    /// [`Error::InvalidField`] with the path of the first fault. Nothing passes that no request could have made.
    pub fn restore(json: &[u8], now: UnixTime) -> Result<Self, Error> {
        let entry: Self = document::parse(json).map_err(DocumentFault::into_invalid_field)?;
        if entry.v != ENTRY_VERSION {
            return Err(Error::invalid_field("v", "expected 1"));
        }
        let names = match &entry.target {
            Target::Token { iss, jti: name }
            | Target::Subject { iss, sub: name }
            | Target::Session { iss, sid: name }
            | Target::SigningKey { iss, kid: name } => [Some(iss), Some(name)],
            Target::Issuer { iss } => [Some(iss), None],
            Target::ApiKey { .. } => [None, None],
        };
        for name in names.into_iter().flatten() {
            check_name("target", name)?;
        }
        entry.reason.as_ref().map_or(Ok(()), |reason| check_reason(reason))?;
        let cuts_off = matches!(entry.target, Target::Subject { .. } | Target::Issuer { .. });
        if entry.before.is_some() && !cuts_off {
            return Err(Error::invalid_field("before", "expected with a subject or issuer only"));
        }
        // Another clock made it: what that one took has to be taken here too. So the bound is not the one of a request, but
        // twice as far.
        let last = now.saturating_add(MAX_LIFETIME_SECS.saturating_mul(2));
        let is_time = |time: UnixTime, last| (UnixTime::from_secs(0)..=last).contains(&time);
        if entry.before.is_some_and(|before| !is_time(before, last)) {
            let problem = "expected a time after 1970, at most 20 years ahead";
            return Err(Error::invalid_field("before", problem));
        }
        if entry.until.is_some_and(|until| !is_time(until, FARTHEST)) {
            return Err(Error::invalid_field("until", "expected a time, at most in the year 9999"));
        }
        if !is_time(entry.created_at, last) {
            return Err(Error::invalid_field("created_at", "expected a time after 1970"));
        }
        Ok(entry)
    }

    /// How many bytes of memory it takes, about.
    #[must_use]
    pub fn weight(&self) -> usize {
        let names = match &self.target {
            Target::Token { iss, jti: name }
            | Target::Subject { iss, sub: name }
            | Target::Session { iss, sid: name }
            | Target::SigningKey { iss, kid: name } => iss.len().saturating_add(name.len()),
            Target::Issuer { iss } => iss.len(),
            Target::ApiKey { .. } => 0,
        };
        let reason = self.reason.as_ref().map_or(0, String::len);
        size_of::<Self>().saturating_add(names).saturating_add(reason)
    }

    /// What is revoked.
    #[must_use]
    pub const fn target(&self) -> &Target {
        &self.target
    }

    /// The cut-off: only tokens issued before it are revoked. None: all are.
    #[must_use]
    pub const fn before(&self) -> Option<UnixTime> {
        self.before
    }

    /// From when on the entry is not in force and may be forgotten. None: never.
    #[must_use]
    pub const fn until(&self) -> Option<UnixTime> {
        self.until
    }

    /// When it was made.
    #[must_use]
    pub const fn created_at(&self) -> UnixTime {
        self.created_at
    }

    /// Why, in the words of whoever made it.
    #[must_use]
    pub fn reason(&self) -> Option<&str> {
        self.reason.as_deref()
    }

    /// The key it is stored under.
    #[must_use]
    pub fn deny_key(&self) -> DenyKey {
        self.target.deny_key()
    }

    /// Whether its end has not come.
    #[must_use]
    pub fn is_in_force(&self, now: UnixTime) -> bool {
        self.until.is_none_or(|until| now < until)
    }

    /// Whether it concerns a credential that was issued then.
    ///
    /// Without a cut-off it always does. With one it does for tokens with `iat < before`, and for tokens without
    /// `iat`: nothing shows that they are newer.
    #[must_use]
    pub fn applies_to(&self, issued_at: Option<UnixTime>) -> bool {
        match (self.before, issued_at) {
            (None, _) | (_, None) => true,
            (Some(before), Some(issued_at)) => issued_at < before,
        }
    }

    /// Seconds after which KV may drop it: at least 60, which KV asks for. None: never.
    #[must_use]
    pub fn kv_ttl_secs(&self, now: UnixTime) -> Option<u64> {
        self.until.map(|until| until.secs_since(now).max(MIN_KV_TTL_SECS))
    }

    /// This entry in place of an older one about the same: never weaker than either.
    ///
    /// The later cut-off counts (none is the latest of all), and the later end. So "log out everywhere" with
    /// an early cut-off does not undo one with a later. The newer reason counts, if one is given. An
    /// older one that is about something else, or not in force, is ignored. What changes nothing of the
    /// older one **is** the older one, so that asking twice gives the same answer.
    #[must_use]
    pub fn merge(self, older: Option<&Self>, now: UnixTime) -> Self {
        let Some(older) = older.filter(|it| it.target == self.target && it.is_in_force(now)) else {
            return self;
        };
        let merged = Self {
            before: self.before.zip(older.before).map(|(new, old)| new.max(old)),
            until: self.until.zip(older.until).map(|(new, old)| new.max(old)),
            reason: self.reason.or_else(|| older.reason.clone()),
            ..self
        };
        let says_more = (merged.before, merged.until, &merged.reason)
            != (older.before, older.until, &older.reason);
        if says_more { merged } else { older.clone() }
    }
}

/// An administrator's request to revoke, read and checked.
///
/// The body has exactly one of these forms, and in each `reason?` and `expires_in_secs?` beside it:
///
/// | form | revokes | kept, where `expires_in_secs` does not say |
/// |---|---|---|
/// | `{token}` | this token, by its verified `iss` and `jti` | until its `exp` and [`CLOCK_MARGIN_SECS`]; if it has none, for good |
/// | `{iss, jti, exp?}` | this token | the same; where `exp` is not said, [`DEFAULT_LIFETIME_SECS`] |
/// | `{iss, sub, before?}` | the subject's tokens issued before `before` | [`DEFAULT_LIFETIME_SECS`] after it |
/// | `{iss, sid}` | the session's tokens | [`DEFAULT_LIFETIME_SECS`] |
/// | `{key_id}` | this API key | for good |
/// | `{iss, all: true, before?}` | the issuer's tokens; with `before`, those issued before it | for good; with `before` [`DEFAULT_LIFETIME_SECS`] after it |
/// | `{iss, kid}` | the tokens that this key of the issuer verifies | for good |
///
/// A subject's `before` is by default the **end** of the current second, and the issuer's clock tolerance after it
/// ([`EntryRequest::with_clock_tolerance`]): `iat` counts whole seconds, and a token made in the very second of the log-out,
/// but before it, must not survive; nor must one whose issuer's clock is ahead by what is tolerated. So a token made
/// within that time after the log-out is denied too. Who logs a user out and hands out a new token at once passes the
/// new token's `iat` as `before`: that is taken literally.
///
/// `all` has to be said because `{iss}` alone is what is left of `{iss, sub}` when a client's `sub` is undefined.
///
/// A `kid` is compared with the issuer's keys by whoever has them. `withdrawn: true` beside it says that the key is not
/// among them any more, and that it is to be revoked all the same.
#[derive(Debug)]
pub enum NewRevocation {
    /// `{token}`: verify it, then ask [`TokenRevocation::entry`].
    Token(TokenRevocation),
    /// Every other form: ask [`EntryRequest::entry`].
    Entry(EntryRequest),
}

impl NewRevocation {
    /// Reads and checks the body.
    ///
    /// # Errors
    /// [`Error::InvalidField`] with the path of the first fault; unknown fields, and more or fewer than one form, are
    /// faults.
    pub fn parse(json: &[u8]) -> Result<Self, Error> {
        let body: Body = document::parse(json).map_err(DocumentFault::into_invalid_field)?;
        body.check_values()?;
        body.check_form()?;
        body.check_companions()?;
        body.into_revocation()
    }
}

/// A request to revoke the token it holds.
pub struct TokenRevocation {
    token: Zeroizing<String>,
    expires_in_secs: Option<u64>,
    reason: Option<String>,
}

impl TokenRevocation {
    /// The token: untrusted, to be verified.
    #[must_use]
    pub fn token(&self) -> &str {
        &self.token
    }

    /// The entry for the token, from its verified claims.
    ///
    /// # Errors
    /// [`Error::InvalidField`] if the token has no `jti` or has expired (then there is nothing to revoke).
    pub fn entry(
        self,
        iss: &str,
        jti: Option<&str>,
        exp: Option<UnixTime>,
        now: UnixTime,
    ) -> Result<Entry, Error> {
        let Some(jti) = jti else {
            return Err(Error::invalid_field("token", "has no jti, revoke its session or subject"));
        };
        let target = Target::Token { iss: iss.to_owned(), jti: jti.to_owned() };
        // A token without `exp` lives for ever, so an entry that ends would give it back.
        let end = exp.map_or(Ok(None), |exp| end_of_token("token", exp, now));
        let until = match self.expires_in_secs {
            Some(secs) => Some(now.saturating_add(secs)),
            None => end?,
        };
        let reason = self.reason;
        Ok(Entry { v: ENTRY_VERSION, target, before: None, until, created_at: now, reason })
    }
}

impl fmt::Debug for TokenRevocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenRevocation")
            .field("expires_in_secs", &self.expires_in_secs)
            .field("reason", &self.reason)
            .finish_non_exhaustive()
    }
}

/// A request to revoke what it names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntryRequest {
    target: Target,
    times: Times,
    /// How far the issuer's clock may be ahead, in seconds.
    clock_tolerance_secs: u64,
    withdrawn: bool,
    reason: Option<String>,
}

impl EntryRequest {
    const fn new(target: Target, times: Times, reason: Option<String>) -> Self {
        Self { target, times, clock_tolerance_secs: 0, withdrawn: false, reason }
    }

    /// What it names.
    #[must_use]
    pub const fn target(&self) -> &Target {
        &self.target
    }

    /// Whether it is said that the signing key it names is not published any more.
    #[must_use]
    pub const fn is_withdrawn(&self) -> bool {
        self.withdrawn
    }

    /// The request where tokens of the issuer are taken whose `iat` is so far ahead: a cut-off that is not given covers them
    /// too.
    #[must_use]
    pub const fn with_clock_tolerance(mut self, secs: u64) -> Self {
        self.clock_tolerance_secs = secs;
        self
    }

    /// The request about the same signing key by the name that tokens are looked up by. Nothing else is renamed.
    #[must_use]
    pub fn with_kid(mut self, name: &str) -> Self {
        if let Target::SigningKey { kid, .. } = &mut self.target {
            name.clone_into(kid);
        }
        self
    }

    /// The entry.
    ///
    /// # Errors
    /// [`Error::InvalidField`]: `exp` has passed or is no date, or `before` is more than 10 years ahead.
    pub fn entry(self, now: UnixTime) -> Result<Entry, Error> {
        let Self { target, times, clock_tolerance_secs, reason, .. } = self;
        let before = match target {
            Target::Subject { .. } => {
                let last_second = now.saturating_add(clock_tolerance_secs);
                Some(times.before.unwrap_or(last_second.saturating_add(1)))
            }
            _ => times.before,
        };
        check_before(before, now)?;
        if times.exp.is_some_and(|exp| exp > FARTHEST) {
            let problem = "expected seconds since 1970, at most in the year 9999";
            return Err(Error::invalid_field("exp", problem));
        }
        let until = match (times.expires_in_secs, times.exp) {
            (Some(secs), _) => Some(now.saturating_add(secs)),
            (None, Some(exp)) => end_of_token("exp", exp, now)?,
            (None, None) => default_end(&target, before, now),
        };
        Ok(Entry { v: ENTRY_VERSION, target, before, until, created_at: now, reason })
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Times {
    exp: Option<UnixTime>,
    before: Option<UnixTime>,
    expires_in_secs: Option<u64>,
}

/// The end of an entry about a token with that `exp`: never earlier than the token is refused everywhere. None: never.
fn end_of_token(path: &str, exp: UnixTime, now: UnixTime) -> Result<Option<UnixTime>, Error> {
    let end = exp.saturating_add(CLOCK_MARGIN_SECS);
    if end <= now {
        return Err(Error::invalid_field(path, "has expired, there is nothing to revoke"));
    }
    Ok(Some(end).filter(|end| *end <= FARTHEST))
}

/// The end of an entry where the request says nothing of one. None: never.
fn default_end(target: &Target, before: Option<UnixTime>, now: UnixTime) -> Option<UnixTime> {
    match (target, before) {
        (Target::ApiKey { .. } | Target::SigningKey { .. }, _) | (Target::Issuer { .. }, None) => {
            None
        }
        (_, before) => {
            let last = before.map_or(now, |before| before.max(now));
            Some(last.saturating_add(DEFAULT_LIFETIME_SECS))
        }
    }
}

described! {
    /// What to revoke: exactly one of `token`, `jti`, `sub`, `sid`, `kid`, `key_id` and `all`, with `iss` for all but `token` and `key_id`.
    struct Body as NewRevocation, refused {
        /// A token, which is verified first.
        #[facts(minLength = 1)]
        token: Option<String> = None,
        /// The issuer.
        #[facts(minLength = 1)]
        iss: Option<String> = None,
        /// One token of it.
        #[facts(minLength = 1)]
        jti: Option<String> = None,
        /// When that token expires. With `jti` only.
        exp: Option<UnixTime> = None,
        /// All tokens of a subject.
        #[facts(minLength = 1)]
        sub: Option<String> = None,
        /// Only those issued before this time; by default now. With `sub` or `all` only.
        before: Option<UnixTime> = None,
        /// All tokens of a session.
        #[facts(minLength = 1)]
        sid: Option<String> = None,
        /// All tokens signed by this key.
        #[facts(minLength = 1)]
        kid: Option<String> = None,
        /// An API key.
        key_id: Option<KeyId> = None,
        /// `true`: all tokens of the issuer.
        all: Option<bool> = None,
        /// `true`: the issuer has no such key any more. With `kid` only.
        withdrawn: Option<bool> = None,
        /// For people: at most 200 characters.
        #[facts(maxLength = MAX_REASON_CHARS)]
        reason: Option<String> = None,
        /// For how long. By default until the tokens have expired.
        expires_in_secs: Option<u64> = None,
    }
}

#[cfg(feature = "describe")]
pub(crate) fn describe(known: &mut crate::json::describe::Definitions) {
    known.add::<Body>();
}

impl Body {
    /// Each value by itself.
    fn check_values(&self) -> Result<(), Error> {
        let names = [
            ("iss", self.iss.as_deref()),
            ("jti", self.jti.as_deref()),
            ("sub", self.sub.as_deref()),
            ("sid", self.sid.as_deref()),
            ("kid", self.kid.as_deref()),
            ("token", self.token.as_deref()),
        ];
        for (path, text) in names {
            text.map_or(Ok(()), |text| check_name(path, text))?;
        }
        self.reason.as_deref().map_or(Ok(()), check_reason)?;
        self.expires_in_secs.map_or(Ok(()), check_lifetime)
    }

    /// Exactly one form.
    fn check_form(&self) -> Result<(), Error> {
        let forms = [
            self.token.is_some(),
            self.jti.is_some(),
            self.sub.is_some(),
            self.sid.is_some(),
            self.kid.is_some(),
            self.key_id.is_some(),
            self.all == Some(true),
        ];
        if forms.iter().filter(|given| **given).count() != 1 {
            let problem = "expected exactly one of token, jti, sub, sid, kid, key_id and all";
            return Err(Error::invalid_field("", problem));
        }
        if self.all == Some(false) {
            return Err(Error::invalid_field("all", "expected true"));
        }
        Ok(())
    }

    /// Nothing beside the form that it has no use for.
    fn check_companions(&self) -> Result<(), Error> {
        only("exp", self.exp.is_some() && self.jti.is_none(), "jti")?;
        let has_cut_off = self.sub.is_some() || self.all.is_some();
        only("before", self.before.is_some() && !has_cut_off, "sub or all")?;
        only("withdrawn", self.withdrawn.is_some() && self.kid.is_none(), "kid")?;
        if self.exp.is_some() && self.expires_in_secs.is_some() {
            return Err(Error::invalid_field("expires_in_secs", "expected none beside exp"));
        }
        let names_no_issuer = self.token.is_some() || self.key_id.is_some();
        only("iss", self.iss.is_some() && names_no_issuer, "jti, sub, sid, kid or all")
    }

    fn into_revocation(self) -> Result<NewRevocation, Error> {
        let Self {
            token,
            iss,
            jti,
            exp,
            sub,
            before,
            sid,
            kid,
            key_id,
            withdrawn,
            reason,
            expires_in_secs,
            all: _,
        } = self;
        if let Some(token) = token {
            let token = Zeroizing::new(token);
            return Ok(NewRevocation::Token(TokenRevocation { token, expires_in_secs, reason }));
        }
        let target = match (key_id, iss) {
            (Some(id), _) => Target::ApiKey { id },
            (None, None) => return Err(Error::invalid_field("iss", "is required")),
            (None, Some(iss)) => match (jti, sub, sid, kid) {
                (Some(jti), ..) => Target::Token { iss, jti },
                (_, Some(sub), ..) => Target::Subject { iss, sub },
                (_, _, Some(sid), _) => Target::Session { iss, sid },
                (.., Some(kid)) => Target::SigningKey { iss, kid },
                _ => Target::Issuer { iss },
            },
        };
        let times = Times { exp, before, expires_in_secs };
        let withdrawn = withdrawn.unwrap_or_default();
        Ok(NewRevocation::Entry(EntryRequest {
            withdrawn,
            ..EntryRequest::new(target, times, reason)
        }))
    }
}

fn only(path: &str, given: bool, with: &str) -> Result<(), Error> {
    if given {
        return Err(Error::invalid_field(path, &format!("expected with {with} only")));
    }
    Ok(())
}

fn check_before(before: Option<UnixTime>, now: UnixTime) -> Result<(), Error> {
    let horizon = now.saturating_add(MAX_LIFETIME_SECS);
    if before.is_some_and(|before| before < UnixTime::from_secs(0) || before > horizon) {
        let problem = "expected a time after 1970, at most 10 years ahead";
        return Err(Error::invalid_field("before", problem));
    }
    Ok(())
}

fn check_name(path: &str, text: &str) -> Result<(), Error> {
    if text.is_empty() || text.len() > MAX_NAME_BYTES {
        return Err(Error::invalid_field(path, "expected 1 to 8192 bytes"));
    }
    Ok(())
}

fn check_reason(reason: &str) -> Result<(), Error> {
    if reason.chars().take(MAX_REASON_CHARS.saturating_add(1)).count() > MAX_REASON_CHARS {
        return Err(Error::invalid_field("reason", "expected at most 200 characters"));
    }
    if reason.chars().any(char::is_control) {
        return Err(Error::invalid_field("reason", "expected no control characters"));
    }
    Ok(())
}

fn check_lifetime(secs: u64) -> Result<(), Error> {
    if (MIN_LIFETIME_SECS..=MAX_LIFETIME_SECS).contains(&secs) {
        return Ok(());
    }
    let problem = format!("expected {MIN_LIFETIME_SECS} to {MAX_LIFETIME_SECS} (10 years)");
    Err(Error::invalid_field("expires_in_secs", &problem))
}

const fn damaged(problem: String) -> Error {
    Error::StoreUnavailable { store: "revocation", problem }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixTime = UnixTime::from_secs(1_700_000_000);

    fn secs(secs: i64) -> UnixTime {
        UnixTime::from_secs(1_700_000_000 + secs)
    }

    fn entry(json: &str) -> Entry {
        match NewRevocation::parse(json.as_bytes()).unwrap() {
            NewRevocation::Entry(request) => request.entry(NOW).unwrap(),
            NewRevocation::Token(_) => panic!("a token"),
        }
    }

    fn token(json: &str) -> TokenRevocation {
        match NewRevocation::parse(json.as_bytes()).unwrap() {
            NewRevocation::Token(token) => token,
            NewRevocation::Entry(_) => panic!("no token"),
        }
    }

    #[track_caller]
    fn refused(json: &str, message: &str) {
        let result = NewRevocation::parse(json.as_bytes()).and_then(|new| match new {
            NewRevocation::Entry(request) => request.entry(NOW),
            NewRevocation::Token(_) => panic!("a token"),
        });
        let error = result.unwrap_err();
        assert_eq!(error.to_string(), message, "{json}");
        assert_eq!(error.code().as_str(), "INVALID_REQUEST");
    }

    #[test]
    fn each_form_names_its_target_and_its_end() {
        let days = |days: i64| secs(days * 86_400);
        let iss = || "https://i/".to_owned();
        let id = KeyId::from_bytes([10; 16]);
        let cases = [
            (
                r#"{"iss": "https://i/", "jti": "a", "exp": 1700000500}"#,
                Target::Token { iss: iss(), jti: "a".into() },
                None,
                Some(secs(500 + 3600)),
            ),
            (
                r#"{"iss": "https://i/", "jti": "a"}"#,
                Target::Token { iss: iss(), jti: "a".into() },
                None,
                Some(days(400)),
            ),
            (
                r#"{"iss": "https://i/", "sub": "a", "before": 1699999999}"#,
                Target::Subject { iss: iss(), sub: "a".into() },
                Some(secs(-1)),
                Some(days(400)),
            ),
            (
                r#"{"iss": "https://i/", "sub": "a", "before": 1700086400}"#,
                Target::Subject { iss: iss(), sub: "a".into() },
                Some(days(1)),
                Some(days(401)),
            ),
            (
                r#"{"iss": "https://i/", "sid": "a", "expires_in_secs": 60}"#,
                Target::Session { iss: iss(), sid: "a".into() },
                None,
                Some(secs(60)),
            ),
            (
                r#"{"key_id": "0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a"}"#,
                Target::ApiKey { id },
                None,
                None,
            ),
            (r#"{"iss": "https://i/", "all": true}"#, Target::Issuer { iss: iss() }, None, None),
            (
                r#"{"iss": "https://i/", "kid": "a"}"#,
                Target::SigningKey { iss: iss(), kid: "a".into() },
                None,
                None,
            ),
            (
                r#"{"iss": "https://i/", "all": true, "before": 1700000000}"#,
                Target::Issuer { iss: iss() },
                Some(NOW),
                Some(days(400)),
            ),
        ];
        for (json, target, before, until) in cases {
            let entry = entry(json);
            assert_eq!(*entry.target(), target, "{json}");
            assert_eq!((entry.before(), entry.until()), (before, until), "{json}");
            assert_eq!((entry.created_at(), entry.reason()), (NOW, None), "{json}");
        }
    }

    #[test]
    fn a_log_out_everywhere_covers_the_second_it_happens_in() {
        let entry = entry(r#"{"iss": "i", "sub": "s"}"#);
        assert!(entry.applies_to(Some(NOW)));
        assert!(!entry.applies_to(Some(secs(1))));
        assert!(entry.applies_to(None), "nothing shows that the token is newer");
    }

    #[test]
    fn a_log_out_everywhere_covers_an_issuer_whose_clock_is_ahead() {
        let of = |json: &str| match NewRevocation::parse(json.as_bytes()).unwrap() {
            NewRevocation::Entry(request) => request.with_clock_tolerance(60).entry(NOW).unwrap(),
            NewRevocation::Token(_) => panic!("a token"),
        };
        let entry = of(r#"{"iss": "i", "sub": "s"}"#);
        assert!(entry.applies_to(Some(secs(60))));
        assert!(!entry.applies_to(Some(secs(61))));
        let given = of(r#"{"iss": "i", "sub": "s", "before": 1700000000}"#);
        assert_eq!(given.before(), Some(NOW), "what is given is taken literally");
        assert_eq!(of(r#"{"iss": "i", "all": true}"#).before(), None);
    }

    #[test]
    fn no_token_outlives_the_entry_about_it() {
        let margin = |exp: i64| UnixTime::from_secs(exp + 3600);
        let last = 253_402_300_799;
        for (exp, until) in [
            (4_102_444_800, Some(margin(4_102_444_800))),
            (9_999_999_999, Some(margin(9_999_999_999))),
            (last - 3600, Some(UnixTime::from_secs(last))),
            (last - 3599, None),
            (last, None),
            (last + 1, None),
            (1_700_000_000_000, None),
            (i64::MAX, None),
        ] {
            let exp = UnixTime::from_secs(exp);
            let whole = token(r#"{"token": "eyJ.e30.sig"}"#);
            let entry = whole.entry("i", Some("a"), Some(exp), NOW).unwrap();
            assert_eq!(entry.until(), until, "{exp}");
            let json = serde_json::to_string(&entry).unwrap();
            // Both by the clock that made it and by one that is an hour behind.
            for now in [NOW, secs(-3600)] {
                assert_eq!(Entry::restore(json.as_bytes(), now), Ok(entry.clone()), "{exp}");
            }
            if exp.as_secs() <= last {
                let named = format!(r#"{{"iss": "i", "jti": "a", "exp": {exp}}}"#);
                assert_eq!(super::tests::entry(&named).until(), until, "{exp}");
            }
        }
    }

    #[test]
    fn what_one_clock_takes_another_takes_too() {
        let horizon = NOW.saturating_add(MAX_LIFETIME_SECS);
        let made = entry(&format!(r#"{{"iss": "i", "sub": "s", "before": {horizon}}}"#));
        let json = serde_json::to_string(&made).unwrap();
        assert_eq!(Entry::restore(json.as_bytes(), secs(-60)), Ok(made));
    }

    #[test]
    fn a_cut_off_that_is_given_is_taken_literally() {
        let entry = entry(r#"{"iss": "i", "sub": "s", "before": 1700000000}"#);
        assert!(entry.applies_to(Some(secs(-1))));
        assert!(!entry.applies_to(Some(NOW)));
    }

    #[test]
    fn exactly_one_form_is_taken() {
        let forms = "expected exactly one of token, jti, sub, sid, kid, key_id and all";
        for json in [
            "{}",
            r#"{"iss": "i"}"#,
            r#"{"iss": "i", "sub": null}"#,
            r#"{"iss": "i", "jti": "a", "sub": "s"}"#,
            r#"{"iss": "i", "sub": "s", "all": true}"#,
            r#"{"token": "t", "key_id": "0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a"}"#,
            r#"{"iss": "i", "all": false}"#,
        ] {
            refused(json, forms);
        }
        refused(r#"{"jti": "a"}"#, "iss: is required");
        refused(r#"{"all": true}"#, "iss: is required");
        refused(r#"{"iss": "i", "jti": "a", "all": false}"#, "all: expected true");
        refused(
            r#"{"token": "t", "iss": "i"}"#,
            "iss: expected with jti, sub, sid, kid or all only",
        );
        refused(r#"{"iss": "i", "sid": "a", "exp": 1800000000}"#, "exp: expected with jti only");
        refused(
            r#"{"iss": "i", "sid": "a", "withdrawn": true}"#,
            "withdrawn: expected with kid only",
        );
        refused(
            r#"{"iss": "i", "jti": "a", "before": 5}"#,
            "before: expected with sub or all only",
        );
        refused(
            r#"{"iss": "i", "jti": "a", "exp": 1800000000, "expires_in_secs": 60}"#,
            "expires_in_secs: expected none beside exp",
        );
        refused(
            r#"{"iss": "i", "subject": "s"}"#,
            "subject: is not a known field, expected one of token, iss, jti, exp, sub, before, sid, \
             kid, key_id, all, withdrawn, reason, expires_in_secs",
        );
    }

    #[test]
    fn values_out_of_range_are_named() {
        refused(r#"{"iss": "", "jti": "a"}"#, "iss: expected 1 to 8192 bytes");
        refused(
            &format!(r#"{{"iss": "i", "jti": "{}"}}"#, "a".repeat(8193)),
            "jti: expected 1 to 8192 bytes",
        );
        refused(r#"{"iss": "i", "jti": ["eyJ"]}"#, "jti: expected a string, found a list");
        refused(
            r#"{"iss": "i", "jti": "a", "exp": 1699996400}"#,
            "exp: has expired, there is nothing to revoke",
        );
        refused(
            r#"{"iss": "i", "jti": "a", "exp": 1700000000000}"#,
            "exp: expected seconds since 1970, at most in the year 9999",
        );
        refused(
            r#"{"iss": "i", "sub": "a", "before": 1700000000000}"#,
            "before: expected a time after 1970, at most 10 years ahead",
        );
        refused(
            r#"{"iss": "i", "sub": "a", "before": -1}"#,
            "before: expected a time after 1970, at most 10 years ahead",
        );
        refused(
            r#"{"iss": "i", "jti": "a", "exp": "1700000500"}"#,
            "exp: expected a whole number of seconds, found a string",
        );
        refused(
            r#"{"iss": "i", "sid": "a", "expires_in_secs": 59}"#,
            "expires_in_secs: expected 60 to 315360000 (10 years)",
        );
        refused(r#"{"key_id": "0A"}"#, "key_id: expected 32 lower-case hexadecimal digits");
        refused(
            &format!(r#"{{"iss": "i", "sid": "a", "reason": "{}"}}"#, "r".repeat(201)),
            "reason: expected at most 200 characters",
        );
        refused(
            r#"{"iss": "i", "sid": "a", "reason": "a\nb"}"#,
            "reason: expected no control characters",
        );
        refused("", "expected JSON: EOF while parsing a value at line 1 column 0");
    }

    #[test]
    fn a_token_is_revoked_by_its_verified_claims() {
        let body = r#"{"token": "eyJ.e30.sig", "reason": "stolen"}"#;
        assert_eq!(token(body).token(), "eyJ.e30.sig");
        assert_eq!(
            format!("{:?}", token(body)),
            "TokenRevocation { expires_in_secs: None, reason: Some(\"stolen\"), .. }"
        );
        let entry = token(body).entry("i", Some("a"), Some(secs(10)), NOW).unwrap();
        assert_eq!(entry.deny_key(), DenyKey::of_token("i", "a"));
        assert_eq!((entry.until(), entry.reason()), (Some(secs(3610)), Some("stolen")));
        let endless = token(body).entry("i", Some("a"), None, NOW).unwrap();
        assert_eq!(endless.until(), None, "it lives for ever");
        for (jti, exp, message) in [
            (None, None, "token: has no jti, revoke its session or subject"),
            (Some("a"), Some(secs(-3600)), "token: has expired, there is nothing to revoke"),
        ] {
            let error = token(body).entry("i", jti, exp, NOW).unwrap_err();
            assert_eq!(error.to_string(), message);
        }
    }

    #[test]
    fn an_entry_is_read_as_it_was_written() {
        let entry = entry(r#"{"iss": "i", "sub": "s", "reason": "left"}"#);
        let json = serde_json::to_string(&entry).unwrap();
        assert_eq!(
            json,
            r#"{"v":1,"target":{"kind":"subject","iss":"i","sub":"s"},"before":1700000001,"until":1734560001,"created_at":1700000000,"reason":"left"}"#
        );
        let read = |key: &DenyKey, json: &str| Entry::parse(key, json.as_bytes());
        let key = DenyKey::of_subject("i", "s");
        assert_eq!(read(&key, &json), Ok(entry));
        assert!(read(&key, &json.replace("\"reason\"", "\"later\"")).is_ok());
        for (key, json, problem) in [
            (key, json.replace("\"v\":1", "\"v\":2"), "entry has version 2, expected 1"),
            (DenyKey::of_subject("i", "t"), json.clone(), "entry belongs to another key"),
            (key, "{}".to_owned(), "entry is not ours: is required"),
        ] {
            let message = format!("store revocation: {problem}");
            assert_eq!(read(&key, &json).unwrap_err().to_string(), message);
        }
    }

    #[test]
    fn kv_keeps_an_entry_for_a_minute_at_least() {
        let ttl = |json: &str, now| entry(json).kv_ttl_secs(now);
        let body = r#"{"iss": "i", "sid": "a", "expires_in_secs": 100}"#;
        assert_eq!(ttl(body, NOW), Some(100));
        assert_eq!(ttl(body, secs(41)), Some(60));
        assert_eq!(ttl(body, secs(500)), Some(60));
        assert_eq!(ttl(r#"{"iss": "i", "all": true}"#, NOW), None);
    }

    #[test]
    fn an_entry_in_place_of_another_is_never_weaker() {
        let of = |before: i64, until: u64| {
            entry(&format!(
                r#"{{"iss": "i", "sub": "s", "before": {before}, "expires_in_secs": {until}}}"#
            ))
        };
        let (early, late) = (of(1_600_000_000, 1000), of(1_650_000_000, 100));
        for (new, old) in [(&early, &late), (&late, &early)] {
            let merged = new.clone().merge(Some(old), NOW);
            assert_eq!(merged.before(), late.before());
            assert_eq!(merged.until(), early.until());
        }
        assert_eq!(early.clone().merge(Some(&late), secs(100)), early, "an end has come");
        assert_eq!(early.clone().merge(None, NOW), early);
        let all = entry(r#"{"iss": "i", "all": true}"#);
        let some = entry(r#"{"iss": "i", "all": true, "before": 1700000000}"#);
        let merged = some.clone().merge(Some(&all), NOW);
        assert_eq!((merged.before(), merged.until()), (None, None));
        assert_eq!(early.clone().merge(Some(&all), NOW), early, "about something else");
    }

    #[test]
    fn what_says_nothing_more_is_answered_as_it_was() {
        let body = r#"{"iss": "i", "sub": "s", "before": 1600000000, "expires_in_secs": 1000}"#;
        let first = entry(body);
        let again = Entry { created_at: secs(5), ..first.clone() };
        assert_eq!(again.clone().merge(Some(&first), secs(5)), first);
        let weaker = Entry { until: Some(secs(10)), ..again.clone() };
        assert_eq!(weaker.merge(Some(&first), secs(5)), first);
        let with_reason = Entry { reason: Some("left".to_owned()), ..again.clone() };
        let merged = with_reason.merge(Some(&first), secs(5));
        assert_eq!((merged.reason(), merged.created_at()), (Some("left"), secs(5)));
        assert_eq!(again.merge(Some(&merged), secs(5)).reason(), Some("left"), "a reason stays");
    }

    #[test]
    fn an_exported_entry_can_be_put_back() {
        for body in [
            r#"{"iss": "i", "sub": "s", "reason": "left"}"#,
            r#"{"iss": "i", "all": true}"#,
            r#"{"iss": "i", "kid": "k"}"#,
            r#"{"key_id": "0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a"}"#,
        ] {
            let entry = entry(body);
            let shown = serde_json::to_string(&entry).unwrap().replacen('{', r#"{"id":"x","#, 1);
            assert_eq!(Entry::restore(shown.as_bytes(), secs(100)), Ok(entry));
        }
        let json = |target: &str, more: &str| {
            format!(r#"{{"v":1,"target":{target},"created_at":1700000000{more}}}"#)
        };
        let token = r#"{"kind":"token","iss":"i","jti":"j"}"#;
        let subject = r#"{"kind":"subject","iss":"i","sub":"s"}"#;
        for (json, message) in [
            (json(token, "").replace("\"v\":1", "\"v\":2"), "v: expected 1"),
            (json(&token.replace("jti", "sid"), ""), "target.jti: is required"),
            (
                json(&token.replace("token", "x"), ""),
                "target.kind: expected one of token, subject,",
            ),
            (json(&token.replace("\"j\"", "\"\""), ""), "target: expected 1 to 8192 bytes"),
            (json(token, r#","before":5"#), "before: expected with a subject or issuer only"),
            (json(subject, r#","before":-5"#), "before: expected a time after 1970"),
            (json(subject, r#","until":1700000000000"#), "until: expected a time, at most in"),
            (json(subject, r#","reason":"a\nb""#), "reason: expected no control characters"),
            (json(token, "").replace("1700000000", "-1"), "created_at: expected a time after"),
            ("[]".to_owned(), "expected an object, found a list"),
        ] {
            let fault = Entry::restore(json.as_bytes(), NOW).unwrap_err().to_string();
            assert!(fault.starts_with(message), "{fault}");
        }
    }
}
