//! Building Workers: the gate, and the example that embeds it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::cargo_tools::WASM_BINDGEN;
use crate::{inlining, process, project, report, toolchain, versions, wasm};

const BUILD_LIMIT: Duration = Duration::from_secs(20 * 60);

/// A Worker: a crate that contains the gate's library.
struct Worker {
    folder: &'static str,
    /// The folder of `index.js` and `index_bg.wasm`. Its folder `names/` has the same module with the names of its functions. They have the
    /// same numbers, so it tells what `wasm-function[123]` in a deployed Worker's trace is.
    build: &'static str,
    /// The folder of the glue until it is bundled.
    staging: &'static str,
}

/// The gate itself.
const GATE: Worker =
    Worker { folder: "crates/worker/deployed", build: "build", staging: "target/worker" };

/// The example of a Worker that embeds the gate.
const EMBEDDED: Worker = Worker {
    folder: "examples/worker-embedded",
    build: "examples/worker-embedded/build",
    staging: "target/worker-embedded",
};

/// What the platform calls.
const ENTRY: &str = "crates/worker/entry.js";

/// If it is set, the names stay in the module. They are a tenth of the upload, and make traces readable.
pub(crate) const KEEP_NAMES: &str = "EDGEGATE_KEEP_NAMES";

/// Functions stay apart, as the compiler has left them ([`inlining`]). `-O3` is for speed, since the compiler has worked for size already. The
/// compressed module is not larger, and V8 runs the code for a long time as it is before it optimises it.
const OPTIMISE: [&str; 4] = [
    "-O3",
    "--one-caller-inline-max-function-size=25",
    "--always-inline-max-function-size=1",
    "--flexible-inline-max-function-size=2",
];

/// Whether the module that is deployed names its functions.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Names {
    Kept,
    Apart,
}

/// Builds `build/index.js` and `build/index_bg.wasm`, with names if [`KEEP_NAMES`] is set.
pub(crate) fn build() -> Result<()> {
    let kept = std::env::var_os(KEEP_NAMES).is_some();
    build_with(if kept { Names::Kept } else { Names::Apart })
}

/// Builds the example of a Worker that embeds the gate.
pub(crate) fn build_embedded() -> Result<()> {
    EMBEDDED.build(Names::Apart)
}

/// Builds the files, unless they are up to date.
///
/// `dev` builds before it starts wrangler, and wrangler runs the same command again. Then cargo finds nothing to do, but optimising would
/// take twenty seconds more.
pub(crate) fn build_with(names: Names) -> Result<()> {
    GATE.build(names)
}

impl Worker {
    fn build(&self, names: Names) -> Result<()> {
        process::quiet("compiling the Worker", &mut self.compile(&[])?, BUILD_LIMIT)?;
        let compiled = wasm::compiled(&mut self.compile(&["--message-format=json"])?)?;
        if fs::read_to_string(self.stamp_file())
            .is_ok_and(|made| self.stamp(&compiled, names).ok() == Some(made))
        {
            report::done(&format!("{}/ is up to date", self.build));
            return Ok(());
        }
        let bound = self.bind(&compiled)?;
        self.bundle(&bound)?;
        self.optimise(&bound.join("index_bg.wasm"), names)?;
        fs::write(self.stamp_file(), self.stamp(&compiled, names)?).context(self.build)
    }

    /// `index.js` and `index_bg.wasm`.
    fn outputs(&self) -> [PathBuf; 2] {
        ["index.js", "index_bg.wasm"].map(|name| self.built(name))
    }

    /// Names the inputs and outputs of the last build.
    fn stamp_file(&self) -> PathBuf {
        self.built(".made-from")
    }

    fn built(&self, name: &str) -> PathBuf {
        project::path(self.build).join(name)
    }

    /// The module and its glue, which starts a new instance after a trap.
    fn bind(&self, compiled: &Path) -> Result<PathBuf> {
        let staging = project::path(self.staging);
        if staging.exists() {
            fs::remove_dir_all(&staging).context(self.staging)?;
        }
        let mut command = process::command(WASM_BINDGEN.bin()?.join("wasm-bindgen"));
        command.args(["--target", "module", "--no-typescript", "--out-name", "index"]);
        command.args(["--experimental-reset-state-function", "--force-enable-abort-handler"]);
        command.arg("--out-dir").arg(&staging).arg(compiled);
        process::quiet("binding the Worker", &mut command, BUILD_LIMIT)?;
        Ok(staging)
    }

    /// Makes one file of the entry, the glue and the JavaScript that Rust calls by name.
    fn bundle(&self, bound: &Path) -> Result<()> {
        let entry = bound.join("entry.js");
        fs::copy(project::path(ENTRY), &entry).context(ENTRY)?;
        let mut command = process::command(project::npm_program("esbuild"));
        command.arg(&entry).args(["--bundle", "--minify", "--format=esm"]);
        command.args(["--external:./index_bg.wasm", "--external:cloudflare:workers"]);
        command.arg("--log-level=warning");
        let [out, _] = self.outputs();
        command.arg(format!("--outfile={}", out.display()));
        process::quiet(&format!("bundling {}/index.js", self.build), &mut command, BUILD_LIMIT)?;
        // wrangler and Miniflare know only the plain import of a module.
        let text = fs::read_to_string(&out).context(self.build)?;
        fs::write(&out, text.replace("import source ", "import ")).context(self.build)
    }

    fn optimise(&self, bound: &Path, names: Names) -> Result<()> {
        let [_, module] = self.outputs();
        let named = self.built("names/index_bg.wasm");
        if let Some(folder) = named.parent() {
            fs::create_dir_all(folder)?;
        }
        let wasm_opt = || {
            let mut command = process::command(project::npm_program("wasm-opt"));
            command.args(wasm::FEATURES).arg("--enable-exception-handling");
            command
        };
        let mut command = wasm_opt();
        command
            .args(OPTIMISE)
            .args(wasm::FOR_GZIP)
            .arg("--debuginfo")
            .arg(bound)
            .arg("-o")
            .arg(&named);
        process::quiet("optimising the Worker", &mut command, BUILD_LIMIT)?;
        if names == Names::Kept {
            fs::copy(&named, &module).context(self.build)?;
            return Ok(());
        }
        let mut command = wasm_opt();
        command.args(["--strip-debug", "--strip-producers"]).arg(&named).arg("-o").arg(&module);
        process::quiet("setting the names apart", &mut command, BUILD_LIMIT)
    }

    /// With this variable async exports use js-sys, which `worker` brings, in place of wasm-bindgen-futures.
    fn compile(&self, more: &[&str]) -> Result<Command> {
        let mut command = process::command("cargo");
        command
            .current_dir(project::path(self.folder))
            .args(["build", "--locked", "--lib", "--release", "--target", toolchain::TARGET])
            .args(more)
            .env("WASM_BINDGEN_USE_JS_SYS", "1");
        wasm::leave_out_folders(&mut command)?;
        inlining::keep_functions_apart(&mut command)?;
        toolchain::use_wasm32(&mut command)?;
        Ok(command)
    }

    /// Digests of the module, of the npm packages, and of what was made of them; versions of the tools.
    fn stamp(&self, compiled: &Path, names: Names) -> Result<String> {
        let names = if names == Names::Kept { "with" } else { "without" };
        let inputs =
            [compiled.to_path_buf(), project::path("package-lock.json"), project::path(ENTRY)];
        let digests = wasm::digests(&[&inputs[..], &self.outputs()].concat())?;
        Ok(format!("{} {names} names\n{digests}", versions::WASM_BINDGEN))
    }
}
