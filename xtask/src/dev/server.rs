//! wrangler with workerd: starting it, waiting for it, showing its log, ending it.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, IsTerminal};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::Options;
use crate::process::{self, Group};
use crate::report::{self, Progress};
use crate::{interrupt, project, toolchain, worker};

/// Waits until the Worker is well, then prints what to try.
const DEMO: &str = "xtask/dev/demo.mjs";
/// Starts wrangler beside a provider.
const WITH_LOGIN: &str = "xtask/dev/with-login.mjs";
const POLL: Duration = Duration::from_millis(200);
/// Lines of wrangler's output that are shown if it fails.
const KEPT_LINES: usize = 40;

/// A running wrangler. Ends, with workerd, when dropped.
#[derive(Debug)]
pub(super) struct Server {
    group: Group,
    lines: Receiver<String>,
}

/// Asked before anything is built: the answer is needed in any case.
pub(super) fn check_port_is_free(options: &Options) -> Result<()> {
    let Options { ip, port, .. } = options;
    match TcpListener::bind((*ip, *port)) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == ErrorKind::AddrInUse => {
            let other = port.checked_add(1).unwrap_or(8787);
            bail!("port {port} is taken; choose another: cargo xtask dev --port {other}")
        }
        Err(error) => Err(error).with_context(|| format!("cannot listen on {ip}:{port}")),
    }
}

/// Starts wrangler, waits until the Worker says that it is well, and prints how to try it.
pub(super) fn start(options: &Options) -> Result<Server> {
    report::step("starting the Worker");
    let mut group = Group::spawn(&mut wrangler(options)?)?;
    let lines = group.lines();
    let mut demo = process::command("node");
    demo.args([DEMO, &url(options)])
        .arg(project::path(".dev.vars"))
        .args(options.login.then_some("login"));
    let mut demo = Group::spawn(demo.stdout(Stdio::piped()))?;
    let said = demo.lines();
    let mut server = Server { group, lines };
    let mut progress = Progress::start();
    let mut kept = VecDeque::new();
    let ready = server.wait_for(&mut demo, &mut progress, &mut kept);
    let elapsed = progress.finish();
    if ready.is_err() {
        kept.iter().for_each(|line| eprintln!("  {line}"));
    } else {
        report::done(&report::duration(elapsed));
    }
    // Interrupted, it still runs, and what it says has no end.
    drop(demo);
    said.iter().for_each(|line| report::output(&line));
    ready.map(|()| server)
}

fn wrangler(options: &Options) -> Result<Command> {
    let mut command = process::command("node");
    command
        .args(options.login.then_some(WITH_LOGIN))
        .arg(project::npm_program("wrangler"))
        .args(["dev", "--show-interactive-dev-session=false", "--ip"])
        .arg(options.ip.to_string())
        .arg("--port")
        .arg(options.port.to_string())
        .args(["--local-protocol", scheme(options)])
        .arg("--persist-to")
        .arg(project::path(".wrangler/state"))
        .env(worker::KEEP_NAMES, "1")
        .env("WRANGLER_SEND_METRICS", "false")
        .env("WRANGLER_LOG_PATH", project::path(".wrangler/logs"))
        // Otherwise it is fetched at each start, and a machine without a network waits for it.
        .env("CLOUDFLARE_CF_FETCH_ENABLED", "false")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    // It writes to a pipe, but what it writes is shown on our stdout.
    command.env("FORCE_COLOR", if io::stdout().is_terminal() { "1" } else { "0" });
    toolchain::use_wasm32(&mut command)?;
    Ok(command)
}

/// Where the Worker is asked.
fn url(options: &Options) -> String {
    format!("{}://{}", scheme(options), reachable(options))
}

const fn scheme(options: &Options) -> &'static str {
    if options.https { "https" } else { "http" }
}

/// An address to talk to: "any address" is for listening only.
fn reachable(options: &Options) -> SocketAddr {
    let ip = match options.ip {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    SocketAddr::new(ip, options.port)
}

impl Server {
    /// Shows the log until Ctrl-C.
    pub(super) fn run(mut self) -> Result<()> {
        loop {
            match self.lines.recv_timeout(POLL) {
                Ok(line) => report::output(&line),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => std::thread::sleep(POLL),
            }
            if interrupt::requested() {
                report::step("stopping");
                return Ok(());
            }
            if let Some(status) = self.group.ended()? {
                bail!("wrangler ended with {status}");
            }
        }
    }

    /// Waits for the end of the demo, which knows how long to wait for the Worker.
    fn wait_for(
        &mut self,
        demo: &mut Group,
        progress: &mut Progress,
        kept: &mut VecDeque<String>,
    ) -> Result<()> {
        loop {
            interrupt::check()?;
            while let Ok(line) = self.lines.try_recv() {
                if kept.len() == KEPT_LINES {
                    kept.pop_front();
                }
                kept.push_back(line);
            }
            progress.update(kept.back().map_or("", String::as_str));
            if let Some(status) = self.group.ended()? {
                bail!("wrangler ended with {status}; its last lines are above");
            }
            match demo.ended()? {
                None => std::thread::sleep(POLL),
                Some(status) if status.success() => return Ok(()),
                Some(_) => bail!("the Worker is not ready; wrangler's last lines are above"),
            }
        }
    }
}
