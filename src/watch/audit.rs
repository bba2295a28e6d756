//! What administration did, as a chain: each entry has the hash of the one before, so that none can be changed, removed, put in or moved
//! without all later ones being others. docs/audit.md says what that shows, and what it does not.
//!
//! One writer has the [`Chain`]: steps `(chain, act, now) → (chain, entry)`. It stores the rows in one transaction before it answers.
//! Of the chain itself it holds only the head.

use hmac::{Hmac, Mac as _};
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use crate::{
    base64url,
    error::StoreError,
    json::{document, object::object, readable::Readable},
    secret::Secret,
    session::{secrets::hkdf, state::RowChange},
    time::UnixMillis,
    watch::event::told,
};

/// The version of the form, and the first thing that is hashed.
const FORM: &str = "edgegate-audit-v1";

/// Separates the key of checkpoints from all others that come of the same secret.
const SALT: &[u8] = b"edgegate-audit-v1";

/// The row of the head. The rows of entries are digits.
pub const HEAD: &str = "head";

/// How many entries are kept: with less than half a kilobyte each.
pub const MAX_ENTRIES: u64 = 100_000;

/// How many go at once when the chain is cut, and how many a page has at most.
pub const MAX_PAGE: u64 = 500;

/// A checkpoint comes after so many entries, or so long after the first that none has told of.
const ENTRIES_A_CHECKPOINT: u64 = 100;
const CHECKPOINT_MILLIS: u64 = 3_600_000;

const DAY_MILLIS: u64 = 86_400_000;

/// What the gate itself is called.
const GATE: &str = "gate";

/// What came of an act that has only begun.
pub const BEGUN: &str = "begun";

/// What came of one that is done.
pub const DONE: &str = "done";

object! {
    /// What somebody did, or the gate itself.
    #[derive(Debug, Clone, PartialEq, Eq, Serialize)]
    pub struct Act, ignored {
        /// The name of the administrator's secret, or `gate`.
        pub actor: String,
        /// The method and path of the endpoint, `POST /keys`; or `policy`, `alert.firing`, `alert.resolved`, `cut`.
        pub action: String,
        /// An id, a pseudonym, or nothing where it is not known yet.
        pub target: String = String::new(),
        /// [`BEGUN`], [`DONE`], or the code with which it was refused or failed.
        pub outcome: String,
        /// The entry of its beginning; 0: it has none.
        pub of: u64 = 0,
    }
}

impl Act {
    /// Reads one.
    ///
    /// # Errors
    /// It has another form.
    pub fn from_text(text: &str) -> Result<Self, StoreError> {
        document::parse(text.as_bytes())
            .map_err(|_| StoreError::new("an act has another form than expected"))
    }

    fn of_gate(action: &str, target: &str) -> Self {
        Self {
            actor: GATE.to_owned(),
            action: action.to_owned(),
            target: target.to_owned(),
            outcome: DONE.to_owned(),
            of: 0,
        }
    }

    /// An alert has begun, or is over.
    #[must_use]
    pub fn alert(is_firing: bool, rule: &str, group: Option<&str>) -> Self {
        let target = group.map_or_else(|| rule.to_owned(), |group| format!("{rule} {group}"));
        Self::of_gate(if is_firing { "alert.firing" } else { "alert.resolved" }, &target)
    }
}

object! {
    /// An entry of the chain.
    #[derive(Debug, Clone, PartialEq, Eq, Serialize)]
    pub struct Entry, refused {
        /// 1, 2, 3 … without a gap.
        pub seq: u64,
        /// Milliseconds since 1970, by the writer's clock.
        pub at: UnixMillis,
        /// Who.
        pub actor: String,
        /// What.
        pub action: String,
        /// Of what.
        pub target: String,
        /// What came of it.
        pub outcome: String,
        /// The entry of its beginning; 0: it has none.
        pub of: u64,
        /// The hash of the entry before; of the first: 43 times `A`.
        pub prev: String,
        /// SHA-256 in base64url.
        pub hash: String,
    }
}

impl Entry {
    /// Reads one as it is stored.
    ///
    /// # Errors
    /// It has another form.
    pub fn from_text(text: &str) -> Result<Self, StoreError> {
        document::parse(text.as_bytes()).map_err(|_| {
            StoreError::new("an entry of the audit has a form that the gate does not write")
        })
    }

