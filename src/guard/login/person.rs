//! A code becomes a person: tokens from the provider, its ID token or userinfo, and what else it is asked.

use serde_json::{Map, Value};

use super::{LoginFlow, Logins, ProviderAnswer, provider::Known};
use crate::{
    error::Error,
    guard::{Backend, token},
    jose::{
        algorithm::Algorithm,
        claims::{ClaimRules, Claims, Tenants},
        dpop,
        jws::UntrustedToken,
        verifier::{Issuer, KeySource, VerifiedToken, Verifier},
    },
    json,
    login::{
        access::{Allow, ScopeRules},
        binding::AttemptSecrets,
        exchange::{ClientProof, ProviderRequest, further},
        id_token::{self, Expected},
        person::{Person, Places, Verified},
        provider::{Identity, IssuerSpelling},
        state::Asked,
        token_answer::{self, NoTokens, ProviderTokens},
    },
    policy::Provider,
    session::record::Opening,
    time::{UnixMillis, UnixTime},
};

/// The longest ID token: those of Entra with 200 groups have 10 KB.
const MAX_ID_TOKEN_LENGTH: usize = 32 * 1024;

/// The words that Entra has in the place of a tenant, where people of several may log in.
const SEVERAL_TENANTS: [&str; 2] = ["/common/", "/organizations/"];

/// Who has logged in.
pub(super) struct LoggedIn {
    pub(super) person: Person,
    /// What an ID token said about how it was proven.
    pub(super) proof: Proof,
    /// The provider's own session: `sid`.
    pub(super) session: Option<String>,
}

/// How somebody has proven who it is.
#[derive(Debug, Default)]
pub(super) struct Proof {
    pub(super) auth_time: Option<UnixTime>,
    pub(super) amr: Vec<String>,
    pub(super) acr: Option<String>,
}

/// What came back with the browser.
#[derive(Clone, Copy)]
pub(super) struct Redemption<'a> {
    pub(super) code: &'a str,
    pub(super) redirect_uri: &'a str,
    pub(super) attempt: &'a AttemptSecrets,
    pub(super) asked: &'a Asked,
}

