//! The rows that one writer keeps, and what it does with them. Nothing comes between the beginning and the end of a step.
//! What links by mail do is in `links`, registrations in `registration`, what owners are told of changes in `notices`.

mod links;
mod registration;

mod factors;
mod notices;
mod passkeys;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{
    attempts::{Attempts, Bound, Reservation},
    authenticator::AuthenticatorKey,
    foreign_hash::ForeignHash,
    hash::{self, Cost, PasswordHash, Peppers, SALT_BYTES},
    mail::MailId,
    mailbox::Mailbox,
    row::{Account, AccountId, Kept, NameRow, RowKey, Standing},
    step::{
        AddressReserved, Change, ChangePassword, Create, Guess, LoginOutcome, LoginStep,
        NewPassword, OfAddress, ProvePassword, Right, ShownAccount, Work,
    },
};
use crate::{
    error::StoreError,
    json::own_text,
    session::state::RowChange,
    time::{UnixMillis, UnixTime},
};

/// So many passwords of an address, or of a network that has many, are compared in a window, right ones too: an office logs in, and nobody
/// takes the hashes of all. And so many codes and signatures.
const WORK_OF_ADDRESS: u8 = 200;

/// So many times as an address may a network guess that has many of them.
const NETWORK_FACTOR: u8 = 10;

/// The most rows without an account, in one shard: strangers cannot make more. In 4,096 shards that is more than they can write while such a
/// row is kept.
const MAX_PASSING: usize = 20_000;

/// What the policy says about accounts, as far as rows need it.
#[derive(Debug, Clone, Copy)]
pub struct Terms<'a> {
    /// How often may be guessed.
    pub bound: Bound,
    /// What a new hash costs.
    pub cost: Cost,
    /// The peppers.
    pub peppers: &'a Peppers,
    /// What secrets of authenticators are made of.
    pub authenticators: &'a AuthenticatorKey,
    /// A hash of each kind that accounts moved in with, and of each cost from before.
    pub imports: &'a [ForeignHash],
}

impl Terms<'_> {
    /// The memory of the dearest hash, in KiB.
    fn dearest_kib(&self) -> u32 {
        let imports = self.imports.iter().map(ForeignHash::memory_kib);
        imports.max().unwrap_or(0).max(self.cost.memory_kib)
    }
}

/// The rows of a shard.
///
/// A writer keeps them in memory and stores [`ShardState::take_changes`] in one transaction before it answers. If that fails, it forgets them
/// and reads them again.
#[derive(Debug, Default)]
pub struct ShardState {
    names: BTreeMap<RowKey, NameRow>,
    addresses: BTreeMap<RowKey, Attempts>,
    /// Mails that wait to be sent.
    mails: Mailbox,
    /// The rows that differ from what is stored.
    changed: BTreeSet<String>,
    /// Whether nothing was stored since the rows were read.
    is_just_read: bool,
}

const NAME: &str = "name/";
/// Guesses of strangers at a name, apart from the account.
const GUESSES: &str = "guesses/";
const ADDRESS: &str = "address/";
const MAIL: &str = "mail/";

