//! What may happen to the grants of an owner, and what comes of it: data, and its text for the way between an isolate and an object.

use serde::Serialize;

use super::{
    record::Reconnect,
    seal::{SealedToken, TokenField},
};
use crate::{
    error::{Error, StoreError},
    json::{
        document,
        object::{object, words},
        readable::Readable,
    },
    time::UnixTime,
};

object! {
    /// Keeps the tokens of an account that its owner has connected, now or before.
    #[derive(Debug, Clone, PartialEq, Eq, Serialize)]
    pub struct PutGrant, ignored {
        /// When its owner began: what was ended since stays so.
        pub began_at: UnixTime,
        /// The id of the provider.
        pub provider: String,
        /// The account there.
        pub account: String,
        /// Its name for people.
        pub label: Option<String> = None,
        /// What the tokens may do.
        pub scopes: Vec<String>,
        /// For calls.
        pub access: SealedToken,
        /// For the next; none: the provider gave none this time, and one that is there stays.
        pub refresh: Option<SealedToken> = None,
        /// How long the access token lives.
        pub expires_in_secs: Option<u64> = None,
    }
}

object! {
    /// Asks for a token that can be used.
    #[derive(Debug, Clone, PartialEq, Eq, Serialize)]
    pub struct UseGrant, ignored {
        /// The id of the provider.
        pub provider: String,
        /// The account; none: the one that was connected last.
        pub account: Option<String> = None,
        /// The secret that seals now: what was sealed by another one is to be sealed anew.
        pub newest: u8,
    }
}

/// Why a provider gave no fresh tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RefreshFault {
    /// `invalid_grant`.
    Ended,
    /// It refuses the gate as its client, or the request: the policy is wrong.
    Refused,
    /// It answered that it cannot answer now.
    Unavailable,
    /// No answer came, or none that could be read: it may have given tokens.
    NoAnswer,
}

words!(RefreshFault {
    "ended" => RefreshFault::Ended,
    "refused" => RefreshFault::Refused,
    "unavailable" => RefreshFault::Unavailable,
    "no_answer" => RefreshFault::NoAnswer,
});

object! {
    /// Fresh tokens.
    #[derive(Debug, Clone, PartialEq, Eq, Serialize)]
    pub struct FreshTokens, ignored {
        /// For calls.
        pub access: SealedToken,
        /// For the next; none: the one before goes on (RFC 6749 §6).
        pub refresh: Option<SealedToken> = None,
        /// How long the access token lives.
        pub expires_in_secs: Option<u64> = None,
        /// What they may do; none: as before.
        pub scopes: Option<Vec<String>> = None,
    }
}

object! {
    /// An order to ask the provider for fresh tokens. It is given to one request only.
    #[derive(Debug, Clone, PartialEq, Eq, Serialize)]
    pub struct RefreshOrder, ignored {
        /// The id of the provider.
        pub provider: String,
        /// The account.
        pub account: String,
        /// Of which tokens.
        pub generation: u64,
        /// Which attempt it is.
        pub attempt: u32,
        /// When it was given.
        pub at: UnixTime,
        /// What to ask with.
        pub refresh: SealedToken,
    }
}

object! {
    /// What the provider answered to an order: fresh tokens, or a fault.
    #[derive(Debug, Clone, PartialEq, Eq, Serialize)]
    pub struct RefreshAnswer, ignored {
        /// As in the order.
        pub provider: String,
        /// As in the order.
        pub account: String,
        /// As in the order.
        pub generation: u64,
        /// As in the order.
        pub attempt: u32,
        /// As in the order.
        pub at: UnixTime,
        /// The tokens.
        pub tokens: Option<FreshTokens> = None,
        /// Why there are none.
        pub fault: Option<RefreshFault> = None,
    }
}

impl RefreshOrder {
    /// The answer to it.
    #[must_use]
    pub fn answered(&self, result: Result<FreshTokens, RefreshFault>) -> RefreshAnswer {
        let (tokens, fault) = match result {
            Ok(tokens) => (Some(tokens), None),
            Err(fault) => (None, Some(fault)),
        };
        RefreshAnswer {
            provider: self.provider.clone(),
            account: self.account.clone(),
            generation: self.generation,
            attempt: self.attempt,
            at: self.at,
            tokens,
            fault,
        }
    }
}

object! {
    /// Puts a token in the place of the same one, sealed by an older secret.
    #[derive(Debug, Clone, PartialEq, Eq, Serialize)]
    pub struct ResealToken, ignored {
        /// The id of the provider.
        pub provider: String,
        /// The account.
        pub account: String,
        /// Which token.
        pub field: TokenField,
        /// As it was sealed.
        pub was: SealedToken,
        /// As it is sealed now.
        pub now: SealedToken,
    }
}