impl<B: Backend, L: Logins> LoginFlow<'_, B, L> {
    /// Who has logged in, and the tokens that the provider gave.
    ///
    /// # Errors
    /// [`Error::LoginInterrupted`] for a code that is worth nothing (any more); [`Error::ProviderRefuses`], [`Error::Provider`]; those of
    /// tokens for an ID token that does not hold.
    pub(super) async fn identify(
        &self,
        (provider, known): (&Provider, &Known),
        redemption: Redemption<'_>,
    ) -> Result<(LoggedIn, ProviderTokens), Error> {
        let tokens = self.tokens((provider, known), redemption).await?;
        let (claims, proof, session) = match provider.profile.identity {
            Identity::IdToken => self.claims((provider, known), redemption, &tokens).await?,
            Identity::Userinfo => {
                let claims = self.userinfo((provider, known), &tokens).await?;
                (claims, Proof::default(), None)
            }
            Identity::TokenAnswer => (tokens.members.clone(), Proof::default(), None),
        };
        let mut person = Person::read(&claims, &provider.profile.places).map_err(|claim| {
            fault(provider, format!("claim {claim} is missing, or is no stable name"))
        })?;
        if let Some(path) = &provider.groups_claim {
            person.add_groups(&claims, path);
        }
        self.ask_further((provider, known), &tokens, &mut person).await?;
        Ok((LoggedIn { person, proof, session }, tokens))
    }

    async fn tokens(
        &self,
        (provider, known): (&Provider, &Known),
        redemption: Redemption<'_>,
    ) -> Result<ProviderTokens, Error> {
        let secret = self.providers().client_secret(provider).await?;
        let client = ClientProof {
            authentication: known.authentication,
            client_id: &provider.client_id,
            secret: &secret,
        };
        let Redemption { code, redirect_uri, attempt, .. } = redemption;
        let request =
            ProviderRequest::code(&known.token, (code, redirect_uri, &attempt.verifier), client);
        let answer = self.answer(provider, &request).await?;
        let refuses = |problem| Error::ProviderRefuses { provider: provider.id.clone(), problem };
        token_answer::read(answer.status, &answer.body, provider.profile.answer).map_err(|none| {
            match none {
                NoTokens::GrantEnded => Error::LoginInterrupted {
                    problem: "the provider gives no tokens for the code, which was used or is too old",
                },
                NoTokens::Client => refuses("client_id or client_secret is wrong"),
                NoTokens::Refused => refuses("it gives no tokens for the code"),
                NoTokens::Unavailable => {
                    fault(provider, format!("token endpoint: status {}", answer.status))
                }
                NoTokens::Unreadable(problem) => {
                    fault(provider, format!("token endpoint: {problem}"))
                }
            }
        })
    }

    /// The claims of the ID token, completed by userinfo where a rule asks for more; how it was proven; the provider's session.
    async fn claims(
        &self,
        (provider, known): (&Provider, &Known),
        redemption: Redemption<'_>,
        tokens: &ProviderTokens,
    ) -> Result<(Map<String, Value>, Proof, Option<String>), Error> {
        let Some(text) = &tokens.id_token else {
            return Err(fault(provider, "token endpoint: there is no id_token".to_owned()));
        };
        // The token was made during the exchange: by the clock from before it, it may seem to come from the future.
        let now = self.logins.now().max(self.now);
        let token = self.signed((provider, known), text, (id_token::rules, now)).await?;
        let expected = Expected {
            client_id: &provider.client_id,
            attempt: Some(redemption.attempt),
            asked: redemption.asked,
            access_token: Some(&tokens.access_token),
        };
        let time = now.to_unix_time();
        id_token::check(&token, &expected, time)?;
        let proof = proof_of(token.claims(), time);
        let session = token.claims().session_id().filter(|sid| is_plain(sid, 255));
        let session = session.map(str::to_owned);
        let mut claims = token.claims().as_object().clone();
        if known.userinfo.is_some() && lacks(&claims, provider) {
            let more = self.userinfo((provider, known), tokens).await?;
            // OpenID Connect Core 1.0 §5.3.2: otherwise it may be about somebody else.
            if more.get("sub") != claims.get("sub") {
                return Err(fault(
                    provider,
                    "userinfo: sub is not that of the ID token".to_owned(),
                ));
            }
            complete(&mut claims, more, &provider.profile.places);
        }
        Ok((claims, proof, session))
    }

    /// A token that the provider has signed, by its issuer's rules for this client.
    pub(super) async fn signed(
        &self,
        (provider, known): (&Provider, &Known),
        text: &str,
        (rules, now): (RulesOf, UnixMillis),
    ) -> Result<VerifiedToken, Error> {
        let (Some(issuer), Some(uri)) = (provider.issuer(), &known.jwks_uri) else {
            return Err(fault(provider, "has no keys".to_owned()));
        };
        let all = Algorithm::ALL.into_iter().filter(|one| !one.is_symmetric());
        let algorithms: Vec<Algorithm> = all.collect();
        let issuers = rules_for((provider, rules), issuer, text)?.into_iter().map(|rules| Issuer {
            rules,
            algorithms: algorithms.clone(),
            keys: KeySource::Remote { uri: uri.clone() },
            binding: dpop::Binding::Off,
        });
        let verifier = Verifier::new(issuers.collect(), MAX_ID_TOKEN_LENGTH)?;
        token::verify_handed((&verifier, uri), self.backend, text, now).await
    }

    async fn userinfo(
        &self,
        (provider, known): (&Provider, &Known),
        tokens: &ProviderTokens,
    ) -> Result<Map<String, Value>, Error> {
        let Some(url) = &known.userinfo else {
            return Err(fault(provider, "has no userinfo endpoint".to_owned()));
        };
        let request = ProviderRequest::get(url, Some(&tokens.access_token));
        let answer = self.answer(provider, &request).await?;
        if answer.status != 200 {
            return Err(fault(provider, format!("userinfo: status {}", answer.status)));
        }
        json::parse_object(&answer.body)
            .map_err(|problem| fault(provider, format!("userinfo: {}", problem.problem())))
    }

    async fn ask_further(
        &self,
        (provider, known): (&Provider, &Known),
        tokens: &ProviderTokens,
        person: &mut Person,
    ) -> Result<(), Error> {
        let Some(userinfo) = &known.userinfo else { return Ok(()) };
        let rules: (&Allow, &ScopeRules) = (&provider.allow, &provider.scopes);
        for (question, request) in
            further(provider.profile, rules, (userinfo, &tokens.access_token))
        {
            let answer = self.answer(provider, &request).await?;
            match (answer.status, json::parse_value(&answer.body)) {
                (200, Ok(Value::Array(listed))) => person.add(question, &listed),
                (status, _) => {
                    return Err(fault(
                        provider,
                        format!("{question:?}: status {status}, or no list"),
                    ));
                }
            }
        }
        Ok(())
    }

    async fn answer(
        &self,
        provider: &Provider,
        request: &ProviderRequest,
    ) -> Result<ProviderAnswer, Error> {
        let answer = self.logins.ask(request).await;
        answer.map_err(|problem| fault(provider, format!("{request:?}: {problem}")))
    }
}