impl ShardState {
    /// Reads the rows.
    ///
    /// # Errors
    /// A row that cannot be read is a fault of the store, and nothing is decided without it.
    pub fn from_rows<'r>(
        rows: impl IntoIterator<Item = (&'r str, &'r str)>,
    ) -> Result<Self, StoreError> {
        let mut state = Self { is_just_read: true, ..Self::default() };
        for (name, value) in rows {
            if let Some(key) = name.strip_prefix(NAME).and_then(RowKey::parse) {
                let mut row = read_name(value)?;
                if row == NameRow::default() {
                    // Nobody has it, and nothing of it is kept.
                    state.changed.insert(name.to_owned());
                    continue;
                }
                if let Some(with_guesses) = state.names.remove(&key) {
                    row.guesses = with_guesses.guesses;
                }
                state.names.insert(key, row);
            } else if let Some(key) = name.strip_prefix(GUESSES).and_then(RowKey::parse) {
                state.names.entry(key).or_default().guesses = read(value)?;
            } else if let Some(key) = name.strip_prefix(ADDRESS).and_then(RowKey::parse) {
                state.addresses.insert(key, read(value)?);
            } else if let Some(id) = name.strip_prefix(MAIL).and_then(MailId::parse) {
                state.mails.read(id, read(value)?);
            } else {
                return Err(not_ours());
            }
        }
        Ok(state)
    }

    /// The rows that differ from what is stored; from now on they count as stored.
    ///
    /// # Errors
    /// A row that cannot be written as JSON.
    pub fn take_changes(&mut self) -> Result<Vec<RowChange>, StoreError> {
        self.is_just_read = false;
        let mut changes = Vec::new();
        for name in core::mem::take(&mut self.changed) {
            let value = if let Some(key) = name.strip_prefix(NAME).and_then(RowKey::parse) {
                self.names.get(&key).filter(|row| !row.has_only_guesses()).map(write)
            } else if let Some(key) = name.strip_prefix(GUESSES).and_then(RowKey::parse) {
                let guesses = self.names.get(&key).map(|row| &row.guesses);
                guesses.filter(|guesses| !guesses.is_none()).map(write)
            } else if let Some(id) = name.strip_prefix(MAIL).and_then(MailId::parse) {
                self.mails.get(&id).map(write)
            } else {
                let key = name.strip_prefix(ADDRESS).and_then(RowKey::parse);
                key.and_then(|key| self.addresses.get(&key)).map(write)
            };
            changes.push(RowChange { name, value: value.transpose()? });
        }
        Ok(changes)
    }

    /// Takes a step. `keep` stores what has changed: it is asked for a guess that is reserved, before its hash is computed, so that whatever
    /// ends the writer meanwhile gives no guess back. What has changed at the end is the caller's to store.
    ///
    /// # Errors
    /// Those of `keep`.
    pub fn apply(
        &mut self,
        step: LoginStep,
        terms: Terms<'_>,
        at: ([u8; SALT_BYTES], UnixMillis),
        keep: &mut dyn FnMut(&mut Self) -> Result<(), StoreError>,
    ) -> Result<LoginOutcome, StoreError> {
        hash::announce_dearest(terms.dearest_kib());
        let notices = notices::notices_of(&step);
        let outcome = self.take(step, terms, at, keep)?;
        if notices::is_taken(&outcome) {
            for notice in notices {
                self.tell(notice, at);
            }
        }
        Ok(outcome)
    }

    fn take(
        &mut self,
        step: LoginStep,
        terms: Terms<'_>,
        (salt, now): ([u8; SALT_BYTES], UnixMillis),
        keep: &mut dyn FnMut(&mut Self) -> Result<(), StoreError>,
    ) -> Result<LoginOutcome, StoreError> {
        Ok(match step {
            LoginStep::Reserve(of) => self.reserve(of, terms.bound, now),
            LoginStep::GiveBack(of, reserved) => self.give_back(of, reserved),
            LoginStep::Guess(guess) => self.guess(&guess, terms, (salt, now), keep)?,
            LoginStep::Confirm(state, device) => {
                let Some(key) = self.key_of(&state.id) else { return Ok(LoginOutcome::Gone) };
                let Some(row) = self.names.get_mut(&key) else { return Ok(LoginOutcome::Gone) };
                if !row.account.as_ref().is_some_and(|account| account.is_still(&state)) {
                    return Ok(LoginOutcome::Gone);
                }
                if let Some(device) = device {
                    row.know(device.hash_for(&key));
                    self.note(NAME, &key);
                }
                LoginOutcome::Done
            }
            LoginStep::ChangePassword(change) => {
                self.change_password(&change, terms, (salt, now), keep)?
            }
            LoginStep::ProvePassword(prove) => {
                self.prove_password(prove, terms, (salt, now), keep)?
            }
            LoginStep::KeepAddress(state, sealed) => self.keep_address(&state, sealed),
            LoginStep::AskLink(ask) => self.ask_link(ask, terms, now),
            LoginStep::SetByLink(set) => self.set_by_link(&set, terms, (salt, now)),
            LoginStep::LogInByLink(by) => self.log_in_by_link(&by, now),
            LoginStep::Register(register) => self.register(register, terms, (salt, now)),
            LoginStep::ConfirmRegistration(confirm) => {
                self.confirm_registration(&confirm, terms, (salt, now))
            }
            LoginStep::Invite(invite) => self.invite(invite, now),
            LoginStep::Create(create) => self.create(create, terms, (salt, now)),
            LoginStep::Find(key) => shown(self.names.get(&key)),
            LoginStep::Show(id) => shown(self.key_of(&id).and_then(|key| self.names.get(&key))),
            LoginStep::Change(change) => self.change(change, terms, salt),
            LoginStep::Passkey(id, step) => self.passkey(&id, step, now.to_unix_time()),
            LoginStep::Delete(id) => {
                let Some(key) = self.key_of(&id) else { return Ok(LoginOutcome::Gone) };
                if let Some(row) = self.names.get_mut(&key) {
                    row.forget_account();
                }
                self.note(NAME, &key);
                self.forget_over(terms.bound, now);
                LoginOutcome::Done
            }
            LoginStep::Factor(step) => self.factor_step(step, terms, now),
            LoginStep::Prepare => LoginOutcome::Done,
        })
    }

    /// When the writer has to wake: for a mail, or to take out what nothing has to be kept of; `None`: there is neither.
    #[must_use]
    pub fn wakes_at(&self, bound: Bound, now: UnixMillis) -> Option<UnixMillis> {
        let passes = self.names.values().any(NameRow::is_passing) || !self.addresses.is_empty();
        let passes = passes.then(|| now.saturating_add(bound.window_millis));
        // What passes wakes it often enough. Links of others are of accounts alone, and would tell of them.
        let others = self.names.values().filter(|row| !row.is_passing());
        let links = others.filter_map(NameRow::next_end_of_links).min();
        let links = links.map(UnixMillis::from_unix_time);
        self.mails.wakes_at().into_iter().chain(passes).chain(links).min()
    }

    /// Takes out the rows of which nothing has to be kept, and of accounts what counts no more.
    pub fn forget_over(&mut self, bound: Bound, now: UnixMillis) {
        let network = of_network(bound);
        let counted = self.names.iter_mut();
        let counted = counted.map(|(key, row)| (*key, row.forget_counts(bound, now)));
        for (key, forgotten) in counted.collect::<Vec<_>>() {
            if forgotten.guesses {
                self.note(GUESSES, &key);
            }
            if forgotten.codes_and_mails {
                self.note(NAME, &key);
            }
        }
        self.forget_links(now.to_unix_time());
        self.names.retain(|_, row| *row != NameRow::default());
        let addresses = self.addresses.iter().filter(|(_, row)| row.is_over(network, now));
        let addresses: Vec<RowKey> = addresses.map(|(key, _)| *key).collect();
        for key in addresses {
            self.addresses.remove(&key);
            self.note(ADDRESS, &key);
        }
    }

    fn forget_links(&mut self, now: UnixTime) {
        // Not before the mails that they came by count no more: then there is something to write for each name that was asked a mail for.
        let is_over = |row: &&mut NameRow| {
            row.counts_no_mails() && row.next_end_of_links().is_some_and(|end| end <= now)
        };
        let mut changed = Vec::new();
        for (key, row) in &mut self.names {
            if is_over(&row) {
                row.forget_links(now);
                changed.push(*key);
            }
        }
        for key in changed {
            self.note(NAME, &key);
        }
    }

    /// Whether there are no rows.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.names.is_empty() && self.addresses.is_empty() && self.mails.is_empty()
    }

    fn passing(&self) -> usize {
        let names = self.names.values().filter(|row| row.account.is_none()).count();
        names.saturating_add(self.addresses.len())
    }

    fn note(&mut self, kind: &str, key: &RowKey) {
        self.changed.insert(format!("{kind}{key}"));
    }

    fn key_of(&self, id: &AccountId) -> Option<RowKey> {
        let is_it = |row: &NameRow| row.account.as_ref().is_some_and(|account| account.id == *id);
        self.names.iter().find(|(_, row)| is_it(row)).map(|(key, _)| *key)
    }

    /// The row of a name, made if there is none; `None`: there are too many that pass.
    fn row(&mut self, key: &RowKey, bound: Bound, now: UnixMillis) -> Option<&mut NameRow> {
        if !self.names.contains_key(key) && self.is_full(bound, now) {
            return None;
        }
        Some(self.names.entry(*key).or_default())
    }

    fn is_full(&mut self, bound: Bound, now: UnixMillis) -> bool {
        if self.passing() >= MAX_PASSING {
            self.forget_over(bound, now);
        }
        self.passing() >= MAX_PASSING
    }

    // ---- addresses ----

    fn reserve(&mut self, of: OfAddress, bound: Bound, now: UnixMillis) -> LoginOutcome {
        let full = LoginOutcome::TooMany(now.saturating_add(bound.window_millis));
        if !self.addresses.contains_key(&of.address) && self.is_full(bound, now) {
            return full;
        }
        // Right passwords cost a hash as well, and nobody may take all of them. It comes last: a network has it together, and who is refused
        // before has had none.
        let work = work_of(&of.network.unwrap_or(of.address), of.work);
        let rows = [
            Some((of.address, bound)),
            of.network.map(|key| (key, of_network(bound))),
            Some((work, Bound { attempts: WORK_OF_ADDRESS, ..bound })),
        ];
        let mut held = Vec::new();
        for (key, bound) in rows.into_iter().flatten() {
            match self.addresses.entry(key).or_default().reserve(bound, now) {
                Ok(reservation) => held.push((key, reservation)),
                Err(until) => {
                    // No guess is made.
                    held.into_iter().for_each(|one| self.give_one_back(one));
                    return LoginOutcome::TooMany(until);
                }
            }
        }
        held.iter().for_each(|(key, _)| self.note(ADDRESS, key));
        let mut held = held.into_iter().map(|(_, reservation)| reservation);
        let Some(address) = held.next() else { return full };
        let network = of.network.and_then(|_| held.next());
        LoginOutcome::Reserved(AddressReserved { address, network, work: held.next() })
    }

    fn give_back(&mut self, of: OfAddress, reserved: AddressReserved) -> LoginOutcome {
        let AddressReserved { address, network, work } = reserved;
        let of_work = work_of(&of.network.unwrap_or(of.address), of.work);
        let rows =
            [(Some(of.address), Some(address)), (of.network, network), (Some(of_work), work)];
        for (key, reservation) in rows {
            let (Some(key), Some(reservation)) = (key, reservation) else { continue };
            self.give_one_back((key, reservation));
            self.note(ADDRESS, &key);
        }
        LoginOutcome::Done
    }

    fn give_one_back(&mut self, (key, reservation): (RowKey, Reservation)) {
        if let Some(row) = self.addresses.get_mut(&key) {
            row.give_back(reservation);
        }
    }

    // ---- names ----

    fn guess(
        &mut self,
        guess: &Guess,
        terms: Terms<'_>,
        (salt, now): ([u8; SALT_BYTES], UnixMillis),
        keep: &mut dyn FnMut(&mut Self) -> Result<(), StoreError>,
    ) -> Result<LoginOutcome, StoreError> {
        let key = guess.key;
        let has_account = self.names.get(&key).is_some_and(|row| row.account.is_some());
        if self.is_just_read && !has_account {
            // Where there is an account, its row was read for this guess.
            core::hint::black_box(read_name(ROW_OF_NOBODY)?);
        }
        let device = guess.device.map(|device| device.hash_for(&key));
        let Some(row) = self.row(&key, terms.bound, now) else {
            return Ok(LoginOutcome::TooMany(now.saturating_add(terms.bound.window_millis)));
        };
        let reserved = match row.reserve(device.as_ref(), terms.bound, now) {
            Ok(reserved) => reserved,
            Err(until) => return Ok(LoginOutcome::TooMany(until)),
        };
        let kind = if reserved.is_of_device() { NAME } else { GUESSES };
        self.note(kind, &key);
        keep(self)?;
        let Some(row) = self.names.get_mut(&key) else { return Ok(LoginOutcome::Gone) };
        let password = guess.password.as_bytes();
        let nobody = PasswordHash::of_nobody(salt_of_nobody(&key), terms.cost, terms.peppers);
        let verdict = row.compare(password, (&nobody, terms.peppers), terms.imports);
        let anew = (verdict.is_right && verdict.is_outdated)
            .then(|| PasswordHash::new(password, salt, terms.cost, terms.peppers))
            .flatten();
        let is_new = anew.is_some();
        row.settle(reserved, verdict.is_right, anew);
        // A wrong one leaves what was stored before its hash.
        let Some(account) = row.account.as_ref().filter(|_| verdict.is_right) else {
            return Ok(LoginOutcome::Wrong);
        };
        let right = Right::of(account);
        self.note(kind, &key);
        if is_new {
            self.note(NAME, &key);
        }
        Ok(LoginOutcome::Right(right))
    }

    fn change_password(
        &mut self,
        change: &ChangePassword,
        terms: Terms<'_>,
        (salt, now): ([u8; SALT_BYTES], UnixMillis),
        keep: &mut dyn FnMut(&mut Self) -> Result<(), StoreError>,
    ) -> Result<LoginOutcome, StoreError> {
        let Some(key) = self.key_of(&change.id) else { return Ok(LoginOutcome::Gone) };
        let ChangePassword { password, device, .. } = change;
        let guess = Guess { key, password: password.clone(), device: *device };
        let outcome = self.guess(&guess, terms, (salt, now), keep)?;
        let LoginOutcome::Right(Right { disabled: false, .. }) = outcome else {
            return Ok(outcome);
        };
        let new = change.new_password.as_bytes();
        let Some(hash) = PasswordHash::new(new, salt, terms.cost, terms.peppers) else {
            return Ok(LoginOutcome::BadHash);
        };
        let Some(row) = self.names.get_mut(&key) else { return Ok(LoginOutcome::Gone) };
        if let Some(account) = row.account.as_mut() {
            account.set_password(Kept::Own(hash));
        }
        // The browser that has changed it is its owner's.
        if let Some(device) = device {
            row.know(device.hash_for(&key));
        }
        self.note(NAME, &key);
        Ok(LoginOutcome::Done)
    }

    /// The password once more. An account that has none has nothing to show.
    fn prove_password(
        &mut self,
        prove: ProvePassword,
        terms: Terms<'_>,
        at: ([u8; SALT_BYTES], UnixMillis),
        keep: &mut dyn FnMut(&mut Self) -> Result<(), StoreError>,
    ) -> Result<LoginOutcome, StoreError> {
        let ProvePassword { id, password, device } = prove;
        let Some(key) = self.key_of(&id) else { return Ok(LoginOutcome::Gone) };
        if let Some(password) = password {
            return self.guess(&Guess { key, password, device }, terms, at, keep);
        }
        let account = self.names.get(&key).and_then(|row| row.account.as_ref());
        let without = account.filter(|account| !account.has_password()).map(Right::of);
        Ok(without.map_or(LoginOutcome::PasswordNeeded, LoginOutcome::Right))
    }

    // ---- administration ----

    fn create(
        &mut self,
        create: Create,
        terms: Terms<'_>,
        (salt, now): ([u8; SALT_BYTES], UnixMillis),
    ) -> LoginOutcome {
        let Create { key, id, password, scopes, is_verified, address } = create;
        if self.names.get(&key).is_some_and(|row| row.account.is_some()) {
            return LoginOutcome::Exists;
        }
        let Some(kept) = kept(password, terms, salt) else { return LoginOutcome::BadHash };
        let mut account = Account::new(id, Standing::Active, scopes, now.to_unix_time());
        account.is_verified = is_verified;
        account.set_password(kept);
        if let Some(sealed) = address {
            account.keep_address(&sealed);
        }
        // An administrator is bounded by nothing that strangers fill.
        let row = self.names.entry(key).or_default();
        row.account = Some(account);
        let made = shown(Some(row));
        self.note(NAME, &key);
        made
    }

    fn change(&mut self, change: Change, terms: Terms<'_>, salt: [u8; SALT_BYTES]) -> LoginOutcome {
        let Change { id, disabled, password, scopes, drop_factors, require_reset } = change;
        let Some(key) = self.key_of(&id) else { return LoginOutcome::Gone };
        let Some(row) = self.names.get_mut(&key) else { return LoginOutcome::Gone };
        let Some(account) = row.account.as_mut() else { return LoginOutcome::Gone };
        // It would be enabled with the password that nobody should have any more.
        if require_reset && account.standing == Standing::Disabled && disabled != Some(false) {
            return LoginOutcome::Wrong;
        }
        if let Some(password) = password {
            let Some(kept) = kept(password, terms, salt) else { return LoginOutcome::BadHash };
            account.set_password(kept);
        }
        if let Some(scopes) = scopes {
            account.scopes = scopes;
        }
        // Logins under way come to nothing, whatever has changed.
        account.note_factors();
        if drop_factors {
            account.drop_factors();
        }
        match disabled {
            Some(true) => account.standing = Standing::Disabled,
            // Whoever has to set a password first still has to.
            Some(false) if account.standing == Standing::Disabled => {
                account.standing = Standing::Active;
            }
            Some(false) | None => {}
        }
        if require_reset && account.standing == Standing::Active {
            account.standing = Standing::ResetRequired;
        }
        let changed = shown(Some(row));
        self.note(NAME, &key);
        changed
    }
}

