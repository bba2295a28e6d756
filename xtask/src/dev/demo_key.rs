//! The demo API key: minted once through the admin endpoint, then kept, so that restarts do not
//! pile up keys.

use std::fs;
use std::net::SocketAddr;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use super::{http, vars};
use crate::project;

/// Beside wrangler's state, which holds the key's record; both are ignored by git.
const KEPT: &str = ".wrangler/demo-key";
/// What the key may do in the example policy.
const GUARDED_PATH: &str = "/v1/posts";

/// The kept key if the gate still knows it, else a new one.
pub(super) fn obtain(address: SocketAddr, admin_token: &str) -> Result<String> {
    let path = project::path(KEPT);
    if let Ok(kept) = fs::read_to_string(&path) {
        let kept = kept.trim();
        if is_key(kept) && is_accepted(address, kept)? {
            return Ok(kept.to_owned());
        }
    }
    let key = mint(address, admin_token)?;
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    vars::write_private(&path, &key)?;
    Ok(key)
}

/// Anything but 401 comes from behind the verification.
fn is_accepted(address: SocketAddr, key: &str) -> Result<bool> {
    let answer = http::request(address, "GET", GUARDED_PATH, &[("X-API-Key", key)], "")?;
    Ok(answer.status != 401)
}

fn mint(address: SocketAddr, admin_token: &str) -> Result<String> {
    let path = "/auth/admin/keys";
    let authorization = format!("Bearer {admin_token}");
    let headers = [("Authorization", authorization.as_str()), ("Content-Type", "application/json")];
    let body = json!({ "name": "demo", "owner": "demo", "scopes": ["read:posts"] }).to_string();
    let answer = http::request(address, "POST", path, &headers, &body)?;
    if answer.status != 201 {
        bail!("POST {path}: status {}, {}", answer.status, answer.body.trim());
    }
    let answer: Value = serde_json::from_str(&answer.body).context("the minted key")?;
    match answer.get("key").and_then(Value::as_str) {
        Some(key) if is_key(key) => Ok(key.to_owned()),
        _ => bail!("POST {path}: the answer has no key"),
    }
}

/// A header value and a word for the shell: nothing else may come from a file or an answer.
fn is_key(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}
