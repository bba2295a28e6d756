//! One entry for the issuers of several tenants: `https://login.microsoftonline.com/{tenantid}/v2.0`.

use serde_json::Value;

use super::Claims;
use crate::error::Error;

/// The most tenants of one entry: `iss` is compared with each in turn.
pub const MAX_TENANTS: usize = 100;

/// The placeholder of Entra ID, whose tokens name the tenant in `tid` too.
const ENTRA: &str = "tenantid";

/// The issuers that a template stands for: those of a list, and no others.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tenants {
    issuers: Vec<(String, String)>,
    /// The claim that has to name the tenant too.
    claim: Option<&'static str>,
}

impl Tenants {
    /// Whether an issuer has a placeholder.
    #[must_use]
    pub fn is_template(issuer: &str) -> bool {
        placeholder(issuer).is_some()
    }

    /// The issuers that come of putting each tenant into the template.
    ///
    /// # Errors
    /// What is wrong: no placeholder or a second one; no tenant, more than [`MAX_TENANTS`], one that is named twice, or
    /// one with other characters than letters, digits, `.`, `-` and `_`.
    pub fn of(template: &str, tenants: &[String]) -> Result<Self, &'static str> {
        let (before, name, after) =
            placeholder(template).ok_or("issuer has no placeholder such as {tenantid}")?;
        if Self::is_template(after) {
            return Err("issuer has two placeholders, expected one");
        }
        if tenants.is_empty() || tenants.len() > MAX_TENANTS {
            return Err("expected 1 to 100 tenants");
        }
        for (index, tenant) in tenants.iter().enumerate() {
            if !is_tenant(tenant) {
                return Err("expected tenants of letters, digits, '.', '-' and '_'");
            }
            if tenants.iter().take(index).any(|earlier| earlier == tenant) {
                return Err("the same tenant twice");
            }
        }
        let issuer = |tenant: &String| (format!("{before}{tenant}{after}"), tenant.clone());
        Ok(Self {
            issuers: tenants.iter().map(issuer).collect(),
            claim: (name == ENTRA).then_some("tid"),
        })
    }

    /// The issuers.
    pub fn issuers(&self) -> impl Iterator<Item = &str> {
        self.issuers.iter().map(|(issuer, _)| issuer.as_str())
    }

    /// Whether there are none: the issuer is not a template.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.issuers.is_empty()
    }

    /// Whether the token's issuer is one of these, and where Entra ID names the tenant a second time, whether it is the same.
    pub(super) fn check(&self, claims: &Claims) -> Result<(), Error> {
        let unexpected = |claim: &str| Error::UnexpectedClaim { claim: claim.to_owned() };
        let issuer = claims.issuer();
        let found = self.issuers.iter().find(|(name, _)| Some(name.as_str()) == issuer);
        let (_, tenant) = found.ok_or_else(|| unexpected("iss"))?;
        let Some(claim) = self.claim else { return Ok(()) };
        match claims.find(claim) {
            None | Some(Value::Null) => Err(Error::MissingClaim { claim: claim.to_owned() }),
            Some(Value::String(named)) if named == tenant => Ok(()),
            Some(_) => Err(unexpected(claim)),
        }
    }
}

/// What is before the placeholder, its name, and what is after it.
fn placeholder(issuer: &str) -> Option<(&str, &str, &str)> {
    let (before, rest) = issuer.split_once('{')?;
    let (name, after) = rest.split_once('}')?;
    Some((before, name, after))
}

/// What cannot change the meaning of a URL around it.
fn is_tenant(tenant: &str) -> bool {
    !tenant.is_empty()
        && tenant
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_'))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENTRA_V2: &str = "https://login.microsoftonline.com/{tenantid}/v2.0";

    fn tenants(template: &str, names: &[&str]) -> Result<Tenants, &'static str> {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        Tenants::of(template, &names)
    }

    fn check(tenants: &Tenants, claims: &str) -> Result<(), String> {
        let claims = Claims::parse(claims.as_bytes()).unwrap();
        tenants.check(&claims).map_err(|error| error.to_string())
    }

    #[test]
    fn only_the_issuers_of_the_tenants_named_are_taken() {
        let other = tenants("https://{pool}.example/", &["a", "b"]).unwrap();
        assert_eq!(
            other.issuers().collect::<Vec<_>>(),
            ["https://a.example/", "https://b.example/"]
        );
        assert_eq!(check(&other, r#"{"iss":"https://b.example/"}"#), Ok(()));
        for issuer in [
            "https://c.example/",
            "https://{pool}.example/",
            "https://.example/",
            "https://a.example",
        ] {
            let claims = format!(r#"{{"iss":"{issuer}"}}"#);
            assert_eq!(check(&other, &claims).unwrap_err(), "iss has a value that is not allowed");
        }
    }

    #[test]
    fn the_tid_of_entra_is_the_tenant_of_its_issuer() {
        let entra = tenants(ENTRA_V2, &["t1", "t2"]).unwrap();
        let claims = |tid: &str| {
            format!(r#"{{"iss":"https://login.microsoftonline.com/t1/v2.0","tid":{tid}}}"#)
        };
        assert_eq!(check(&entra, &claims(r#""t1""#)), Ok(()));
        for tid in [r#""t2""#, "1", r#"["t1"]"#, r#""T1""#] {
            assert_eq!(
                check(&entra, &claims(tid)).unwrap_err(),
                "tid has a value that is not allowed"
            );
        }
        assert_eq!(check(&entra, &claims("null")).unwrap_err(), "claim tid is missing");
    }

    #[test]
    fn templates_and_lists_that_mean_nothing_are_refused() {
        let many: Vec<String> = (0..=MAX_TENANTS).map(|number| number.to_string()).collect();
        assert_eq!(Tenants::of(ENTRA_V2, &many).unwrap_err(), "expected 1 to 100 tenants");
        assert_eq!(tenants(ENTRA_V2, &[]).unwrap_err(), "expected 1 to 100 tenants");
        for odd in ["", "a/b", "a b", "{a}", "a?b", "*", "é"] {
            let problem = tenants(ENTRA_V2, &[odd]).unwrap_err();
            assert_eq!(problem, "expected tenants of letters, digits, '.', '-' and '_'", "{odd}");
        }
        assert_eq!(tenants(ENTRA_V2, &["a", "a"]).unwrap_err(), "the same tenant twice");
        assert_eq!(
            tenants("https://a.example/", &["a"]).unwrap_err(),
            "issuer has no placeholder such as {tenantid}"
        );
        assert_eq!(
            tenants("https://{a}.{b}/", &["a"]).unwrap_err(),
            "issuer has two placeholders, expected one"
        );
        assert!(Tenants::is_template(ENTRA_V2) && !Tenants::is_template("https://a.example/}{"));
    }
}
