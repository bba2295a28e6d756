//! What each command needs. It is installed or built once.

use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Result;

use crate::system_packages::{
    ALERTMANAGER, APACHE, FAIL2BAN, FIREFOX, MOD_AUTH_OPENIDC, MOD_OAUTH2, NGINX, PHP, PROMETHEUS,
    REDIS, RSYSLOG, WEBKIT, XVFB,
};
use crate::{
    cargo_tools, npm, package, prerequisites, process, system_packages, toolchain, worker,
};

/// Something that is installed, or built, when a command needs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    CCompiler,
    Node,
    /// Node itself and the packages of `package.json`.
    NodePackages,
    /// The oldest wrangler and workerd that are supported.
    OldestWorkerd,
    /// Node of other versions, Deno and Bun.
    Runtimes,
    /// The standard library for wasm32, with a matching compiler and clippy.
    WasmLibrary,
    WasmBindgen,
    WasmPack,
    CargoDeny,
    Browser,
    Nginx,
    Redis,
    Rsyslog,
    Firefox,
    /// WebKit with its driver and a display.
    WebKit,
    /// Apache with mod_auth_openidc.
    ApacheLogin,
    /// Apache with mod_oauth2.
    Apache,
    /// Authlib and requests-oauthlib.
    PythonClients,
    /// Prometheus, Alertmanager, fail2ban; the files of crowdsec, and pySigma.
    Monitoring,
    /// pyotp, soft-webauthn, py_webauthn and Django; PHP.
    AccountCounterparts,
    /// `build/`, and what builds it.
    Worker,
    /// The Worker in `examples/worker-embedded`.
    EmbeddedWorker,
    /// `pkg/`, and what builds it.
    Package,
}

/// To build the Worker and the npm package, and to run the Worker.
pub(crate) const BUILD: &[Need] =
    &[Need::CCompiler, Need::NodePackages, Need::WasmLibrary, Need::WasmBindgen];

/// The tests need these too.
pub(crate) const TESTS: &[Need] = &[
    Need::WasmPack,
    Need::CargoDeny,
    Need::Browser,
    Need::Nginx,
    Need::Redis,
    Need::Rsyslog,
    Need::Apache,
    Need::PythonClients,
];

/// Installs missing ones in this order. Stops at the first that cannot be installed.
pub(crate) fn require(needs: &[Need]) -> Result<()> {
    needs.iter().try_for_each(|need| need.ensure())
}

impl Need {
    /// Installs it, unless it is there. Says nothing in that case.
    fn ensure(self) -> Result<()> {
        static WORKER_IS_BUILT: AtomicBool = AtomicBool::new(false);
        static EMBEDDED_IS_BUILT: AtomicBool = AtomicBool::new(false);
        static PACKAGE_IS_BUILT: AtomicBool = AtomicBool::new(false);
        match self {
            Self::CCompiler => prerequisites::c_compiler(),
            Self::Node => prerequisites::node(),
            Self::NodePackages => prerequisites::node()
                .and_then(|()| npm::ensure(npm::ROOT))
                .and_then(|()| prerequisites::running_node()),
            Self::OldestWorkerd => npm::ensure(npm::OLDEST),
            Self::Runtimes => npm::ensure(npm::RUNTIMES),
            Self::WasmLibrary => toolchain::ensure_wasm32(),
            Self::WasmBindgen => cargo_tools::WASM_BINDGEN.ensure(),
            Self::WasmPack => cargo_tools::WASM_PACK.ensure(),
            Self::CargoDeny => cargo_tools::CARGO_DENY.ensure(),
            Self::Browser => system_packages::ensure_browser(),
            Self::Nginx => system_packages::ensure(&[NGINX]),
            Self::Redis => system_packages::ensure(&[REDIS]),
            Self::Rsyslog => system_packages::ensure(&[RSYSLOG]),
            Self::Firefox => system_packages::ensure(&[FIREFOX]),
            Self::WebKit => system_packages::ensure(&[WEBKIT, XVFB]),
            Self::ApacheLogin => system_packages::ensure(&[APACHE, MOD_AUTH_OPENIDC]),
            Self::Apache => system_packages::ensure(&[APACHE, MOD_OAUTH2]),
            Self::PythonClients => system_packages::ensure_python().and_then(|()| {
                process::script(
                    "import { ensure } from './tests/clients/python-environment.mjs'; ensure();",
                )
            }),
            Self::Monitoring => system_packages::ensure(&[PROMETHEUS, ALERTMANAGER, FAIL2BAN])
                .and_then(|()| system_packages::ensure_python())
                .and_then(|()| {
                    process::script(
                        "import { ensure } from './tests/monitoring/environment.mjs'; ensure();",
                    )
                }),
            Self::AccountCounterparts => system_packages::ensure(&[PHP])
                .and_then(|()| system_packages::ensure_python())
                .and_then(|()| {
                    process::script(
                        "import { ensure } from './tests/accounts/environment.mjs'; ensure();",
                    )
                }),
            Self::Worker => build_once(&WORKER_IS_BUILT, worker::build),
            Self::EmbeddedWorker => build_once(&EMBEDDED_IS_BUILT, worker::build_embedded),
            // The package carries the Worker.
            Self::Package => {
                Self::Worker.ensure().and_then(|()| build_once(&PACKAGE_IS_BUILT, package::build))
            }
        }
    }
}

/// Several parts of the tests need it; the first one builds it.
fn build_once(is_built: &AtomicBool, build: fn() -> Result<()>) -> Result<()> {
    if !is_built.load(Ordering::Relaxed) {
        require(BUILD)?;
        build()?;
        is_built.store(true, Ordering::Relaxed);
    }
    Ok(())
}
