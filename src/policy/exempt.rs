//! Who is not counted by a limit: `exempt = { ips = […], subjects = […], api_keys = […] }`.

use core::net::IpAddr;

use super::{
    check::each,
    document::{ExemptDocument, SubjectDocument},
};
use crate::{
    api_key::KeyId,
    client_address::{NOT_A_NETWORK, Network},
    error::Error,
};

/// Callers that a limit does not count. Default: none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Exempt {
    networks: Vec<Network>,
    /// Issuer and subject.
    subjects: Vec<(String, String)>,
    api_keys: Vec<KeyId>,
}

impl Exempt {
    /// Whether an address is on the list.
    #[must_use]
    pub fn covers_address(&self, client_ip: Option<IpAddr>) -> bool {
        client_ip.is_some_and(|ip| self.networks.iter().any(|network| network.contains(ip)))
    }

    /// Whether this subject of a verified token is on the list.
    #[must_use]
    pub fn covers_subject(&self, issuer: &str, subject: &str) -> bool {
        self.subjects.iter().any(|(by, name)| by == issuer && name == subject)
    }

    /// Whether an API key is on the list, itself or the first of those that replaced each other up to it (`family`): an
    /// exemption outlives rotations.
    #[must_use]
    pub fn covers_api_key(&self, id: &KeyId, family: &KeyId) -> bool {
        self.api_keys.contains(id) || self.api_keys.contains(family)
    }
}

pub(super) fn exempt(
    path: &str,
    document: &ExemptDocument,
    issuers: &[&str],
) -> Result<Exempt, Error> {
    let networks = each(&format!("{path}.ips"), document.ips.iter(), |place, text| {
        Network::parse(text).ok_or_else(|| Error::config(place, NOT_A_NETWORK))
    })?;
    let subjects = each(&format!("{path}.subjects"), document.subjects.iter(), |place, named| {
        subject(place, named, issuers)
    })?;
    let api_keys = each(&format!("{path}.api_keys"), document.api_keys.iter(), |place, id| {
        let problem = "expected the id of an API key: 32 lower-case hexadecimal digits";
        id.parse().map_err(|_| Error::config(place, problem))
    })?;
    Ok(Exempt { networks, subjects, api_keys })
}

/// Two issuers may know different people by the same name.
fn subject(
    place: &str,
    named: &SubjectDocument,
    issuers: &[&str],
) -> Result<(String, String), Error> {
    match (named, issuers) {
        (SubjectDocument::Of { issuer, subject }, _) if issuers.contains(&issuer.as_str()) => {
            Ok((issuer.clone(), subject.clone()))
        }
        (SubjectDocument::Of { .. }, _) => {
            Err(Error::config(format!("{place}.issuer"), "no issuer has this name"))
        }
        (SubjectDocument::Name(subject), [issuer]) => Ok(((*issuer).to_owned(), subject.clone())),
        (SubjectDocument::Name(_), []) => Err(Error::config(place, "there are no issuers")),
        (SubjectDocument::Name(_), _) => {
            let problem = "there are several issuers: expected an object with issuer and subject";
            Err(Error::config(place, problem))
        }
    }
}