/// How a new password is kept; `None`: it is a hash that is not taken.
fn kept(password: NewPassword, terms: Terms<'_>, salt: [u8; SALT_BYTES]) -> Option<Kept> {
    match password {
        NewPassword::Typed(text) => {
            PasswordHash::new(text.as_bytes(), salt, terms.cost, terms.peppers).map(Kept::Own)
        }
        NewPassword::Hashed(text) => {
            let kept = Kept::parse(text)?;
            // One of a kind that not every login computes would show by its time whose it is.
            let is_taken = match &kept {
                Kept::Own(own) => !own.is_outdated(terms.cost, terms.peppers),
                Kept::Foreign(foreign, _) => terms.imports.iter().any(|one| one.is_like(foreign)),
            };
            is_taken.then_some(kept)
        }
    }
}

fn shown(row: Option<&NameRow>) -> LoginOutcome {
    let Some(account) = row.and_then(|row| row.account.as_ref()) else {
        return LoginOutcome::Gone;
    };
    LoginOutcome::Shown(ShownAccount {
        id: account.id,
        subject: account.subject(),
        disabled: account.standing == Standing::Disabled,
        reset_required: account.standing == Standing::ResetRequired,
        invited: account.standing == Standing::Invited,
        is_verified: account.is_verified,
        scopes: account.scopes.clone(),
        created_at: account.created_at,
        imported: account.is_imported(),
        factors: account.factors(),
    })
}

