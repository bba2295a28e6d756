//! The section `login` as its author writes it.

use std::collections::BTreeMap;

use crate::json::object::{described, words};

described! {
    /// Logins with others: docs/login.md. They need `sessions` with `cookies`, and `origin` wherever the gate is not on loopback.
    #[derive(Debug)]
    pub(in crate::policy) struct LoginDocument as Login, refused {
        /// With whom people log in, in the order of the buttons. At most 20.
        #[facts(minItems = 1, maxItems = 20)]
        pub(super) providers: Vec<ProviderDocument>,
        /// Other origins that a browser may be sent back to after a login: `https://app.example.com`.
        pub(super) return_to: Vec<String> = Vec::new(),
    }
}

described! {
    /// Somebody who says who people are.
    #[derive(Debug)]
    pub(super) struct ProviderDocument as Provider, refused {
        /// Its name in paths and in subjects: `{id}|{account}`. 1 to 64 letters, digits, `-`, `_` or `.`, and neither `client` nor
        /// `account`.
        #[facts(minLength = 1, maxLength = 64)]
        pub(super) id: String,
        /// What kind it is. Any issuer of OpenID Connect is `oidc`.
        #[written(super::super::schemas::ProviderType)]
        pub(super) r#type: String,
        /// What its button says. Without it: what people know the provider as.
        #[facts(minLength = 1, maxLength = 60)]
        pub(super) title: Option<String> = None,
        /// The client's name there.
        #[facts(minLength = 1, maxLength = 300)]
        pub(super) client_id: String,
        /// The name of the secret that the provider knows too. All but `apple` have one.
        pub(super) client_secret: Option<String> = None,
        /// Whose key it is. Only with `apple`.
        pub(super) team_id: Option<String> = None,
        /// Which key. Only with `apple`.
        pub(super) key_id: Option<String> = None,
        /// The name of the secret with the private key, as PEM. Only with `apple`.
        pub(super) private_key: Option<String> = None,
        /// The URL by which its tokens name it. Required with `oidc`, `keycloak` and `cognito`; `gitlab` may have one of one's own.
        pub(super) issuer: Option<String> = None,
        /// The domain at `auth0` or `okta`, which may go on with the path of an authorization server.
        pub(super) domain: Option<String> = None,
        /// The tenant at `microsoft`: its id, or `organizations`, `common` or `consumers`.
        pub(super) tenant: Option<String> = None,
        /// Where it is asked, of a provider without a document of its own; on loopback only.
        pub(super) endpoints: Option<EndpointsDocument> = None,
        /// Whether it may be asked over http, on a host that is not on the public internet.
        pub(super) allow_http: bool = false,
        /// How the secret is sent: `basic`, in a header; `post`, in the form. Without it: as the provider wants it.
        pub(super) authentication: Option<AuthenticationWord> = None,
        /// The scopes that it is asked for. Without it: those that say who it is.
        pub(super) request_scopes: Option<Vec<String>> = None,
        /// The claim with the groups, if it has another name than usual: `realm_access.roles` is a place inside.
        pub(super) groups_claim: Option<String> = None,
        /// Who may log in. Without it: everybody whom the provider knows.
        pub(super) allow: AllowDocument = AllowDocument::default(),
        /// What they may do.
        pub(super) scopes: ScopesByFactDocument = ScopesByFactDocument::default(),
        /// Whether it is for connected accounts alone, and nobody logs in with it.
        pub(super) connect_only: bool = false,
    }
}

described! {
    /// Where a provider is asked that has no document of its own.
    #[derive(Debug)]
    pub(super) struct EndpointsDocument as ProviderEndpoints, refused {
        /// Where browsers are sent.
        pub(super) authorization: String,
        /// Where codes become tokens.
        pub(super) token: String,
        /// Where it says who has logged in.
        pub(super) userinfo: Option<String> = None,
        /// Where tokens are revoked.
        pub(super) revocation: Option<String> = None,
    }
}

described! {
    /// Who may log in: whoever is on each list that is there.
    #[derive(Debug, Default)]
    pub(super) struct AllowDocument as Allow, refused {
        /// Domains of e-mail addresses that the provider vouches for. `example.com` is not `mail.example.com`.
        pub(super) email_domains: Vec<String> = Vec::new(),
        /// Tenants, workspaces or hosted domains.
        pub(super) tenants: Vec<String> = Vec::new(),
        /// Groups or roles.
        pub(super) groups: Vec<String> = Vec::new(),
        /// Organisations at GitHub, servers at Discord (by their number).
        pub(super) organizations: Vec<String> = Vec::new(),
        /// Teams at GitHub: `organization/team`.
        pub(super) teams: Vec<String> = Vec::new(),
        /// The provider's own names for accounts.
        pub(super) subjects: Vec<String> = Vec::new(),
    }
}

described! {
    /// Which scopes a person has: all together that fit.
    #[derive(Debug, Default)]
    pub(super) struct ScopesByFactDocument as ScopesByFact, refused {
        /// Everybody's.
        pub(super) default: Vec<String> = Vec::new(),
        /// By the domain of an e-mail address that the provider vouches for: `{ "example.com" = ["read:posts"] }`.
        pub(super) email_domains: ScopesByWord = ScopesByWord::new(),
        /// By tenant, workspace or hosted domain.
        pub(super) tenants: ScopesByWord = ScopesByWord::new(),
        /// By group or role.
        pub(super) groups: ScopesByWord = ScopesByWord::new(),
        /// By organisation.
        pub(super) organizations: ScopesByWord = ScopesByWord::new(),
        /// By team, `organization/team`.
        pub(super) teams: ScopesByWord = ScopesByWord::new(),
        /// By the provider's own name for the account.
        pub(super) subjects: ScopesByWord = ScopesByWord::new(),
    }
}

/// Scopes by the word that gives them.
pub(super) type ScopesByWord = BTreeMap<String, Vec<String>>;

/// How a client's secret is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AuthenticationWord {
    Basic,
    Post,
}

words!(AuthenticationWord {
    "basic" => AuthenticationWord::Basic,
    "post" => AuthenticationWord::Post,
});
