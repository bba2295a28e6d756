//! What each command needs, and installing it once.

use anyhow::Result;

use crate::{cargo_tools, npm, prerequisites, system_packages, toolchain};

/// Something that is installed when a command needs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    CCompiler,
    /// Node itself and the packages of `package.json`.
    NodePackages,
    /// The standard library for wasm32, with a matching compiler and clippy.
    WasmLibrary,
    WasmBindgen,
    WasmPack,
    CargoDeny,
    Browser,
    Nginx,
    Redis,
}

/// To build the Worker, and to run it.
pub(crate) const WORKER: &[Need] =
    &[Need::CCompiler, Need::NodePackages, Need::WasmLibrary, Need::WasmBindgen];

/// To build the npm package.
pub(crate) const PACKAGE: &[Need] =
    &[Need::CCompiler, Need::NodePackages, Need::WasmLibrary, Need::WasmBindgen];

pub(crate) const ALL: &[Need] = &[
    Need::CCompiler,
    Need::NodePackages,
    Need::WasmLibrary,
    Need::WasmBindgen,
    Need::WasmPack,
    Need::CargoDeny,
    Need::Browser,
    Need::Nginx,
    Need::Redis,
];

/// Installs what is missing of these, in this order; stops at the first that cannot be had.
pub(crate) fn require(needs: &[Need]) -> Result<()> {
    needs.iter().try_for_each(|need| need.ensure())
}

impl Need {
    /// Installs it, unless it is there. Says nothing in that case.
    pub(crate) fn ensure(self) -> Result<()> {
        match self {
            Self::CCompiler => prerequisites::c_compiler(),
            Self::NodePackages => prerequisites::node().and_then(|()| npm::ensure()),
            Self::WasmLibrary => toolchain::ensure_wasm32(),
            Self::WasmBindgen => cargo_tools::WASM_BINDGEN.ensure(),
            Self::WasmPack => cargo_tools::WASM_PACK.ensure(),
            Self::CargoDeny => cargo_tools::CARGO_DENY.ensure(),
            Self::Browser => system_packages::ensure_browser(),
            Self::Nginx => system_packages::ensure_nginx(),
            Self::Redis => system_packages::ensure_redis(),
        }
    }
}
