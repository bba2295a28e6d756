//! What a policy needs beside itself from the place where it is deployed: stores and services that have to be bound.

use super::{Policy, Replays};
use crate::session::client::ClientProof;

/// Something that has to be bound. What it is called there is the edge's to say, but for what the policy itself names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Binding<'p> {
    /// The key-value store.
    Kv,
    /// Exact counters.
    Counters,
    /// The ledger of revocations.
    Ledger,
    /// Sessions of subjects.
    Sessions,
    /// The keys that sign the tokens of sessions.
    KeyRing,
    /// A service by this name.
    Service(&'p str),
    /// A rate limiter by this name.
    RateLimiter(&'p str),
}

/// A binding, and the field of the policy that asks for it where it is one alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Need<'p> {
    /// What has to be bound.
    pub binding: Binding<'p>,
    /// The path of the field.
    pub path: Option<String>,
}

impl Policy {
    /// Everything that has to be bound. A binding may be there twice.
    #[must_use]
    pub fn needs(&self) -> Vec<Need<'_>> {
        let kv = self.needs_kv().then_some(Need::of(Binding::Kv));
        let by_replays = (self.replays == Replays::DurableObject)
            .then(|| Need { binding: Binding::Counters, path: Some("dpop.replays".to_owned()) });
        let objects = [
            (self.needs_durable_objects(), Binding::Counters),
            (self.needs_ledger(), Binding::Ledger),
            // An assertion counts once, at all isolates together.
            (self.has_client_with_assertions(), Binding::Counters),
            (self.sessions.as_ref().is_some_and(|own| own.keys.is_none()), Binding::KeyRing),
            (self.sessions.is_some(), Binding::Sessions),
        ];
        let objects = objects.into_iter().filter(|(is_needed, _)| *is_needed);
        let services = self
            .service_bindings()
            .map(|(path, name)| Need { binding: Binding::Service(name), path: Some(path) });
        let limiters = self.rate_limit_bindings().map(Binding::RateLimiter).map(Need::of);
        let objects = objects.map(|(_, binding)| Need::of(binding));
        kv.into_iter().chain(by_replays).chain(objects).chain(services).chain(limiters).collect()
    }

    fn has_client_with_assertions(&self) -> bool {
        let clients = self.sessions.iter().flat_map(|own| own.clients());
        clients.into_iter().any(|client| matches!(client.proof, ClientProof::Jwks { .. }))
    }
}

impl<'p> Need<'p> {
    const fn of(binding: Binding<'p>) -> Self {
        Self { binding, path: None }
    }
}