/// A row as it is stored.
#[derive(Serialize, Deserialize)]
struct Stored<T> {
    /// The version of the form.
    v: u8,
    row: T,
}

const VERSION: u8 = 1;

/// The row of an account as most are, that nobody has.
const ROW_OF_NOBODY: &str = r#"{"v":1,"row":{"account":{"id":"AAAAAAAAAAAAAAAAAAAAAA","is_verified":true,"standing":"active","password":"$argon2id$v=19$m=19456,t=2,p=1,keyid=AQ$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA","password_version":1,"authenticator":null,"unconfirmed":null,"factors_version":0,"ended":[],"recovery":[],"passkeys":[],"tokens":[],"scopes":["read:posts"],"created_at":1700000000},"codes":{"next":0,"taken":[]},"devices":[]}}"#;

fn read<T: DeserializeOwned>(value: &str) -> Result<T, StoreError> {
    let stored: Stored<T> = own_text::read(value).map_err(|_| not_ours())?;
    if stored.v == VERSION { Ok(stored.row) } else { Err(not_ours()) }
}

fn read_name(value: &str) -> Result<NameRow, StoreError> {
    #[cfg(test)]
    tests::NAMES_READ.set(tests::NAMES_READ.get() + 1);
    read(value)
}

fn write<T: Serialize>(row: &T) -> Result<String, StoreError> {
    serde_json::to_string(&Stored { v: VERSION, row }).map_err(|_| not_ours())
}

