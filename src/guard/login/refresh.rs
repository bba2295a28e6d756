//! What a provider is asked for the sake of a grant: fresh tokens, and that tokens end.

use super::{Logins, provider::Providers};
use crate::{
    error::Error,
    grant::step::RefreshFault,
    login::{
        exchange::{ClientProof, ProviderRequest},
        token_answer::{self, NoTokens, ProviderTokens},
    },
    policy::Provider,
    secret::Secret,
};

impl<L: Logins> Providers<'_, L> {
    /// Fresh tokens.
    ///
    /// # Errors
    /// Why there are none. Before the request goes out nothing can be lost: [`RefreshFault::Unavailable`] and
    /// [`RefreshFault::Refused`].
    pub async fn refreshed(
        &self,
        provider: &Provider,
        refresh_token: &Secret,
    ) -> Result<ProviderTokens, RefreshFault> {
        let known = self.known(provider).await.map_err(|_| RefreshFault::Unavailable)?;
        let secret = self.client_secret(provider).await.map_err(|_| RefreshFault::Refused)?;
        let token = core::str::from_utf8(refresh_token.expose_secret());
        let token = token.map_err(|_| RefreshFault::Refused)?;
        let client = ClientProof {
            authentication: known.authentication,
            client_id: &provider.client_id,
            secret: &secret,
        };
        let request = ProviderRequest::refresh(&known.token, token, client);
        let answer = self.logins.ask(&request).await.map_err(|_| RefreshFault::NoAnswer)?;
        token_answer::read(answer.status, &answer.body, provider.profile.answer).map_err(|none| {
            match none {
                NoTokens::GrantEnded => RefreshFault::Ended,
                NoTokens::Client | NoTokens::Refused => RefreshFault::Refused,
                NoTokens::Unavailable => RefreshFault::Unavailable,
                NoTokens::Unreadable(_) => RefreshFault::NoAnswer,
            }
        })
    }

    /// Tells the provider that a token ends, if it can be told.
    ///
    /// # Errors
    /// Why it was not told, for the event log.
    pub async fn revoke(&self, provider: &Provider, token: &Secret) -> Result<(), Error> {
        let fault = |problem: String| Error::Provider { provider: provider.id.clone(), problem };
        let known = self.known(provider).await?;
        let Some(endpoint) = known.revocation else { return Ok(()) };
        let secret = self.client_secret(provider).await?;
        let token = core::str::from_utf8(token.expose_secret());
        let token = token.map_err(|_| fault("a token is not UTF-8".to_owned()))?;
        let client = ClientProof {
            authentication: known.authentication,
            client_id: &provider.client_id,
            secret: &secret,
        };
        let request = ProviderRequest::revocation(provider.profile, &endpoint, token, client);
        let Some(request) = request else { return Ok(()) };
        let answer = self.logins.ask(&request).await;
        match answer {
            Ok(answer) if answer.status < 300 => Ok(()),
            // A token that it does not know any more has ended.
            Ok(answer) if answer.status < 500 => Ok(()),
            Ok(answer) => Err(fault(format!("{request:?}: status {}", answer.status))),
            Err(problem) => Err(fault(format!("{request:?}: {problem}"))),
        }
    }
}
