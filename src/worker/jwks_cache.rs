//! The keys of issuers in KV, where one isolate finds what another has fetched. Sealed: see
//! [`crate::keys::sealed`].

use sha2::{Digest as _, Sha256};
use worker::{Context, Env};

use super::{deadline, kv};
use crate::{
    base64url,
    keys::{
        KeySet,
        remote::{MAX_FRESH_SECS, MAX_STALE_SECS},
        sealed::{PublishedKeys, Seal},
    },
};

/// What is left of an issuer that nobody has asked for since is of no use after that.
const LIVES_SECS: u64 = MAX_FRESH_SECS + MAX_STALE_SECS;

/// The cache, for one request.
#[derive(Debug, Clone, Copy)]
pub(super) struct JwksCache<'a> {
    pub(super) seal: &'a Seal,
    pub(super) env: &'a Env,
    pub(super) context: &'a Context,
}

impl JwksCache<'_> {
    /// The keys that an isolate left there. Whatever is wrong with them, or with KV, they are not there: the
    /// issuer is asked then.
    pub(super) async fn read(&self, uri: &str) -> Option<(KeySet, PublishedKeys)> {
        let store = self.env.kv(kv::BINDING).ok()?;
        let value = store.get(&name(uri)).text();
        let value = deadline::within(deadline::STORE, value).await?.ok()??;
        let found = self.seal.open(uri, &value)?;
        Some((KeySet::from_published_jwks(&found.jwks).ok()?, found))
    }

    /// Leaves the keys there, after the answer to the request. KV takes one write a second for each key; that
    /// another isolate was first is as good.
    pub(super) fn write(&self, uri: &str, keys: &PublishedKeys) {
        let Ok(store) = self.env.kv(kv::BINDING) else { return };
        let Some(value) = self.seal.close(uri, keys) else { return };
        let Ok(put) = store.put(&name(uri), value) else { return };
        let put = put.expiration_ttl(LIVES_SECS).execute();
        self.context.wait_until(async move {
            if let Some(Err(fault)) = deadline::within(deadline::STORE, put).await {
                worker::console_warn!(
                    "{}",
                    serde_json::json!({"event": "fault", "detail": format!("keys not cached: KV: {fault}")})
                );
            }
        });
    }
}

fn name(uri: &str) -> String {
    format!("jwks/v1/{}", base64url::encode(&Sha256::digest(uri.as_bytes())))
}
