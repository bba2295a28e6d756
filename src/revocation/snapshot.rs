//! What the ledger publishes and every isolate holds: which credentials *may* be revoked.
//!
//! A snapshot is a [`Head`] and the shards of a [`Filter`] that it names. The head has an exact list of what was
//! revoked since the filter was made, so that one revocation costs the writing of one small value, and
//! readers fetch the filter only when a new one is made.
//!
//! Where it is kept is not trusted to give back what was put there: everything is bounded and
//! checksummed, and what does not fit together leaves the last good snapshot in use. (The checksum is against
//! damage. Whoever can write there is trusted, as SECURITY.md says.)
//!
//! [`Holder`] is an isolate's side of it, without any I/O: when to use, to refresh, to wait, to give up.

use std::rc::Rc;

use sha2::{Digest as _, Sha256};

use super::{
    deny_key::DenyKey,
    entry::Entry,
    filter::{Filter, FilterError, Layout, Shard},
    wire::{Reader, length},
};
use crate::{bounded::BoundedMap, time::UnixMillis};

/// Where the head is kept.
pub const HEAD_NAME: &str = "snapshot/v1/head";
/// The most that is listed exactly, beside the filter: 128 KiB in the head. Beyond it a new filter is made.
pub const MAX_DELTA: usize = 16_384;
/// The longest head there can be.
pub const MAX_HEAD_BYTES: usize = 37 + 8 * 36 + 4 + 8 * MAX_DELTA + CHECKSUM_BYTES;
/// The longest shard that is fetched. One of 1,048,576 keys has 2.5 MB.
pub const MAX_SHARD_BYTES: usize = 4_000_000;
/// How far ahead of a reader's clock the ledger's may be. A head from further ahead would look fresh for
/// as long, and is refused.
pub const MAX_CLOCK_AHEAD_SECS: u64 = 60;

const MAGIC: &[u8; 4] = b"EGH1";
const CHECKSUM_BYTES: usize = 32;
/// In place of the layout: there is no filter.
const NO_BASE: u8 = u8::MAX;

/// A shard as the head names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShardRef {
    /// Its bytes.
    pub length: u32,
    /// Its SHA-256.
    pub sha256: [u8; 32],
}

impl ShardRef {
    /// The reference to these bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self {
            length: u32::from_le_bytes(length(bytes.len())),
            sha256: Sha256::digest(bytes).into(),
        }
    }

    /// Reads a shard, if it is this one.
    ///
    /// # Errors
    /// It is another, or damaged.
    pub fn read(&self, bytes: Vec<u8>, layout: Layout) -> Result<Shard, FilterError> {
        if Self::of(&bytes) != *self {
            return Err(FilterError::new("shard is not the one that was published"));
        }
        Shard::parse(bytes, layout)
    }
}

/// The filter that a head goes with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Base {
    /// The generation in whose time it was made. No other filter has this number.
    pub generation: u64,
    /// How keys are spread over shards.
    pub layout: Layout,
    /// The shards, as many as the layout has.
    pub shards: Vec<ShardRef>,
}

impl Base {
    /// Where a shard is kept. What is kept there never changes.
    #[must_use]
    pub fn shard_name(&self, index: usize) -> String {
        format!("snapshot/v1/{}/{index}", self.generation)
    }

    pub(super) fn write(base: Option<&Self>, bytes: &mut Vec<u8>) {
        let Some(base) = base else { return bytes.push(NO_BASE) };
        bytes.push(base.layout.bits());
        bytes.extend(base.generation.to_le_bytes());
        for shard in &base.shards {
            bytes.extend(shard.length.to_le_bytes());
            bytes.extend(shard.sha256);
        }
    }

    /// `None`: not one. `Some(None)`: there is no filter.
    #[expect(clippy::option_option, reason = "damage, none, and one")]
    pub(super) fn read(reader: &mut Reader<'_>) -> Option<Option<Self>> {
        let bits = reader.u8()?;
        if bits == NO_BASE {
            return Some(None);
        }
        let layout = Layout::from_bits(bits)?;
        let generation = reader.u64()?;
        let mut shards = Vec::with_capacity(layout.shards());
        for _ in 0..layout.shards() {
            shards.push(ShardRef { length: reader.u32()?, sha256: reader.array()? });
        }
        let fits = |shard: &ShardRef| {
            usize::try_from(shard.length).is_ok_and(|length| length <= MAX_SHARD_BYTES)
        };
        shards.iter().all(fits).then_some(Some(Self { generation, layout, shards }))
    }
}

