//! What a policy needs beside itself from the place where it is deployed: stores and services that have to be bound.

use super::{MailPolicy, Policy, Provider, Replays, SinkTarget};
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
    /// Tokens of providers.
    Grants,
    /// Accounts, and guesses at their passwords.
    Logins,
    /// What is counted over all isolates, and looked at.
    Watch,
    /// A service by this name.
    Service(&'p str),
    /// A rate limiter by this name.
    RateLimiter(&'p str),
    /// A queue by this name.
    Queue(&'p str),
    /// A function of the application: the npm package alone has one.
    Function,
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
        let mut needs = Vec::new();
        let mut add = |binding, path| needs.push(Need { binding, path });
        if self.needs_kv() {
            add(Binding::Kv, None);
        }
        if self.accounts.as_ref().is_some_and(|accounts| accounts.has_password_list) {
            add(Binding::Kv, Some("accounts.password_list".to_owned()));
        }
        if self.replays == Replays::DurableObject {
            add(Binding::Counters, Some("dpop.replays".to_owned()));
        }
        // An assertion of a client counts once, at all isolates together, and so does a login; and hashes of passwords are counted.
        let counts = self.has_client_with_assertions() || self.login.is_some();
        if self.needs_durable_objects() || counts || self.accounts.is_some() {
            add(Binding::Counters, None);
        }
        if self.needs_ledger() {
            add(Binding::Ledger, None);
        }
        if let Some(own) = &self.sessions {
            if own.keys.is_none() {
                add(Binding::KeyRing, None);
            }
            add(Binding::Sessions, None);
        }
        if let Some(path) = self.first_grant() {
            add(Binding::Grants, Some(path));
        }
        if self.accounts.is_some() {
            add(Binding::Logins, Some("accounts".to_owned()));
        }
        let mail = self.accounts.as_ref().and_then(|accounts| accounts.mail.as_ref());
        if let Some((binding, path)) = mail.and_then(MailPolicy::binding) {
            add(binding, Some(path.to_owned()));
        }
        if let Some(watch) = &self.watch {
            add(Binding::Watch, None);
            for (at, sink) in watch.sinks.iter().enumerate() {
                if let SinkTarget::Queue(name) = &sink.target {
                    add(Binding::Queue(name), Some(format!("watch.sinks[{at}].binding")));
                }
            }
        }
        for (path, name) in self.service_bindings() {
            add(Binding::Service(name), Some(path));
        }
        for name in self.rate_limit_bindings() {
            add(Binding::RateLimiter(name), None);
        }
        needs
    }

    /// The path of the first route that uses a grant, or of the first provider whose accounts are only connected.
    fn first_grant(&self) -> Option<String> {
        if let Some(at) = self.first_route_with_grant() {
            return Some(format!("routes[{at}].grant"));
        }
        let providers = &self.login.as_ref()?.providers;
        let at = providers.iter().position(|provider| provider.connect_only)?;
        Some(format!("login.providers[{at}]"))
    }

    /// The place of the first route that uses a grant.
    #[must_use]
    pub fn first_route_with_grant(&self) -> Option<usize> {
        self.routes.all().iter().position(|route| route.grant().is_some())
    }

    /// Whether anything has to do with grants: then they are bound, and asked.
    #[must_use]
    pub fn uses_grants(&self) -> bool {
        self.first_grant().is_some()
    }

    /// Whether accounts at this provider are connected: that is what it is for, or a route uses them.
    #[must_use]
    pub fn connects(&self, provider: &Provider) -> bool {
        provider.connect_only || self.keeps_tokens_of(&provider.id)
    }

    /// Whether tokens of this provider are kept when somebody logs in with it: a route uses them.
    #[must_use]
    pub fn keeps_tokens_of(&self, provider: &str) -> bool {
        let grants = self.routes.all().iter().filter_map(|route| route.grant());
        grants.into_iter().any(|grant| grant.provider == provider)
    }

    fn has_client_with_assertions(&self) -> bool {
        let clients = self.sessions.iter().flat_map(|own| own.clients());
        clients.into_iter().any(|client| matches!(client.proof, ClientProof::Jwks { .. }))
    }
}