    /// What `hash` has to be. Each part is there with its length, so that no two lists of parts are the same bytes.
    #[must_use]
    pub fn computed_hash(&self) -> String {
        let numbers = [self.seq, self.at.as_millis(), self.of].map(|number| number.to_string());
        let [seq, at, of] = &numbers;
        let parts =
            [FORM, &self.prev, seq, at, &self.actor, &self.action, &self.target, &self.outcome, of];
        let mut hash = Sha256::new();
        for part in parts {
            hash.update(length(part));
            hash.update(part);
        }
        base64url::encode(&hash.finalize())
    }

    /// The name of its row: rows in the order of names are in the order of the chain.
    #[must_use]
    pub fn row_name(seq: u64) -> String {
        format!("{seq:020}")
    }
}

fn length(part: &str) -> [u8; 8] {
    u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes()
}

/// The hash before the first.
fn origin() -> String {
    base64url::encode(&[0; 32])
}

object! {
    /// What the writer knows of the chain.
    #[derive(Debug, Clone, PartialEq, Eq, Serialize)]
    struct Head, ignored {
        /// Of the last entry; 0: there is none.
        seq: u64 = 0,
        hash: String = origin(),
        at: UnixMillis = UnixMillis::from_millis(0),
        /// The first entry that is kept.
        first: u64 = 1,
        /// The last entry that a checkpoint has told of.
        sealed: u64 = 0,
        /// When the first came that none has told of.
        unsealed_since: Option<UnixMillis> = None,
        /// The policy that was seen last.
        policy: String = String::new(),
    }
}

impl Default for Head {
    fn default() -> Self {
        Self::blank()
    }
}

/// The chain, as its one writer has it.
#[derive(Debug, Default)]
pub struct Chain {
    head: Head,
    rows: Vec<RowChange>,
}

impl Chain {
    /// The chain whose head this row is; without one it begins.
    ///
    /// # Errors
    /// The row cannot be read. Nobody begins another chain then.
    pub fn from_row(head: Option<&str>) -> Result<Self, StoreError> {
        let Some(head) = head else { return Ok(Self::default()) };
        let head = document::parse(head.as_bytes()).map_err(|_| {
            StoreError::new("the head of the audit has a form that the gate does not write")
        })?;
        Ok(Self { head, rows: Vec::new() })
    }

    /// The rows that have to be stored before anything is answered; from now on they count as stored.
    pub fn take_changes(&mut self) -> Vec<RowChange> {
        core::mem::take(&mut self.rows)
    }

    /// Adds an entry; its number. Its time is never before that of the entry before.
    pub fn append(&mut self, act: &Act, now: UnixMillis) -> u64 {
        let at = now.max(self.head.at);
        let mut entry = Entry {
            seq: self.head.seq.saturating_add(1),
            at,
            actor: told(&act.actor),
            action: told(&act.action),
            target: told(&act.target),
            outcome: told(&act.outcome),
            of: act.of,
            prev: self.head.hash.clone(),
            hash: String::new(),
        };
        entry.hash = entry.computed_hash();
        self.head.seq = entry.seq;
        self.head.hash.clone_from(&entry.hash);
        self.head.at = at;
        self.head.unsealed_since = self.head.unsealed_since.or(Some(at));
        self.rows.push(RowChange {
            name: Entry::row_name(entry.seq),
            value: serde_json::to_string(&entry).ok(),
        });
        self.put_head();
        entry.seq
    }

    /// Adds an entry if this is another policy than the one before. `digest` is that of its text.
    pub fn see_policy(&mut self, digest: &str, now: UnixMillis) {
        if self.head.policy != digest {
            digest.clone_into(&mut self.head.policy);
            self.append(&Act::of_gate("policy", digest), now);
        }
    }

    /// The first entry that is kept.
    #[must_use]
    pub const fn first(&self) -> u64 {
        self.head.first
    }

