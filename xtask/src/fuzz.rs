//! `cargo xtask fuzz`: each parser is given what a fuzzer comes up with, beginning with the test vectors.
//!
//! The targets are the files of `fuzz/fuzz_targets/`. What a run learns stays in `fuzz/corpus/`, what it
//! finds in `fuzz/artifacts/`; neither is committed.

use std::collections::VecDeque;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::mpsc::Receiver;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};
use serde_json::Value;

use crate::cargo_tools::CARGO_FUZZ;
use crate::prerequisites::find_program;
use crate::process::{self, Group};
use crate::{interrupt, project, report};

/// Sanitizers and coverage are nightly's; so is cargo-fuzz.
const TOOLCHAIN: &str = "nightly";
const TARGETS: &str = "fuzz/fuzz_targets";
const BUILT: &str = "fuzz/target";

/// One target, where nothing else is asked for.
const DEFAULT_SECONDS: u64 = 60;
/// One target in `cargo xtask test`: the seeds, and some millions of small steps from there.
const BRIEF_SECONDS: u64 = 5;
/// An input that takes longer is a finding. The slowest honest one, an RSA key of 16384 bits, takes 0.1 s.
const INPUT_SECONDS: u64 = 10;
/// Memory beyond this is a finding.
const MEMORY_MB: u64 = 1024;

/// About two minutes on two cores.
const BUILD_LIMIT: Duration = Duration::from_secs(20 * 60);
/// For reading the corpus before the clock of a run starts.
const START_LIMIT: Duration = Duration::from_secs(5 * 60);
const POLL: Duration = Duration::from_millis(100);
/// Of what a target prints; a finding is described at the end.
const SHOWN_LINES: usize = 60;

/// What to run, and for how long.
#[derive(Debug)]
pub(crate) struct Options {
    /// For each target.
    pub(crate) seconds: u64,
    /// All, if none is named.
    pub(crate) targets: Vec<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self { seconds: DEFAULT_SECONDS, targets: Vec::new() }
    }
}

impl Options {
    /// As a part of the tests.
    pub(crate) fn brief() -> Self {
        Self { seconds: BRIEF_SECONDS, ..Self::default() }
    }
}

/// Why there can be no fuzzing here, if so.
pub(crate) fn unavailable() -> Option<String> {
    if let Err(error) = host() {
        return Some(format!("{error:#}"));
    }
    let compilers = ["c++", "g++", "clang++"];
    if compilers.iter().all(|name| find_program(name).is_none()) {
        return Some("libFuzzer is C++, and there is no compiler for it (c++)".to_owned());
    }
    None
}

/// Builds the targets and runs each for a while.
///
/// # Errors
/// Also if a target finds something.
pub(crate) fn run(options: &Options) -> Result<()> {
    let targets = select(&options.targets)?;
    if let Some(reason) = unavailable() {
        bail!("{reason}");
    }
    let host = host()?;
    CARGO_FUZZ.ensure()?;
    seed()?;
    build(&host)?;
    let folder = project::path(BUILT).join(&host).join("release");
    let together = thread::available_parallelism().map_or(1, usize::from);
    let (mut executions, mut found) = (0_u64, Vec::new());
    for targets in targets.chunks(together) {
        let names = targets.join(", ");
        report::step(&format!("{names}: {} s", options.seconds));
        let started: Vec<Running> = targets
            .iter()
            .map(|target| Running::start(target, folder.join(target), options.seconds))
            .collect::<Result<_>>()?;
        for running in wait(started, options.seconds)? {
            executions = executions.saturating_add(running.executions);
            if running.is_well {
                let Running { target, executions, .. } = running;
                report::done(&format!("{target}: {executions} executions"));
            } else {
                report::error(&running.target);
                running.tail.iter().for_each(|line| eprintln!("  {line}"));
                found.push(running.target);
            }
        }
    }
    if !found.is_empty() {
        bail!("found something in {}: the input is in fuzz/artifacts/", found.join(", "));
    }
    report::done(&format!("{} targets, {executions} executions, nothing found", targets.len()));
    Ok(())
}

