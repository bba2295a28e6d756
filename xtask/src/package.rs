//! Building the npm package: what JavaScript knows of the library, the engines for wasm32, the bundles for Node, their
//! declarations.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::cargo_tools::WASM_BINDGEN;
use crate::{process, project, report, toolchain, wasm};

/// Compares the version of manifests, changelog and tag.
pub(crate) const VERSION: &str = "./xtask/release/version.mjs";

const LIMIT: Duration = Duration::from_secs(20 * 60);

/// All that is generated, and ignored by git.
const OUT: &str = "pkg/wasm";

/// Generated too, but committed, so that the sources can be read and tested as they are.
/// Each is what an example of `crates/engine` prints.
const GENERATED: [(&str, &str); 2] =
    [("protocol", "pkg/lib/protocol.js"), ("refusals", "pkg/cli/refusals.js")];

/// What declarations for `require` import as `./policy.cjs`.
const POLICY_TYPE: &str = "pkg/policy.d.ts";

/// The profiles of Cargo.toml for them.
const FAST: &str = "npm";
const SMALL: &str = "npm-small";

/// One build of the engine, `<name>_bg.wasm`. Each can do what the first one can.
struct Module {
    name: &'static str,
    /// Of `crates/engine`; none come by default.
    features: &'static str,
    profile: &'static str,
}

const MODULES: [Module; 4] = [
    Module { name: "edgegate", features: "", profile: SMALL },
    Module { name: "edgegate_fast", features: "ed25519-tables", profile: FAST },
    Module { name: "edgegate_gate", features: "gate,ed25519-tables", profile: FAST },
    Module { name: "edgegate_pure", features: "pure,ed25519-tables", profile: FAST },
];

/// What Node gets for `edgegate/…`: an entry and all it imports, beside the engines. Node takes half a
/// millisecond for each file that it has to find and read, which is longer than for what is in it.
///
/// For `require` each entry is one file, with declarations of its own. For `import` what they share is a file
/// too, so that there is one `EdgegateError`, and one memory of imported keys, whichever entries are used.
struct Bundle {
    name: &'static str,
    entry: &'static str,
    declarations: &'static str,
}

const fn bundle(name: &'static str, entry: &'static str, declarations: &'static str) -> Bundle {
    Bundle { name, entry, declarations }
}

const BUNDLES: [Bundle; 14] = [
    bundle("node", "pkg/lib/node.js", "pkg/index.d.ts"),
    bundle("slim", "pkg/slim.js", "pkg/slim.d.ts"),
    bundle("gate-slim", "pkg/gate/slim.js", "pkg/gate/slim.d.ts"),
    bundle("client", "pkg/client.js", "pkg/client.d.ts"),
    bundle("pure", "pkg/lib/node-pure.js", "pkg/pure.d.ts"),
    bundle("express", "pkg/adapters/express.js", "pkg/adapters/express.d.ts"),
    bundle("fastify", "pkg/adapters/fastify.js", "pkg/adapters/fastify.d.ts"),
    bundle("hono", "pkg/adapters/hono.js", "pkg/adapters/hono.d.ts"),
    bundle("fetch", "pkg/adapters/fetch.js", "pkg/adapters/fetch.d.ts"),
    bundle("koa", "pkg/adapters/koa.js", "pkg/adapters/koa.d.ts"),
    bundle("store-contract", "pkg/store-contract.js", "pkg/store-contract.d.ts"),
    bundle("lambda", "pkg/adapters/lambda.js", "pkg/adapters/lambda.d.ts"),
    bundle("sinks", "pkg/sinks.js", "pkg/sinks.d.ts"),
    bundle("testing", "pkg/lib/node-testing.js", "pkg/testing.d.ts"),
];

/// Like `node` and `pure`, but with the engines as a part of the code, for Bun, Deno, and who wants it. For `import` only.
const INLINE: [(&str, &str); 2] =
    [("inline", "pkg/lib/node-inline.js"), ("pure-inline", "pkg/lib/node-pure-inline.js")];

