//! What may go wrong for a person: with which status, what is said, and what to do.

use super::words::Word;

/// Why a login or a logout did not come to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// The person said no at the provider, or may not use it.
    Cancelled,
    /// The login was begun too long ago.
    TookTooLong,
    /// The browser has not the cookie of the login.
    NoCookie,
    /// The same callback came before.
    UsedUp,
    /// The callback is malformed, forged, or another browser's.
    Unreadable,
    /// The provider wants something of the person first.
    NotFinished,
    /// The provider does not answer, or says that it cannot now.
    ProviderDown,
    /// What the provider said does not verify.
    ProviderUnclear,
    /// Another account than the one of the session.
    WrongAccount,
    /// The provider did not prove as much as was asked for.
    ProofUnmet,
    /// The policy has no such provider.
    NoSuchProvider,
    /// Too many failures from this network.
    TooMany,
    /// The policy and the provider do not fit together.
    Misconfigured,
    /// Something of the gate does not answer.
    Unavailable,
}

impl Reason {
    /// All of them.
    pub const ALL: [Self; 14] = [
        Self::Cancelled,
        Self::TookTooLong,
        Self::NoCookie,
        Self::UsedUp,
        Self::Unreadable,
        Self::NotFinished,
        Self::ProviderDown,
        Self::ProviderUnclear,
        Self::WrongAccount,
        Self::ProofUnmet,
        Self::NoSuchProvider,
        Self::TooMany,
        Self::Misconfigured,
        Self::Unavailable,
    ];

    /// The HTTP status.
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::TookTooLong
            | Self::NoCookie
            | Self::UsedUp
            | Self::Unreadable
            | Self::NotFinished => 400,
            Self::Cancelled | Self::WrongAccount | Self::ProofUnmet => 403,
            Self::NoSuchProvider => 404,
            Self::TooMany => 429,
            Self::Misconfigured => 500,
            Self::ProviderUnclear => 502,
            Self::ProviderDown | Self::Unavailable => 503,
        }
    }

    /// The heading, what happened, and what to do.
    #[must_use]
    pub const fn words(self) -> (Word, Word, Word) {
        use Word as W;
        match self {
            Self::Cancelled => (W::Cancelled, W::CancelledHappened, W::CancelledRemedy),
            Self::TookTooLong => (W::TookTooLong, W::TookTooLongHappened, W::TookTooLongRemedy),
            Self::NoCookie => (W::NoCookie, W::NoCookieHappened, W::NoCookieRemedy),
            Self::UsedUp => (W::UsedUp, W::UsedUpHappened, W::UsedUpRemedy),
            Self::Unreadable => (W::Unreadable, W::UnreadableHappened, W::UnreadableRemedy),
            Self::NotFinished => (W::NotFinished, W::NotFinishedHappened, W::NotFinishedRemedy),
            Self::ProviderDown => (W::ProviderDown, W::ProviderDownHappened, W::ProviderDownRemedy),
            Self::ProviderUnclear => {
                (W::ProviderUnclear, W::ProviderUnclearHappened, W::ProviderUnclearRemedy)
            }
            Self::WrongAccount => (W::WrongAccount, W::WrongAccountHappened, W::WrongAccountRemedy),
            Self::ProofUnmet => (W::ProofUnmet, W::ProofUnmetHappened, W::ProofUnmetRemedy),
            Self::NoSuchProvider => {
                (W::NoSuchProvider, W::NoSuchProviderHappened, W::NoSuchProviderRemedy)
            }
            Self::TooMany => (W::TooMany, W::TooManyHappened, W::TooManyRemedy),
            Self::Misconfigured => {
                (W::Misconfigured, W::MisconfiguredHappened, W::MisconfiguredRemedy)
            }
            Self::Unavailable => (W::Unavailable, W::UnavailableHappened, W::UnavailableRemedy),
        }
    }
}