/// The head of a snapshot: what is written each time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// Grows with each change.
    pub generation: u64,
    /// When the ledger wrote it, by its clock: everything it had acknowledged until then is in it.
    pub published_at: UnixMillis,
    /// How many entries the ledger had.
    pub entries: u64,
    /// The filter; none where the delta lists everything.
    pub base: Option<Base>,
    /// What was revoked since the filter was made: fingerprints, ascending, none twice.
    pub delta: Vec<u64>,
}

impl Head {
    /// As it is stored: `EGH1`, generation (8 bytes), time (8, in ms), entries (8); the binary logarithm of the number of blocks
    /// (1; 255 for no filter) and, with a filter, its generation (8) and for each shard its length (4) and SHA-256 (32); the
    /// length of the delta (4) and its fingerprints (8 each); the SHA-256 of all this. Little-endian.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        bytes.extend(self.generation.to_le_bytes());
        bytes.extend(self.published_at.as_millis().to_le_bytes());
        bytes.extend(self.entries.to_le_bytes());
        Base::write(self.base.as_ref(), &mut bytes);
        bytes.extend(length(self.delta.len()));
        bytes.extend(self.delta.iter().flat_map(|fingerprint| fingerprint.to_le_bytes()));
        let checksum = Sha256::digest(&bytes);
        bytes.extend(checksum);
        bytes
    }

    /// Reads what [`encode`](Self::encode) wrote.
    ///
    /// # Errors
    /// Anything else, and a head from the future.
    pub fn parse(bytes: &[u8], now: UnixMillis) -> Result<Self, FilterError> {
        let damaged = FilterError::new("head is not ours, or damaged");
        if bytes.len() > MAX_HEAD_BYTES {
            return Err(damaged);
        }
        let (content, checksum) = bytes.split_last_chunk::<CHECKSUM_BYTES>().ok_or(damaged)?;
        if Sha256::digest(content).as_slice() != checksum {
            return Err(damaged);
        }
        let head = Self::read(content).ok_or(damaged)?;
        if head.published_at.millis_since(now) > MAX_CLOCK_AHEAD_SECS.saturating_mul(1000) {
            return Err(FilterError::new("head is from the future"));
        }
        Ok(head)
    }

    fn read(content: &[u8]) -> Option<Self> {
        let mut reader = Reader(content);
        if &reader.array()? != MAGIC {
            return None;
        }
        let generation = reader.u64()?;
        let published_at = UnixMillis::from_millis(reader.u64()?);
        let entries = reader.u64()?;
        let base = Base::read(&mut reader)?;
        let count = usize::try_from(reader.u32()?).ok()?;
        if count > MAX_DELTA {
            return None;
        }
        let listed = reader.bytes(count.checked_mul(8)?)?;
        let delta: Vec<u64> =
            listed.as_chunks().0.iter().map(|bytes| u64::from_le_bytes(*bytes)).collect();
        let ascending = delta.is_sorted_by(|one, next| one < next);
        (ascending && reader.is_empty()).then_some(Self {
            generation,
            published_at,
            entries,
            base,
            delta,
        })
    }

    /// Whether it says later than another what is revoked.
    #[must_use]
    pub fn is_newer_than(&self, other: &Self) -> bool {
        (self.generation, self.published_at) > (other.generation, other.published_at)
    }

    /// How old it is. A clock behind the ledger's makes it look new, by at most a minute.
    #[must_use]
    pub fn age_secs(&self, now: UnixMillis) -> u64 {
        now.millis_since(self.published_at).checked_div(1000).unwrap_or(0)
    }
}

/// A head with the filter it names.
#[derive(Debug, Clone)]
pub struct Snapshot {
    head: Head,
    filter: Option<Rc<Filter>>,
}

impl Snapshot {
    /// Puts them together.
    ///
    /// # Errors
    /// A shard is missing.
    pub fn new(head: Head, shards: Vec<Rc<Shard>>) -> Result<Self, FilterError> {
        let filter = match &head.base {
            Some(base) => Some(Rc::new(Filter::new(base.layout, shards)?)),
            None => None,
        };
        Ok(Self { head, filter })
    }

