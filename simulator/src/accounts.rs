//! Accounts: a storm of log-ins over objects that restart at any moment. Strangers guess at names that exist and at others, owners log in,
//! change their passwords and use recovery codes, and try again where an answer was lost.
//!
//! The objects take the gate's own steps. What is judged from outside: of guesses by unknown browsers at most five are compared in any
//! window; a password that was acknowledged is the only one that lets anybody in; a known browser is never shut out by strangers; a
//! recovery code, and a login that waits for one, let in once; no account is lost, and of names that nobody has nothing stays.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use edgegate::{
    account::{
        attempts::DEFAULT_BOUND,
        device::Device,
        hash::{Cost, SALT_BYTES},
        recovery,
        row::{AccountId, AccountState, LoginNumber, RowKey, new_account_id},
        second_step::{Awaited, First, LIFETIME_SECS, SecondStep},
        secrets::AccountSecrets,
        shard::{ShardState, Terms},
        step::{
            ChangePassword, Create, FactorStep, Guess, LoginOutcome, LoginStep, NewPassword,
            TypedCode,
        },
    },
    error::StoreError,
    secret::Secret,
    time::UnixMillis,
};

use crate::{
    check::{Promise, Watch},
    world::{Chance, Time},
};

const OBJECTS: usize = 8;

/// Each object has so many accounts, and strangers guess at as many names that nobody has.
const ACCOUNTS: usize = 25;

/// The mean time between two attempts, in milliseconds.
const PACE: Time = 200;

/// The clock of an object after it was moved to another machine is ahead by up to so many milliseconds.
const MAX_AHEAD: Time = 2_000;

/// When it all begins, in milliseconds.
const START: u64 = 1_700_000_000_000;

/// How often in a million steps each of these happens: the object ends while a hash is computed, before what it did is stored, and after.
const ENDS_OVER_THE_HASH: u64 = 10_000;
const ENDS_BEFORE_STORING: u64 = 10_000;
const ANSWER_LOST: u64 = 10_000;

/// As cheap as argon2 gets: what is simulated is the order of things.
const CHEAP: Cost = Cost { memory_kib: 8, passes: 1 };

const WRONG: &str = "a stranger's guess";

struct Owner {
    object: usize,
    key: RowKey,
    id: AccountId,
    device: Device,
    /// Whether the object has said that it knows the browser, and nothing has happened since.
    is_known: bool,
    /// The numbers of the passwords that it may be: two while the answer to a change is lost.
    passwords: BTreeSet<u32>,
    next_password: u32,
    /// Guesses by the known browser that an end of the object has taken.
    excused: VecDeque<Time>,
    codes: Vec<String>,
    /// Those that are used, also where the answer was lost.
    used: BTreeSet<usize>,
    compared: Watch,
}

#[derive(Default)]
struct Object {
    state: ShardState,
    stored: BTreeMap<String, String>,
    ahead: Time,
}

#[derive(Default)]
struct Found {
    attempts: u64,
    right: u64,
    wrong: u64,
    too_many: u64,
    unanswered: u64,
    restarts: u64,
    codes: u64,
    most: u64,
    faults: Vec<String>,
}

/// What a step has come to.
struct Came {
    /// `None`: no answer came.
    outcome: Option<LoginOutcome>,
    /// Whether a guess was stored, so that its hash may have been computed.
    was_reserved: bool,
    /// Whether all of it was stored.
    was_stored: bool,
}

struct World {
    chance: Chance,
    secrets: AccountSecrets,
    objects: Vec<Object>,
    owners: Vec<Owner>,
    nobodies: Vec<(usize, RowKey, Watch)>,
    /// Logins that were ended, also where the answer was lost.
    ended: BTreeSet<LoginNumber>,
    found: Found,
    time: Time,
    /// Whether a guess is stored before its hash is computed. Tests see what happens where it is not.
    stores_guesses: bool,
}

