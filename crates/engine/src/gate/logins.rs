//! What logins ask of the host: providers by its `fetch`, AES-GCM and ES256 by its crypto.

use serde::Deserialize;

use super::sessions::{GateSessions, SESSIONS};
use super::stores::HostSwap;
use super::task::{HostJobs, Job};
use edgegate::base64url;
use edgegate::error::StoreError;
use edgegate::grant::step::{GrantOutcome, GrantStep};
use edgegate::guard::login::{LoginMemory, Logins, ProviderAnswer};
use edgegate::jose::algorithm::Algorithm;
use edgegate::login::exchange::ProviderRequest;
use edgegate::login::token_answer::MAX_ANSWER_LENGTH;
use edgegate::secret::Secret;
use edgegate::session::ObjectName;
use edgegate::store::grants::{GrantStore as _, SharedGrants};
use edgegate::time::UnixMillis;

/// The logins of one request.
#[derive(Debug)]
pub(super) struct GateLogins<'a> {
    pub(super) memory: &'a LoginMemory,
    pub(super) crypto: GateSessions<'a>,
    pub(super) jobs: &'a HostJobs,
}

/// What a provider has answered.
#[derive(Deserialize)]
struct Answered {
    status: u16,
    /// In base64url.
    body: String,
}

impl<'a> Logins for GateLogins<'a> {
    type Crypto = GateSessions<'a>;

    fn crypto(&self) -> &GateSessions<'a> {
        &self.crypto
    }

    fn memory(&self) -> &LoginMemory {
        self.memory
    }

    fn now(&self) -> UnixMillis {
        self.jobs.now()
    }

    async fn ask(&self, request: &ProviderRequest) -> Result<ProviderAnswer, String> {
        let ProviderRequest { method, url, headers, body, patience_millis } = request;
        let job = Job::AskProvider {
            method,
            url,
            headers,
            body: body.as_deref(),
            millis: *patience_millis,
            most: MAX_ANSWER_LENGTH,
        };
        let Answered { status, body } = self.jobs.ask(job).await?;
        let body = base64url::decode(&body).filter(|body| body.len() <= MAX_ANSWER_LENGTH);
        let body = body.ok_or_else(|| "it returned something else than expected".to_owned())?;
        Ok(ProviderAnswer { status, body })
    }

    async fn of_grants(
        &self,
        owner: &ObjectName,
        step: &GrantStep,
    ) -> Result<GrantOutcome, StoreError> {
        let store = HostSwap { jobs: self.jobs, store: SESSIONS };
        SharedGrants::new(store).apply(owner, step, self.jobs.now()).await
    }

    async fn sign_es256(&self, key: &Secret, message: &[u8]) -> Result<Vec<u8>, StoreError> {
        let pkcs8 = base64url::encode(key.expose_secret());
        let message = core::str::from_utf8(message).map_err(|_| StoreError::new("not text"))?;
        let job = Job::SignOnce { alg: Algorithm::Es256.as_str(), pkcs8: &pkcs8, message };
        let signature = self.jobs.ask::<String>(job).await.map_err(StoreError::new)?;
        base64url::decode(&signature).ok_or_else(|| StoreError::new("the host has not signed"))
    }
}