fn fault(provider: &Provider, problem: String) -> Error {
    Error::Provider { provider: provider.id.clone(), problem }
}

/// The rules for a kind of token, of an issuer for a client.
type RulesOf = fn(&str, &str) -> ClaimRules;

/// The rules for the issuers that this token may name.
fn rules_for(
    (provider, rules): (&Provider, RulesOf),
    issuer: &str,
    token: &str,
) -> Result<Vec<ClaimRules>, Error> {
    let client_id = &provider.client_id;
    let own = rules(issuer, client_id);
    match provider.profile.issuer {
        IssuerSpelling::Exact => Ok(vec![own]),
        IssuerSpelling::Also(other) => Ok(vec![own, rules(other, client_id)]),
        IssuerSpelling::Tenant => {
            let several = SEVERAL_TENANTS.iter().find_map(|word| issuer.split_once(word));
            let Some((before, after)) = several else { return Ok(vec![own]) };
            let token = UntrustedToken::parse(token, MAX_ID_TOKEN_LENGTH)?;
            let named = token.unverified_issuer()?.unwrap_or_default();
            // It chooses the tenant only. The signature has to hold for it, and `tid` to name the same one.
            let tenant = named
                .strip_prefix(before)
                .and_then(|rest| rest.strip_suffix(after))
                .and_then(|rest| rest.strip_prefix('/')?.strip_suffix('/'))
                .ok_or(Error::UnknownIssuer)?;
            let template = format!("{before}/{{tenantid}}/{after}");
            let tenants = Tenants::of(&template, &[tenant.to_owned()]);
            let tenants = tenants.map_err(|_| Error::UnknownIssuer)?;
            Ok(vec![ClaimRules { tenants, ..rules(&template, client_id) }])
        }
    }
}

/// Whether the claims have not what a rule of the policy asks about: some providers put it into userinfo alone.
fn lacks(claims: &Map<String, Value>, provider: &Provider) -> bool {
    let Places { email, verified, tenant, groups, .. } = provider.profile.places;
    let (allow, scopes) = (&provider.allow, &provider.scopes);
    let has = |path: &str| {
        let first = path.split('.').next().unwrap_or_default();
        claims.contains_key(path) || claims.contains_key(first)
    };
    let is_verified = match verified {
        Verified::If(claim) => has(claim),
        Verified::Never => true,
    };
    let own_groups = provider.groups_claim.as_deref();
    let asks_email = !allow.email_domains.is_empty() || !scopes.email_domains.is_empty();
    let asks_tenant = !allow.tenants.is_empty() || !scopes.tenants.is_empty();
    let asks_groups = !allow.groups.is_empty() || !scopes.groups.is_empty();
    asks_email && !email.is_empty() && !(has(email) && is_verified)
        || asks_tenant && !tenant.is_empty() && !has(tenant)
        || asks_groups && !groups.iter().copied().chain(own_groups).any(has)
}

/// Adds what userinfo says. An address and who vouches for it come from one of both: an address of the token is not verified because
/// another one of userinfo is.
fn complete(claims: &mut Map<String, Value>, mut more: Map<String, Value>, places: &Places) {
    let Places { email, verified, .. } = *places;
    if let Verified::If(verified) = verified {
        if more.contains_key(email) {
            claims.remove(email);
            claims.remove(verified);
        } else {
            more.remove(verified);
        }
    }
    for (name, value) in more {
        claims.entry(name).or_insert(value);
    }
}

/// What an ID token says of how somebody has proven who it is. What does not fit into a session is left out.
fn proof_of(claims: &Claims, now: UnixTime) -> Proof {
    let auth_time = claims.get("auth_time").and_then(Value::as_i64).map(UnixTime::from_secs);
    let words = claims.get("amr").and_then(Value::as_array).into_iter().flatten();
    let words = words.filter_map(Value::as_str);
    let acr = claims.get("acr").and_then(Value::as_str).filter(|acr| is_plain(acr, 200));
    Proof {
        auth_time: auth_time.filter(|at| at.as_secs() >= 0).map(|at| at.min(now)),
        amr: words.filter(|word| is_plain(word, 32)).take(10).map(str::to_owned).collect(),
        acr: acr.map(str::to_owned),
    }
}

fn is_plain(text: &str, most: usize) -> bool {
    (1..=most).contains(&text.len()) && !text.chars().any(char::is_control)
}

impl Proof {
    /// Puts it into what a session is opened with.
    pub(super) fn into_opening(self, opening: Opening) -> Opening {
        Opening { auth_time: self.auth_time, amr: self.amr, acr: self.acr, ..opening }
    }
}