/// The row that counts the work of a kind for an address or network: all of it, whatever came of each.
fn work_of(key: &RowKey, work: Work) -> RowKey {
    let mask = match work {
        Work::Hash => 0xA5,
        Work::Proof => 0x5A,
    };
    RowKey::from_bytes(key.as_bytes().map(|byte| byte ^ mask))
}

/// The salt of a name that does not exist. Its key is a MAC, so these bytes are as good as random ones.
fn salt_of_nobody(key: &RowKey) -> [u8; SALT_BYTES] {
    key.as_bytes().first_chunk().copied().unwrap_or_default()
}

fn of_network(bound: Bound) -> Bound {
    Bound { attempts: bound.attempts.saturating_mul(NETWORK_FACTOR), ..bound }
}

fn not_ours() -> StoreError {
    StoreError::new("a row of logins has a form that the gate does not write")
}

#[cfg(test)]
mod tests {
    use core::cell::Cell;

    use super::*;
    use crate::{
        account::{
            attempts::DEFAULT_BOUND, device::Device, row::new_account_id, secrets::AccountSecrets,
        },
        secret::Secret,
        watch::state::Delivery,
    };

    const CHEAP: Cost = Cost { memory_kib: 8, passes: 1 };
    const NOW: UnixMillis = UnixMillis::from_millis(1_700_000_000_000);
    const ADA: RowKey = RowKey::from_bytes([1; 32]);
    thread_local! {
        /// How many rows of names were read in this thread.
        pub(super) static NAMES_READ: Cell<usize> = const { Cell::new(0) };
    }

    const BCRYPT: &str = "$2b$04$K8DvZ4Jv3mreOVR6uvr03.yrbmSjHqmGe9J/d.WTwUzS4wvmKzeQW";
    const OF_BCRYPT: &str = "correct horse battery staple";

    fn secrets() -> AccountSecrets {
        AccountSecrets::new(vec![(1, Secret::new(vec![1; 32]))]).unwrap()
    }

    /// A writer that keeps its rows as text.
    #[derive(Default)]
    struct Writer {
        state: ShardState,
        stored: BTreeMap<String, String>,
        /// What was stored before a hash was computed.
        reserved: Vec<usize>,
        /// How many rows were written.
        written: usize,
        imports: Vec<ForeignHash>,
    }

    impl Writer {
        fn step(&mut self, step: LoginStep) -> LoginOutcome {
            self.at(NOW, step)
        }

        fn at(&mut self, now: UnixMillis, step: LoginStep) -> LoginOutcome {
            let secrets = secrets();
            let terms = Terms {
                bound: DEFAULT_BOUND,
                cost: CHEAP,
                peppers: secrets.peppers(),
                authenticators: secrets.authenticators(),
                imports: &self.imports,
            };
            let Self { stored, reserved, written, .. } = self;
            let mut store = |state: &mut ShardState| {
                for RowChange { name, value } in state.take_changes()? {
                    *written += 1;
                    match value {
                        Some(value) => stored.insert(name, value),
                        None => stored.remove(&name),
                    };
                }
                Ok(())
            };
            let step = LoginStep::from_text(&step.to_text()).unwrap();
            let outcome = self
                .state
                .apply(step, terms, ([9; SALT_BYTES], now), &mut |state| {
                    store(state)?;
                    reserved.push(0);
                    Ok(())
                })
                .unwrap();
            store(&mut self.state).unwrap();
            // Another writer goes on from what is stored.
            let rows = self.stored.iter().map(|(name, value)| (name.as_str(), value.as_str()));
            self.state = ShardState::from_rows(rows).unwrap();
            LoginOutcome::from_text(&outcome.to_text()).unwrap()
        }

        fn create(&mut self, password: NewPassword) -> LoginOutcome {
            let id = new_account_id(7, [5; 14]);
            let scopes = vec!["read:posts".to_owned()];
            self.step(LoginStep::Create(Create {
                key: ADA,
                id,
                password,
                scopes,
                is_verified: true,
                address: None,
            }))
        }

        fn guess(&mut self, key: RowKey, password: &str, device: Option<Device>) -> LoginOutcome {
            self.step(LoginStep::Guess(Guess { key, password: password.to_owned(), device }))
        }
    }

    /// What a writer does until nothing has to be kept: when it wakes, in milliseconds, and how many rows it writes then. Mails are taken.
    pub(super) fn wakes_of(
        state: &mut ShardState,
        bound: Bound,
        mut now: UnixMillis,
    ) -> Vec<(u64, usize)> {
        let (began, mut seen) = (now, Vec::new());
        while let Some(at) = state.wakes_at(bound, now) {
            now = now.max(at);
            for (id, _) in state.due_mails(now) {
                let _ = state.sent_mail(&id, Delivery::Taken, now);
            }
            state.forget_over(bound, now);
            seen.push((now.millis_since(began), state.take_changes().unwrap().len()));
            assert!(seen.len() < 1000, "it comes to an end");
        }
        seen
    }

    fn typed(password: &str) -> NewPassword {
        NewPassword::Typed(password.to_owned())
    }

    /// Nothing.
    const fn change_of(id: AccountId) -> Change {
        let (scopes, drop_factors, require_reset) = (None, false, false);
        Change { id, disabled: None, password: None, scopes, drop_factors, require_reset }
    }

    fn writer() -> Writer {
        let mut writer = Writer::default();
        assert!(matches!(writer.create(typed("the right one")), LoginOutcome::Shown(_)));
        assert_eq!(writer.create(typed("another one")), LoginOutcome::Exists);
        writer
    }

    #[test]
    fn of_a_thousand_guesses_five_are_compared_and_each_was_stored_before() {
        let mut writer = writer();
        let outcomes: Vec<_> = (0..1000).map(|_| writer.guess(ADA, "wrong", None)).collect();
        let wrong = outcomes.iter().filter(|one| **one == LoginOutcome::Wrong).count();
        let refused = outcomes.iter().filter(|one| matches!(one, LoginOutcome::TooMany(_)));
        assert_eq!((wrong, refused.count(), writer.reserved.len()), (5, 995, 5));
        // The right one is not looked at either.
        assert!(matches!(writer.guess(ADA, "the right one", None), LoginOutcome::TooMany(_)));
        assert_eq!(writer.reserved.len(), 5);
        // Nor at a name that does not exist.
        let nobody = RowKey::from_bytes([2; 32]);
        let outcomes: Vec<_> = (0..20).map(|_| writer.guess(nobody, "wrong", None)).collect();
        assert_eq!(outcomes.iter().filter(|one| **one == LoginOutcome::Wrong).count(), 5);
    }

