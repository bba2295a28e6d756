//! Whether a person may come in, and with which scopes. Both are asked when somebody logs in, which is again after `recheck_secs` at the
//! latest: the session ends then. In between the session goes on as it was opened.

use std::collections::BTreeMap;

use super::person::Person;

/// Who may log in. Of each list that is there a person has to be on; without any list everybody may whom the provider knows.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Allow {
    /// Domains of e-mail addresses that the provider vouches for.
    pub email_domains: Vec<String>,
    /// Tenants, workspaces or hosted domains.
    pub tenants: Vec<String>,
    /// Groups or roles.
    pub groups: Vec<String>,
    /// Organisations.
    pub organizations: Vec<String>,
    /// Teams, as `organization/team`.
    pub teams: Vec<String>,
    /// The provider's own names for accounts.
    pub subjects: Vec<String>,
}

/// Which scopes a person has: those of everybody, and those of each list that the person is on.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ScopeRules {
    /// Everybody's.
    pub default: Vec<String>,
    /// By domain of the e-mail address.
    pub email_domains: BTreeMap<String, Vec<String>>,
    /// By tenant.
    pub tenants: BTreeMap<String, Vec<String>>,
    /// By group or role.
    pub groups: BTreeMap<String, Vec<String>>,
    /// By organisation.
    pub organizations: BTreeMap<String, Vec<String>>,
    /// By team.
    pub teams: BTreeMap<String, Vec<String>>,
    /// By the provider's own name for the account.
    pub subjects: BTreeMap<String, Vec<String>>,
}

/// Which fact about a person is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fact {
    EmailDomain,
    Tenant,
    Group,
    Organization,
    Team,
    Subject,
}

impl Fact {
    /// Whether it is so of this person. Words are compared as they are written, domains and names at GitHub without regard to case.
    fn holds(self, person: &Person, value: &str) -> bool {
        let listed = |list: &[String]| list.iter().any(|one| one == value);
        let listed_in_any_case =
            |list: &[String]| list.iter().any(|one| one.eq_ignore_ascii_case(value));
        match self {
            Self::EmailDomain => person.email.as_ref().is_some_and(|email| email.is_of(value)),
            Self::Tenant => person.tenant.as_deref() == Some(value),
            Self::Group => listed(&person.groups),
            Self::Organization => listed_in_any_case(&person.organizations),
            Self::Team => listed_in_any_case(&person.teams),
            Self::Subject => person.id == value,
        }
    }
}

impl Allow {
    const fn lists(&self) -> [(Fact, &'static str, &Vec<String>); 6] {
        [
            (Fact::EmailDomain, "email_domains", &self.email_domains),
            (Fact::Tenant, "tenants", &self.tenants),
            (Fact::Group, "groups", &self.groups),
            (Fact::Organization, "organizations", &self.organizations),
            (Fact::Team, "teams", &self.teams),
            (Fact::Subject, "subjects", &self.subjects),
        ]
    }

    /// Whether the person may log in.
    ///
    /// # Errors
    /// The name of the list that the person is not on, for the event log.
    pub fn check(&self, person: &Person) -> Result<(), &'static str> {
        let missed = self.lists().into_iter().find(|(fact, _, list)| {
            !list.is_empty() && !list.iter().any(|value| fact.holds(person, value))
        });
        missed.map_or(Ok(()), |(_, name, _)| Err(name))
    }

    /// Whether this rule needs to know the person's organisations, or teams: they are asked for in requests of their own.
    #[must_use]
    pub const fn needs_memberships(&self) -> bool {
        !self.organizations.is_empty() || !self.teams.is_empty()
    }
}

impl ScopeRules {
    const fn maps(&self) -> [(Fact, &BTreeMap<String, Vec<String>>); 6] {
        [
            (Fact::EmailDomain, &self.email_domains),
            (Fact::Tenant, &self.tenants),
            (Fact::Group, &self.groups),
            (Fact::Organization, &self.organizations),
            (Fact::Team, &self.teams),
            (Fact::Subject, &self.subjects),
        ]
    }

    /// The scopes of this person, each once, in the order of the policy.
    #[must_use]
    pub fn scopes(&self, person: &Person) -> Vec<String> {
        let by_fact = self.maps().into_iter().flat_map(|(fact, map)| {
            map.iter()
                .filter(move |(value, _)| fact.holds(person, value))
                .flat_map(|(_, scopes)| scopes)
        });
        let mut all: Vec<String> = Vec::new();
        for scope in self.default.iter().chain(by_fact) {
            if !all.contains(scope) {
                all.push(scope.clone());
            }
        }
        all
    }

    /// As [`Allow::needs_memberships`].
    #[must_use]
    pub fn needs_memberships(&self) -> bool {
        !self.organizations.is_empty() || !self.teams.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::login::person::Email;

    fn words(list: &[&str]) -> Vec<String> {
        list.iter().map(|word| (*word).to_owned()).collect()
    }

    fn ann() -> Person {
        Person {
            id: "1".to_owned(),
            email: Email::parse("ann@Corp.example"),
            tenant: Some("T1".to_owned()),
            groups: words(&["admins", "staff"]),
            organizations: words(&["Acme"]),
            teams: words(&["Acme/Core"]),
            ..Person::default()
        }
    }

    #[test]
    fn a_person_has_to_be_on_each_list_that_is_there() {
        let allow = Allow {
            email_domains: words(&["other.example", "corp.example"]),
            groups: words(&["admins"]),
            organizations: words(&["acme"]),
            teams: words(&["acme/core"]),
            tenants: words(&["T1"]),
            subjects: words(&["1"]),
        };
        assert_eq!(allow.check(&ann()), Ok(()));
        let without = |change: fn(&mut Person)| {
            let mut person = ann();
            change(&mut person);
            allow.check(&person)
        };
        assert_eq!(without(|ann| ann.email = None), Err("email_domains"));
        assert_eq!(
            without(|ann| ann.email = Email::parse("a@x.corp.example")),
            Err("email_domains")
        );
        assert_eq!(without(|ann| ann.tenant = Some("t1".to_owned())), Err("tenants"));
        assert_eq!(without(|ann| ann.groups = words(&["Admins"])), Err("groups"));
        assert_eq!(without(|ann| ann.organizations.clear()), Err("organizations"));
        assert_eq!(without(|ann| ann.teams = words(&["evil/core"])), Err("teams"));
        assert_eq!(without(|ann| ann.id = "11".to_owned()), Err("subjects"));
    }

    #[test]
    fn without_a_list_everybody_may_and_has_the_default_scopes_alone() {
        assert_eq!(Allow::default().check(&Person::default()), Ok(()));
        let rules = ScopeRules {
            default: words(&["read:posts"]),
            groups: [
                ("admins".to_owned(), words(&["write:posts", "read:posts"])),
                ("owners".to_owned(), words(&["delete:posts"])),
            ]
            .into(),
            email_domains: [("corp.example".to_owned(), words(&["internal"]))].into(),
            ..ScopeRules::default()
        };
        assert_eq!(rules.scopes(&Person::default()), ["read:posts"]);
        assert_eq!(rules.scopes(&ann()), ["read:posts", "internal", "write:posts"]);
    }
}
