//! The numbers that the shell and the engine exchange. `examples/protocol.rs` writes them to `pkg/lib/protocol.js`.

/// The state of a call.
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
    /// The call that waited was dropped. It has to be made again.
    Gone = 4,
    /// Other calls are fetching the keys.
    KeysUnderWay = 5,
}

/// The slots, by their index.
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
    /// The first second at which the verdict is valid. For a token that waits for the host: its number. For a proof:
    /// the first second at which a shared store may forget it.
    ValidFrom = 5,
    /// The first second at which the verdict is no longer valid.
    ValidUntil = 6,
    /// 1 if the text has only ASCII. If keys have to be fetched: 1 if there are older ones.
    Flag = 7,
}

/// How many slots there are.
pub(crate) const SLOTS: usize = 8;

/// So many bytes of the input are kept for the next text. A longer one gives its memory back when the next is asked for.
pub(crate) const KEPT_INPUT: usize = 64 * 1024;

/// The host's answer about a signature.
#[allow(
    dead_code,
    reason = "the shell answers by it, and with the feature `pure` no host is asked"
)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HostAnswer {
    /// The signature does not hold.
    Bad = 0,
    /// The signature holds.
    Holds = 1,
    /// The host will answer later.
    Pending = 2,
    /// The host does not have the key. It gets the key, and is asked again.
    UnknownKey = 3,
    /// The host refuses the key.
    RefusesKey = 4,
}

/// The lines of a request, by their place. All but the first two may be empty.
#[allow(dead_code, reason = "only with the feature `gate` is there a request")]
#[derive(Debug, Clone, Copy)]
pub(crate) enum Field {
    Method = 0,
    /// A URL, or a path with its query: what the caller asked for.
    Url = 1,
    /// The path that the application routes by, where it has another one than that of the URL.
    Path = 2,
    Authorization = 3,
    Dpop = 4,
    ApiKey = 5,
    Cookie = 6,
    Accept = 7,
    Origin = 8,
    RequestedMethod = 9,
    RequestedHeaders = 10,
    /// The address, as the application or the socket says it.
    ClientIp = 11,
    /// In place of it, the value of the header that the policy names.
    ClientIpHeader = 12,
    /// Which page sends the request, as the browser says: `Sec-Fetch-Site`.
    FetchSite = 13,
    /// The protocol that the caller wants instead of HTTP, such as `websocket`.
    Upgrade = 14,
    /// How the request was made, as the browser says: `Sec-Fetch-Mode`.
    FetchMode = 15,
    /// What for: `Sec-Fetch-Dest`.
    FetchDest = 16,
    /// Which account at a provider the caller means, where it has several: `X-Grant-Account`.
    GrantAccount = 17,
}

/// How many there are.
#[allow(dead_code, reason = "only with the feature `gate` is there a request")]
pub(crate) const FIELDS: usize = 18;

/// The first line of an admission. Other decisions are objects of JSON.
#[allow(dead_code, reason = "only with the feature `gate` is there a decision")]
pub(crate) const ADMITTED: &str = "admitted";
