//! Who may guess at a password, and how many hashes there are in all.

use core::cell::{OnceCell, RefCell};

use super::{
    super::{
        Backend, cookies,
        request::{address, site},
    },
    AccountFlow, Accounts, fault,
    password_list::KeptList,
};
use crate::{
    account::{
        common_passwords::CommonPasswords,
        device::{self, Device},
        row::{RowKey, shard_of},
        step::{AddressReserved, LoginOutcome, LoginStep, OfAddress, Shard, Work},
    },
    bounded::BoundedMap,
    error::Error,
    guard::backend::unavailable,
    limit::{Charge, CounterGroup, Limit, LimitAlgorithm, Verdict, lease},
    policy::LimitStore,
    store::limit_stores::LimitStores as _,
    time::UnixMillis,
};

/// How many names and addresses without a guess an isolate remembers.
const MAX_REMEMBERED: usize = 10_000;

/// For so long an isolate does not ask again about an address. A right guess of a neighbour may come back sooner than its window ends.
const ADDRESS_MILLIS: u64 = 5_000;

/// Hashes of all together in [`HASHES_SECS`], at all isolates: 20 a second, so many at once. A hash takes some tens of milliseconds of a
/// processor, so this is less than one.
const HASHES: u32 = 400;
const HASHES_AT_ONCE: u32 = 100;

/// Of these, those of browsers that nobody has logged in with: half.
const HASHES_OF_STRANGERS: u32 = 200;
const STRANGERS_AT_ONCE: u32 = 50;

const HASHES_SECS: u32 = 20;

/// So many hashes of one browser are those of a browser that is known, in [`OF_BROWSER_SECS`]. Its cookie says that somebody has logged in with it,
/// not whose name it is sent with: whoever has an account has such cookies, and would take the hashes of all with a few of them.
const HASHES_OF_BROWSER: u32 = 20;
const OF_BROWSER_SECS: u32 = 900;

/// What an isolate may borrow of them, so that not each login asks the counter.
const LENT: lease::Terms = lease::Terms { requests: 5, secs: 1 };

/// What an isolate remembers of names and addresses: who has no guess left asks nobody.
#[derive(Debug)]
pub struct AccountMemory {
    refused: RefCell<BoundedMap<RowKey, UnixMillis>>,
    pub(super) list: KeptList,
    /// The list that comes along, read once: it takes as much memory as its file.
    common: OnceCell<Option<CommonPasswords>>,
}

impl Default for AccountMemory {
    fn default() -> Self {
        Self {
            refused: RefCell::new(BoundedMap::new(MAX_REMEMBERED)),
            list: KeptList::default(),
            common: OnceCell::new(),
        }
    }
}

impl AccountMemory {
    /// The list of common passwords that comes along.
    pub(super) fn common(&self) -> &[CommonPasswords] {
        self.common.get_or_init(CommonPasswords::shipped).as_slice()
    }
}