    /// Cuts the chain where entries are older than this, or too many. `oldest` are the first that are kept, at most [`MAX_PAGE`]. It waits
    /// for a day's worth, since each cut is an entry too.
    pub fn sweep(&mut self, oldest: &[Entry], days: u32, now: UnixMillis) {
        let age = |entry: &Entry| now.millis_since(entry.at);
        let most = u64::from(days).saturating_mul(DAY_MILLIS);
        let is_due =
            oldest.first().is_some_and(|entry| age(entry) >= most.saturating_add(DAY_MILLIS));
        let aged = oldest.iter().take_while(|entry| is_due && age(entry) >= most).last();
        let too_many = self.head.seq.saturating_sub(self.head.first) >= MAX_ENTRIES;
        let full = if too_many { self.head.first.saturating_add(MAX_PAGE) } else { 0 };
        self.cut(aged.map_or(0, |entry| entry.seq.saturating_add(1)).max(full), now);
    }

    /// Lets the entries before this one go, at most [`MAX_PAGE`] of them and never the last. An entry tells of it, so that a chain that
    /// begins later than with 1 says itself since when.
    fn cut(&mut self, first: u64, now: UnixMillis) {
        let first = first.min(self.head.first.saturating_add(MAX_PAGE)).min(self.head.seq);
        if first <= self.head.first {
            return;
        }
        let gone = self.head.first..first;
        self.rows.extend(gone.map(|seq| RowChange { name: Entry::row_name(seq), value: None }));
        self.head.first = first;
        self.append(&Act::of_gate("cut", &first.to_string()), now);
    }

    /// What is to be told outside, if it is time.
    pub fn checkpoint(&mut self, seal: &Seal, now: UnixMillis) -> Option<Checkpoint> {
        let since = self.head.unsealed_since?;
        let many = self.head.seq.saturating_sub(self.head.sealed) >= ENTRIES_A_CHECKPOINT;
        if !many && now.millis_since(since) < CHECKPOINT_MILLIS {
            return None;
        }
        self.head.sealed = self.head.seq;
        self.head.unsealed_since = None;
        self.put_head();
        Some(seal.checkpoint(self.head.seq, &self.head.hash, now))
    }

    /// When a checkpoint is due.
    #[must_use]
    pub fn wakes_at(&self) -> Option<UnixMillis> {
        self.head.unsealed_since.map(|since| since.saturating_add(CHECKPOINT_MILLIS))
    }

    fn put_head(&mut self) {
        // One row, whatever changes: the last one counts.
        self.rows.retain(|row| row.name != HEAD);
        self.rows.push(RowChange {
            name: HEAD.to_owned(),
            value: serde_json::to_string(&self.head).ok(),
        });
    }
}

object! {
    /// Up to which entry the chain was at some time. Who has kept it outside sees whether the chain was cut at its end since, or written anew.
    #[derive(Debug, Clone, PartialEq, Eq, Serialize)]
    pub struct Checkpoint, ignored {
        /// The number of the last entry.
        pub seq: u64,
        /// Its hash.
        pub hash: String,
        /// When, in milliseconds since 1970.
        pub at: UnixMillis,
        /// HMAC-SHA-256 in base64url.
        pub mac: String,
    }
}

/// The key of checkpoints.
pub struct Seal(Hmac<Sha256>);

impl core::fmt::Debug for Seal {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Seal(_)")
    }
}

impl Seal {
    /// The key of this secret; `None` only if the digest takes no key, which it does.
    #[must_use]
    pub fn new(secret: &Secret) -> Option<Self> {
        let key = Secret::new(hkdf(secret.expose_secret(), SALT, b"checkpoint")?);
        Hmac::new_from_slice(key.expose_secret()).ok().map(Self)
    }

