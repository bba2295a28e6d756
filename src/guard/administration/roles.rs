//! Which role an endpoint of administration asks for.

use crate::policy::Role;

/// The role for a method and a path below `/admin`, such as `/keys/{id}/rotate`.
///
/// Whatever only tells asks for [`Role::Read`]. What changes something asks for the role of its part of administration; a part that
/// is not known here is for [`Role::All`] alone.
#[must_use]
pub fn role_for(method: &str, path: &str) -> Role {
    let part = path.trim_start_matches('/').split('/').next().unwrap_or_default();
    if matches!(method, "GET" | "HEAD") || part == "explain" || path == "/accounts/find" {
        return Role::Read;
    }
    match part {
        "keys" => Role::Keys,
        "revocations" => Role::Revoke,
        "sessions" | "subjects" | "grants" => Role::Sessions,
        "accounts" => Role::Accounts,
        _ => Role::All,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_endpoint_has_one_role_and_what_is_not_known_is_for_all_alone() {
        for (method, path, role) in [
            ("GET", "/keys", Role::Read),
            ("GET", "/keys/{id}", Role::Read),
            ("POST", "/keys", Role::Keys),
            ("PATCH", "/keys/{id}", Role::Keys),
            ("DELETE", "/keys/{id}", Role::Keys),
            ("POST", "/keys/{id}/rotate", Role::Keys),
            ("GET", "/revocations", Role::Read),
            ("GET", "/revocations/export", Role::Read),
            ("POST", "/revocations", Role::Revoke),
            ("DELETE", "/revocations/{id}", Role::Revoke),
            ("GET", "/sessions", Role::Read),
            ("POST", "/sessions", Role::Sessions),
            ("DELETE", "/sessions", Role::Sessions),
            ("PATCH", "/sessions/{id}", Role::Sessions),
            ("DELETE", "/sessions/{id}", Role::Sessions),
            ("DELETE", "/subjects", Role::Sessions),
            ("POST", "/subjects/disable", Role::Sessions),
            ("POST", "/subjects/enable", Role::Sessions),
            ("GET", "/grants", Role::Read),
            ("DELETE", "/grants", Role::Sessions),
            ("POST", "/accounts", Role::Accounts),
            ("POST", "/accounts/find", Role::Read),
            ("POST", "/accounts/invite", Role::Accounts),
            ("POST", "/accounts/prepare", Role::Accounts),
            ("PATCH", "/accounts/{id}", Role::Accounts),
            ("GET", "/watch", Role::Read),
            ("POST", "/explain", Role::Read),
            ("POST", "/keysx", Role::All),
            ("POST", "/later", Role::All),
            ("DELETE", "", Role::All),
        ] {
            assert_eq!(role_for(method, path), role, "{method} {path}");
        }
    }
}