impl<B: Backend, A: Accounts> AccountFlow<'_, B, A> {
    /// The browser of this request, if somebody has logged in with it. Two cookies are none.
    pub(super) fn known_browser(&self) -> Option<Device> {
        let mut values = cookies::own(device::COOKIE, self.request.cookie.unwrap_or_default());
        let (value, None) = (values.next()?, values.next()) else { return None };
        Device::parse(value, &self.accounts.secrets)
    }

    /// Refuses a name that this isolate knows to have no guess left for strangers, or an account that has none at its codes.
    pub(super) fn check_remembered(&self, of: &'static str, key: &RowKey) -> Result<(), Error> {
        match self.edge.memory().refused.borrow().get(key, self.now) {
            Some(until) => Err(self.too_many(of, *until)),
            None => Ok(()),
        }
    }

    pub(super) fn remember(&self, key: &RowKey, until: UnixMillis) {
        self.edge.memory().refused.borrow_mut().insert(*key, until, until, self.now);
    }

    pub(super) fn too_many(&self, of: &'static str, until: UnixMillis) -> Error {
        let secs = until.millis_since(self.now).div_ceil(1000).max(1);
        let retry_after_secs = u32::try_from(secs).unwrap_or(u32::MAX);
        Error::TooManyGuesses { of, retry_after_secs }
    }

    /// Reserves a guess of the address, and of the network around it.
    pub(super) async fn reserve_address(
        &self,
        work: Work,
    ) -> Result<(Shard, OfAddress, AddressReserved), Error> {
        let secrets = &self.accounts.secrets;
        let network = site(self.request.client_ip).map(|site| secrets.key_of_address(&site));
        let own = secrets.key_of_address(&address(self.request.client_ip));
        let of = OfAddress { address: own, network, work };
        if let Some(until) = self.edge.memory().refused.borrow().get(&own, self.now) {
            return Err(self.too_many("address", *until));
        }
        // One place for all addresses of a network, so that one step counts both.
        let shard = Shard::Addresses(shard_of(&network.unwrap_or(own)));
        match self.apply(shard, LoginStep::Reserve(of)).await? {
            LoginOutcome::Reserved(reserved) => Ok((shard, of, reserved)),
            LoginOutcome::TooMany(until) => {
                let soon = self.now.saturating_add(ADDRESS_MILLIS).min(until);
                let mut refused = self.edge.memory().refused.borrow_mut();
                refused.insert(own, until, soon, self.now);
                Err(self.too_many("address", until))
            }
            _ => Err(fault("a reservation has come to nothing")),
        }
    }

    /// Takes a hash for a guess at this name: of those for browsers that are known, or as a stranger, who is refused a name that has no guess left.
    pub(super) async fn take_hash_at(&self, name: Option<&RowKey>) -> Result<(), Error> {
        let is_known =
            self.is_known("password-hashes", (HASHES_OF_BROWSER, OF_BROWSER_SECS)).await?;
        if let (Some(name), false) = (name, is_known) {
            self.check_remembered("name", name)?;
        }
        self.take_hash(is_known).await
    }

    /// Whether what is kept for browsers that are known is for this one. Each has so many of it, and beyond them is a stranger.
    pub(super) async fn is_known(
        &self,
        what: &str,
        (count, secs): (u32, u32),
    ) -> Result<bool, Error> {
        let Some(browser) = self.known_browser() else { return Ok(false) };
        let group = CounterGroup::new(&[what, "browser", &browser.counted_by().to_string()]);
        let limit = Limit::new(what, count, secs, LimitAlgorithm::SlidingWindow)?;
        Ok(self.count(&group, &[limit]).await?.iter().all(|verdict| verdict.admitted))
    }

    /// Takes a hash of those that all have together. It is not given back: it was computed, or an object was asked.
    pub(super) async fn take_hash(&self, is_known: bool) -> Result<(), Error> {
        let (group, limits) = hashes(is_known)?;
        match self.count(&group, &limits).await?.iter().find(|verdict| !verdict.admitted) {
            Some(verdict) => Err(of_all(verdict.retry_after_secs)),
            None => Ok(()),
        }
    }

    /// Counts one. What this isolate knows to be used up it asks nobody about.
    pub(super) async fn count(
        &self,
        group: &CounterGroup,
        limits: &[Limit],
    ) -> Result<Vec<Verdict>, Error> {
        let charge = || Charge::new(group, limits, 1, self.now);
        let counters = self.backend.counters();
        match counters.refusal_unasked(&LimitStore::DurableObject, charge()) {
            Some(known) => Ok(known),
            None => {
                let taken = counters.take(&LimitStore::DurableObject, charge()).await;
                taken.map_err(|fault| unavailable("counters", &fault))
            }
        }
    }

    /// Refuses where this isolate knows that there is no hash left.
    pub(super) fn check_hashes(&self) -> Result<(), Error> {
        let (group, limits) = hashes(self.known_browser().is_some())?;
        let charge = Charge::new(&group, &limits, 1, self.now);
        let known = self.backend.counters().refusal_unasked(&LimitStore::DurableObject, charge);
        match known.iter().flatten().find(|verdict| !verdict.admitted) {
            Some(refused) => Err(of_all(refused.retry_after_secs)),
            None => Ok(()),
        }
    }
}

fn of_all(retry_after_secs: u32) -> Error {
    Error::TooManyGuesses { of: "all", retry_after_secs: retry_after_secs.max(1) }
}

fn hashes(is_known: bool) -> Result<(CounterGroup, Vec<Limit>), Error> {
    let limit = |name, requests, burst| {
        Limit::new(name, requests, HASHES_SECS, LimitAlgorithm::TokenBucket { burst })?
            .with_lease(LENT)
    };
    let mut limits = vec![limit("password-hashes", HASHES, HASHES_AT_ONCE)?];
    if !is_known {
        limits.push(limit("hashes-of-strangers", HASHES_OF_STRANGERS, STRANGERS_AT_ONCE)?);
    }
    Ok((CounterGroup::new(&["password-hashes"]), limits))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_of_all_hashes_are_for_browsers_that_are_known() {
        let (of_known, own) = hashes(true).unwrap();
        let (of_strangers, both) = hashes(false).unwrap();
        assert_eq!(of_known, of_strangers);
        assert_eq!(own.len(), 1);
        assert_eq!(both.first(), own.first());
        assert_eq!(both[1].requests() * 2, both[0].requests());
    }
}
