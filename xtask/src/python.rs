//! The Python clients of tests: a virtual environment in the cache, installed by a list that pins every file by its hash.

use std::fs;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::cache::{self, Staging};
use crate::{process, project, system_packages};

const REQUIREMENTS: &str = "tests/clients/python-requirements.txt";
const INSTALL_LIMIT: Duration = Duration::from_secs(5 * 60);

/// Installs it, unless it is there.
pub(crate) fn ensure() -> Result<()> {
    let entry = environment()?;
    if works(&entry) {
        return Ok(());
    }
    system_packages::ensure(&[system_packages::PYTHON])?;
    if entry.exists() {
        // Its Python has been taken away.
        fs::remove_dir_all(&entry).with_context(|| entry.display().to_string())?;
    }
    let parent = entry.parent().context("the cache has no folder")?;
    let staging = Staging::new(parent, "python-clients")?;
    let folder = staging.path().join("environment");
    let mut create = process::command("python3");
    create.args(["-m", "venv"]).arg(&folder);
    if process::answer(&mut create).is_err() {
        bail!("python3 cannot make a virtual environment: install python3-venv");
    }
    let mut install = process::command(folder.join("bin/python"));
    install.args(["-m", "pip", "install", "--disable-pip-version-check", "--require-hashes"]);
    install.args(["--only-binary", ":all:", "-r", REQUIREMENTS]);
    process::quiet("installing the Python clients", &mut install, INSTALL_LIMIT)?;
    staging.publish(&folder, &entry)
}

/// Where it is; another list is another environment.
pub(crate) fn environment() -> Result<PathBuf> {
    let list = fs::read(project::path(REQUIREMENTS)).context(REQUIREMENTS)?;
    let mut hasher = DefaultHasher::new();
    list.hash(&mut hasher);
    Ok(cache::dir()?.join("tools").join(format!("python-clients-{:016x}", hasher.finish())))
}

fn works(environment: &std::path::Path) -> bool {
    let mut python = process::command(environment.join("bin/python"));
    process::answer(python.args(["-c", "import authlib, requests_oauthlib"])).is_ok()
}
