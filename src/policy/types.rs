//! The choices of a policy: enums whose words the document writes, each with its safe default.

use serde_json::Value;

use crate::{
    error::StoreError,
    json::{fault::DocumentFault, object::words, readable::Readable},
};

/// Which decisions are written to the event log.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Log {
    /// Refusals, and faults of stores (the default).
    #[default]
    Refusals,
    /// Admitted requests too.
    All,
    /// Nothing.
    None,
}

words!(Log {
    "refusals" => Log::Refusals,
    "all" => Log::All,
    "none" => Log::None,
});

/// Whether accounts have second factors. Who has one is always asked for it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum SecondFactor {
    /// Nobody sets one up.
    Off,
    /// Who likes sets one up (the default).
    #[default]
    Optional,
    /// Nobody logs in without one.
    Required,
}

words!(SecondFactor {
    "off" => SecondFactor::Off,
    "optional" => SecondFactor::Optional,
    "required" => SecondFactor::Required,
});

/// Whether routes and paths that differ in case are the same. It has to be what the service behind the gate
/// does: one that answers `/ADMIN` as `/admin` is guarded by the route of the latter only with
/// `insensitive`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum PathCase {
    /// They differ (the default, and RFC 3986 §6.2.2.1).
    #[default]
    Sensitive,
    /// They are the same, as for Express and IIS.
    Insensitive,
}

words!(PathCase {
    "sensitive" => PathCase::Sensitive,
    "insensitive" => PathCase::Insensitive,
});

/// What keeps one caller's answer from another by way of a cache.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Cache {
    /// The gate does (the default): requests of anybody but anonymous bypass the platform's cache, and their answers
    /// are marked `private` where the service says nothing about it ([`crate::http::caching`]).
    #[default]
    Private,
    /// The service's own headers do. They have to: the gate takes `Authorization` off, which is what caches go by.
    Upstream,
}

words!(Cache {
    "private" => Cache::Private,
    "upstream" => Cache::Upstream,
});

/// What becomes of a CORS preflight: `OPTIONS` with `Origin` and `Access-Control-Request-Method`, which browsers send
/// without credentials.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Preflight {
    /// The gate answers with 204 and does not ask the service (the default).
    #[default]
    Answer,
    /// It is admitted as anonymous, counted by the limits by `ip` of its route; a credential that comes with it is not looked at.
    /// Where the policy answers the route itself it is as [`Preflight::Answer`].
    /// The Worker as a proxy passes it on without body and credential. What a proxy that asks by forward-auth passes on is up to
    /// that proxy, and in an application the handler gets the request as it came.
    Pass,
    /// It is refused with `NOT_ALLOWED`.
    Refuse,
}

impl Preflight {
    /// Whether this lets less through than the other.
    pub(super) const fn is_stricter_than(self, other: Self) -> bool {
        match self {
            Self::Pass => false,
            Self::Answer => matches!(other, Self::Pass),
            Self::Refuse => !matches!(other, Self::Refuse),
        }
    }
}

words!(Preflight {
    "answer" => Preflight::Answer,
    "pass" => Preflight::Pass,
    "refuse" => Preflight::Refuse,
});

/// What becomes of requests over plain http.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Https {
    /// `GET` and `HEAD` are sent to https with 308; the rest, and whatever carries a credential, is refused with `HTTPS_REQUIRED`.
    Redirect,
    /// All are refused with `HTTPS_REQUIRED`.
    Refuse,
}

words!(Https {
    "redirect" => Https::Redirect,
    "refuse" => Https::Refuse,
});

/// Where the gate remembers which proofs of possession have been used ([`crate::jose::dpop`]).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Replays {
    /// In each isolate for itself (the default): a proof passes at most once in each.
    #[default]
    Memory,
    /// In one Durable Object for each proof: it passes once. Outside Workers, in what else is shared and can compare
    /// and swap; `shared` is another word for it. Without an answer the request is refused.
    DurableObject,
}

words!(Replays {
    "memory" => Replays::Memory,
    "durable-object" => Replays::DurableObject,
    "shared" => Replays::DurableObject,
});

/// What a request that needs a store gets when the store does not answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum OnError {
    /// It is refused with `STORE_UNAVAILABLE` (the default).
    #[default]
    Deny,
    /// It goes on as if the store held nothing; the event log says so. Where it was the gate that asked no more
    /// ([`StoreError::is_own_bound`]), it is refused all the same.
    Allow,
}

impl OnError {
    /// What follows this fault: a bound of the gate's own lets nobody pass, since callers can bring it about.
    pub(crate) const fn after(self, fault: &StoreError) -> Self {
        if fault.is_own_bound() { Self::Deny } else { self }
    }
}

words!(OnError {
    "deny" => OnError::Deny,
    "allow" => OnError::Allow,
});

/// How the keys of a prefix are verified.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum KeyFormat {
    /// The gate's own format: checksum and tag are checked without I/O (the default).
    #[default]
    Edgegate,
    /// Keys of another system, imported by their SHA-256: each presented one costs a look-up.
    Imported,
}

words!(KeyFormat {
    "edgegate" => KeyFormat::Edgegate,
    "imported" => KeyFormat::Imported,
});