    #[test]
    fn the_browser_that_is_known_gets_in_while_others_are_shut_out() {
        let (mut writer, device) = (writer(), Device::new([3; 16], &secrets()));
        let LoginOutcome::Right(right) = writer.guess(ADA, "the right one", None) else {
            panic!("it is right")
        };
        assert_eq!(right.scopes, ["read:posts"]);
        let confirm = LoginStep::Confirm(right.state, Some(device));
        assert_eq!(writer.step(confirm.clone()), LoginOutcome::Done);
        for _ in 0..9 {
            let _ = writer.guess(ADA, "wrong", None);
        }
        assert!(matches!(writer.guess(ADA, "the right one", None), LoginOutcome::TooMany(_)));
        for _ in 0..20 {
            let known = writer.guess(ADA, "the right one", Some(device));
            assert!(matches!(known, LoginOutcome::Right(_)));
        }
        // A new password makes it a stranger, and ends what the old one has begun.
        let id = right.state.id;
        let change = Change { password: Some(typed("new one")), ..change_of(id) };
        assert!(matches!(writer.step(LoginStep::Change(change)), LoginOutcome::Shown(_)));
        assert_eq!(writer.step(confirm), LoginOutcome::Gone);
        assert!(matches!(writer.guess(ADA, "new one", Some(device)), LoginOutcome::TooMany(_)));
    }

    #[test]
    fn the_owner_changes_the_password_by_the_old_one() {
        let mut writer = writer();
        let id = new_account_id(7, [5; 14]);
        let change = |password: &str| {
            LoginStep::ChangePassword(ChangePassword {
                id,
                password: password.to_owned(),
                new_password: "a better one".to_owned(),
                device: Some(Device::new([3; 16], &secrets())),
            })
        };
        assert_eq!(writer.step(change("wrong")), LoginOutcome::Wrong);
        assert_eq!(writer.step(change("the right one")), LoginOutcome::Done);
        assert_eq!(writer.guess(ADA, "the right one", None), LoginOutcome::Wrong);
        assert!(matches!(writer.guess(ADA, "a better one", None), LoginOutcome::Right(_)));
        for _ in 0..9 {
            let _ = writer.guess(ADA, "wrong", None);
        }
        let device = Some(Device::new([3; 16], &secrets()));
        assert!(matches!(writer.guess(ADA, "a better one", device), LoginOutcome::Right(_)));
    }

    #[test]
    fn a_hash_of_others_is_taken_of_the_kinds_that_each_login_computes() {
        let mut writer = Writer::default();
        let hashed = || NewPassword::Hashed(BCRYPT.to_owned());
        assert_eq!(writer.create(hashed()), LoginOutcome::BadHash);
        writer.imports = vec![ForeignHash::parse(BCRYPT).unwrap()];
        let LoginOutcome::Shown(made) = writer.create(hashed()) else { panic!("it is taken") };
        assert!(made.imported);
        assert_eq!(writer.guess(ADA, "wrong", None), LoginOutcome::Wrong);
        assert!(matches!(writer.guess(ADA, OF_BCRYPT, None), LoginOutcome::Right(_)));
        let LoginOutcome::Shown(now) = writer.step(LoginStep::Find(ADA)) else { panic!("there") };
        assert!(!now.imported);
        // From now on the policy need not know the kind.
        writer.imports.clear();
        assert!(matches!(writer.guess(ADA, OF_BCRYPT, None), LoginOutcome::Right(_)));
        assert_eq!(writer.create(NewPassword::Hashed("no hash".to_owned())), LoginOutcome::Exists);
    }

    /// PHP's `password_hash` writes argon2id as the gate does, without a pepper.
    #[test]
    fn argon2id_of_others_is_taken_whatever_its_cost() {
        const PHP: &str = "$argon2id$v=19$m=64,t=2,p=1$c29tZXNhbHQxMjM0NTY3OA$0d2fS/oVpAjBrlU/TISqg9c6/NuUo7W1l+jrIBSJuWs";
        let mut writer =
            Writer { imports: vec![ForeignHash::parse(PHP).unwrap()], ..Writer::default() };
        let made = writer.create(NewPassword::Hashed(PHP.to_owned()));
        let LoginOutcome::Shown(made) = made else { panic!("it is taken") };
        assert!(made.imported);
        assert_eq!(writer.guess(ADA, "wrong", None), LoginOutcome::Wrong);
        assert!(matches!(writer.guess(ADA, "password", None), LoginOutcome::Right(_)));
        let LoginOutcome::Shown(now) = writer.step(LoginStep::Find(ADA)) else { panic!("there") };
        assert!(!now.imported);
    }

    /// The first password of each account has the same number.
    #[test]
    fn browsers_of_an_account_that_is_gone_are_strangers_to_the_next_one() {
        let (mut writer, device) = (writer(), Device::new([3; 16], &secrets()));
        let LoginOutcome::Right(right) = writer.guess(ADA, "the right one", None) else {
            panic!("it is right")
        };
        let known = writer.step(LoginStep::Confirm(right.state, Some(device)));
        assert_eq!(known, LoginOutcome::Done);
        assert_eq!(writer.guess(ADA, "wrong", None), LoginOutcome::Wrong);
        assert_eq!(writer.step(LoginStep::Delete(right.state.id)), LoginOutcome::Done);
        assert!(matches!(writer.create(typed("of the next one")), LoginOutcome::Shown(_)));
        // What was guessed at the name still counts, and counts for this browser too.
        for _ in 0..4 {
            assert_eq!(writer.guess(ADA, "wrong", Some(device)), LoginOutcome::Wrong);
        }
        let stranger = writer.guess(ADA, "of the next one", Some(device));
        assert!(matches!(stranger, LoginOutcome::TooMany(_)), "{stranger:?}");
    }