/// The platform nightly builds for.
fn host() -> Result<String> {
    let mut command = process::command("rustc");
    command.arg("-vV");
    use_nightly(&mut command);
    let missing = || {
        anyhow!("no nightly toolchain, which fuzzing needs: rustup toolchain install {TOOLCHAIN}")
    };
    let printed = process::answer(&mut command).map_err(|_| missing())?;
    if !printed.contains(TOOLCHAIN) {
        return Err(missing());
    }
    let host = printed.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned).ok_or_else(missing)
}

/// Never installs it: that is for a person to decide.
fn use_nightly(command: &mut Command) {
    command.env("RUSTUP_TOOLCHAIN", TOOLCHAIN).env("RUSTUP_AUTO_INSTALL", "0");
}

/// The targets in their order, or those named.
fn select(only: &[String]) -> Result<Vec<String>> {
    let all = all_targets()?;
    if let Some(unknown) = only.iter().find(|name| !all.contains(name)) {
        bail!("no target `{unknown}`: expected some of {}", all.join(", "));
    }
    Ok(if only.is_empty() { all } else { only.to_vec() })
}

fn all_targets() -> Result<Vec<String>> {
    let mut targets = Vec::new();
    for entry in fs::read_dir(project::path(TARGETS)).with_context(|| format!("no {TARGETS}"))? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "rs")
            && let Some(name) = path.file_stem()
        {
            targets.push(name.to_string_lossy().into_owned());
        }
    }
    targets.sort();
    Ok(targets)
}

/// The gate has no unsafe code, so no sanitizer: it would halve the executions to watch the dependencies.
fn build(host: &str) -> Result<()> {
    let mut command = process::command("cargo");
    command
        .args(["fuzz", "build", "--sanitizer", "none", "--target", host, "--target-dir"])
        .arg(project::path(BUILT));
    process::prepend_path(&mut command, &CARGO_FUZZ.bin()?)?;
    use_nightly(&mut command);
    process::quiet("building the fuzz targets", &mut command, BUILD_LIMIT)
}

/// Which member of a test vector is an input of which target.
const SEEDS: [(&str, &str); 5] = [
    ("token", "token"),
    ("jwk", "jwk"),
    ("pem", "pem"),
    ("key", "api_key"),
    ("proof", "dpop_proof"),
];

