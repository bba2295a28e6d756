//! `.dev.vars`: the secrets of local runs. Missing ones are added; what is there stays as it is.

use std::fs;
use std::io::Write;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use base64ct::{Base64UrlUnpadded, Encoding};

use crate::{project, report};

/// The names are those of the example policy in wrangler.toml.
const JWT_SECRET: &str = "JWT_SECRET";
const API_KEY_SECRET: &str = "API_KEY_SECRET";
const ADMIN_TOKEN: &str = "ADMIN_TOKEN";
const SESSION_SECRET: &str = "SESSION_SECRET";
const BATCH_CLIENT_SECRET: &str = "BATCH_CLIENT_SECRET";
const NAMES: [&str; 5] =
    [JWT_SECRET, API_KEY_SECRET, ADMIN_TOKEN, SESSION_SECRET, BATCH_CLIENT_SECRET];

/// As long as the output of SHA-256 (RFC 7518 §3.2).
const SECRET_BYTES: usize = 32;
const OWNER_ONLY: u32 = 0o600;

/// The secrets that `dev` itself uses.
pub(super) struct Secrets {
    pub(super) jwt_secret: String,
    pub(super) admin_token: String,
}

pub(super) fn path() -> PathBuf {
    project::path(".dev.vars")
}

/// Reads the file, after adding a random value for each name that it lacks.
pub(super) fn ensure() -> Result<Secrets> {
    let path = path();
    let before = if path.exists() {
        fs::read_to_string(&path).with_context(|| path.display().to_string())?
    } else {
        String::new()
    };
    let (text, added) = complete(&before, &random_secret)?;
    if !added.is_empty() {
        write_private(&path, &text)?;
        report::done(&format!("wrote random values for {} to .dev.vars", added.join(", ")));
    }
    let secret = |name| value(&text, name).with_context(|| format!(".dev.vars: no {name}"));
    Ok(Secrets { jwt_secret: secret(JWT_SECRET)?, admin_token: secret(ADMIN_TOKEN)? })
}

/// The text with a line for each missing name, and those names.
fn complete(
    text: &str,
    new_secret: &dyn Fn() -> Result<String>,
) -> Result<(String, Vec<&'static str>)> {
    let mut completed = text.to_owned();
    let mut added = Vec::new();
    for name in NAMES {
        if value(text, name).is_some() {
            continue;
        }
        if !completed.is_empty() && !completed.ends_with('\n') {
            completed.push('\n');
        }
        completed.push_str(&format!("{name}={}\n", new_secret()?));
        added.push(name);
    }
    Ok((completed, added))
}

/// The value of a name as wrangler reads it: the last line wins, quotes are taken off, an empty
/// value is none.
fn value(text: &str, name: &str) -> Option<String> {
    text.lines()
        .filter_map(|line| {
            let line = line.trim_start();
            let (found, value) = line.strip_prefix("export ").unwrap_or(line).split_once('=')?;
            (found.trim() == name).then(|| unquote(value.trim()))
        })
        .next_back()
        .filter(|value| !value.is_empty())
        .map(str::to_owned)
}

fn unquote(value: &str) -> &str {
    ['"', '\'', '`']
        .iter()
        .find_map(|&quote| value.strip_prefix(quote)?.split_once(quote))
        .map_or_else(|| value.split(" #").next().unwrap_or(value).trim_end(), |(inner, _)| inner)
}

/// Text of so many random bytes that it can serve as a key.
fn random_secret() -> Result<String> {
    let mut bytes = [0_u8; SECRET_BYTES];
    getrandom::fill(&mut bytes).context("no randomness")?;
    Ok(Base64UrlUnpadded::encode_string(&bytes))
}

/// Writes a file that only its owner can read.
fn write_private(path: &Path, text: &str) -> Result<()> {
    let write = || -> std::io::Result<()> {
        let mut options = fs::OpenOptions::new();
        let mut file =
            options.write(true).create(true).truncate(true).mode(OWNER_ONLY).open(path)?;
        file.set_permissions(fs::Permissions::from_mode(OWNER_ONLY))?;
        file.write_all(text.as_bytes())
    };
    write().with_context(|| format!("cannot write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fixed() -> Result<String> {
        Ok("new".to_owned())
    }

    #[test]
    fn an_empty_file_gets_every_name() {
        let (text, added) = complete("", &fixed).unwrap();
        let all = NAMES.map(|name| format!("{name}=new\n")).concat();
        assert_eq!(text, all);
        assert_eq!(added, NAMES);
    }

    #[test]
    fn what_is_there_stays_as_it_is() {
        // As `dev` wrote it before there were sessions.
        let before = "# mine\nOTHER=1\nJWT_SECRET=\"old one\"\nADMIN_TOKEN=t\nAPI_KEY_SECRET=k";
        let (text, added) = complete(before, &fixed).unwrap();
        assert_eq!(text, format!("{before}\nSESSION_SECRET=new\nBATCH_CLIENT_SECRET=new\n"));
        assert_eq!(added, [SESSION_SECRET, BATCH_CLIENT_SECRET]);
        let (again, added) = complete(&text, &fixed).unwrap();
        assert_eq!((again, added), (text, vec![]));
    }

    #[test]
    fn values_are_read_as_wrangler_reads_them() {
        for (line, expected) in [
            ("JWT_SECRET=plain", Some("plain")),
            ("export JWT_SECRET = spaced ", Some("spaced")),
            ("JWT_SECRET='a # b'", Some("a # b")),
            ("JWT_SECRET=\"a=b\"", Some("a=b")),
            ("JWT_SECRET=plain # note", Some("plain")),
            ("JWT_SECRET=1\nJWT_SECRET=2", Some("2")),
            ("JWT_SECRET=", None),
            ("# JWT_SECRET=x", None),
            ("MY_JWT_SECRET=x", None),
        ] {
            assert_eq!(value(line, JWT_SECRET).as_deref(), expected, "{line}");
        }
    }

    #[test]
    fn secrets_are_random_and_long_enough() {
        let secret = random_secret().unwrap();
        assert_eq!(secret.len(), 43);
        assert_ne!(secret, random_secret().unwrap());
    }

    #[test]
    fn only_the_owner_can_read_what_is_written() {
        let path = std::env::temp_dir().join(format!("xtask-private-{}", std::process::id()));
        fs::write(&path, "older, readable by all").unwrap();
        write_private(&path, "x").unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, OWNER_ONLY);
        fs::remove_file(&path).unwrap();
    }
}