object! {
    /// Ends grants.
    #[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
    pub struct EndGrants, ignored {
        /// Those of this provider; none: all.
        pub provider: Option<String> = None,
        /// Of these the one of this account; none: all.
        pub account: Option<String> = None,
    }
}

/// What happens to the grants of an owner.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum GrantStep {
    /// An account was connected.
    Put(PutGrant),
    /// A token is wanted.
    Use(UseGrant),
    /// A provider has answered.
    Answer(RefreshAnswer),
    /// A token was sealed anew.
    Reseal(ResealToken),
    /// Grants end.
    End(EndGrants),
    /// Lists them.
    List,
}

/// Why a step was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum GrantRefused {
    /// There is no such grant.
    NotConnected,
    /// It is of no use until its owner connects the account again.
    Reconnect,
    /// The provider does not answer now.
    Unavailable,
    /// Another request refreshes it, and has done so for longer than one waits.
    Busy,
    /// The owner has as many as there may be.
    Full,
    /// What was answered is about older tokens than those that are there: nothing has changed.
    Stale,
    /// What was answered is about a grant that is not there any more.
    Gone,
    /// Grants were ended while the account was being connected.
    EndedSince,
}

words!(GrantRefused {
    "not_connected" => GrantRefused::NotConnected,
    "reconnect" => GrantRefused::Reconnect,
    "unavailable" => GrantRefused::Unavailable,
    "busy" => GrantRefused::Busy,
    "full" => GrantRefused::Full,
    "stale" => GrantRefused::Stale,
    "gone" => GrantRefused::Gone,
    "ended_since" => GrantRefused::EndedSince,
});

/// What an operator should know of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum GrantEvent {
    /// Fresh tokens came, and are kept.
    Refreshed,
    /// An answer of a provider may have been lost.
    AnswerLost,
    /// The provider has ended the grant.
    Ended,
    /// The same after a lost answer, which is the likely reason.
    EndedAfterLoss,
    /// The provider refuses the gate: its client or the request is wrong.
    RefreshRefused,
}

impl GrantEvent {
    /// As the log tells it; `None`: it goes without saying.
    #[must_use]
    pub const fn told(self) -> Option<&'static str> {
        Some(match self {
            Self::Refreshed => return None,
            Self::AnswerLost => {
                "grants: answer_lost: a provider may have given tokens that did not arrive"
            }
            Self::Ended => "grants: ended: a provider says that a grant is over",
            Self::EndedAfterLoss => {
                "grants: ended_after_loss: a provider says that a grant is over, and an answer of it was lost before"
            }
            Self::RefreshRefused => {
                "grants: refresh_refused: a provider refuses the gate as its client, or its request"
            }
        })
    }
}

words!(GrantEvent {
    "refreshed" => GrantEvent::Refreshed,
    "answer_lost" => GrantEvent::AnswerLost,
    "ended" => GrantEvent::Ended,
    "ended_after_loss" => GrantEvent::EndedAfterLoss,
    "refresh_refused" => GrantEvent::RefreshRefused,
});

object! {
    /// A token that can be used now.
    #[derive(Debug, Clone, PartialEq, Eq, Serialize)]
    pub struct UsableToken, ignored {
        /// The account that it is for.
        pub account: String,
        /// The token.
        pub access: SealedToken,
        /// The refresh token, if one of the two was sealed by an older secret. It is for the writer, and goes no further.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub refresh: Option<SealedToken> = None,
    }
}

object! {
    /// A grant that has ended, and what the provider should be told has.
    #[derive(Debug, Clone, PartialEq, Eq, Serialize)]
    pub struct EndedGrant, ignored {
        /// The id of the provider.
        pub provider: String,
        /// The account.
        pub account: String,
        /// For calls.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub access: Option<SealedToken> = None,
        /// For the next.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub refresh: Option<SealedToken> = None,
    }
}