    #[test]
    fn an_account_that_is_disabled_or_gone_says_so_to_who_knows_its_password() {
        let mut writer = writer();
        let id = new_account_id(7, [5; 14]);
        let disable =
            |disabled| LoginStep::Change(Change { disabled: Some(disabled), ..change_of(id) });
        let LoginOutcome::Right(before) = writer.guess(ADA, "the right one", None) else {
            panic!("it is right")
        };
        let _ = writer.step(disable(true));
        let LoginOutcome::Right(right) = writer.guess(ADA, "the right one", None) else {
            panic!("it is right")
        };
        assert!(right.disabled);
        assert_eq!(writer.step(LoginStep::Confirm(before.state, None)), LoginOutcome::Gone);
        assert_eq!(writer.guess(ADA, "wrong", None), LoginOutcome::Wrong);
        let _ = writer.step(disable(false));
        // A login from before goes on no more.
        assert_eq!(writer.step(LoginStep::Confirm(before.state, None)), LoginOutcome::Gone);
        // Who is no longer refused has to set a password all the same, where that was asked.
        let key = *writer.state.names.keys().next().unwrap();
        let account = writer.state.names.get_mut(&key).unwrap().account.as_mut().unwrap();
        account.standing = Standing::ResetRequired;
        let _ = writer.step(disable(false));
        let account = writer.state.names[&key].account.as_ref().unwrap();
        assert_eq!(account.standing, Standing::ResetRequired);
        assert_eq!(writer.step(LoginStep::Delete(id)), LoginOutcome::Done);
        assert_eq!(writer.step(LoginStep::Delete(id)), LoginOutcome::Gone);
        assert_eq!(writer.step(LoginStep::Show(id)), LoginOutcome::Gone);
        assert_eq!(writer.guess(ADA, "the right one", None), LoginOutcome::Wrong);
        // Its row is kept until nothing of it counts.
        writer.state.forget_over(DEFAULT_BOUND, NOW.saturating_add(DEFAULT_BOUND.window_millis));
        assert!(writer.state.is_empty());
        assert_eq!(writer.state.wakes_at(DEFAULT_BOUND, NOW), None);
    }

    /// What a writer does about guesses in three windows: how many rows it writes at each guess and each time it wakes, and when it wakes.
    fn kept_of_guesses(mut writer: Writer) -> Vec<(usize, Option<UnixMillis>)> {
        let mut seen = Vec::new();
        let mut now = NOW;
        for _ in 0..3 {
            for _ in 0..7 {
                let written = writer.written;
                let guess = Guess { key: ADA, password: "wrong".to_owned(), device: None };
                let _ = writer.at(now, LoginStep::Guess(guess));
                let wakes = writer.state.wakes_at(DEFAULT_BOUND, now);
                seen.push((writer.written - written, wakes));
                now = now.saturating_add(1000);
            }
            while let Some(wakes) = writer.state.wakes_at(DEFAULT_BOUND, now) {
                now = wakes;
                writer.state.forget_over(DEFAULT_BOUND, now);
                let changes = writer.state.take_changes().unwrap();
                seen.push((changes.len(), writer.state.wakes_at(DEFAULT_BOUND, now)));
            }
        }
        seen
    }

    #[test]
    fn the_row_that_nobody_has_is_read_as_that_of_an_account() {
        let row = read_name(ROW_OF_NOBODY).unwrap();
        assert_eq!(write(&row).unwrap(), ROW_OF_NOBODY, "it has the members that rows have");
        let account = row.account.as_ref().unwrap();
        assert!(account.has_password() && !account.is_imported());
        let of_nobody = writer().stored.into_values().next().unwrap();
        assert!(of_nobody.len().abs_diff(ROW_OF_NOBODY.len()) < 8, "{of_nobody}");
    }

    /// As many as for a name that has an account, also of guesses that are refused, and where an alarm has read the rows.
    #[test]
    fn for_each_guess_as_many_rows_are_read() {
        let read_by = |mut writer: Writer| {
            let mut seen = Vec::new();
            for number in 0..7 {
                let before = NAMES_READ.get();
                let rows =
                    writer.stored.iter().map(|(name, value)| (name.as_str(), value.as_str()));
                writer.state = ShardState::from_rows(rows).unwrap();
                if number % 2 == 1 {
                    writer.state.forget_over(DEFAULT_BOUND, NOW);
                    assert!(writer.state.take_changes().unwrap().is_empty());
                }
                let _ = writer.guess(ADA, "wrong", None);
                seen.push(NAMES_READ.get() - before);
            }
            seen
        };
        // Each step ends with reading all that was stored.
        let (known, nobody) = (read_by(writer()), read_by(Writer::default()));
        assert_eq!(known, [2; 7]);
        assert_eq!(nobody, [1, 0, 1, 0, 1, 0, 1]);
    }

    /// What older versions have written for names that nobody has.
    #[test]
    fn a_row_with_nothing_in_it_goes() {
        let name = format!("{NAME}{ADA}");
        let value = r#"{"v":1,"row":{"account":null,"guesses":{"next":1,"taken":[]},"codes":{"next":0,"taken":[]},"devices":[]}}"#;
        let mut state = ShardState::from_rows([(name.as_str(), value)]).unwrap();
        assert!(state.is_empty());
        let changes = state.take_changes().unwrap();
        let [RowChange { name: gone, value: None }] = changes.as_slice() else { panic!("it goes") };
        assert_eq!(*gone, name);
    }

    #[test]
    fn guesses_are_kept_and_forgotten_alike_whether_the_name_has_an_account() {
        let known = kept_of_guesses(writer());
        assert_eq!(known, kept_of_guesses(Writer::default()));
        let wrote = known.iter().map(|(written, _)| *written);
        assert_eq!(wrote.sum::<usize>(), 3 * (5 + 1));
    }