/// Writes the vectors into the corpora. Beside them, `fuzz/seeds/` has what the vectors do not.
fn seed() -> Result<()> {
    let mut files = Vec::new();
    for entry in fs::read_dir(project::path("tests/vectors"))? {
        files.push(entry?.path());
    }
    files.sort();
    let mut seeds = Vec::new();
    for file in files.iter().filter(|file| file.extension().is_some_and(|it| it == "json")) {
        let text = fs::read_to_string(file)?;
        let vectors = serde_json::from_str(&text)
            .with_context(|| format!("cannot read {}", file.display()))?;
        collect(&vectors, &mut seeds);
    }
    let keys: Vec<&str> =
        seeds.iter().filter(|(target, _)| *target == "jwk").map(|(_, key)| key.as_str()).collect();
    let set = ("jwks", format!(r#"{{"keys":[{}]}}"#, keys.join(",")));
    for (number, (target, seed)) in seeds.iter().chain([&set]).enumerate() {
        let folder = corpus(target);
        fs::create_dir_all(&folder)?;
        fs::write(folder.join(format!("vector-{number:03}")), seed)?;
    }
    Ok(())
}

fn collect(value: &Value, seeds: &mut Vec<(&'static str, String)>) {
    match value {
        Value::Array(values) => values.iter().for_each(|value| collect(value, seeds)),
        Value::Object(members) => {
            for (name, value) in members {
                match (SEEDS.iter().find(|(member, _)| member == name), value) {
                    (Some((_, target)), Value::String(text)) => seeds.push((target, text.clone())),
                    (Some((_, target)), Value::Object(_)) => {
                        seeds.push((target, value.to_string()));
                    }
                    _ => collect(value, seeds),
                }
            }
        }
        _ => {}
    }
}

fn corpus(target: &str) -> PathBuf {
    project::path("fuzz/corpus").join(target)
}

/// A target under way, and then how it ended.
struct Running {
    target: String,
    group: Group,
    lines: Receiver<String>,
    tail: VecDeque<String>,
    executions: u64,
    is_well: bool,
}

impl Running {
    fn start(target: &str, program: PathBuf, seconds: u64) -> Result<Self> {
        let artifacts = project::path("fuzz/artifacts").join(target);
        let seeds = project::path("fuzz/seeds").join(target);
        fs::create_dir_all(&artifacts)?;
        fs::create_dir_all(corpus(target))?;
        let mut command = process::command(program);
        // The first folder is the one that is written to.
        command.arg(corpus(target)).args(Some(seeds).filter(|folder| folder.exists()));
        command.args([
            format!("-max_total_time={seconds}"),
            format!("-timeout={INPUT_SECONDS}"),
            format!("-rss_limit_mb={MEMORY_MB}"),
            format!("-artifact_prefix={}/", artifacts.display()),
            "-print_final_stats=1".to_owned(),
        ]);
        // Otherwise the frames of libFuzzer stand where the message should be.
        command.env("RUST_BACKTRACE", "0").stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut group = Group::spawn(&mut command)?;
        let lines = group.lines();
        let tail = VecDeque::with_capacity(SHOWN_LINES);
        Ok(Self { target: target.to_owned(), group, lines, tail, executions: 0, is_well: false })
    }

    fn read(&mut self) {
        while let Ok(line) = self.lines.recv_timeout(Duration::from_millis(1)) {
            if let Some(count) = line.strip_prefix("stat::number_of_executed_units:") {
                self.executions = count.trim().parse().unwrap_or_default();
            }
            if self.tail.len() == SHOWN_LINES {
                self.tail.pop_front();
            }
            self.tail.push_back(line);
        }
    }
}

/// Waits until all have ended.
fn wait(mut running: Vec<Running>, seconds: u64) -> Result<Vec<Running>> {
    let limit = START_LIMIT.saturating_add(Duration::from_secs(seconds));
    let started = Instant::now();
    let mut ended = Vec::with_capacity(running.len());
    while !running.is_empty() {
        interrupt::check()?;
        if started.elapsed() > limit {
            let names: Vec<&str> = running.iter().map(|one| one.target.as_str()).collect();
            bail!("{}: not finished after {}", names.join(", "), report::duration(limit));
        }
        let mut going = Vec::new();
        for mut one in running {
            let status = one.group.ended()?;
            one.read();
            match status {
                None => going.push(one),
                Some(status) => {
                    one.is_well = status.success();
                    ended.push(one);
                }
            }
        }
        running = going;
        thread::sleep(POLL);
    }
    Ok(ended)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_target_is_a_program_and_the_other_way_round() {
        let manifest = fs::read_to_string(project::path("fuzz/Cargo.toml")).unwrap();
        let mut programs: Vec<&str> = manifest
            .split("[[bin]]")
            .skip(1)
            .filter_map(|section| section.split("name = \"").nth(1)?.split('"').next())
            .collect();
        programs.sort_unstable();
        assert_eq!(programs, all_targets().unwrap());
    }

    #[test]
    fn an_unknown_target_is_refused_with_the_known_ones() {
        let error = select(&["tokens".to_owned()]).unwrap_err().to_string();
        assert!(
            error.starts_with("no target `tokens`: expected some of admin, api_key, "),
            "{error}"
        );
    }

    #[test]
    fn vectors_are_seeds_of_the_targets_they_are_inputs_of() {
        let vectors = serde_json::json!([
            {"name": "n", "token": "a.b.c", "jwk": {"kty": "oct"}},
            {"accepted": [{"pem": "-----"}], "valid": [{"key": "sk_test_0", "id": 1}]},
        ]);
        let mut seeds = Vec::new();
        collect(&vectors, &mut seeds);
        seeds.sort();
        let expected = [
            ("api_key", "sk_test_0"),
            ("jwk", r#"{"kty":"oct"}"#),
            ("pem", "-----"),
            ("token", "a.b.c"),
        ];
        assert_eq!(seeds, expected.map(|(target, seed)| (target, seed.to_owned())));
    }
}