/// Runs it, prints what it has found, and returns what failed.
pub(crate) fn report(attempts: u64, seed: u64) -> Vec<String> {
    let found = World::new(seed, true).run(attempts);
    println!(
        "\nAccounts: {} attempts at {} names in {OBJECTS} objects; 2 % of steps end with the object, 1 % of answers are lost\n\
         {} right, {} wrong, {} too many, {} without an answer, {} restarts; {} codes let in once; most guesses by unknown browsers in a window: {}",
        found.attempts,
        2 * OBJECTS * ACCOUNTS,
        found.right,
        found.wrong,
        found.too_many,
        found.unanswered,
        found.restarts,
        found.codes,
        found.most,
    );
    found.faults
}

fn password(number: u32) -> String {
    format!("quiet river, late boat {number}")
}

/// True windows are shorter than those of a clock that was moved on.
fn watch() -> Watch {
    let bound = DEFAULT_BOUND;
    let window_millis = bound.window_millis - MAX_AHEAD;
    Watch::new(Promise::AnyWindow { requests: bound.attempts.into(), window_millis })
}

fn key(number: usize) -> RowKey {
    let mut bytes = [0; 32];
    bytes[24..].copy_from_slice(&(number as u64).to_be_bytes());
    RowKey::from_bytes(bytes)
}

impl World {
    fn new(seed: u64, stores_guesses: bool) -> Self {
        let secrets = AccountSecrets::new(vec![(1, Secret::new(vec![1; 32]))]).expect("a secret");
        let mut world = Self {
            chance: Chance::new(seed ^ 0x6163_636f_756e_7473),
            secrets,
            objects: Vec::new(),
            owners: Vec::new(),
            nobodies: Vec::new(),
            ended: BTreeSet::new(),
            found: Found::default(),
            time: 0,
            stores_guesses,
        };
        for object in 0..OBJECTS {
            world.objects.push(Object::default());
            for _ in 0..ACCOUNTS {
                world.create(object);
                world.nobodies.push((object, key(1_000_000 + world.nobodies.len()), watch()));
            }
        }
        world
    }

    fn create(&mut self, object: usize) {
        let number = self.owners.len();
        let id = new_account_id(object.try_into().expect("few"), self.random());
        let codes: Vec<String> = (0..recovery::CODES)
            .map(|_| recovery::text_of(&self.random()).as_str().to_owned())
            .collect();
        let create = Create {
            key: key(number),
            id,
            password: NewPassword::Typed(password(0)),
            scopes: Vec::new(),
            is_verified: true,
            address: None,
        };
        let terms = terms(&self.secrets);
        let at = ([9; SALT_BYTES], UnixMillis::from_millis(START));
        let held = &mut self.objects[object];
        let made = held.state.apply(LoginStep::Create(create), terms, at, &mut |_| Ok(()));
        assert!(matches!(made, Ok(LoginOutcome::Shown(_))), "an account is made");
        store(&mut held.state, &mut held.stored);
        // Whoever has codes has set up an authenticator; here they are there from the beginning.
        let hashes = codes.iter().map(|code| recovery::hash_of(code).expect("a code").to_string());
        let hashes = format!("\"recovery\":[\"{}\"]", hashes.collect::<Vec<_>>().join("\",\""));
        let row = held.stored.get_mut(&format!("name/{}", key(number))).expect("its row");
        assert!(row.contains("\"recovery\":[]"), "a new account has no codes: {row}");
        *row = row.replace("\"recovery\":[]", &hashes);
        held.read();
        let device = Device::new(self.random(), &self.secrets);
        self.owners.push(Owner {
            object,
            key: key(number),
            id,
            device,
            is_known: false,
            passwords: BTreeSet::from([0]),
            next_password: 1,
            excused: VecDeque::new(),
            codes,
            used: BTreeSet::new(),
            compared: watch(),
        });
    }

    fn random<const N: usize>(&mut self) -> [u8; N] {
        core::array::from_fn(|_| self.chance.next().to_le_bytes()[0])
    }