    /// The same filter with a newer head, if the head goes with it. So a refresh fetches no shards for most heads.
    #[must_use]
    pub fn with_head(&self, head: &Head) -> Option<Self> {
        (head.base == self.head.base)
            .then(|| Self { head: head.clone(), filter: self.filter.clone() })
    }

    /// The head.
    #[must_use]
    pub const fn head(&self) -> &Head {
        &self.head
    }

    /// Whether the key may be revoked. `false` is certain, as of the head's time.
    #[must_use]
    pub fn may_contain(&self, key: &DenyKey) -> bool {
        let fingerprint = key.fingerprint();
        self.head.delta.binary_search(&fingerprint).is_ok()
            || self.filter.as_ref().is_some_and(|filter| filter.may_contain(fingerprint))
    }

    /// Bytes of the filter.
    #[must_use]
    pub fn filter_bytes(&self) -> usize {
        self.filter.as_ref().map_or(0, |filter| filter.bytes())
    }
}

/// How fresh a snapshot has to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Freshness {
    /// Beyond this age it is not believed.
    pub max_staleness_secs: u32,
    /// How often a newer one is looked for.
    pub refresh_secs: u32,
}

/// What an isolate does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Plan {
    /// The snapshot it holds is fresh.
    Use,
    /// It is, and a newer one is to be looked for, which this request does not wait for.
    UseAndRefresh,
    /// No snapshot is fresh: load one, then decide again.
    MustLoad,
    /// No snapshot is fresh, and another request is loading one: wait a little, then decide again.
    Wait,
    /// No snapshot is fresh, and loading one has just failed: the policy's `on_error` decides.
    TooOld,
}

/// How long nothing may be heard of a load before another request takes it over: the isolate may have dropped it with
/// its request. Well below what a request waits.
const LOAD_MILLIS: u64 = 1_500;
/// When a load that is still under way says so ([`Holder::goes_on`]).
pub const GOES_ON_MILLIS: u64 = 1_000;
/// How long a load may take that has said that it goes on: meanwhile no other is begun, since each may hold 20 MB.
const LONG_LOAD_MILLIS: u64 = 15_500;
/// How long after a load that did not help the next is tried: while the store is down, most requests
/// learn so at once.
const RETRY_MILLIS: u64 = 1_000;
/// Answers of the ledger that are remembered.
const MAX_REMEMBERED: usize = 20_000;
/// What they take at most: enough for so many of some 400 bytes.
const MAX_REMEMBERED_BYTES: usize = 8_000_000;
/// How long an isolate remembers that something is not revoked, if the snapshot shows no change.
const REMEMBER_ABSENT_MILLIS: u64 = 3_600_000;
/// How long an isolate remembers what it wrote itself at most; the first snapshot that has it takes over, which
/// is usually within two minutes.
const OWN_WRITE_MILLIS: u64 = 300_000;

#[derive(Debug, Clone)]
struct Answer {
    entry: Option<Entry>,
    /// The head in whose time it was asked for.
    generation: u64,
    base: Option<u64>,
    /// This isolate wrote it, and later generations than this have it.
    own: Option<u64>,
}

/// What the snapshot and what is remembered of the ledger say about a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lookup {
    /// It is not revoked, or this is the entry.
    Known(Option<Entry>),
    /// Only the ledger knows.
    Ask,
}

/// An isolate's snapshot, and what it remembers of the ledger's answers.
#[derive(Debug)]
pub struct Holder {
    snapshot: Option<Rc<Snapshot>>,
    asked_at: Option<UnixMillis>,
    loading_until: UnixMillis,
    retry_at: UnixMillis,
    problem: Option<String>,
    answers: BoundedMap<DenyKey, Answer>,
    writes: u64,
}

impl Default for Holder {
    fn default() -> Self {
        Self {
            snapshot: None,
            asked_at: None,
            loading_until: UnixMillis::from_millis(0),
            retry_at: UnixMillis::from_millis(0),
            problem: None,
            answers: BoundedMap::weighing(
                MAX_REMEMBERED,
                MAX_REMEMBERED_BYTES,
                |answer: &Answer| {
                    let entry = answer.entry.as_ref().map_or(0, Entry::weight);
                    entry.saturating_add(size_of::<Answer>())
                },
            ),
            writes: 0,
        }
    }
}

