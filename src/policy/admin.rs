//! The section `admin`: whose secrets administer the gate, and what each of them may do.

use super::{
    RecordedSecrets, Secrets as _,
    check::{first_repeated, secret_of, token},
};
use crate::{
    error::Error,
    json::object::{described, words},
    secret::Secret,
};

/// Each request compares all of them.
const MAX_SECRETS: usize = 50;

/// What the holder of `admin.secret` is called.
const ADMIN: &str = "admin";

described! {
    /// Who administers the gate: `secret`, which may do everything, or `secrets`, or both.
    #[derive(Debug)]
    pub(super) struct AdminDocument as Admin, refused {
        /// The name of the secret that may do everything. Logs call its holder `admin`.
        pub(super) secret: Option<String> = None,
        /// Secrets with a name and roles of their own. At most 50. They differ from one another, and from all others of the policy.
        #[facts(maxItems = 50)]
        pub(super) secrets: Vec<AdminSecretDocument> = Vec::new(),
    }
}

described! {
    /// The secret of one administrator, or of one program.
    #[derive(Debug)]
    pub(super) struct AdminSecretDocument as AdminSecret, refused {
        /// What logs call its holder: 1 to 64 letters, digits, `-`, `_` or `.`.
        #[facts(minLength = 1, maxLength = 64)]
        pub(super) name: String,
        /// The name of the secret.
        pub(super) secret: String,
        /// What its holder may do. None includes another, but `all`.
        #[facts(minItems = 1, uniqueItems = true)]
        pub(super) roles: Vec<Role>,
    }
}

/// What an endpoint of administration asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// To look: lists, single records, the watch, metrics, explanations.
    Read,
    /// To mint, change, rotate and revoke API keys.
    Keys,
    /// To revoke, and to undo a revocation.
    Revoke,
    /// To open, narrow and end sessions; to disable, enable and forget subjects; to end grants.
    Sessions,
    /// To make, change and remove accounts.
    Accounts,
    /// Everything.
    All,
}

words!(Role {
    "read" => Self::Read,
    "keys" => Self::Keys,
    "revoke" => Self::Revoke,
    "sessions" => Self::Sessions,
    "accounts" => Self::Accounts,
    "all" => Self::All,
});

impl Role {
    /// The word in policies.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Keys => "keys",
            Self::Revoke => "revoke",
            Self::Sessions => "sessions",
            Self::Accounts => "accounts",
            Self::All => "all",
        }
    }
}

/// Who administers the gate.
#[derive(Debug)]
pub struct AdminPolicy {
    administrators: Vec<Administrator>,
}

/// The holder of a secret of administration.
#[derive(Debug)]
pub struct Administrator {
    name: String,
    secret: Secret,
    roles: Vec<Role>,
}

impl AdminPolicy {
    /// Whose secret this is. All are compared, each in constant time, so that time does not tell which it is like.
    #[must_use]
    pub fn holder_of(&self, presented: &[u8]) -> Option<&Administrator> {
        let mut holder = None;
        for administrator in &self.administrators {
            if administrator.secret.matches(presented) {
                holder = Some(administrator);
            }
        }
        holder
    }
}

impl Administrator {
    /// What logs and events call it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether it may do what asks for this role.
    ///
    /// # Errors
    /// [`Error::AdministratorRole`].
    pub fn require(&self, needed: Role) -> Result<(), Error> {
        if self.roles.iter().any(|role| *role == needed || *role == Role::All) {
            Ok(())
        } else {
            Err(Error::AdministratorRole { needed: needed.word() })
        }
    }
}

/// Reads the section. It has to come after all others: what they asked for is compared with the secrets of administrators.
pub(super) fn admin(
    document: &AdminDocument,
    secrets: &RecordedSecrets<'_>,
) -> Result<AdminPolicy, Error> {
    if document.secret.is_none() && document.secrets.is_empty() {
        return Err(Error::config("admin.secret", "is required where there are no secrets"));
    }
    if document.secrets.len() > MAX_SECRETS {
        return Err(Error::config("admin.secrets", "expected at most 50"));
    }
    let others = secrets.asked();
    let mut administrators = Vec::new();
    if let Some(name) = &document.secret {
        let secret = secret_of("admin.secret", name, secrets)?;
        administrators.push(Administrator {
            name: ADMIN.to_owned(),
            secret,
            roles: vec![Role::All],
        });
    }
    for (index, named) in document.secrets.iter().enumerate() {
        let path = format!("admin.secrets[{index}]");
        let administrator = one(&path, named, secrets)?;
        if let Some(other) = administrators.iter().find(|other| other.name == named.name) {
            let problem = format!("another one is called {} too", other.name);
            return Err(Error::config(format!("{path}.name"), problem));
        }
        let is_same =
            |other: &&Administrator| other.secret.matches(administrator.secret.expose_secret());
        if let Some(other) = administrators.iter().find(is_same) {
            return Err(shared(&format!("{path}.secret"), &format!("that of {}", other.name)));
        }
        administrators.push(administrator);
    }
    if !document.secrets.is_empty() {
        let places =
            (0..document.secrets.len()).map(|index| format!("admin.secrets[{index}].secret"));
        let first = document.secret.as_ref().map(|_| "admin.secret".to_owned());
        for (administrator, path) in administrators.iter().zip(first.into_iter().chain(places)) {
            check_that_it_differs(&path, administrator, &others, secrets)?;
        }
    }
    Ok(AdminPolicy { administrators })
}

fn one(
    path: &str,
    document: &AdminSecretDocument,
    secrets: &RecordedSecrets<'_>,
) -> Result<Administrator, Error> {
    let name = token(&format!("{path}.name"), &document.name)?;
    let roles = format!("{path}.roles");
    if document.roles.is_empty() {
        return Err(Error::config(roles, "expected a non-empty list"));
    }
    if let Some(index) = first_repeated(document.roles.iter().map(|role| role.word())) {
        return Err(Error::config(format!("{roles}[{index}]"), "is given twice"));
    }
    let secret = secret_of(&format!("{path}.secret"), &document.secret, secrets)?;
    Ok(Administrator { name, secret, roles: document.roles.clone() })
}

/// A secret that something else has too, such as a client or whoever reads metrics, would make an administrator of its holder.
fn check_that_it_differs(
    path: &str,
    administrator: &Administrator,
    others: &[String],
    secrets: &RecordedSecrets<'_>,
) -> Result<(), Error> {
    for name in others {
        let other = secrets.secret(name);
        if other.is_some_and(|other| administrator.secret.matches(other.expose_secret())) {
            return Err(shared(path, name));
        }
    }
    Ok(())
}

fn shared(path: &str, with: &str) -> Error {
    Error::config(path, format!("is the same secret as {with}: whoever has one has the other"))
}
