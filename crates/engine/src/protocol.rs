//! The numbers that pass between the shell and the engine. `examples/protocol.rs` writes them into `pkg/lib/protocol.js`.

/// What a call has come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Status {
    /// It is done.
    Done = 0,
    /// It is refused: the text is `{code, reason, message, claim?, path?}`.
    Refused = 1,
    /// The host has been asked about a signature.
    Pending = 2,
    /// Keys have to be fetched first.
    KeysNeeded = 3,
    /// The suspended call was dropped. It has to be made again from the start.
    Gone = 4,
    /// Others are fetching the keys.
    KeysUnderWay = 5,
}

/// The slots, by their place.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Slot {
    /// The address of the text.
    Text = 0,
    /// Its length in bytes.
    TextLength = 1,
    /// The address of the name of the key that verified.
    KeyId = 2,
    /// Its length; 0 if the key has no name.
    KeyIdLength = 3,
    /// The issuer's index; for calls that make something, the handle.
    Issuer = 4,
    /// The first second at which the verdict holds; for a token that waits for the host, its ticket; for a proof,
    /// the first second at which a shared store may forget it.
    ValidFrom = 5,
    /// The first second at which it does not hold any more.
    ValidUntil = 6,
    /// 1 if the text is all ASCII; for keys to be fetched, 1 if there are older ones.
    Flag = 7,
}

/// How many slots there are.
pub(crate) const SLOTS: usize = 8;

/// What the host answers about a signature.
#[allow(
    dead_code,
    reason = "the shell answers by it, and with the feature `pure` no host is asked"
)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HostAnswer {
    /// It does not hold.
    Bad = 0,
    /// It holds.
    Holds = 1,
    /// The host will say later.
    Pending = 2,
    /// The host does not have the key. It is handed over, and the host asked again.
    UnknownKey = 3,
    /// The host does not take the key.
    RefusesKey = 4,
}