/// Whether the record of an API key is looked up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Records {
    /// A key without a record is refused (the default).
    #[default]
    Required,
    /// A record restricts a key, and says whose it is. A key without one is taken too, but gets no more than its prefix's
    /// `scopes_without_record`: that a record is missing, late or forgotten must not widen a key. Revocations have to be kept
    /// beside the records.
    Optional,
    /// Nothing is looked up: the tag alone decides, and scopes are the prefix's. No record can narrow or end such a key; only
    /// its own expiry and a revocation entry do.
    None,
}

words!(Records {
    "required" => Records::Required,
    "optional" => Records::Optional,
    "none" => Records::None,
});

/// Seconds an isolate may believe what it read from a store: the staleness it adds to the store's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CacheSecs(pub u32);

impl Readable for CacheSecs {
    fn blank() -> Self {
        Self(0)
    }

    fn read(&mut self, value: Value) -> Result<(), Box<DocumentFault>> {
        self.0.read(value)
    }
}

impl Default for CacheSecs {
    /// 10 s: saves nearly all reads of a busy caller, and is small beside the 60 s a KV write may take
    /// to be seen elsewhere.
    fn default() -> Self {
        Self(10)
    }
}

/// Where revocations are kept, and how they are looked up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum RevocationMode {
    /// One KV key for each entry (the default).
    #[default]
    Entries,
    /// The ledger, by the filter that it publishes; what the filter finds is confirmed.
    Snapshot,
    /// The ledger itself is asked for each request.
    Ledger,
}

words!(RevocationMode {
    "entries" => RevocationMode::Entries,
    "snapshot" => RevocationMode::Snapshot,
    "ledger" => RevocationMode::Ledger,
});

/// How a route looks revocations up, where the policy has a ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RouteRevocation {
    /// By the published filter.
    Snapshot,
    /// By asking the ledger.
    Ledger,
}

words!(RouteRevocation {
    "snapshot" => RouteRevocation::Snapshot,
    "ledger" => RouteRevocation::Ledger,
});

impl From<RouteRevocation> for RevocationMode {
    fn from(of_route: RouteRevocation) -> Self {
        match of_route {
            RouteRevocation::Snapshot => Self::Snapshot,
            RouteRevocation::Ledger => Self::Ledger,
        }
    }
}

/// What a limit counts together; a list counts each combination.
///
/// A limit by something the request does not have (`api_key` for a caller with a token) does not
/// concern that request. `caller` and `ip` always concern it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum CountBy {
    /// The caller, of any kind: the token's subject, the API key, or the address of an anonymous caller
    /// (the default).
    #[default]
    Caller,
    /// The token's issuer and subject.
    Subject,
    /// The API key, counted together with those that it replaced ([`KeyRecord::family`](crate::api_key::record::KeyRecord::family)).
    ApiKey,
    /// The client's address; IPv6 by its /64.
    Ip,
    /// The token's issuer.
    Issuer,
    /// The route of the policy.
    Route,
}

words!(CountBy {
    "caller" => CountBy::Caller,
    "subject" => CountBy::Subject,
    "api_key" => CountBy::ApiKey,
    "ip" => CountBy::Ip,
    "issuer" => CountBy::Issuer,
    "route" => CountBy::Route,
});

impl CountBy {
    /// Whether a limit by these counts requests by their address alone.
    pub(crate) fn is_address(by: &[Self]) -> bool {
        by.contains(&Self::Ip) && by.iter().all(|one| matches!(one, Self::Ip | Self::Route))
    }

    /// Whether an anonymous request has nothing to count by.
    pub(super) const fn needs_identity(&self) -> bool {
        match self {
            Self::Subject | Self::ApiKey | Self::Issuer => true,
            Self::Caller | Self::Ip | Self::Route => false,
        }
    }
}

/// What a token in a header of `credential_headers` means beside a credential of the caller's own.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Beside {
    /// They are two credentials, and the request is refused (the default).
    #[default]
    Refuse,
    /// The caller's own decides alone; the header is not looked at, nor passed on.
    Ignore,
}

words!(Beside {
    "refuse" => Beside::Refuse,
    "ignore" => Beside::Ignore,
});

/// Whether a route asks for a credential.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Auth {
    /// Yes (the default).
    #[default]
    Required,
    /// No, but one that is presented has to be good.
    Optional,
    /// No; one that is presented is not looked at, nor passed on.
    None,
}

words!(Auth {
    "required" => Auth::Required,
    "optional" => Auth::Optional,
    "none" => Auth::None,
});

/// Whether requests with the cookie of the policy have to come from a page of this origin ([`crate::session::csrf`]).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Csrf {
    /// Unsafe ones do (the default).
    #[default]
    On,
    /// The service sees to it.
    Off,
}

words!(Csrf {
    "on" => Csrf::On,
    "off" => Csrf::Off,
});

/// How the service is told who is calling.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum IdentityForm {
    /// By the headers `X-Auth-…` (the default).
    #[default]
    Headers,
    /// By these, and by a signed token in `X-Auth-Token` ([`crate::session::identity_token`]).
    Jwt,
}

words!(IdentityForm {
    "headers" => IdentityForm::Headers,
    "jwt" => IdentityForm::Jwt,
});

/// The kinds of credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CredentialKind {
    /// A JSON Web Token.
    Jwt,
    /// An API key.
    ApiKey,
}

words!(CredentialKind {
    "jwt" => CredentialKind::Jwt,
    "api_key" => CredentialKind::ApiKey,
});