    #[test]
    fn an_address_has_five_guesses_and_its_network_fifty() {
        let mut writer = Writer::default();
        let of = |address: u8| OfAddress {
            address: RowKey::from_bytes([address; 32]),
            network: Some(RowKey::from_bytes([255; 32])),
            work: Work::Hash,
        };
        let mut reserved = 0;
        for address in 0..20 {
            for _ in 0..10 {
                let outcome = writer.step(LoginStep::Reserve(of(address)));
                reserved += u32::from(matches!(outcome, LoginOutcome::Reserved(_)));
            }
            assert_eq!(reserved, (u32::from(address) + 1).min(10) * 5);
        }
        let later = NOW.saturating_add(DEFAULT_BOUND.window_millis);
        let LoginOutcome::Reserved(held) = writer.at(later, LoginStep::Reserve(of(0))) else {
            panic!("the window is over")
        };
        // A right guess gives its own back.
        assert_eq!(writer.at(later, LoginStep::GiveBack(of(0), held)), LoginOutcome::Done);
        let again = (0..9).filter(|_| {
            let outcome = writer.at(later, LoginStep::Reserve(of(0)));
            matches!(outcome, LoginOutcome::Reserved(_))
        });
        assert_eq!(again.count(), 5);
    }

    const fn of_network(address: u8, work: Work) -> OfAddress {
        let network = Some(RowKey::from_bytes([255; 32]));
        OfAddress { address: RowKey::from_bytes([address; 32]), network, work }
    }

    fn is_reserved(writer: &mut Writer, of: OfAddress) -> bool {
        matches!(writer.step(LoginStep::Reserve(of)), LoginOutcome::Reserved(_))
    }

    /// What a whole network has together is used up by what was compared, and not by asking for more.
    #[test]
    fn who_is_refused_takes_nothing_from_the_network() {
        let mut writer = Writer::default();
        let of = |address| of_network(address, Work::Hash);
        let reserved = (0..205).filter(|_| is_reserved(&mut writer, of(1))).count();
        assert_eq!(reserved, 5);
        assert!(is_reserved(&mut writer, of(2)));
        // Nor do those of an address that the network has no guess left for.
        for address in 3..12 {
            assert!((0..5).filter(|_| is_reserved(&mut writer, of(address))).count() >= 4);
        }
        for _ in 0..205 {
            assert!(!is_reserved(&mut writer, of(20)));
        }
        let later = NOW.saturating_add(DEFAULT_BOUND.window_millis);
        let again = writer.at(later, LoginStep::Reserve(of(20)));
        assert!(matches!(again, LoginOutcome::Reserved(_)));
    }

    #[test]
    fn codes_and_passkeys_take_no_hash_and_have_a_bound_of_their_own() {
        let mut writer = Writer::default();
        for _ in 0..WORK_OF_ADDRESS {
            let LoginOutcome::Reserved(held) =
                writer.step(LoginStep::Reserve(of_network(1, Work::Proof)))
            else {
                panic!("each was given back")
            };
            let right = LoginStep::GiveBack(of_network(1, Work::Proof), held.of_guess());
            assert_eq!(writer.step(right), LoginOutcome::Done);
        }
        assert!(!is_reserved(&mut writer, of_network(2, Work::Proof)));
        assert!(is_reserved(&mut writer, of_network(1, Work::Hash)));
    }

    #[test]
    fn right_passwords_cost_an_address_its_hashes() {
        let mut writer = writer();
        let of = |byte| OfAddress {
            address: RowKey::from_bytes([byte; 32]),
            network: None,
            work: Work::Hash,
        };
        for _ in 0..WORK_OF_ADDRESS {
            let LoginOutcome::Reserved(held) = writer.step(LoginStep::Reserve(of(1))) else {
                panic!("each was given back")
            };
            let right = LoginStep::GiveBack(of(1), held.of_guess());
            assert_eq!(writer.step(right), LoginOutcome::Done);
        }
        assert!(matches!(writer.step(LoginStep::Reserve(of(1))), LoginOutcome::TooMany(_)));
        // Where no hash was computed, that is given back too.
        for _ in 0..=WORK_OF_ADDRESS {
            let LoginOutcome::Reserved(held) = writer.step(LoginStep::Reserve(of(2))) else {
                panic!("each was given back")
            };
            assert_eq!(writer.step(LoginStep::GiveBack(of(2), held)), LoginOutcome::Done);
        }
        let later = NOW.saturating_add(DEFAULT_BOUND.window_millis);
        let again = writer.at(later, LoginStep::Reserve(of(1)));
        assert!(matches!(again, LoginOutcome::Reserved(_)));
    }

    #[test]
    fn strangers_cannot_grow_a_shard_without_end() {
        let mut state = ShardState::default();
        let secrets = secrets();
        let terms = Terms {
            bound: DEFAULT_BOUND,
            cost: CHEAP,
            peppers: secrets.peppers(),
            authenticators: secrets.authenticators(),
            imports: &[],
        };
        let reserve = |state: &mut ShardState, number: usize, now| {
            let mut bytes = [0; 32];
            bytes[..8].copy_from_slice(&number.to_be_bytes());
            let address = RowKey::from_bytes(bytes);
            let of = OfAddress { address, network: None, work: Work::Hash };
            state
                .apply(LoginStep::Reserve(of), terms, ([0; SALT_BYTES], now), &mut |_| Ok(()))
                .unwrap()
        };
        // Each address has two rows.
        for number in 0..MAX_PASSING / 2 {
            assert!(matches!(reserve(&mut state, number, NOW), LoginOutcome::Reserved(_)));
        }
        assert!(matches!(reserve(&mut state, MAX_PASSING, NOW), LoginOutcome::TooMany(_)));
        let later = NOW.saturating_add(DEFAULT_BOUND.window_millis);
        assert!(matches!(reserve(&mut state, MAX_PASSING, later), LoginOutcome::Reserved(_)));
        assert_eq!(state.passing(), 2);
    }

    #[test]
    fn rows_that_are_not_ours_are_a_fault() {
        let key = format!("name/{ADA}");
        for (name, value) in [("other", "{}"), ("name/x", "{}"), (key.as_str(), "{}")] {
            assert!(ShardState::from_rows([(name, value)]).is_err(), "{name}");
        }
        let mut writer = writer();
        assert_eq!(writer.guess(ADA, "wrong", None), LoginOutcome::Wrong);
        let (name, value) = writer.stored.pop_first().unwrap();
        assert!(value.starts_with("{\"v\":1,\"row\":{"), "{value}");
        let later = value.replacen("\"v\":1", "\"v\":2", 1);
        assert!(ShardState::from_rows([(name.as_str(), later.as_str())]).is_err());
    }
}
