//! `cargo xtask dev`: the Worker in the real runtime on local KV and Durable Objects, with a token
//! and an API key to try it (`xtask/dev/`).

mod server;

use std::net::{IpAddr, Ipv4Addr};

use anyhow::Result;

use crate::{process, setup, worker};

/// Where the Worker listens.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    #[arg(long, value_name = "ADDRESS", default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    ip: IpAddr,
    #[arg(long, default_value_t = 8787, value_parser = clap::value_parser!(u16).range(1..))]
    port: u16,
    /// Serve over https, with a certificate that wrangler makes: Safari keeps the cookies of sessions on no other address
    #[arg(long)]
    https: bool,
    /// Run a provider beside it, with which any name logs in
    #[arg(long)]
    login: bool,
}

/// Runs until Ctrl-C, or until wrangler ends, which is an error.
pub(crate) fn run(options: &Options) -> Result<()> {
    server::check_port_is_free(options)?;
    setup::require(setup::BUILD)?;
    worker::build_with(worker::Names::Kept)?;
    // wrangler reads them when it starts.
    process::script("import { ensure } from './xtask/dev/vars.mjs'; ensure('.dev.vars');")?;
    server::start(options)?.run()
}
