//! Programs for tests that come from the system's package manager: browsers with a driver, nginx, Redis,
//! rsyslog, Apache with a module, what watches others, PHP and Python. `dev` and `build` need none of them.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::prerequisites::find_program;
use crate::process;

const INSTALL_LIMIT: Duration = Duration::from_secs(15 * 60);
const MIRROR_TIMEOUT_SECS: &str = "30";

/// A program that a test runs, with the names that it may have.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Program {
    names: &'static [&'static str],
    debian_package: &'static str,
}

const CHROMIUM: Program = Program {
    names: &["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"],
    debian_package: "chromium",
};
const CHROMEDRIVER: Program =
    Program { names: &["chromedriver"], debian_package: "chromium-driver" };
pub(crate) const NGINX: Program = Program { names: &["nginx"], debian_package: "nginx" };
pub(crate) const REDIS: Program =
    Program { names: &["redis-server"], debian_package: "redis-server" };
pub(crate) const RSYSLOG: Program = Program { names: &["rsyslogd"], debian_package: "rsyslog" };
pub(crate) const FIREFOX: Program =
    Program { names: &["firefox-esr", "firefox"], debian_package: "firefox-esr" };
pub(crate) const APACHE: Program = Program { names: &["apache2"], debian_package: "apache2-bin" };
/// A file that Apache loads, by its path.
pub(crate) const MOD_OAUTH2: Program = Program {
    names: &["/usr/lib/apache2/modules/mod_oauth2.so"],
    debian_package: "libapache2-mod-oauth2",
};

pub(crate) const MOD_AUTH_OPENIDC: Program = Program {
    names: &["/usr/lib/apache2/modules/mod_auth_openidc.so"],
    debian_package: "libapache2-mod-auth-openidc",
};
pub(crate) const WEBKIT: Program =
    Program { names: &["WebKitWebDriver"], debian_package: "webkit2gtk-driver" };
pub(crate) const PROMETHEUS: Program =
    Program { names: &["prometheus"], debian_package: "prometheus" };
pub(crate) const ALERTMANAGER: Program =
    Program { names: &["prometheus-alertmanager"], debian_package: "prometheus-alertmanager" };
pub(crate) const FAIL2BAN: Program =
    Program { names: &["fail2ban-regex"], debian_package: "fail2ban" };
pub(crate) const PHP: Program = Program { names: &["php"], debian_package: "php-cli" };
/// A display for WebKit, which has none of its own.
pub(crate) const XVFB: Program = Program { names: &["Xvfb"], debian_package: "xvfb" };

/// A browser for `wasm-pack test`.
pub(crate) fn ensure_browser() -> Result<()> {
    // On macOS it is an application, which chromedriver finds by itself.
    let mac_chrome = Path::new("/Applications/Google Chrome.app").exists();
    if mac_chrome { ensure(&[CHROMEDRIVER]) } else { ensure(&[CHROMIUM, CHROMEDRIVER]) }
}

/// Where the browser's driver is.
pub(crate) fn chromedriver() -> Result<PathBuf> {
    CHROMEDRIVER.find().context("chromedriver is missing")
}

/// The folder of nginx, which may lie outside an ordinary user's `PATH`.
pub(crate) fn nginx_folder() -> Option<PathBuf> {
    NGINX.find().and_then(|program| program.parent().map(Path::to_path_buf))
}

impl Program {
    fn find(&self) -> Option<PathBuf> {
        self.names.iter().find_map(|name| match Path::new(name) {
            file if file.is_absolute() => file.is_file().then(|| file.to_path_buf()),
            _ => find_program(name),
        })
    }
}

pub(crate) fn ensure(programs: &[Program]) -> Result<()> {
    let missing: Vec<&Program> = programs.iter().filter(|p| p.find().is_none()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let packages: Vec<&str> = missing.iter().map(|program| program.debian_package).collect();
    let names: Vec<&str> = missing.iter().filter_map(|p| p.names.first()).copied().collect();
    install(&packages, &names)?;
    match missing.iter().find(|program| program.find().is_none()) {
        None => Ok(()),
        Some(program) => bail!("{} was installed, but is not found", program.debian_package),
    }
}

/// Python and its module for virtual environments, which is a package of its own in Debian.
pub(crate) fn ensure_python() -> Result<()> {
    let has_venv = || {
        let mut python = process::command("python3");
        process::answer(python.args(["-c", "import ensurepip, venv"]))
    };
    if has_venv().is_ok() {
        return Ok(());
    }
    install(&["python3-venv"], &["python3 with venv"])?;
    has_venv().map(drop).context("python3-venv was installed, but is not found")
}

/// Installs packages of Debian. On other systems returns an error with these names.
fn install(packages: &[&str], names: &[&str]) -> Result<()> {
    let install = format!(
        "apt-get update && apt-get install -y --no-install-recommends {}",
        packages.join(" ")
    );
    if find_program("apt-get").is_none() {
        bail!("{}: missing; install with your package manager", names.join(", "));
    }
    let Some(prefix) = root_prefix() else {
        bail!("{}: missing; run: sudo sh -c '{install}'", packages.join(", "));
    };
    apt_get(&prefix, &["update"], "reading the list of system packages")?;
    let mut arguments = vec!["install", "-y", "--no-install-recommends"];
    arguments.extend(packages);
    apt_get(&prefix, &arguments, &format!("installing {}", packages.join(", ")))
}

/// Returns the words before a command with which root runs it; `None` if that is not allowed here.
fn root_prefix() -> Option<Vec<&'static str>> {
    let user = process::answer(process::command("id").arg("-u")).ok()?;
    if user.trim() == "0" {
        return Some(Vec::new());
    }
    process::answer(process::command("sudo").args(["-n", "true"])).ok()?;
    Some(vec!["sudo", "-n"])
}

fn apt_get(prefix: &[&str], arguments: &[&str], step: &str) -> Result<()> {
    let timeout = format!("Acquire::http::Timeout={MIRROR_TIMEOUT_SECS}");
    let words = [prefix, &["env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-o", &timeout]];
    let mut words = words.concat().into_iter();
    let mut command: Command = process::command(words.next().context("an empty command")?);
    command.args(words).args(arguments);
    process::quiet(step, &mut command, INSTALL_LIMIT)
}
