//! Tokens at rest: AES-256-GCM by a key that is derived from the session secret `by`, bound to whose token it is.

use serde::Serialize;

use crate::{json::object::object, session::ObjectName};

/// Separates these seals from all others, and has the version of their form.
const LABEL: &str = "edgegate-grant-v1";

object! {
    /// A token that only whoever has the session secret can read.
    #[derive(Clone, PartialEq, Eq, Serialize)]
    pub struct SealedToken, ignored {
        /// The id of the session secret.
        pub by: u8,
        /// Base64url of a random nonce and the ciphertext.
        pub text: String,
    }
}

/// Shows by which secret.
impl core::fmt::Debug for SealedToken {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "SealedToken(by {})", self.by)
    }
}

/// Which of the tokens of a grant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenField {
    /// The one for calls.
    Access,
    /// The one for the next.
    Refresh,
}

crate::json::object::words!(TokenField {
    "access" => TokenField::Access,
    "refresh" => TokenField::Refresh,
});

impl TokenField {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Access => "access",
            Self::Refresh => "refresh",
        }
    }
}

/// Whose grants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Owner<'a> {
    /// The gate's own issuer.
    pub issuer: &'a str,
    /// `sub` of the session.
    pub subject: &'a str,
}

impl Owner<'_> {
    /// The object that keeps them: a hash, so that no store shows whose they are.
    #[must_use]
    pub fn object(&self) -> ObjectName {
        ObjectName::hash("edgegate-grants-v1", &[self.issuer, self.subject])
    }

    /// The additional data of a seal. Each part has its length before it, so that no two lists collide: a token that is moved to another
    /// owner, provider, account or place does not open.
    #[must_use]
    pub fn associated_data(
        &self,
        (provider, account): (&str, &str),
        field: TokenField,
        by: u8,
    ) -> Vec<u8> {
        let parts = [LABEL, self.issuer, self.subject, provider, account, field.as_str()];
        let mut bytes = vec![by];
        for part in parts {
            bytes.extend(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            bytes.extend(part.as_bytes());
        }
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWNER: Owner<'_> = Owner { issuer: "https://gate", subject: "google|1" };

    #[test]
    fn every_part_is_bound() {
        let of = |owner: Owner<'_>, grant, field, by| owner.associated_data(grant, field, by);
        let own = of(OWNER, ("slack", "T1"), TokenField::Access, 1);
        let other_issuer = Owner { issuer: "https://gat", subject: "egoogle|1" };
        let other_subject = Owner { subject: "google|2", ..OWNER };
        for other in [
            of(other_issuer, ("slack", "T1"), TokenField::Access, 1),
            of(other_subject, ("slack", "T1"), TokenField::Access, 1),
            of(OWNER, ("slackT", "1"), TokenField::Access, 1),
            of(OWNER, ("slack", "T2"), TokenField::Access, 1),
            of(OWNER, ("slack", "T1"), TokenField::Refresh, 1),
            of(OWNER, ("slack", "T1"), TokenField::Access, 2),
        ] {
            assert_ne!(own, other);
        }
    }

    #[test]
    fn the_object_of_grants_is_not_that_of_sessions() {
        assert_ne!(OWNER.object(), ObjectName::of(OWNER.issuer, OWNER.subject));
        assert_ne!(OWNER.object(), Owner { subject: "google|2", ..OWNER }.object());
    }
}
