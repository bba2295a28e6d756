//! What `dev` prints once the Worker answers: each line can be pasted into a shell as it stands.

use std::net::SocketAddr;

use super::vars;
use crate::report;

pub(super) fn print(address: SocketAddr, token: &str, key: Option<&str>) {
    report::output(&text(address, token, key, &shell_word(&vars::path().to_string_lossy())));
}

fn text(address: SocketAddr, token: &str, key: Option<&str>, vars_file: &str) -> String {
    let url = format!("http://{address}");
    let bearer = format!("-H 'Authorization: Bearer {token}'");
    let mut sections = vec![
        format!("edgegate answers on {url}"),
        format!("Demo token (read:posts write:posts, one hour):\n  {token}"),
    ];
    if let Some(key) = key {
        sections.push(format!("Demo API key (read:posts):\n  {key}"));
    }
    let mut tries = vec![
        ("an open route", format!("curl -i {url}/public/hello")),
        ("no credential: 401", format!("curl -i {url}/v1/posts")),
        ("the token", format!("curl -i {bearer} {url}/v1/posts")),
    ];
    if let Some(key) = key {
        tries.push(("the API key", format!("curl -i -H 'X-API-Key: {key}' {url}/v1/posts")));
    }
    tries.extend([
        (
            "a limit of 5 a minute: 200 five times, then 429",
            format!(
                "for i in 1 2 3 4 5 6 7; do curl -s -o /dev/null -w '%{{http_code}}\\n' {bearer} {url}/v1/limited; done"
            ),
        ),
        ("health", format!("curl -i {url}/auth/health")),
        (
            "list the API keys, as admin",
            format!(
                "curl -i -H \"Authorization: Bearer $(sed -n 's/^ADMIN_TOKEN=//p' {vars_file} | tr -d '\"')\" {url}/auth/admin/keys"
            ),
        ),
    ]);
    sections.extend(tries.iter().map(|(about, line)| format!("# {about}\n{line}")));
    sections.push("Ctrl-C stops it. Requests and events follow.".to_owned());
    format!("\n{}\n", sections.join("\n\n"))
}

/// The text as one word of a shell command.
fn shell_word(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_hold_all_they_need() {
        let text =
            text("127.0.0.1:8787".parse().unwrap(), "a.b.c", Some("sk_test_1"), "'/x/.dev.vars'");
        assert!(
            text.contains(
                "curl -i -H 'Authorization: Bearer a.b.c' http://127.0.0.1:8787/v1/posts\n"
            )
        );
        assert!(
            text.contains("curl -i -H 'X-API-Key: sk_test_1' http://127.0.0.1:8787/v1/posts\n")
        );
        assert!(text.contains("'%{http_code}\\n'"));
        assert!(text.contains("$(sed -n 's/^ADMIN_TOKEN=//p' '/x/.dev.vars' | tr -d '\"')"));
    }

    #[test]
    fn without_a_key_nothing_speaks_of_one() {
        let text = text("127.0.0.1:1".parse().unwrap(), "t", None, "f");
        assert!(!text.contains("X-API-Key"));
    }

    #[test]
    fn paths_are_one_word_for_the_shell() {
        assert_eq!(shell_word("/a b/it's"), r"'/a b/it'\''s'");
    }
}
