//! What a caller may do: the scopes of OAuth, and the one place that knows how a scope is written.

use core::fmt;

use crate::byte_search;
use crate::jose::claims::{Claims, Profile, ScopeSource, Words};

impl ScopeSource {
    /// What a token permits.
    #[must_use]
    pub fn scopes(&self, claims: &Claims, profile: Profile) -> Scopes {
        let unnamed = || match profile {
            Profile::AccessToken => "scope",
            Profile::Any => Scopes::claim_in(claims),
        };
        match (self.claims.as_slice(), self.map.is_empty()) {
            ([], true) => Scopes::from_claims(claims, Some(unnamed())),
            ([one], true) => Scopes::from_claims(claims, Some(one)),
            ([], false) => self.union([unnamed()], claims),
            (names, _) => self.union(names.iter().map(String::as_str), claims),
        }
    }

    fn union<'n>(&self, names: impl IntoIterator<Item = &'n str>, claims: &Claims) -> Scopes {
        let mut scopes = Scopes::default();
        for name in names {
            match claims.words(name) {
                Words::One(list) => self.add(&mut scopes, byte_search::split(list, b' ')),
                words => self.add(&mut scopes, words.iter()),
            }
        }
        scopes
    }

    fn add<'w>(&self, scopes: &mut Scopes, words: impl Iterator<Item = &'w str>) {
        for word in words {
            scopes.add(word);
            for given in self.map.get(word).into_iter().flatten() {
                scopes.add(given);
            }
        }
    }
}

/// What a caller may do, as OAuth scopes (RFC 6749 §3.3): sorted, each once. There are a few, which a list finds and gives back sooner than a tree.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Scopes(Vec<String>);

impl Scopes {
    /// From a space-separated list, as `scope` has it (RFC 8693 §4.2). Words with characters a scope
    /// cannot have are left out.
    #[must_use]
    pub fn parse(list: &str) -> Self {
        Self::from_words(byte_search::split(list, b' '))
    }

    /// From words, each a scope. What cannot be one is left out.
    pub fn from_words<'w>(words: impl IntoIterator<Item = &'w str>) -> Self {
        let mut scopes = Self::default();
        for word in words {
            scopes.add(word);
        }
        scopes
    }

    /// What cannot be a scope is left out.
    fn add(&mut self, word: &str) {
        if !is_scope(word) {
            return;
        }
        if self.0.last().is_none_or(|last| last.as_str() < word) {
            self.0.push(word.to_owned());
        } else if let Err(place) = self.place_of(word) {
            self.0.insert(place, word.to_owned());
        }
    }

    /// Where this one is, or else would be.
    fn place_of(&self, scope: &str) -> Result<usize, usize> {
        self.0.binary_search_by(|known| known.as_str().cmp(scope))
    }

    /// The claim that holds the scopes where none is named.
    fn claim_in(claims: &Claims) -> &'static str {
        if claims.kind("scope").is_some() { "scope" } else { "scp" }
    }

    /// From a token's claims: the claim named, by default `scope`, or else `scp`. It may be a
    /// space-separated string or a list of strings; anything else gives no scopes.
    #[must_use]
    pub fn from_claims(claims: &Claims, claim: Option<&str>) -> Self {
        match claims.words(claim.unwrap_or_else(|| Self::claim_in(claims))) {
            Words::One(list) => Self::parse(list),
            words => Self::from_words(words.iter()),
        }
    }

    /// Whether this one is among them; case counts.
    #[must_use]
    pub fn contains(&self, scope: &str) -> bool {
        self.place_of(scope).is_ok()
    }

    /// Whether every one of these is among them; true for none.
    #[must_use]
    pub fn contains_all<S: AsRef<str>>(&self, scopes: &[S]) -> bool {
        scopes.iter().all(|scope| self.contains(scope.as_ref()))
    }

    /// Whether at least one of these is among them; false for none.
    #[must_use]
    pub fn contains_any<S: AsRef<str>>(&self, scopes: &[S]) -> bool {
        scopes.iter().any(|scope| self.contains(scope.as_ref()))
    }

    /// The scopes, sorted.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// The same, for who has no further use for the set.
    pub(crate) fn into_sorted(self) -> Vec<String> {
        self.0
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Space-separated, as in `scope`.
impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, scope) in self.iter().enumerate() {
            if index > 0 {
                f.write_str(" ")?;
            }
            f.write_str(scope)?;
        }
        Ok(())
    }
}