/// How Node's entries come to the texts. They stay files of their own: see there.
const TEXTS: [&str; 3] = ["fast-text.cjs", "gate-text.cjs", "pure-text.cjs"];

/// Makes `pkg/` ready for `npm pack`.
pub(crate) fn build() -> Result<()> {
    process::script(&format!("import {{ checkPackage }} from '{VERSION}'; checkPackage();"))?;
    write_generated()?;
    write_descriptions()?;
    process::script("import { write } from './xtask/package/entries.mjs'; write();")?;
    let out = project::path(OUT);
    if out.exists() {
        // All that lies in it is packed, also what nothing makes any more.
        fs::remove_dir_all(&out).context(OUT)?;
    }
    fs::create_dir_all(&out).context(OUT)?;
    let mut sizes = Vec::new();
    for module in &MODULES {
        let bytes = module.build()?;
        sizes.push(format!("{} has {bytes} bytes", module.name));
    }
    let names = MODULES.map(|module| format!("'{}'", module.name)).join(", ");
    process::script(&format!(
        "import {{ write }} from './xtask/package/texts.mjs'; write([{names}]);"
    ))?;
    for name in TEXTS {
        fs::copy(project::path("pkg/lib").join(name), out.join(name)).context(name)?;
    }
    bundle_for_import()?;
    for bundle in &BUNDLES {
        bundle.build()?;
    }
    fs::copy(project::path(POLICY_TYPE), project::path(OUT).join("policy.d.cts"))
        .context(POLICY_TYPE)?;
    process::script("import { copy } from './xtask/package/worker.mjs'; copy();")?;
    process::script("import { write } from './xtask/package/cli.mjs'; await write();")?;
    report::done(&format!("pkg/ is ready for npm pack: {}", sizes.join(", ")));
    Ok(())
}

/// Statuses, slots, codes and names, from the Rust library. By a program of its own: xtask has to work while the library
/// does not compile.
fn write_generated() -> Result<()> {
    for (example, file) in GENERATED {
        let cargo = |verb: &str| {
            let mut command = process::command("cargo");
            command.args([verb, "--quiet", "--locked", "--package", "edgegate-engine"]);
            command.args(["--example", example]);
            command
        };
        process::quiet(&format!("compiling the {example}"), &mut cargo("build"), LIMIT)?;
        let text = process::answer(&mut cargo("run"))?;
        fs::write(project::path(file), format!("{text}\n")).context(file)?;
    }
    Ok(())
}

/// The schema of policies, their TypeScript type and the reference; committed too.
fn write_descriptions() -> Result<()> {
    let cargo = |verb: &str| {
        let mut command = process::command("cargo");
        command.args([verb, "--quiet", "--locked", "--package", "edgegate-describe"]);
        command
    };
    process::quiet("compiling the descriptions", &mut cargo("build"), LIMIT)?;
    process::answer(&mut cargo("run")).map(drop)
}

impl Module {
    fn build(&self) -> Result<u64> {
        let compiled = self.compile()?;
        let bound = self.bind(&compiled)?;
        let optimised = project::path(OUT).join(self.file());
        optimise(&bound, &optimised)?;
        Ok(fs::metadata(&optimised).with_context(|| self.file())?.len())
    }

    fn file(&self) -> String {
        format!("{}_bg.wasm", self.name)
    }

    fn compile(&self) -> Result<PathBuf> {
        let compile = |messages: &str| -> Result<Command> {
            let mut command = process::command("cargo");
            command.args(["build", "--locked", "--lib", "--package", "edgegate-engine"]);
            command.args(["--message-format", messages, "--profile", self.profile]);
            command.args(["--no-default-features", "--features", self.features]);
            command.args(["--target", toolchain::TARGET]);
            wasm::leave_out_folders(&mut command)?;
            toolchain::use_wasm32(&mut command)?;
            Ok(command)
        };
        process::quiet(&format!("compiling {}", self.name), &mut compile("short")?, LIMIT)?;
        wasm::compiled(&mut compile("json")?)
    }