    fn checkpoint(&self, seq: u64, hash: &str, at: UnixMillis) -> Checkpoint {
        let mut mac = self.0.clone();
        for part in [FORM, &seq.to_string(), hash, &at.as_millis().to_string()] {
            mac.update(&length(part));
            mac.update(part.as_bytes());
        }
        let mac = base64url::encode(&mac.finalize().into_bytes());
        Checkpoint { seq, hash: hash.to_owned(), at, mac }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::json;

    use super::*;

    const NOW: UnixMillis = UnixMillis::from_millis(1_700_000_000_000);
    const SECRET: &[u8] = b"watch-secret-that-has-32-bytes-ok";

    fn later(millis: u64) -> UnixMillis {
        NOW.saturating_add(millis)
    }

    fn seal() -> Seal {
        Seal::new(&Secret::new(SECRET.to_vec())).unwrap()
    }

    fn act(action: &str, target: &str, outcome: &str, of: u64) -> Act {
        let text = |text: &str| text.to_owned();
        Act {
            actor: text("on-call"),
            action: text(action),
            target: text(target),
            outcome: text(outcome),
            of,
        }
    }

    /// What the object does with the rows.
    #[derive(Default)]
    struct Store(BTreeMap<String, String>);

    impl Store {
        fn save(&mut self, chain: &mut Chain) {
            for RowChange { name, value } in chain.take_changes() {
                match value {
                    Some(value) => self.0.insert(name, value),
                    None => self.0.remove(&name),
                };
            }
        }

        fn load(&self) -> Chain {
            Chain::from_row(self.0.get(HEAD).map(String::as_str)).unwrap()
        }

        fn entries(&self) -> Vec<Entry> {
            let rows = self.0.iter().filter(|(name, _)| *name != HEAD);
            rows.map(|(_, text)| document::parse(text.as_bytes()).unwrap()).collect()
        }
    }

    fn holds(entries: &[Entry]) -> bool {
        let hashes = entries.iter().all(|entry| entry.hash == entry.computed_hash());
        hashes
            && entries
                .windows(2)
                .all(|pair| pair[1].prev == pair[0].hash && pair[1].seq == pair[0].seq + 1)
    }

    /// `pkg/cli/audit-chain.js` verifies these (`tests/cli/audit-chain.test.mjs`).
    #[test]
    fn the_form_is_pinned() {
        let (mut store, mut chain) = (Store::default(), Chain::default());
        chain.see_policy("47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU", NOW);
        let begun = chain.append(&act("POST /keys", "", BEGUN, 0), later(10));
        chain
            .append(&act("POST /keys", "0123456789abcdef0123456789abcdef", DONE, begun), later(20));
        chain.append(&Act::alert(true, "failures", Some("/v1/\u{e9}")), later(30));
        let begun = chain.append(&act("DELETE /keys/{id}", "x", BEGUN, 0), later(40));
        chain.append(&act("DELETE /keys/{id}", "x", "NOT_FOUND", begun), later(40));
        let checkpoint = chain.checkpoint(&seal(), later(CHECKPOINT_MILLIS)).unwrap();
        chain.append(&Act::alert(false, "failures", None), later(CHECKPOINT_MILLIS + 1));
        store.save(&mut chain);
        let written = json!({
            "secret": String::from_utf8_lossy(SECRET),
            "entries": store.entries(),
            "checkpoint": checkpoint,
        });
        let text = format!("{}\n", serde_json::to_string_pretty(&written).unwrap());
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors/audit-chain.json");
        if std::env::var_os("EDGEGATE_WRITE_VECTORS").is_some() {
            std::fs::write(path, &text).unwrap();
        }
        assert_eq!(std::fs::read_to_string(path).unwrap(), text);
        assert!(holds(&store.entries()));
        assert!(!format!("{:?}", seal()).contains("secret"));
    }

    #[test]
    fn the_chain_goes_on_after_a_restart_and_no_clock_turns_it_back() {
        let (mut store, mut chain) = (Store::default(), Chain::default());
        for at in [5, 3, 9] {
            chain.append(&act("POST /keys", "", BEGUN, 0), later(at));
            store.save(&mut chain);
            chain = store.load();
        }
        let entries = store.entries();
        assert!(holds(&entries));
        let times: Vec<u64> = entries.iter().map(|entry| entry.at.millis_since(NOW)).collect();
        assert_eq!(times, [5, 5, 9]);
        let broken = Chain::from_row(Some("{\"seq\":\"1\"}")).unwrap_err();
        let said = "the head of the audit has a form that the gate does not write";
        assert_eq!(broken.to_string(), said);
    }

    #[test]
    fn every_change_of_an_entry_is_another_hash() {
        let (mut store, mut chain) = (Store::default(), Chain::default());
        chain.append(&act("POST /keys", "ab", DONE, 0), NOW);
        store.save(&mut chain);
        let entry = store.entries().remove(0);
        let text = |text: &str| text.to_owned();
        let changed = [
            Entry { seq: 2, ..entry.clone() },
            Entry { at: later(1), ..entry.clone() },
            Entry { actor: text("on-calm"), ..entry.clone() },
            Entry { of: 1, ..entry.clone() },
            Entry { prev: entry.hash.clone(), ..entry.clone() },
            // Where one text ends and the next begins is hashed too.
            Entry { action: text("POST /keysa"), target: text("b"), ..entry.clone() },
            Entry { target: text(""), outcome: text("abdone"), ..entry.clone() },
        ];
        for other in changed {
            assert_ne!(other.computed_hash(), entry.hash, "{other:?}");
        }
    }

    #[test]
    fn a_policy_is_noted_once_until_it_is_another() {
        let mut chain = Chain::default();
        for digest in ["a", "a", "b", "b", "a"] {
            chain.see_policy(digest, NOW);
        }
        assert_eq!(chain.head.seq, 3);
    }

    #[test]
    fn a_chain_that_is_cut_says_so_and_keeps_its_last_entry() {
        let (mut store, mut chain) = (Store::default(), Chain::default());
        for _ in 0..600 {
            chain.append(&act("POST /keys", "", BEGUN, 0), NOW);
        }
        chain.cut(1, NOW);
        assert_eq!(chain.head.seq, 600);
        // Some at a time.
        chain.cut(u64::MAX, NOW);
        assert_eq!((chain.first(), chain.head.seq), (501, 601));
        chain.cut(u64::MAX, NOW);
        assert_eq!((chain.first(), chain.head.seq), (601, 602));
        store.save(&mut chain);
        let entries = store.entries();
        assert!(holds(&entries));
        let told: Vec<(&str, &str)> =
            entries.iter().map(|one| (one.action.as_str(), one.target.as_str())).collect();
        assert_eq!(told, [("cut", "501"), ("cut", "601")]);
    }

    #[test]
    fn what_is_too_old_or_too_many_goes_once_it_is_worth_a_cut() {
        let (mut store, mut chain) = (Store::default(), Chain::default());
        for day in 0..4 {
            for hour in [0, 12] {
                let at = later(day * DAY_MILLIS + hour * 3_600_000);
                chain.append(&act("POST /keys", "", BEGUN, 0), at);
            }
        }
        store.save(&mut chain);
        let entries = store.entries();
        chain.sweep(&entries, 2, later(3 * DAY_MILLIS - 1));
        assert_eq!(chain.first(), 1);
        // Those of the first day, and the first of the second.
        chain.sweep(&entries, 2, later(3 * DAY_MILLIS));
        assert_eq!((chain.first(), chain.head.seq), (4, 9));
        chain.sweep(&[], 2, later(4 * DAY_MILLIS));
        assert_eq!(chain.first(), 4);
        chain.head.seq = MAX_ENTRIES + 4;
        chain.sweep(&[], 2, later(4 * DAY_MILLIS));
        assert_eq!(chain.first(), 4 + MAX_PAGE);
    }

    #[test]
    fn a_checkpoint_comes_with_many_entries_or_with_time() {
        let (mut store, mut chain) = (Store::default(), Chain::default());
        assert_eq!((chain.wakes_at(), chain.checkpoint(&seal(), NOW)), (None, None));
        chain.append(&act("POST /keys", "", BEGUN, 0), NOW);
        store.save(&mut chain);
        let mut chain = store.load();
        assert_eq!(chain.wakes_at(), Some(later(CHECKPOINT_MILLIS)));
        assert_eq!(chain.checkpoint(&seal(), later(CHECKPOINT_MILLIS - 1)), None);
        let one = chain.checkpoint(&seal(), later(CHECKPOINT_MILLIS)).unwrap();
        assert_eq!((one.seq, one.hash.as_str()), (1, chain.head.hash.as_str()));
        assert_eq!((chain.wakes_at(), chain.checkpoint(&seal(), later(u64::MAX))), (None, None));
        for _ in 0..99 {
            chain.append(&act("POST /keys", "", BEGUN, 0), NOW);
            assert_eq!(chain.checkpoint(&seal(), NOW), None);
        }
        chain.append(&act("POST /keys", "", BEGUN, 0), NOW);
        let many = chain.checkpoint(&seal(), NOW).unwrap();
        assert_eq!(many.seq, 101);
        // Another secret, another MAC.
        let other = Seal::new(&Secret::new(vec![7; 32])).unwrap();
        assert_ne!(other.checkpoint(101, &many.hash, NOW).mac, many.mac);
    }
}