/// Whether this can be a scope: `scope-token = 1*( %x21 / %x23-5B / %x5D-7E )`, visible ASCII without `"` and `\`.
pub(crate) fn is_scope(word: &str) -> bool {
    !word.is_empty()
        && word.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_come_from_the_claim_named_or_from_scope_or_scp() {
        let scopes = |claims: &str, claim: Option<&str>| {
            Scopes::from_claims(&Claims::parse(claims.as_bytes()).unwrap(), claim).to_string()
        };
        assert_eq!(scopes(r#"{"scope":"b a"}"#, None), "a b");
        assert_eq!(scopes(r#"{"scp":"b a"}"#, None), "a b");
        assert_eq!(scopes(r#"{"scp":["b","a","b"]}"#, None), "a b");
        assert_eq!(scopes(r#"{"scope":"a","scp":["admin"]}"#, None), "a");
        assert_eq!(scopes(r#"{"scope":null,"scp":["admin"]}"#, None), "");
        assert_eq!(scopes(r#"{"scope":7}"#, None), "");
        assert_eq!(scopes(r#"{"scope":"a","permissions":["p"]}"#, Some("permissions")), "p");
        assert_eq!(scopes(r#"{"scope":"a"}"#, Some("permissions")), "");
        assert_eq!(scopes(r#"{"scp":["a b","c",1,null,["d"]]}"#, None), "c");
    }

    fn source(names: &[&str], map: &[(&str, &[&str])]) -> ScopeSource {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        ScopeSource {
            claims: owned(names),
            map: map.iter().map(|(name, given)| ((*name).to_owned(), owned(given))).collect(),
        }
    }

    #[track_caller]
    fn scopes_are(source: &ScopeSource, profile: Profile, claims: &str, expected: &str) {
        let claims = Claims::parse(claims.as_bytes()).unwrap();
        assert_eq!(source.scopes(&claims, profile).to_string(), expected);
    }

    #[test]
    fn the_scopes_of_several_claims_are_put_together() {
        let keycloak = source(&["scope", "realm_access.roles"], &[]);
        let claims =
            r#"{"scope":"openid a","realm_access":{"roles":["b","a","offline access"]},"scp":"x"}"#;
        scopes_are(&keycloak, Profile::Any, claims, "a b openid");
        scopes_are(&keycloak, Profile::AccessToken, claims, "a b openid");
        let entra = source(&["scp", "roles"], &[]);
        scopes_are(&entra, Profile::Any, r#"{"scp":"a b"}"#, "a b");
        scopes_are(&entra, Profile::Any, r#"{"roles":["c"]}"#, "c");
        scopes_are(&entra, Profile::Any, r#"{"scope":"a","roles":{"c":1}}"#, "");
    }

    #[test]
    fn a_name_with_a_dot_that_exists_wins() {
        let source = source(&["realm_access.roles"], &[]);
        let claims = r#"{"realm_access.roles":["own"],"realm_access":{"roles":["nested"]}}"#;
        scopes_are(&source, Profile::Any, claims, "own");
    }

    #[test]
    fn words_give_the_scopes_that_are_said_of_them() {
        let source = source(
            &["scope", "roles"],
            &[("admin", &["read", "write"]), ("Content Editor", &["write"]), ("read", &["never"])],
        );
        scopes_are(&source, Profile::Any, r#"{"roles":["admin"]}"#, "admin read write");
        scopes_are(&source, Profile::Any, r#"{"roles":["Content Editor"]}"#, "write");
        scopes_are(&source, Profile::Any, r#"{"scope":"a admin"}"#, "a admin read write");
        scopes_are(&source, Profile::Any, r#"{"roles":["Admin"]}"#, "Admin");
        let unnamed = self::source(&[], &[("admin", &["read"])]);
        scopes_are(&unnamed, Profile::Any, r#"{"scp":["admin"]}"#, "admin read");
        scopes_are(&unnamed, Profile::AccessToken, r#"{"scp":["admin"]}"#, "");
    }

    #[test]
    fn what_cannot_be_a_scope_is_left_out() {
        let scopes =
            Scopes::parse("  read:posts  wr\"ite back\\slash caf\u{e9} tab\tbed new\nline ok ");
        assert_eq!(scopes.iter().collect::<Vec<_>>(), ["ok", "read:posts"]);
        assert!(Scopes::parse("").is_empty());
    }

    #[test]
    fn scopes_are_compared_exactly() {
        let scopes = Scopes::parse("read:posts write:posts");
        assert!(scopes.contains_all(&["read:posts", "write:posts"]));
        assert!(!scopes.contains_all(&["read:posts", "delete:posts"]));
        assert!(scopes.contains_any(&["delete:posts", "read:posts"]));
        assert!(!scopes.contains_any(&["read", "READ:POSTS", "read:post"]));
        assert!(scopes.contains_all::<&str>(&[]));
        assert!(!scopes.contains_any::<&str>(&[]));
    }
}