impl Holder {
    /// What to do for a request.
    #[must_use]
    pub fn decide(&self, rules: Freshness, now: UnixMillis) -> Plan {
        let loading = now < self.loading_until;
        if self.is_fresh(rules, now) {
            let every = u64::from(rules.refresh_secs).saturating_mul(1000);
            let due = self.asked_at.is_none_or(|at| now.millis_since(at) >= every);
            return if due && !loading { Plan::UseAndRefresh } else { Plan::Use };
        }
        match (loading, now < self.retry_at) {
            (true, _) => Plan::Wait,
            (false, true) => Plan::TooOld,
            (false, false) => Plan::MustLoad,
        }
    }

    fn is_fresh(&self, rules: Freshness, now: UnixMillis) -> bool {
        let limit = u64::from(rules.max_staleness_secs).saturating_mul(1000);
        self.snapshot.as_ref().is_some_and(|held| now.millis_since(held.head.published_at) <= limit)
    }

    /// A load begins: after [`Plan::UseAndRefresh`] and [`Plan::MustLoad`].
    pub fn begin(&mut self, now: UnixMillis) {
        self.asked_at = Some(now);
        self.loading_until = now.saturating_add(LOAD_MILLIS);
    }

    /// The load that was begun is still under way.
    pub fn goes_on(&mut self, now: UnixMillis) {
        self.loading_until = now.saturating_add(LONG_LOAD_MILLIS);
    }

    /// A load ended. An older snapshot than the one held is dropped; a fault leaves it in use.
    pub fn end(&mut self, loaded: Result<Rc<Snapshot>, String>, rules: Freshness, now: UnixMillis) {
        self.loading_until = UnixMillis::from_millis(0);
        match loaded {
            Ok(loaded) => {
                self.problem = None;
                let newer =
                    self.snapshot.as_ref().is_none_or(|held| loaded.head.is_newer_than(&held.head));
                if newer {
                    self.snapshot = Some(loaded);
                }
            }
            Err(problem) => self.problem = Some(problem),
        }
        if !self.is_fresh(rules, now) {
            self.retry_at = now.saturating_add(RETRY_MILLIS);
        }
    }

    /// What is held.
    #[must_use]
    pub const fn snapshot(&self) -> Option<&Rc<Snapshot>> {
        self.snapshot.as_ref()
    }

    /// Why the last load failed, if it did.
    #[must_use]
    pub fn problem(&self) -> Option<&str> {
        self.problem.as_deref()
    }

    /// What is known about a key. Without a snapshot nothing is.
    #[must_use]
    pub fn look_up(&self, key: &DenyKey, now: UnixMillis) -> Lookup {
        let Some(held) = &self.snapshot else { return Lookup::Ask };
        let answer = self.answers.get(key, now);
        let answer = answer.filter(|it| it.own.is_none_or(|own| held.head.generation <= own));
        // It still says all if nothing has changed since, or if the same filter is in use and the key is not
        // among what was added to it. Otherwise it may have been revoked since, or a later cut-off set.
        let current = answer.filter(|answer| {
            answer.own.is_some()
                || answer.generation == held.head.generation
                || (answer.base == held.base_generation()
                    && held.head.delta.binary_search(&key.fingerprint()).is_err())
        });
        match current {
            Some(answer) => Lookup::Known(answer.entry.clone()),
            None if held.may_contain(key) => Lookup::Ask,
            None => Lookup::Known(None),
        }
    }

    /// A number to give back to [`remember`](Self::remember): an answer is not remembered if something was
    /// written meanwhile, or the snapshot was replaced.
    #[must_use]
    pub fn mark(&self) -> (u64, u64) {
        (self.writes, self.snapshot.as_ref().map_or(0, |held| held.head.generation))
    }

