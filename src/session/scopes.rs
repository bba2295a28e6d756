//! Scopes and audience: what a session has can only become less.

use super::step::Asked;

/// Whether all that is asked for is held: by itself, or by a scope that includes it.
#[must_use]
pub fn are_held(held: &[String], asked: &[Asked]) -> bool {
    asked.iter().all(|one| {
        held.contains(&one.scope) || one.holders.iter().any(|holder| held.contains(holder))
    })
}

/// The scopes of a list with spaces (RFC 6749 §3.3), each with what includes it. `None`: a word in it is no scope.
#[must_use]
pub fn asked<'h>(list: &str, holders_of: impl Fn(&str) -> &'h [String]) -> Option<Vec<Asked>> {
    let mut asked: Vec<Asked> = Vec::new();
    for scope in list.split(' ').filter(|scope| !scope.is_empty()) {
        if !crate::jose::scopes::is_scope(scope) {
            return None;
        }
        if !asked.iter().any(|known| known.scope == scope) {
            let holders = holders_of(scope).to_vec();
            asked.push(Asked { scope: scope.to_owned(), holders });
        }
    }
    Some(asked)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owned(scopes: &[&str]) -> Vec<String> {
        scopes.iter().map(|scope| (*scope).to_owned()).collect()
    }

    #[test]
    fn narrower_by_the_declared_hierarchy_only() {
        let holders = owned(&["repo"]);
        let holders_of =
            |scope: &str| if scope == "repo:status" { holders.as_slice() } else { &[] };
        let held = owned(&["repo", "read:posts"]);
        let narrows = |list: &str| are_held(&held, &asked(list, holders_of).unwrap());
        for within in ["", "repo", "repo:status", "read:posts repo:status", "repo repo"] {
            assert!(narrows(within), "{within}");
        }
        for beyond in ["repo:other", "write:posts", "read:posts write:posts", "REPO"] {
            assert!(!narrows(beyond), "{beyond}");
        }
        assert_eq!(asked("a\"b", holders_of), None);
    }
}
