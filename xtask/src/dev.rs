//! `cargo xtask dev`: the Worker in the real runtime on local KV and Durable Objects, with a token
//! and an API key to try it.

mod demo_key;
mod guide;
mod http;
mod server;
mod token;
mod vars;

use std::net::IpAddr;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};

use crate::{report, setup, worker};

/// Where the Worker listens.
#[derive(Debug)]
pub(crate) struct Options {
    pub(crate) ip: IpAddr,
    pub(crate) port: u16,
}

/// Runs until Ctrl-C, or until wrangler ends, which is an error.
pub(crate) fn run(options: &Options) -> Result<()> {
    server::check_port_is_free(options)?;
    setup::require(setup::WORKER)?;
    worker::build_with(worker::Names::Kept)?;
    let secrets = vars::ensure()?;
    let server = server::start(options)?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).context("the clock")?.as_secs();
    let token = token::demo(&secrets.jwt_secret, now)?;
    let key = match demo_key::obtain(server.address(), &secrets.admin_token) {
        Ok(key) => Some(key),
        Err(error) => {
            report::warning(&format!("no demo API key: {error:#}"));
            None
        }
    };
    guide::print(server.address(), &token, key.as_deref());
    server.run()
}