    /// The ledger's answer about a key that was asked for at `mark`: believed until the snapshot may say otherwise,
    /// and an entry for `cache_secs` at most.
    pub fn remember(
        &mut self,
        key: DenyKey,
        entry: Option<Entry>,
        mark: (u64, u64),
        cache_secs: u32,
        now: UnixMillis,
    ) {
        if mark != self.mark() {
            return;
        }
        let keep = match &entry {
            Some(_) => u64::from(cache_secs).saturating_mul(1000),
            None => REMEMBER_ABSENT_MILLIS,
        };
        self.insert(key, entry, None, keep, now);
    }

    /// This isolate wrote an entry, when the ledger's last head was of this generation: it holds here at once.
    pub fn wrote(&mut self, key: DenyKey, entry: Entry, generation: u64, now: UnixMillis) {
        self.writes = self.writes.wrapping_add(1);
        self.insert(key, Some(entry), Some(generation), OWN_WRITE_MILLIS, now);
    }

    /// This isolate removed an entry.
    pub fn removed(&mut self, key: &DenyKey) {
        self.writes = self.writes.wrapping_add(1);
        self.answers.remove(key);
    }

    fn insert(
        &mut self,
        key: DenyKey,
        entry: Option<Entry>,
        own: Option<u64>,
        millis: u64,
        now: UnixMillis,
    ) {
        let answer = Answer {
            entry,
            generation: self.snapshot.as_ref().map_or(0, |held| held.head.generation),
            base: self.snapshot.as_ref().and_then(|held| held.base_generation()),
            own,
        };
        self.answers.insert(key, answer, now.saturating_add(millis), now);
    }
}

impl Snapshot {
    fn base_generation(&self) -> Option<u64> {
        self.head.base.as_ref().map(|base| base.generation)
    }
}

#[cfg(test)]
mod tests {
    use super::super::filter::{Block, encode_shard};
    use super::super::{NewRevocation, deny_key::Target};
    use super::*;
    use crate::time::UnixTime;

    const NOW: UnixMillis = UnixMillis::from_millis(1_700_000_000_000);
    const RULES: Freshness = Freshness { max_staleness_secs: 120, refresh_secs: 10 };

    fn at(secs: u64) -> UnixMillis {
        NOW.saturating_add(secs * 1000)
    }

    fn key(name: &str) -> DenyKey {
        Target::Token { iss: "i".to_owned(), jti: name.to_owned() }.deny_key()
    }

