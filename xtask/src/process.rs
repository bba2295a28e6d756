//! Runs other programs. Each has its own process group, no stdin and a time limit. Ctrl-C ends the whole group, so that nothing is left
//! behind.

use std::env;
use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use crate::report::{self, Progress};
use crate::{interrupt, project};

/// How often a running program is looked at.
const POLL: Duration = Duration::from_millis(50);
/// How long a program may take to end after SIGTERM; wrangler needs about a second.
const GRACE: Duration = Duration::from_secs(5);
/// How long what it started may outlive it. In a container whose first process reaps nobody, dead
/// processes look alive for ever.
const ORPHAN_GRACE: Duration = Duration::from_millis(500);
/// How long the last lines of an ended program may take to arrive.
const DRAIN: Duration = Duration::from_millis(500);
/// For programs that only print something, like a version.
const ANSWER_LIMIT: Duration = Duration::from_secs(10 * 60);
/// Lines of a failed step that are shown; the cause stands at the end.
const SHOWN_LINES: usize = 200;
/// Words of a command that are shown in a message about it.
const SHOWN_WORDS: usize = 8;

/// Returns a command that runs in the repository. Its `node` is the one among the npm packages, as soon as that is installed.
pub(crate) fn command(program: impl AsRef<OsStr>) -> Command {
    let mut command = command_with_the_machines_node(program);
    let programs = project::npm_programs();
    // Only a `PATH` that cannot be written is an error: then the machine's own Node is found.
    if programs.join("node").exists() && prepend_path(&mut command, &programs).is_err() {
        report::warning("PATH: a folder of it has a colon in its name");
    }
    command
}

/// The same with the `node` of the machine, which installs the npm packages. Without the variables that `cargo run` has set for xtask: they
/// name xtask's package and toolchain, and would change other builds.
pub(crate) fn command_with_the_machines_node(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    command.current_dir(project::root()).stdin(Stdio::null());
    for (name, _) in env::vars_os() {
        if name.to_str().is_some_and(is_set_by_cargo_run) {
            command.env_remove(name);
        }
    }
    command
}

fn is_set_by_cargo_run(name: &str) -> bool {
    name == "CARGO"
        || name == "OUT_DIR"
        || name == "RUST_RECURSION_COUNT"
        || name.starts_with("CARGO_PKG_")
        || name.starts_with("CARGO_MANIFEST_")
}

/// Puts a folder before the others in which the command looks for programs.
pub(crate) fn prepend_path(command: &mut Command, folder: &std::path::Path) -> Result<()> {
    let current = command
        .get_envs()
        .find_map(|(name, value)| (name == "PATH").then_some(value).flatten())
        .map(OsStr::to_os_string)
        .or_else(|| env::var_os("PATH"))
        .unwrap_or_default();
    let folders = std::iter::once(folder.to_path_buf()).chain(env::split_paths(&current));
    command.env("PATH", env::join_paths(folders)?);
    Ok(())
}

/// Returns what the program printed to stdout, or an error if it cannot be started or fails.
pub(crate) fn answer(command: &mut Command) -> Result<String> {
    let mut lines = Vec::new();
    command.stdout(Stdio::piped()).stderr(Stdio::null());
    let mut group = Group::spawn(command)?;
    let receiver = group.lines();
    let status = follow(&mut group, &receiver, ANSWER_LIMIT, |line| {
        lines.extend(line);
        Ok(())
    })?;
    if !status.success() {
        bail!("{} ended with {status}", describe(command));
    }
    Ok(lines.join("\n"))
}

/// Runs a long step quietly. Shows its name, its last line while it runs, and its output only if it fails.
pub(crate) fn quiet(step: &str, command: &mut Command, limit: Duration) -> Result<()> {
    let mut output = Vec::new();
    let ended = attempt(step, command, limit, &mut || true, &mut output);
    if ended.is_err() {
        for line in output.iter().skip(output.len().saturating_sub(SHOWN_LINES)) {
            eprintln!("  {line}");
        }
    }
    ended.with_context(|| format!("{step}: failed"))
}

/// The same as [`quiet`], but the caller gets the output of a failure, since it has another way to go on. The step is given up as soon as
/// `goes_on` returns false.
pub(crate) fn attempt(
    step: &str,
    command: &mut Command,
    limit: Duration,
    goes_on: &mut dyn FnMut() -> bool,
    output: &mut Vec<String>,
) -> Result<()> {
    report::step(step);
    let mut progress = Progress::start();
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut group = Group::spawn(command)?;
    let receiver = group.lines();
    let mut last_line = String::new();
    let ended = follow(&mut group, &receiver, limit, |event| {
        if let Some(line) = event {
            if !line.trim().is_empty() {
                last_line.clone_from(&line);
            }
            output.push(line);
        } else if !goes_on() {
            bail!("no progress");
        }
        progress.update(&last_line);
        Ok(())
    });
    let elapsed = progress.finish();
    match ended {
        Ok(status) if status.success() => {
            report::done(&report::duration(elapsed));
            Ok(())
        }
        Ok(status) => bail!("{} ended with {status}", describe(command)),
        Err(error) => Err(error),
    }
}

/// Runs a program and shows its output.
pub(crate) fn shown(command: &mut Command, limit: Duration) -> Result<()> {
    let mut group = Group::spawn(command)?;
    let (_sender, receiver) = mpsc::channel();
    let status = follow(&mut group, &receiver, limit, |_| Ok(()))?;
    if !status.success() {
        bail!("{} ended with {status}", describe(command));
    }
    Ok(())
}

/// Runs a line of JavaScript at the root of the repository, where it can import the scripts beside xtask.
pub(crate) fn script(line: &str) -> Result<()> {
    shown(command("node").args(["--input-type=module", "--eval", line]), ANSWER_LIMIT)
}

