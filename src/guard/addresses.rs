//! The step that compares the caller's address with the networks from which a route or a key may be used.

use core::net::IpAddr;

use crate::{client_address::Network, error::Error};

/// Whether the caller is in one of the networks; without any, everybody is.
///
/// # Errors
/// [`Error::AddressNotAllowed`], also where the address is not known: who cannot be placed may be anywhere.
pub(super) fn check(networks: &[Network], client_ip: Option<IpAddr>) -> Result<(), Error> {
    let is_within = |ip: IpAddr| networks.iter().any(|network| network.contains(ip));
    if networks.is_empty() || client_ip.is_some_and(is_within) {
        Ok(())
    } else {
        Err(Error::AddressNotAllowed)
    }
}