    fn entry(name: &str) -> Entry {
        let body = format!(r#"{{"iss": "i", "jti": "{name}"}}"#);
        match NewRevocation::parse(body.as_bytes()).unwrap() {
            NewRevocation::Entry(request) => request.entry(UnixTime::from_secs(1_700_000_000)),
            NewRevocation::Token(_) => panic!("a token"),
        }
        .unwrap()
    }

    fn head(generation: u64, delta: &[&str]) -> Head {
        let mut delta: Vec<u64> = delta.iter().map(|name| key(name).fingerprint()).collect();
        delta.sort_unstable();
        Head { generation, published_at: NOW, entries: 1, base: None, delta }
    }

    /// A head whose filter holds these.
    fn with_base(generation: u64, base: u64, held: &[&str], delta: &[&str]) -> Rc<Snapshot> {
        let layout = Layout::for_entries(1);
        let held = held.iter().map(|name| key(name).fingerprint()).collect();
        let shard = encode_shard(&[Block::build(held).unwrap()]);
        let reference = ShardRef::of(&shard);
        let shards = vec![Rc::new(reference.read(shard, layout).unwrap())];
        let base = Some(Base { generation: base, layout, shards: vec![reference] });
        Rc::new(Snapshot::new(Head { base, ..head(generation, delta) }, shards).unwrap())
    }

    fn snapshot(generation: u64, delta: &[&str]) -> Rc<Snapshot> {
        Rc::new(Snapshot::new(head(generation, delta), Vec::new()).unwrap())
    }

    fn holding(snapshot: Rc<Snapshot>) -> Holder {
        let mut holder = Holder::default();
        holder.begin(NOW);
        holder.end(Ok(snapshot), RULES, NOW);
        holder
    }

    #[test]
    fn a_head_is_read_as_it_was_written() {
        for base in [None, with_base(3, 2, &["a"], &[]).head.base.clone()] {
            let head = Head { base, ..head(3, &["b", "c"]) };
            let bytes = head.encode();
            assert_eq!(Head::parse(&bytes, NOW), Ok(head.clone()));
            let ahead = NOW.as_millis() - MAX_CLOCK_AHEAD_SECS * 1000;
            assert_eq!(Head::parse(&bytes, UnixMillis::from_millis(ahead)), Ok(head));
            let problem = Head::parse(&bytes, UnixMillis::from_millis(ahead - 1)).unwrap_err();
            assert_eq!(problem.to_string(), "head is from the future");
        }
        let most = Head { delta: (0..MAX_DELTA as u64).collect(), ..head(1, &[]) };
        assert!(Head::parse(&most.encode(), NOW).is_ok());
        let base = Base {
            generation: 1,
            layout: Layout::from_bits(7).unwrap(),
            shards: vec![ShardRef { length: 1, sha256: [0; 32] }; 8],
        };
        let longest = Head { base: Some(base), ..most };
        assert_eq!(longest.encode().len(), MAX_HEAD_BYTES);
        assert!(Head::parse(&longest.encode(), NOW).is_ok());
    }

    #[test]
    fn no_other_bytes_are_a_head() {
        let bytes = with_base(3, 2, &["a"], &["b", "c"]).head.encode();
        for place in 0..bytes.len() {
            for bit in 0..8 {
                let mut changed = bytes.clone();
                changed[place] ^= 1 << bit;
                let problem = Head::parse(&changed, NOW).unwrap_err();
                assert_eq!(problem.to_string(), "head is not ours, or damaged");
            }
            assert!(Head::parse(&bytes[..place], NOW).is_err());
        }
        // With a checksum that is right.
        let sealed = |content: &[u8]| [content, &Sha256::digest(content)[..]].concat();
        let content = &bytes[..bytes.len() - CHECKSUM_BYTES];
        assert!(Head::parse(&sealed(content), NOW).is_ok());
        for (what, content) in [
            ("longer", [content, &[0]].concat()),
            ("shorter", content[..content.len() - 1].to_vec()),
            ("another layout", [&content[..28], &[8], &content[29..]].concat()),
            ("nothing", Vec::new()),
        ] {
            assert!(Head::parse(&sealed(&content), NOW).is_err(), "{what}");
        }
        for delta in [vec![1, 1], vec![2, 1], (0..=MAX_DELTA as u64).collect()] {
            let unsorted = Head { delta, ..head(1, &[]) };
            assert!(Head::parse(&unsorted.encode(), NOW).is_err());
        }
        let huge = ShardRef { length: 4_000_001, sha256: [0; 32] };
        let base = Base { generation: 1, layout: Layout::for_entries(1), shards: vec![huge] };
        assert!(Head::parse(&Head { base: Some(base), ..head(1, &[]) }.encode(), NOW).is_err());
    }

    #[test]
    fn a_shard_is_taken_for_what_the_head_names_only() {
        let layout = Layout::for_entries(1);
        let shard =
            |name: &str| encode_shard(&[Block::build(vec![key(name).fingerprint()]).unwrap()]);
        let reference = ShardRef::of(&shard("a"));
        assert!(reference.read(shard("a"), layout).is_ok());
        let problem = reference.read(shard("b"), layout).unwrap_err();
        assert_eq!(problem.to_string(), "shard is not the one that was published");
        assert!(ShardRef::of(b"garbage").read(b"garbage".to_vec(), layout).is_err());
        let missing = Snapshot::new(with_base(1, 1, &[], &[]).head.clone(), Vec::new());
        assert_eq!(missing.unwrap_err().to_string(), "a shard is missing");
    }

    #[test]
    fn a_snapshot_finds_what_is_in_its_filter_or_its_list() {
        let held = with_base(2, 1, &["a"], &["b"]);
        for (name, expected) in [("a", true), ("b", true), ("c", false)] {
            assert_eq!(held.may_contain(&key(name)), expected, "{name}");
        }
        let next = Head { base: held.head.base.clone(), ..head(3, &["c"]) };
        let next = held.with_head(&next).unwrap();
        for (name, expected) in [("a", true), ("b", false), ("c", true)] {
            assert_eq!(next.may_contain(&key(name)), expected, "{name}");
        }
        assert!(held.with_head(&with_base(4, 3, &["a"], &[]).head).is_none(), "another filter");
    }

    #[test]
    fn an_isolate_loads_once_refreshes_in_time_and_gives_up_on_what_is_old() {
        let mut holder = Holder::default();
        assert_eq!(holder.decide(RULES, NOW), Plan::MustLoad);
        holder.begin(NOW);
        assert_eq!(holder.decide(RULES, NOW), Plan::Wait, "another request loads");
        let late = NOW.saturating_add(LOAD_MILLIS);
        assert_eq!(holder.decide(RULES, late), Plan::MustLoad, "it was cancelled");
        holder.end(Ok(snapshot(1, &[])), RULES, NOW);
        assert_eq!(holder.decide(RULES, at(9)), Plan::Use);
        assert_eq!(holder.decide(RULES, at(10)), Plan::UseAndRefresh);
        holder.begin(at(10));
        assert_eq!(holder.decide(RULES, at(10)), Plan::Use, "it is being refreshed");
        holder.end(Err("KV: 500".to_owned()), RULES, at(11));
        assert_eq!(holder.problem(), Some("KV: 500"));
        assert_eq!(holder.decide(RULES, at(19)), Plan::Use, "the last good one stays");
        assert_eq!(holder.decide(RULES, at(20)), Plan::UseAndRefresh);
        assert_eq!(holder.decide(RULES, at(120)), Plan::UseAndRefresh);
        assert_eq!(holder.decide(RULES, at(121)), Plan::MustLoad);
        holder.begin(at(121));
        holder.end(Err("KV: 500".to_owned()), RULES, at(122));
        assert_eq!(holder.decide(RULES, at(122)), Plan::TooOld);
        assert_eq!(holder.decide(RULES, at(123)), Plan::MustLoad, "tried again");
        holder.begin(at(123));
        holder.end(Ok(snapshot(2, &[])), RULES, at(123));
        assert_eq!(holder.decide(RULES, at(123)), Plan::TooOld, "newer, and as old");
        let fresh = Head { published_at: at(124), ..head(2, &[]) };
        holder.end(Ok(Rc::new(Snapshot::new(fresh, Vec::new()).unwrap())), RULES, at(125));
        assert_eq!(holder.decide(RULES, at(125)), Plan::Use);
        assert_eq!(holder.problem(), None);
    }

    #[test]
    fn a_load_that_outlives_its_request_is_waited_for() {
        let mut holder = Holder::default();
        holder.begin(NOW);
        holder.goes_on(at(2));
        assert_eq!(holder.decide(RULES, at(17)), Plan::Wait);
        holder.end(Ok(snapshot(1, &[])), RULES, at(17));
        assert_eq!(holder.decide(RULES, at(17)), Plan::UseAndRefresh);
        holder.begin(at(17));
        holder.goes_on(at(17));
        assert_eq!(holder.decide(RULES, at(32)), Plan::Use, "one at a time");
        assert_eq!(holder.decide(RULES, at(33)), Plan::UseAndRefresh, "it was lost");
    }

    #[test]
    fn an_older_snapshot_is_not_adopted() {
        let mut holder = holding(snapshot(5, &["a"]));
        for (generation, adopted) in [(4, false), (5, false), (6, true)] {
            holder.begin(NOW);
            holder.end(Ok(snapshot(generation, &["b"])), RULES, NOW);
            let held = holder.snapshot().unwrap();
            assert_eq!(held.may_contain(&key("b")), adopted, "{generation}");
        }
    }

    #[test]
    fn what_is_not_in_the_snapshot_is_known_and_the_rest_is_asked() {
        let mut holder = Holder::default();
        assert_eq!(holder.look_up(&key("a"), NOW), Lookup::Ask, "there is no snapshot");
        holder.end(Ok(snapshot(1, &["a"])), RULES, NOW);
        assert_eq!(holder.look_up(&key("b"), NOW), Lookup::Known(None));
        assert_eq!(holder.look_up(&key("a"), NOW), Lookup::Ask);
        holder.remember(key("a"), Some(entry("a")), holder.mark(), 10, NOW);
        assert_eq!(holder.look_up(&key("a"), at(9)), Lookup::Known(Some(entry("a"))));
        assert_eq!(holder.look_up(&key("a"), at(10)), Lookup::Ask);
    }

    #[test]
    fn a_false_positive_is_asked_about_once_until_the_snapshot_changes_for_it() {
        let mut holder = holding(with_base(1, 1, &["false"], &["undone"]));
        for name in ["false", "undone"] {
            assert_eq!(holder.look_up(&key(name), NOW), Lookup::Ask);
            holder.remember(key(name), None, holder.mark(), 10, NOW);
            assert_eq!(holder.look_up(&key(name), at(100)), Lookup::Known(None), "{name}");
        }
        let mut adopt = |next| {
            holder.end(Ok(next), RULES, NOW);
            [holder.look_up(&key("false"), NOW), holder.look_up(&key("undone"), NOW)]
        };
        let known = || Lookup::Known(None);
        assert_eq!(adopt(with_base(2, 1, &["false"], &["other"])), [known(), known()]);
        assert_eq!(adopt(with_base(3, 1, &["false"], &["undone"])), [known(), Lookup::Ask]);
        assert_eq!(adopt(with_base(4, 1, &["false"], &["false"])), [Lookup::Ask, known()]);
        assert_eq!(adopt(with_base(5, 5, &["false"], &[])), [Lookup::Ask, known()]);
    }

    #[test]
    fn a_remembered_entry_is_asked_about_again_once_the_snapshot_may_have_a_stronger_one() {
        let mut holder = holding(with_base(1, 1, &["filter"], &["list"]));
        let mut adopt = |next, name: &str| {
            holder.end(Ok(next), RULES, NOW);
            let was = holder.look_up(&key(name), NOW);
            holder.remember(key(name), Some(entry(name)), holder.mark(), 3600, NOW);
            assert_eq!(holder.look_up(&key(name), NOW), Lookup::Known(Some(entry(name))));
            was
        };
        for name in ["filter", "list"] {
            assert_eq!(adopt(with_base(1, 1, &["filter"], &["list"]), name), Lookup::Ask);
        }
        let known = |name| Lookup::Known(Some(entry(name)));
        let next = || with_base(2, 1, &["filter"], &["list"]);
        assert_eq!(adopt(next(), "filter"), known("filter"), "the same filter, not on the list");
        assert_eq!(adopt(next(), "list"), Lookup::Ask, "written again, or for all that is known");
        let next = || with_base(3, 1, &["filter"], &["filter"]);
        assert_eq!(adopt(next(), "filter"), Lookup::Ask, "written again");
        let next = || with_base(4, 4, &["filter"], &[]);
        assert_eq!(adopt(next(), "filter"), Lookup::Ask, "another filter");
    }

    #[test]
    fn what_an_isolate_wrote_holds_there_until_a_snapshot_has_it() {
        let mut holder = holding(snapshot(5, &[]));
        holder.wrote(key("a"), entry("a"), 6, NOW);
        assert_eq!(holder.look_up(&key("a"), at(60)), Lookup::Known(Some(entry("a"))));
        holder.end(Ok(snapshot(6, &[])), RULES, NOW);
        assert_eq!(holder.look_up(&key("a"), NOW), Lookup::Known(Some(entry("a"))));
        holder.end(Ok(snapshot(7, &["a"])), RULES, NOW);
        assert_eq!(holder.look_up(&key("a"), NOW), Lookup::Ask);
        holder.end(Ok(snapshot(8, &[])), RULES, NOW);
        assert_eq!(holder.look_up(&key("a"), NOW), Lookup::Known(None), "undone elsewhere");
        holder.wrote(key("a"), entry("a"), 8, NOW);
        holder.removed(&key("a"));
        assert_eq!(holder.look_up(&key("a"), NOW), Lookup::Known(None));
    }

    #[test]
    fn an_answer_that_was_overtaken_is_not_remembered() {
        let mut holder = holding(snapshot(5, &["a"]));
        let mark = holder.mark();
        holder.wrote(key("b"), entry("b"), 5, NOW);
        holder.remember(key("a"), None, mark, 10, NOW);
        assert_eq!(holder.look_up(&key("a"), NOW), Lookup::Ask);
        let mark = holder.mark();
        holder.end(Ok(snapshot(6, &["a"])), RULES, NOW);
        holder.remember(key("a"), None, mark, 10, NOW);
        assert_eq!(holder.look_up(&key("a"), NOW), Lookup::Ask);
    }
}