    fn run(mut self, attempts: u64) -> Found {
        while self.found.attempts < attempts {
            self.time += self.chance.below(2 * PACE + 1);
            let who = self.below(self.owners.len());
            match self.chance.below(100) {
                0..55 => self.stranger(who),
                55..65 => self.at_nobody(),
                65..85 => {
                    self.log_in(who);
                }
                85..90 => self.log_in_elsewhere(who),
                90..95 => self.change(who),
                _ => self.use_code(who),
            }
        }
        self.look_back();
        self.found
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.chance.below(end as u64)).expect("an index")
    }

    fn fault(&mut self, text: String) {
        // One that comes again and again is told once.
        if self.found.faults.len() < 20 {
            self.found.faults.push(format!("accounts: {text} at {} ms", self.time));
        }
    }

    /// A step of an object, with all that may happen to it.
    fn step(&mut self, object: usize, step: LoginStep) -> Came {
        self.found.attempts += 1;
        let ends_over_the_hash = self.chance.happens(ENDS_OVER_THE_HASH);
        let ends_before_storing = self.chance.happens(ENDS_BEFORE_STORING);
        let is_lost = self.chance.happens(ANSWER_LOST);
        let terms = terms(&self.secrets);
        let held = &mut self.objects[object];
        let now = UnixMillis::from_millis(START + self.time + held.ahead);
        let mut was_reserved = false;
        let (stored, stores) = (&mut held.stored, self.stores_guesses);
        let outcome = held.state.apply(step, terms, ([9; SALT_BYTES], now), &mut |state| {
            was_reserved = true;
            if stores {
                store(state, stored);
            }
            if ends_over_the_hash { Err(StoreError::new("the object ends")) } else { Ok(()) }
        });
        if outcome.is_err() || ends_before_storing {
            self.found.restarts += 1;
            self.found.unanswered += 1;
            let ahead = self.chance.below(MAX_AHEAD + 1);
            self.objects[object].ahead = ahead;
            self.objects[object].read();
            return Came { outcome: None, was_reserved, was_stored: false };
        }
        store(&mut held.state, &mut held.stored);
        self.found.unanswered += u64::from(is_lost);
        let outcome = outcome.ok().filter(|_| !is_lost);
        match &outcome {
            Some(LoginOutcome::Right(_)) => self.found.right += 1,
            Some(LoginOutcome::Wrong) => self.found.wrong += 1,
            Some(LoginOutcome::TooMany(_)) => self.found.too_many += 1,
            _ => {}
        }
        Came { outcome, was_reserved, was_stored: true }
    }

    fn guess(&mut self, who: usize, text: String, device: Option<Device>) -> Came {
        let Owner { object, key, .. } = self.owners[who];
        self.step(object, LoginStep::Guess(Guess { key, password: text, device }))
    }

    /// Somebody guesses, from a browser that the gate may know by another name, or not at all.
    fn stranger(&mut self, who: usize) {
        let other = self.below(self.owners.len());
        let device =
            (other != who && self.chance.happens(300_000)).then(|| self.owners[other].device);
        let came = self.guess(who, WRONG.to_owned(), device);
        if came.was_reserved {
            let time = self.time;
            self.owners[who].compared.admitted(time, 1);
        }
        if matches!(came.outcome, Some(LoginOutcome::Right(_))) {
            self.fault(format!("account {who} let a stranger in"));
        }
    }

    fn at_nobody(&mut self) {
        let which = self.below(self.nobodies.len());
        let (object, key, _) = self.nobodies[which];
        let guess = Guess { key, password: WRONG.to_owned(), device: None };
        let came = self.step(object, LoginStep::Guess(guess));
        if came.was_reserved {
            let time = self.time;
            self.nobodies[which].2.admitted(time, 1);
        }
        if matches!(came.outcome, Some(LoginOutcome::Right(_))) {
            self.fault("nobody was let in".to_owned());
        }
    }

    /// The owner logs in at the own browser; afterwards it is known.
    fn log_in(&mut self, who: usize) -> Option<AccountState> {
        let state = self.password_of(who, true)?;
        let Owner { object, device, .. } = self.owners[who];
        let came = self.step(object, LoginStep::Confirm(state, Some(device)));
        match came.outcome {
            Some(LoginOutcome::Done) => self.owners[who].is_known = true,
            Some(other) => self.fault(format!("account {who} was as it was, and is {other:?}")),
            None => {}
        }
        Some(state)
    }

    fn log_in_elsewhere(&mut self, who: usize) {
        self.password_of(who, false);
    }

    /// The owner types the password; each that it may be, if the answer to a change was lost. Where a password is known to be the one, it
    /// has to let in.
    fn password_of(&mut self, who: usize, at_own_browser: bool) -> Option<AccountState> {
        let numbers: Vec<u32> = self.owners[who].passwords.iter().rev().copied().collect();
        let is_sure = numbers.len() == 1;
        let was_known = at_own_browser && self.owners[who].is_known;
        for number in numbers {
            let device = at_own_browser.then_some(self.owners[who].device);
            let came = self.guess(who, password(number), device);
            if came.outcome.is_none() && came.was_reserved && at_own_browser {
                let time = self.time;
                self.owners[who].excused.push_back(time);
            }
            match came.outcome {
                Some(LoginOutcome::Right(right)) => {
                    self.owners[who].passwords = BTreeSet::from([number]);
                    return Some(right.state);
                }
                Some(LoginOutcome::TooMany(_)) if was_known && is_sure => self.shut_out(who),
                Some(LoginOutcome::Wrong) if is_sure => {
                    self.fault(format!("account {who} has lost its password"));
                }
                Some(LoginOutcome::Wrong) => {
                    self.owners[who].passwords.remove(&number);
                    // A wrong guess of its own counts at the browser as well.
                    let time = self.time;
                    self.owners[who].excused.push_back(time);
                }
                _ => {}
            }
        }
        None
    }

    /// A known browser is refused: only its own guesses, and those that an end of the object has taken, may do that.
    fn shut_out(&mut self, who: usize) {
        let over = self.time.saturating_sub(DEFAULT_BOUND.window_millis + MAX_AHEAD);
        let excused = &mut self.owners[who].excused;
        while excused.front().is_some_and(|at| *at < over) {
            excused.pop_front();
        }
        if excused.len() < usize::from(DEFAULT_BOUND.attempts) {
            self.fault(format!("strangers have shut the owner of account {who} out"));
        }
    }

    fn change(&mut self, who: usize) {
        if !self.owners[who].is_known || self.owners[who].passwords.len() != 1 {
            self.log_in(who);
            return;
        }
        let Owner { object, id, device, next_password: new, .. } = self.owners[who];
        let old = *self.owners[who].passwords.first().expect("there is one");
        let change = ChangePassword {
            id,
            password: password(old),
            new_password: password(new),
            device: Some(device),
        };
        let came = self.step(object, LoginStep::ChangePassword(change));
        let time = self.time;
        let owner = &mut self.owners[who];
        match came.outcome {
            Some(LoginOutcome::Done) => {
                owner.next_password += 1;
                owner.passwords = BTreeSet::from([new]);
            }
            None => {
                owner.next_password += 1;
                owner.passwords.insert(new);
                owner.is_known = false;
                owner.excused.push_back(time);
            }
            Some(LoginOutcome::TooMany(_)) => self.shut_out(who),
            Some(other) => self.fault(format!("account {who} keeps its password: {other:?}")),
        }
    }

    /// A code is sent three times at once: twice for one login, and once for another.
    fn use_code(&mut self, who: usize) {
        let Some(state) = self.log_in(who) else { return };
        let code = self.below(self.owners[who].codes.len());
        let login = self.waiting(state);
        for login in [login, login, self.waiting(state)] {
            self.send_code(who, code, login);
        }
        // Another code for a login that may have ended.
        self.send_code(who, (code + 1) % recovery::CODES, login);
    }

    fn waiting(&mut self, state: AccountState) -> SecondStep {
        let now = UnixMillis::from_millis(START + self.time).to_unix_time();
        SecondStep {
            state,
            number: LoginNumber::from_bytes(self.random()),
            remember: false,
            first: First::Password,
            awaited: Awaited::Factor,
            until: now.saturating_add(LIFETIME_SECS.into()),
        }
    }

    fn send_code(&mut self, who: usize, code: usize, login: SecondStep) {
        let text = TypedCode::Recovery(self.owners[who].codes[code].clone());
        let object = self.owners[who].object;
        let before = self.objects[object].stored.clone();
        let came = self.step(object, LoginStep::Factor(FactorStep::Take(login, text)));
        let hash = recovery::hash_of(&self.owners[who].codes[code]).expect("a code").to_string();
        let row = format!("name/{}", self.owners[who].key);
        let had =
            |rows: &BTreeMap<String, String>| rows.get(&row).is_some_and(|row| row.contains(&hash));
        let is_taken = came.was_stored && had(&before) && !had(&self.objects[object].stored);
        let was_used = self.owners[who].used.contains(&code) || self.ended.contains(&login.number);
        match came.outcome {
            Some(LoginOutcome::Right(_)) if was_used => {
                self.fault(format!("account {who} was entered twice by a code"));
            }
            Some(LoginOutcome::Right(_)) => self.found.codes += 1,
            Some(LoginOutcome::Wrong | LoginOutcome::Gone) if !was_used => {
                self.fault(format!("account {who} has lost a code"));
            }
            _ => {}
        }
        if is_taken {
            self.owners[who].used.insert(code);
            self.ended.insert(login.number);
        }
    }

    /// At the end: every account is there, and of names that nobody has nothing.
    fn look_back(&mut self) {
        let watches = self.owners.iter().map(|owner| &owner.compared);
        let watches: Vec<(u64, u64)> = watches
            .chain(self.nobodies.iter().map(|(.., watch)| watch))
            .map(|watch| (watch.most, watch.exceeded))
            .collect();
        self.found.most = watches.iter().map(|(most, _)| *most).max().unwrap_or_default();
        let exceeded = watches.iter().filter(|(_, exceeded)| *exceeded > 0).count();
        if exceeded > 0 {
            self.fault(format!("more than five guesses were compared at {exceeded} names"));
        }
        let end = START + self.time + MAX_AHEAD + DEFAULT_BOUND.window_millis;
        let end = UnixMillis::from_millis(end);
        for object in &mut self.objects {
            object.read();
            object.state.forget_over(DEFAULT_BOUND, end);
            store(&mut object.state, &mut object.stored);
            object.read();
        }
        let rows: usize = self.objects.iter().map(|object| object.stored.len()).sum();
        if rows != self.owners.len() {
            let accounts = self.owners.len();
            self.fault(format!("{rows} rows are left of {accounts} accounts"));
        }
        for who in 0..self.owners.len() {
            let Owner { object, id, .. } = self.owners[who];
            let at = ([9; SALT_BYTES], end);
            let show = LoginStep::Show(id);
            let held = &mut self.objects[object].state;
            let shown = held.apply(show, terms(&self.secrets), at, &mut |_| Ok(()));
            if !matches!(shown, Ok(LoginOutcome::Shown(_))) {
                self.fault(format!("account {who} is lost"));
            }
        }
    }
}

impl Object {
    /// Begins anew with what is stored.
    fn read(&mut self) {
        let rows = self.stored.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        self.state = ShardState::from_rows(rows).expect("its own rows");
    }
}

fn store(state: &mut ShardState, stored: &mut BTreeMap<String, String>) {
    for change in state.take_changes().expect("rows can be written") {
        match change.value {
            Some(value) => stored.insert(change.name, value),
            None => stored.remove(&change.name),
        };
    }
}

fn terms(secrets: &AccountSecrets) -> Terms<'_> {
    Terms {
        bound: DEFAULT_BOUND,
        cost: CHEAP,
        peppers: secrets.peppers(),
        authenticators: secrets.authenticators(),
        imports: &[],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_lost_and_nobody_is_let_in_twice() {
        let found = World::new(1, true).run(5_000);
        assert_eq!(found.faults, Vec::<String>::new());
        assert!(found.most >= 4 && found.codes > 0 && found.restarts > 0);
    }

    #[test]
    fn a_guess_that_is_stored_after_its_hash_is_seen() {
        let found = World::new(1, false).run(50_000);
        assert!(found.faults.iter().any(|fault| fault.contains("more than five")));
    }
}
