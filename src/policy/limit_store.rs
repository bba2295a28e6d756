//! Where limits are counted: the names of the stores, and what each of them can do. All that a policy and the edges
//! have to know of a store is in [`LimitStore::rules`].

use super::check::token;
use crate::{
    error::Error,
    json::object::words,
    limit::{Limit, LimitAlgorithm, lease},
};

/// The word for a store in a policy.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum StoreName {
    Memory,
    Kv,
    #[default]
    DurableObject,
    Binding,
}

words!(StoreName {
    "memory" => StoreName::Memory,
    "kv" => StoreName::Kv,
    "durable-object" => StoreName::DurableObject,
    "shared" => StoreName::DurableObject,
    "binding" => StoreName::Binding,
});

/// Where a limit is counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LimitStore {
    /// In each isolate for itself: cheap, and as many times the limit as there are isolates.
    Memory,
    /// In Workers KV, added up over all isolates, late: advisory ([`crate::limit::advisory`]).
    Kv,
    /// In one Durable Object for each counted thing: exact. Outside Workers, in what else is shared and
    /// can compare and swap; `shared` is another word for it.
    DurableObject,
    /// In a rate-limiting binding: cheap, for each location, answers only yes or no.
    Binding(String),
}

/// What has to be there for a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreNeeds {
    /// Nothing.
    Nothing,
    /// A KV namespace.
    Kv,
    /// Durable Objects. Outside Workers, a store that can compare and swap.
    DurableObjects,
    /// The rate-limiting binding that the limit names.
    RateLimitBinding,
}

/// What a store can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoreRules {
    /// What it needs.
    pub needs: StoreNeeds,
    /// When it is asked: before those of a higher number. What an isolate decides by itself comes first, since a refusal
    /// there saves a question to a counter elsewhere, and nothing has to be given back. What cannot give back comes last.
    pub turn: u8,
    /// Whether it answers only yes or no, to one limit at a time, and counts each question as one request.
    pub says_only_yes_or_no: bool,
    /// Whether it can count a token bucket.
    pub has_buckets: bool,
    /// Whether it lends part of a limit to isolates ([`crate::limit::lease`]).
    pub lends: bool,
    /// Whether the npm package has it too.
    pub is_in_npm: bool,
}

impl LimitStore {
    /// What this store can do.
    #[must_use]
    pub const fn rules(&self) -> StoreRules {
        // Each row is whole, so that a new store takes nothing over from another one.
        match self {
            Self::Memory => StoreRules {
                needs: StoreNeeds::Nothing,
                turn: 0,
                says_only_yes_or_no: false,
                has_buckets: true,
                lends: false,
                is_in_npm: true,
            },
            // It adds counts up, and the levels of buckets have no sum.
            Self::Kv => StoreRules {
                needs: StoreNeeds::Kv,
                turn: 0,
                says_only_yes_or_no: false,
                has_buckets: false,
                lends: false,
                is_in_npm: false,
            },
            Self::DurableObject => StoreRules {
                needs: StoreNeeds::DurableObjects,
                turn: 1,
                says_only_yes_or_no: false,
                has_buckets: true,
                lends: true,
                is_in_npm: true,
            },
            // It has an algorithm of its own: the policy's numbers are what callers are told.
            Self::Binding(_) => StoreRules {
                needs: StoreNeeds::RateLimitBinding,
                turn: 2,
                says_only_yes_or_no: true,
                has_buckets: true,
                lends: false,
                is_in_npm: false,
            },
        }
    }

    /// The name of the rate-limiting binding, if it is one.
    pub(super) const fn binding(&self) -> Option<&str> {
        match self {
            Self::Binding(name) => Some(name.as_str()),
            Self::Memory | Self::Kv | Self::DurableObject => None,
        }
    }

    /// The store of this name. `path` is the limit's in the policy, where `binding` may stand too.
    pub(super) fn read(path: &str, name: StoreName, binding: Option<&str>) -> Result<Self, Error> {
        let refused = |problem| Err(Error::config(format!("{path}.binding"), problem));
        match (name, binding) {
            (StoreName::Memory, None) => Ok(Self::Memory),
            (StoreName::Kv, None) => Ok(Self::Kv),
            (StoreName::DurableObject, None) => Ok(Self::DurableObject),
            (StoreName::Binding, Some(name)) => {
                Ok(Self::Binding(token(&format!("{path}.binding"), name)?))
            }
            (StoreName::Binding, None) => refused("expected the name of a rate-limiting binding"),
            (_, Some(_)) => refused("only store = binding has a binding"),
        }
    }

    /// Whether the limit can be counted here, on these terms of a lease.
    pub(super) fn check(
        &self,
        path: &str,
        limit: &Limit,
        terms: Option<lease::Terms>,
    ) -> Result<(), Error> {
        let is_bucket = matches!(limit.algorithm(), LimitAlgorithm::TokenBucket { .. });
        if is_bucket && !self.rules().has_buckets {
            let problem = "counters in kv are added up, which a token-bucket's cannot be";
            return Err(Error::config(format!("{path}.algorithm"), problem));
        }
        if terms.is_some() && !self.rules().lends {
            let problem = "only store = durable-object lends";
            return Err(Error::config(format!("{path}.lease"), problem));
        }
        Ok(())
    }
}