object! {
    /// A grant as its owner and the administrator see it.
    #[derive(Debug, Clone, PartialEq, Eq, Serialize)]
    pub struct ListedGrant, ignored {
        /// The id of the provider.
        pub provider: String,
        /// The account.
        pub account: String,
        /// Its name for people.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub label: Option<String> = None,
        /// What its tokens may do.
        pub scopes: Vec<String>,
        /// When the account was connected last.
        pub connected_at: UnixTime,
        /// When the provider last gave an access token.
        pub given_at: UnixTime,
        /// When that ends.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub expires_at: Option<UnixTime> = None,
        /// Whether the gate can get the next by itself.
        pub refreshable: bool,
        /// How many answers of the provider may have been lost since.
        #[serde(skip_serializing_if = "is_zero")]
        pub lost: u32 = 0,
        /// Why it has to be connected again, if so.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub reconnect: Option<Reconnect> = None,
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
const fn is_zero(number: &u32) -> bool {
    *number == 0
}

object! {
    /// What came of a step.
    #[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
    pub struct GrantOutcome, ignored {
        /// Why it was refused, if it was.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub refused: Option<GrantRefused> = None,
        /// After how many seconds it may be tried again, of [`GrantRefused::Unavailable`].
        pub retry_after_secs: u64 = 0,
        /// Of [`GrantStep::Use`]: the token.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub token: Option<UsableToken> = None,
        /// Of [`GrantStep::Use`]: what has to be done first, by whoever gets this.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub order: Option<RefreshOrder> = None,
        /// Of [`GrantStep::Use`]: another request does it. Ask again soon.
        pub wait: bool = false,
        /// Of [`GrantStep::End`]; of [`GrantStep::Put`] what came too late, and nobody has.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub ended: Vec<EndedGrant> = Vec::new(),
        /// Of [`GrantStep::List`].
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub grants: Vec<ListedGrant> = Vec::new(),
        /// What an operator should know of.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub events: Vec<GrantEvent> = Vec::new(),
    }
}

impl GrantOutcome {
    /// A refusal.
    #[must_use]
    pub fn refused(why: GrantRefused) -> Self {
        Self { refused: Some(why), ..Self::default() }
    }

    /// Whether it was not refused. `provider` is the one that callers are told of.
    ///
    /// # Errors
    /// Why, as callers are told.
    pub fn check(&self, provider: &str) -> Result<(), Error> {
        let Some(refused) = self.refused else { return Ok(()) };
        let provider = provider.to_owned();
        Err(match refused {
            GrantRefused::NotConnected => Error::NotConnected { provider },
            GrantRefused::Reconnect | GrantRefused::Stale | GrantRefused::Gone => {
                Error::ConnectionEnded { provider }
            }
            GrantRefused::EndedSince => Error::LoginInterrupted {
                problem: "accounts of the caller were taken away while this one was being connected",
            },
            GrantRefused::Unavailable => Error::Upstream {
                problem: format!(
                    "provider {provider} gives no fresh token, and is asked again in {} s",
                    self.retry_after_secs
                ),
            },
            GrantRefused::Busy => Error::Upstream {
                problem: format!("provider {provider} gives no fresh token in time"),
            },
            GrantRefused::Full => Error::invalid_field(
                "provider",
                "there are as many connected accounts as there may be",
            ),
        })
    }

    /// As text, for the way between an object and an isolate.
    #[must_use]
    pub fn to_text(&self) -> String {
        text(self)
    }

    /// Reads it.
    ///
    /// # Errors
    /// It is not ours.
    pub fn from_text(text: &str) -> Result<Self, StoreError> {
        read(text)
    }
}

impl GrantStep {
    /// As text: a word, and JSON behind it.
    #[must_use]
    pub fn to_text(&self) -> String {
        let (word, json) = match self {
            Self::Put(step) => ("put", text(step)),
            Self::Use(step) => ("use", text(step)),
            Self::Answer(step) => ("answer", text(step)),
            Self::Reseal(step) => ("reseal", text(step)),
            Self::End(step) => ("end", text(step)),
            Self::List => ("list", String::new()),
        };
        format!("{word} {json}")
    }

    /// Reads it.
    ///
    /// # Errors
    /// It is not ours.
    pub fn from_text(text: &str) -> Result<Self, StoreError> {
        let (word, json) = text.split_once(' ').unwrap_or((text, ""));
        Ok(match word {
            "put" => Self::Put(read(json)?),
            "use" => Self::Use(read(json)?),
            "answer" => Self::Answer(read(json)?),
            "reseal" => Self::Reseal(read(json)?),
            "end" => Self::End(read(json)?),
            "list" => Self::List,
            _ => return Err(StoreError::new("a step of grants has another form than expected")),
        })
    }
}

/// What it is written of are structures of ours, which JSON can always hold.
fn text<T: Serialize>(value: &T) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

fn read<T: Readable>(json: &str) -> Result<T, StoreError> {
    document::parse(json.as_bytes())
        .map_err(|_| StoreError::new("a step of grants has another form than expected"))
}
