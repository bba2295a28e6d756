//! The one pipeline, the same on every edge:
//! path → route → address → credential → verify → revocation → scopes → limits → decision.
//!
//! The way of a request is one file, `pipeline`, and each step is another: `addresses`, `credential`, `token`, `proof`, `api_key`,
//! `revocation`, `scopes`, `limits`. A step is given what it needs and returns what it came to. The pipeline puts the
//! [`Decision`] together.
//!
//! Scopes are checked before limits, so that a caller who may not use a route cannot use up a limit
//! that others share there.
//!
//! All isolates share the ledger of revocations and a store of used proofs, and each request has to ask them. So they
//! are asked between scopes and limits, and only if no limit is known to refuse: what is cheap comes first.

mod account_event;
pub mod accounts;
mod addresses;
pub mod administration;
mod allowed;
mod api_key;
mod backend;
pub mod cookies;
mod credential;
mod decision;
mod event;
mod failures;
pub mod grants;
mod https;
mod identity;
mod limits;
pub mod login;
pub mod mails;
mod memory;
mod only_read;
mod pipeline;
mod proof;
mod request;
mod revocation;
mod scopes;
pub mod session;
pub mod shadow;
mod sign_in;
mod signatures;
mod token;
pub mod watched;

pub(crate) use self::request::scheme_and_rest;
pub use self::{
    account_event::{AccountAction, AccountEvent, AskedBy},
    backend::{Backend, Host, StoreBackend},
    credential::{Carrier, bearer_token},
    decision::Decision,
    event::{AccountDone, Administered, Decided, Event, Fault, PassedOn},
    failures::{Attempts, Failures, LoginTry, LookUp},
    https::{Insecure, insecure},
    identity::{ApiKeyIdentity, Identity, TokenIdentity},
    limits::LimitReport,
    memory::IsolateMemory,
    only_read::{OnlyRead, Sparing, SparingSessions},
    pipeline::Guard,
    request::{Request, preflight_of, target_of},
    session::{NoSessions, SessionMemory, SessionNote, Sessions},
    signatures::SeenSignatures,
};