/// Returns the command for a message, without the end of a long list of files.
fn describe(command: &Command) -> String {
    let mut words = vec![command.get_program().to_string_lossy().into_owned()];
    words.extend(command.get_args().map(|word| word.to_string_lossy().into_owned()));
    if words.len() > SHOWN_WORDS {
        words.truncate(SHOWN_WORDS);
        words.push("…".to_owned());
    }
    format!("`{}`", words.join(" "))
}

/// Waits for the end of the program. Hands over each line, and `None` from time to time if there is none.
fn follow(
    group: &mut Group,
    lines: &Receiver<String>,
    limit: Duration,
    mut on_event: impl FnMut(Option<String>) -> Result<()>,
) -> Result<ExitStatus> {
    let started = Instant::now();
    loop {
        match lines.recv_timeout(POLL) {
            Ok(line) => {
                on_event(Some(line))?;
                continue;
            }
            Err(RecvTimeoutError::Timeout) => on_event(None)?,
            // The output of this program is not read, or it has closed it.
            Err(RecvTimeoutError::Disconnected) => thread::sleep(POLL),
        }
        interrupt::check()?;
        if let Some(status) = group.ended()? {
            while let Ok(line) = lines.recv_timeout(DRAIN) {
                on_event(Some(line))?;
            }
            return Ok(status);
        }
        if started.elapsed() > limit {
            bail!("not finished after {}: ended", report::duration(limit));
        }
    }
}

/// A program with all the processes it started. They end with it, or when it is dropped.
#[derive(Debug)]
pub(crate) struct Group {
    child: Child,
}

impl Group {
    pub(crate) fn spawn(command: &mut Command) -> Result<Self> {
        let child = command
            .process_group(0)
            .spawn()
            .with_context(|| format!("cannot start {}", describe(command)))?;
        Ok(Self { child })
    }

    /// The lines of stdout and stderr, where they are piped, as they come.
    pub(crate) fn lines(&mut self) -> Receiver<String> {
        let (sender, receiver) = mpsc::channel();
        if let Some(stdout) = self.child.stdout.take() {
            send_lines(stdout, sender.clone());
        }
        if let Some(stderr) = self.child.stderr.take() {
            send_lines(stderr, sender);
        }
        receiver
    }

    pub(crate) fn ended(&mut self) -> Result<Option<ExitStatus>> {
        self.child.try_wait().context("cannot wait for a program")
    }

    fn signal(&self, signal: Signal) {
        if let Ok(id) = i32::try_from(self.child.id()) {
            // An error means that there is nobody left to receive it.
            let _ = killpg(Pid::from_raw(id), signal);
        }
    }

    fn is_alive(&self) -> bool {
        i32::try_from(self.child.id()).is_ok_and(|id| killpg(Pid::from_raw(id), None).is_ok())
    }
}

impl Drop for Group {
    /// Asks the whole group to end, then makes it.
    fn drop(&mut self) {
        self.signal(Signal::SIGTERM);
        let asked = Instant::now();
        while asked.elapsed() < GRACE && matches!(self.child.try_wait(), Ok(None)) {
            thread::sleep(POLL);
        }
        let ended = Instant::now();
        while ended.elapsed() < ORPHAN_GRACE && self.is_alive() {
            thread::sleep(POLL);
        }
        self.signal(Signal::SIGKILL);
        let _ = self.child.wait();
    }
}

fn send_lines(stream: impl Read + Send + 'static, sender: Sender<String>) {
    thread::spawn(move || {
        let mut reader = BufReader::new(stream);
        let mut bytes = Vec::new();
        while matches!(reader.read_until(b'\n', &mut bytes), Ok(read) if read > 0) {
            let line = String::from_utf8_lossy(&bytes).trim_end().to_owned();
            if sender.send(line).is_err() {
                return;
            }
            bytes.clear();
        }
    });
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    #[test]
    fn an_answer_is_what_was_printed() {
        assert_eq!(answer(command("echo").arg("hello")).unwrap(), "hello");
    }

    /// The programs that are found by name.
    fn programs(command: &Command) -> Vec<PathBuf> {
        let path = command.get_envs().find(|(name, _)| *name == "PATH").and_then(|(_, path)| path);
        env::split_paths(&path.map_or_else(|| env::var_os("PATH").unwrap(), OsStr::to_os_string))
            .collect()
    }

    #[test]
    fn the_node_of_the_npm_packages_comes_first_except_to_install_them() {
        let folder = project::npm_programs();
        let first = programs(&command("node")).first().cloned();
        assert_eq!(first == Some(folder.clone()), folder.join("node").exists());
        let machines: Vec<PathBuf> = env::split_paths(&env::var_os("PATH").unwrap()).collect();
        assert_eq!(programs(&command_with_the_machines_node("npm")), machines);
    }

    #[test]
    fn a_failure_names_the_program() {
        let error = answer(command("sh").args(["-c", "exit 3"])).unwrap_err();
        assert_eq!(error.to_string(), "`sh -c exit 3` ended with exit status: 3");
    }

    #[test]
    fn a_long_command_is_cut_in_messages() {
        let mut long = command("node");
        long.args(["--test"; 12]);
        let words = "node --test --test --test --test --test --test --test";
        assert_eq!(describe(&long), format!("`{words} …`"));
    }

    #[test]
    fn a_program_over_its_limit_is_ended_with_its_children() {
        let started = Instant::now();
        let error =
            shown(command("sh").args(["-c", "sleep 600 & sleep 600"]), Duration::from_millis(100))
                .unwrap_err();
        assert_eq!(error.to_string(), "not finished after 0.1 s: ended");
        assert!(started.elapsed() < GRACE);
    }
}
