//! wrangler with workerd: starting it, waiting for it, showing its log, ending it.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, IsTerminal};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::{Options, http};
use crate::process::{self, Group};
use crate::report::{self, Progress};
use crate::{interrupt, project, toolchain, worker};

const HEALTH: &str = "/auth/health";
/// wrangler runs the build command of wrangler.toml before it starts.
const READY_LIMIT: Duration = Duration::from_secs(180);
const POLL: Duration = Duration::from_millis(200);
/// Lines of wrangler's output that are shown if it fails.
const KEPT_LINES: usize = 40;

/// A running wrangler. Ends, with workerd, when dropped.
#[derive(Debug)]
pub(super) struct Server {
    group: Group,
    lines: Receiver<String>,
    address: SocketAddr,
}

/// Asked before anything is built: the answer is needed in any case.
pub(super) fn check_port_is_free(options: &Options) -> Result<()> {
    let Options { ip, port } = options;
    match TcpListener::bind((*ip, *port)) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == ErrorKind::AddrInUse => {
            let other = port.checked_add(1).unwrap_or(8787);
            bail!("port {port} is taken; choose another: cargo xtask dev --port {other}")
        }
        Err(error) => Err(error).with_context(|| format!("cannot listen on {ip}:{port}")),
    }
}

/// Starts wrangler and waits until the Worker says that it is well.
pub(super) fn start(options: &Options) -> Result<Server> {
    report::step("starting the Worker");
    let mut command = wrangler(options)?;
    let mut group = Group::spawn(&mut command)?;
    let lines = group.lines();
    let mut server = Server { group, lines, address: reachable(options) };
    let mut progress = Progress::start();
    let mut kept = VecDeque::new();
    let ready = server.wait_until_healthy(&mut progress, &mut kept);
    let elapsed = progress.finish();
    match ready {
        Ok(()) => report::done(&report::duration(elapsed)),
        Err(error) => {
            for line in &kept {
                eprintln!("  {line}");
            }
            return Err(error);
        }
    }
    Ok(server)
}

fn wrangler(options: &Options) -> Result<Command> {
    let mut command = process::command(project::npm_program("wrangler"));
    command
        .args(["dev", "--show-interactive-dev-session=false", "--ip"])
        .arg(options.ip.to_string())
        .arg("--port")
        .arg(options.port.to_string())
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
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

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

    fn wait_until_healthy(
        &mut self,
        progress: &mut Progress,
        kept: &mut VecDeque<String>,
    ) -> Result<()> {
        let started = Instant::now();
        let mut last_answer = "no answer".to_owned();
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
            match http::request(self.address, "GET", HEALTH, &[], "") {
                Ok(answer) if answer.status == 200 => return Ok(()),
                Ok(answer) => {
                    last_answer = format!("status {}, {}", answer.status, answer.body.trim());
                }
                Err(_) => {}
            }
            if started.elapsed() > READY_LIMIT {
                bail!(
                    "GET {HEALTH} did not answer 200 within {}: {last_answer}; \
                     wrangler's last lines are above",
                    report::duration(READY_LIMIT)
                );
            }
            std::thread::sleep(POLL);
        }
    }
}