    /// Only the wasm is used: nothing but numbers passes, so wasm-bindgen's JavaScript has nothing to
    /// do.
    fn bind(&self, compiled: &Path) -> Result<PathBuf> {
        let staging = project::path("target/npm");
        let mut command = process::command(WASM_BINDGEN.bin()?.join("wasm-bindgen"));
        command.args(["--target", "bundler", "--no-typescript", "--out-name", self.name]);
        command.arg("--out-dir").arg(&staging).arg(compiled);
        process::quiet(&format!("binding {}", self.name), &mut command, LIMIT)?;
        Ok(staging.join(self.file()))
    }
}

/// Optimises a module. The result is kept beside it, since this takes most of a minute for all of them: it is used again for
/// the same module, options and npm packages. Functions stand side by side as in the Worker, for gzip.
fn optimise(bound: &Path, optimised: &Path) -> Result<()> {
    let options = [
        &["-O3"][..],
        &wasm::FOR_GZIP,
        &wasm::FEATURES,
        &["--strip-debug", "--strip-producers", "--strip-target-features"],
    ]
    .concat();
    let (kept, stamp) = (bound.with_extension("optimised"), bound.with_extension("made-from"));
    let made_from = |kept: &Path| -> Result<String> {
        let files = [bound.to_path_buf(), project::path("package-lock.json"), kept.to_path_buf()];
        Ok(format!("{}\n{}", options.join(" "), wasm::digests(&files)?))
    };
    let is_fresh = fs::read_to_string(&stamp)
        .is_ok_and(|text| made_from(&kept).is_ok_and(|fresh| text == fresh));
    if !is_fresh {
        let mut command = process::command(project::npm_program("wasm-opt"));
        command.args(&options).arg(bound).arg("-o").arg(&kept);
        process::quiet("optimising it", &mut command, LIMIT)?;
        fs::write(&stamp, made_from(&kept)?).with_context(|| stamp.display().to_string())?;
    }
    fs::copy(&kept, optimised).with_context(|| optimised.display().to_string()).map(drop)
}

/// esbuild, for all of these bundles.
fn esbuild() -> Command {
    let mut command = process::command(project::npm_program("esbuild"));
    command.args(["--bundle", "--platform=node", "--target=node20", "--log-level=warning"]);
    command.arg("--external:./edgegate_*_text.js");
    command
}

fn bundle_for_import() -> Result<()> {
    let mut command = esbuild();
    let bundled = BUNDLES.map(|bundle| (bundle.name, bundle.entry));
    command.args(bundled.iter().chain(&INLINE).map(|(name, entry)| format!("{name}={entry}")));
    command.args(["--format=esm", "--splitting", "--chunk-names=shared-[hash]"]);
    command.arg("--external:./*-text.cjs");
    command.arg(format!("--outdir={OUT}"));
    process::quiet("bundling the entries for import", &mut command, LIMIT)
}

impl Bundle {
    fn build(&self) -> Result<()> {
        let mut command = esbuild();
        command.args([self.entry, "--format=cjs"]);
        if self.loads_engine()? {
            command.args([
                "--define:import.meta.url=fileUrl",
                "--banner:js=const fileUrl = require('node:url').pathToFileURL(__filename);",
            ]);
        }
        command.arg(format!("--outfile={OUT}/{}.cjs", self.name));
        process::quiet(&format!("bundling {} for require", self.name), &mut command, LIMIT)?;
        self.declare()
    }

    fn loads_engine(&self) -> Result<bool> {
        let text = fs::read_to_string(project::path(self.entry)).context(self.entry)?;
        Ok(text.contains("./node-engines.js"))
    }

    /// The same declarations; what they import has to be declared for `require` too.
    fn declare(&self) -> Result<()> {
        let text =
            fs::read_to_string(project::path(self.declarations)).context(self.declarations)?;
        let text = text
            .replace("'./index.js'", "'./node.cjs'")
            .replace("'../index.js'", "'./node.cjs'")
            .replace("'../slim.js'", "'./slim.cjs'")
            .replace("'./policy.js'", "'./policy.cjs'");
        fs::write(project::path(OUT).join(format!("{}.d.cts", self.name)), text)
            .context(self.declarations)
    }
}
