//! The endpoints of the gate: what each is asked, what it answers, with which codes it refuses. The paths and methods are those of
//! `crates/worker/src/endpoints.rs`; a test compares them.

use edgegate::error::Code;

/// One method of one endpoint.
pub(crate) struct Operation {
    /// Below the policy's `auth_prefix`, or from the root if it begins with `/.well-known`.
    pub(crate) path: &'static str,
    pub(crate) method: &'static str,
    /// Its name in clients.
    pub(crate) id: &'static str,
    pub(crate) about: &'static str,
    pub(crate) caller: Caller,
    pub(crate) parameters: &'static [Parameter],
    pub(crate) body: Body,
    pub(crate) answers: &'static [Answer],
    /// Beside those that every endpoint has.
    pub(crate) codes: &'static [&'static [Code]],
}

/// Who may ask.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Caller {
    Anybody,
    /// Whoever the policy lets in.
    AsThePolicySays,
    Administrator,
    /// Who has the secret of metrics, and the administrator.
    Reader,
    /// A client of sessions. `false`: or one without authentication.
    Client {
        required: bool,
    },
    /// Somebody with a session of the gate's own.
    Visitor,
}

/// A parameter, by the name in the components.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Parameter {
    KeyId,
    RevocationId,
    SessionId,
    ProviderId,
    ReturnTo,
    Remember,
    OtherAccount,
    LogoutState,
    MaxAge,
    AcrValues,
    AccountId,
    PasskeyId,
    Owner,
    Subject,
    GrantProvider,
    GrantAccount,
    Window,
    After,
    Cursor,
    Limit,
    IdempotencyKey,
    ForwardedMethod,
    ForwardedUri,
    OriginalMethod,
    OriginalUri,
    OriginalUrl,
}

/// What is sent.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Body {
    None,
    /// JSON of this schema.
    Json(&'static str),
    /// The same, or nothing.
    OptionalJson(&'static str),
    /// A form of OAuth with this schema.
    Form(&'static str),
    /// A revocation, or a line for each of many.
    Revocations,
}

/// A good answer.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) about: &'static str,
    /// Of JSON; several: one of these.
    pub(crate) schemas: &'static [&'static str],
}

const fn answer(status: u16, about: &'static str, schemas: &'static [&'static str]) -> Answer {
    Answer { status, about, schemas }
}

/// What any endpoint may refuse with.
pub(crate) const ALWAYS: &[Code] = &[Code::ConfigError, Code::HttpsRequired];

const ADMINISTRATOR: &[Code] = &[
    Code::MissingCredentials,
    Code::InvalidToken,
    Code::InsufficientScope,
    Code::RateLimited,
    Code::NotFound,
    Code::StoreUnavailable,
];

const BAD_REQUEST: &[Code] = &[Code::InvalidRequest];

const CREDENTIALS: &[Code] = &[
    Code::MissingCredentials,
    Code::LoginRequired,
    Code::MultipleCredentials,
    Code::InvalidRequest,
    Code::InvalidToken,
    Code::TokenExpired,
    Code::TokenNotYetValid,
    Code::TokenRevoked,
    Code::StepUpRequired,
    Code::InvalidApiKey,
    Code::NotAllowed,
    Code::RateLimited,
    Code::KeysUnavailable,
    Code::StoreUnavailable,
];

const VISITOR: &[Code] = &[Code::InvalidRefreshToken, Code::CsrfRefused, Code::NotFound];

const API_KEYS: &[Code] = &[
    Code::ApiKeyExpired,
    Code::ApiKeyRevoked,
    Code::WrongEnvironment,
    Code::InsufficientScope,
    Code::CsrfRefused,
    Code::InvalidRefreshToken,
];

const CLIENT: &[Code] = &[
    Code::InvalidRequest,
    Code::InvalidToken,
    Code::InvalidRefreshToken,
    Code::TokenExpired,
    Code::NotFound,
    Code::NotAllowed,
    Code::RateLimited,
    Code::KeysUnavailable,
    Code::StoreUnavailable,
];

const DISABLED: &[Code] = &[Code::NotAllowed];

const PENDING: &str = "Done; not known to every isolate yet.";

macro_rules! operations {
    ($($method:ident $path:literal $id:literal $about:literal, $caller:expr, [$($parameter:ident)*], $body:expr,
        [$($status:literal $said:tt $([$($schema:literal)+])?),+], [$($codes:ident)*];)+) => {
        &[$(Operation {
            path: $path,
            method: stringify!($method),
            id: $id,
            about: $about,
            caller: $caller,
            parameters: &[$(Parameter::$parameter),*],
            body: $body,
            answers: &[$(answer($status, $said, &[$($($schema),+)?])),+],
            codes: &[$($codes),*],
        }),+]
    };
}

/// All of them.
pub(crate) const OPERATIONS: &[Operation] = operations! {
    get "/health" "getHealth" "Whether the gate is set up, and its stores answer.",
        Caller::Anybody, [], Body::None, [200 "How it is." ["Health"]], [];
    get "/openapi.json" "getDescription" "This description.",
        Caller::Anybody, [], Body::None, [200 "The description." ["Description"]], [];
    get "/verify" "verify" "Another proxy asks whether it may let a request through, with any method: docs/forward-auth.md. The request \
        that is asked about is named in headers, and its credential comes along.",
        Caller::AsThePolicySays, [ForwardedMethod ForwardedUri OriginalMethod OriginalUri OriginalUrl], Body::None,
        [200 "It may. `X-Auth-…` say who is calling.", 204 "A CORS preflight that the gate answers itself.",
            303 "Where the policy has `login`, and a person waits for a page: to log in. Proxies that speak as nginx does get 401 with `X-Auth-Login`."], [CREDENTIALS API_KEYS];

    post "/admin/explain" "explain" "What the gate would say to a request, and why, without doing it: docs/explain.md. No header comes back.",
        Caller::Administrator, [], Body::Json("ExplainRequest"), [200 "The steps, and what the caller would get." ["Explanation"]], [ADMINISTRATOR BAD_REQUEST];
    get "/metrics" "getMetrics" "Everything that was counted, as Prometheus reads it: docs/watch.md.",
        Caller::Reader, [], Body::None, [200 "The metrics (`text/plain`)."], [ADMINISTRATOR];
    get "/admin/dashboard" "getDashboard" "The page for operators, without data: docs/dashboard.md.",
        Caller::Anybody, [], Body::None, [200 "The page (`text/html`)."], [NO_ADMINISTRATOR];
    get "/admin/watch" "watch" "What happened in a window, and what is wrong: docs/watch.md.",
        Caller::Administrator, [Window], Body::None, [200 "The report." ["WatchReport"]], [ADMINISTRATOR BAD_REQUEST];

    get "/admin/audit" "listAudit" "What administration did, as a chain, from the oldest on: docs/audit.md.",
        Caller::Administrator, [After Limit], Body::None, [200 "Entries behind `after`." ["Audit"]], [ADMINISTRATOR BAD_REQUEST];

    get "/admin/keys" "listKeys" "API keys, a page at a time.",
        Caller::Administrator, [Owner Cursor Limit], Body::None, [200 "A page." ["Keys"]], [ADMINISTRATOR BAD_REQUEST];
    post "/admin/keys" "createKey" "A new API key. `key` is in this answer only, and stored nowhere.",
        Caller::Administrator, [], Body::Json("NewKey"), [201 "The key." ["Key"]], [ADMINISTRATOR BAD_REQUEST];
    get "/admin/keys/{id}" "getKey" "One API key.",
        Caller::Administrator, [KeyId], Body::None, [200 "The key." ["Key"]], [ADMINISTRATOR BAD_REQUEST];
    patch "/admin/keys/{id}" "changeKey" "Changes an API key.",
        Caller::Administrator, [KeyId], Body::Json("KeyChange"), [200 "The key." ["Key"]], [ADMINISTRATOR BAD_REQUEST];
    delete "/admin/keys/{id}" "revokeKey" "Revokes an API key, for good.",
        Caller::Administrator, [KeyId], Body::None, [200 "The key." ["Key"]], [ADMINISTRATOR BAD_REQUEST];
    post "/admin/keys/{id}/rotate" "rotateKey" "A new key in place of this one, which lives on for a while.",
        Caller::Administrator, [KeyId], Body::OptionalJson("Rotate"), [201 "The new key." ["Key"]], [ADMINISTRATOR BAD_REQUEST];

    get "/admin/revocations" "listRevocations" "What is revoked, a page at a time.",
        Caller::Administrator, [Cursor Limit], Body::None, [200 "A page." ["Revocations"]], [ADMINISTRATOR BAD_REQUEST];
    post "/admin/revocations" "revoke" "Revokes: docs/revocation.md. Many at once are a line each (`application/x-ndjson`).",
        Caller::Administrator, [IdempotencyKey], Body::Revocations, [201 "What was revoked, or what became of many." ["Revocation" "Revoked"]],
        [ADMINISTRATOR BAD_REQUEST];
    get "/admin/revocations/export" "exportRevocations" "All that is revoked, a line each, as `POST` takes it back.",
        Caller::Administrator, [], Body::None, [200 "The lines (`application/x-ndjson`)."], [ADMINISTRATOR];
    get "/admin/revocations/{id}" "getRevocation" "One revocation.",
        Caller::Administrator, [RevocationId], Body::None, [200 "The revocation." ["Revocation"]], [ADMINISTRATOR BAD_REQUEST];
    delete "/admin/revocations/{id}" "undoRevocation" "Takes a revocation back.",
        Caller::Administrator, [RevocationId], Body::None, [204 "Done."], [ADMINISTRATOR BAD_REQUEST];

    get "/admin/sessions" "listSessions" "The sessions of a subject.",
        Caller::Administrator, [Subject], Body::None, [200 "They." ["Sessions"]], [ADMINISTRATOR BAD_REQUEST];
    post "/admin/sessions" "openSession" "Opens a session, or with `ticket` leaves a ticket for one in cookies: docs/sessions.md.",
        Caller::Administrator, [], Body::Json("OpenSession"), [201 "Tokens, or a ticket." ["OpenedSession" "Ticket"]], [ADMINISTRATOR BAD_REQUEST DISABLED];
    delete "/admin/sessions" "endSessions" "Ends all sessions of a subject.",
        Caller::Administrator, [Subject], Body::None, [200 "Done." ["Ended"], 202 PENDING ["Ended"]], [ADMINISTRATOR BAD_REQUEST];
    patch "/admin/sessions/{id}" "narrowSession" "Takes scopes from a session.",
        Caller::Administrator, [SessionId], Body::Json("NarrowSession"), [200 "Done." ["Done"]], [ADMINISTRATOR BAD_REQUEST DISABLED];
    delete "/admin/sessions/{id}" "endSession" "Ends one session of a subject.",
        Caller::Administrator, [SessionId Subject], Body::None, [200 "Done." ["Ended"], 202 PENDING ["Ended"]], [ADMINISTRATOR BAD_REQUEST];
    delete "/admin/subjects" "forgetSubject" "Ends all of a subject and forgets it.",
        Caller::Administrator, [Subject], Body::None, [200 "Done." ["Done"], 202 PENDING ["Done"]], [ADMINISTRATOR BAD_REQUEST];
    post "/admin/subjects/disable" "disableSubject" "Refuses a subject from now on, and ends its sessions.",
        Caller::Administrator, [], Body::Json("Subject"), [200 "Done." ["Done"], 202 PENDING ["Done"]], [ADMINISTRATOR BAD_REQUEST];
    post "/admin/subjects/enable" "enableSubject" "Takes a disabled subject again.",
        Caller::Administrator, [], Body::Json("Subject"), [200 "Done." ["Done"]], [ADMINISTRATOR BAD_REQUEST];

    get "/admin/grants" "listGrants" "The accounts at providers that a subject has connected. No token is shown.",
        Caller::Administrator, [Subject], Body::None, [200 "They." ["Grants"]], [ADMINISTRATOR BAD_REQUEST];
    delete "/admin/grants" "endGrants" "Ends them: all, those at a provider, or one.",
        Caller::Administrator, [Subject GrantProvider GrantAccount], Body::None, [200 "How many." ["EndedGrants"]], [ADMINISTRATOR BAD_REQUEST];

    post "/admin/accounts/find" "findAccount" "The account with an address: docs/accounts.md.",
        Caller::Administrator, [], Body::Json("FindAccount"), [200 "The account." ["Account"]], [ADMINISTRATOR BAD_REQUEST];
    post "/admin/accounts" "createAccount" "A new account, with a password or with a hash of one.",
        Caller::Administrator, [], Body::Json("NewAccount"), [201 "The account." ["Account"]], [ADMINISTRATOR BAD_REQUEST];
    post "/admin/accounts/invite" "inviteAccount" "A link to register, by mail; an account that waits for its owner. docs/account-mail.md.",
        Caller::Administrator, [], Body::Json("Invitation"), [201 "The account." ["Account"]], [ADMINISTRATOR BAD_REQUEST];
    post "/admin/accounts/prepare" "prepareAccounts" "Makes the objects of names before anybody guesses, some of them: docs/accounts.md.",
        Caller::Administrator, [], Body::Json("PrepareAccounts"), [200 "How far it has come." ["PreparedAccounts"]], [ADMINISTRATOR BAD_REQUEST];
    get "/admin/accounts/{id}" "getAccount" "One account.",
        Caller::Administrator, [AccountId], Body::None, [200 "The account." ["Account"]], [ADMINISTRATOR BAD_REQUEST];
    patch "/admin/accounts/{id}" "changeAccount" "Changes an account, and ends all its sessions.",
        Caller::Administrator, [AccountId], Body::Json("AccountChange"), [200 "The account." ["Account"], 202 PENDING ["Account"]], [ADMINISTRATOR BAD_REQUEST];
    delete "/admin/accounts/{id}" "deleteAccount" "Forgets an account, and ends all its sessions.",
        Caller::Administrator, [AccountId], Body::None, [200 "Done." ["Done"], 202 PENDING ["Done"]], [ADMINISTRATOR BAD_REQUEST];

    post "/token" "token" "OAuth 2: tokens for a client (`client_credentials`), or for a refresh token.",
        Caller::Client { required: false }, [], Body::Form("TokenRequest"), [200 "Tokens." ["Tokens"]], [CLIENT];
    post "/revoke" "revokeToken" "RFC 7009: ends the session of a refresh token, or revokes an access token.",
        Caller::Client { required: false }, [], Body::Form("RevocationRequest"), [200 "Done." ["Done"], 202 PENDING ["Done"]], [CLIENT];
    post "/introspect" "introspect" "RFC 7662: whether a token is good.",
        Caller::Client { required: true }, [], Body::Form("IntrospectionRequest"), [200 "What it is." ["Introspection"]], [CLIENT];
    post "/refresh" "refresh" "New tokens for the refresh token of the body, or else new cookies for those of the request.",
        Caller::Anybody, [], Body::OptionalJson("RefreshRequest"), [200 "Tokens, or cookies." ["Refreshed"]], [CREDENTIALS VISITOR];
    get "/session" "me" "Who is calling.",
        Caller::Visitor, [], Body::None, [200 "The caller." ["Me"]], [CREDENTIALS VISITOR];
    post "/session/start" "startSession" "Cookies for a ticket.",
        Caller::Anybody, [], Body::Json("StartSession"), [200 "The session." ["StartedSession"]], [CREDENTIALS VISITOR];
    get "/sessions" "listMySessions" "The caller's sessions.",
        Caller::Visitor, [], Body::None, [200 "They." ["Sessions"]], [CREDENTIALS VISITOR];
    delete "/sessions" "endMySessions" "Ends all of the caller's sessions.",
        Caller::Visitor, [], Body::None, [200 "Done." ["Ended"], 202 PENDING ["Ended"]], [CREDENTIALS VISITOR];
    delete "/sessions/others" "endMyOtherSessions" "Ends the caller's sessions but this one.",
        Caller::Visitor, [], Body::None, [200 "Done." ["Ended"], 202 PENDING ["Ended"]], [CREDENTIALS VISITOR];
    delete "/sessions/{id}" "endMySession" "Ends one of the caller's sessions.",
        Caller::Visitor, [SessionId], Body::None, [200 "Done." ["Ended"], 202 PENDING ["Ended"]], [CREDENTIALS VISITOR];
    post "/logout" "logOut" "Ends the session of this cookie or token, or all of the caller's.",
        Caller::Visitor, [], Body::OptionalJson("Logout"), [200 "Done." ["Ended"], 202 PENDING ["Ended"]], [CREDENTIALS VISITOR];

    get "/login" "chooseProvider" "Where people log in: the choice of providers, or straight to the only one. docs/login.md.",
        Caller::Anybody, [ReturnTo Remember MaxAge AcrValues], Body::None, [200 "The choice, a page.", 303 "To the provider."], [LOGIN];
    post "/login" "logInByPassword" "By address and password: cookies for a browser, tokens for a program. docs/accounts.md.",
        Caller::Anybody, [], Body::Json("LogIn"), [200 "Tokens, or the session of cookies." ["OpenedSession" "StartedSession"]], [ACCOUNTS];
    post "/password" "changePassword" "A new password for the caller, by the old one. All other sessions end.",
        Caller::Visitor, [], Body::Json("NewPassword"), [200 "Done." ["Ended"], 202 PENDING ["Ended"]], [CREDENTIALS VISITOR ACCOUNTS];
    get "/mfa" "getFactors" "What the caller's account is asked for beside its password: docs/second-factors.md.",
        Caller::Visitor, [], Body::None, [200 "They." ["Factors"]], [CREDENTIALS VISITOR];
    post "/mfa" "logInBySecondFactor" "The second step of a login: cookies for a browser, tokens for a program.",
        Caller::Anybody, [], Body::Json("SecondFactor"), [200 "Tokens, or the session of cookies." ["OpenedSession" "StartedSession"]], [ACCOUNTS];
    post "/mfa/totp" "setUpTotp" "The secret of an authenticator for the caller, who has logged in within ten minutes.",
        Caller::Visitor, [], Body::OptionalJson("SetUpTotp"), [200 "The secret." ["TotpSecret"]], [CREDENTIALS VISITOR];
    delete "/mfa/totp" "dropTotp" "Takes the caller's authenticator out. All other sessions end.",
        Caller::Visitor, [], Body::OptionalJson("PasswordOnceMore"), [200 "Done." ["Ended"], 202 PENDING ["Ended"]], [CREDENTIALS VISITOR ACCOUNTS];
    post "/mfa/totp/confirm" "confirmTotp" "The authenticator counts from its first code on. All other sessions end.",
        Caller::Visitor, [], Body::Json("ConfirmTotp"), [200 "Recovery codes; with `mfa_token` the session too." ["RecoveryCodes" "OpenedSession" "StartedSession"], 202 PENDING ["RecoveryCodes"]], [CREDENTIALS VISITOR ACCOUNTS];
    post "/mfa/recovery-codes" "newRecoveryCodes" "Ten recovery codes in place of those that are left. All other sessions end.",
        Caller::Visitor, [], Body::OptionalJson("PasswordOnceMore"), [200 "They." ["RecoveryCodes"], 202 PENDING ["RecoveryCodes"]], [CREDENTIALS VISITOR ACCOUNTS];
    post "/register" "register" "A new account: by a link that goes to the address, or with an invitation. docs/account-mail.md.",
        Caller::Anybody, [], Body::Json("Register"), [200 "With an invitation: the account is there." ["Registered"], 202 "The answer, whether the address has an account or not." ["Accepted"]], [LINKS];
    post "/verify-email" "verifyEmail" "The account of a registration, by its link.",
        Caller::Anybody, [], Body::Json("VerifyEmail"), [200 "Done." ["Registered"]], [LINKS];
    post "/reset" "askForReset" "A link to set a new password, by mail, if there is an account with this address. docs/account-mail.md.",
        Caller::Anybody, [], Body::Json("AskForLink"), [202 "The answer, whether there is one or not." ["Accepted"]], [LINKS];
    post "/reset/confirm" "resetPassword" "A new password, by a link. All sessions end.",
        Caller::Anybody, [], Body::Json("PasswordReset"), [200 "Done." ["Ended"], 202 PENDING ["Ended"]], [LINKS];
    post "/passkey/options" "passkeyLogInOptions" "What a browser needs to ask for a passkey, without a name: docs/passkeys.md. Nothing is stored for it.",
        Caller::Anybody, [], Body::None, [200 "Options for `navigator.credentials.get`." ["PasskeyRequestOptions"]], [PASSKEYS];
    post "/passkey" "logInByPasskey" "By a passkey, without a name and a password: cookies for a browser, tokens for a program.",
        Caller::Anybody, [], Body::Json("LogInByPasskey"), [200 "Tokens, or the session of cookies." ["OpenedSession" "StartedSession"]], [ACCOUNTS];
    get "/mfa/passkeys" "listMyPasskeys" "The caller's passkeys.",
        Caller::Visitor, [], Body::None, [200 "The passkeys." ["Passkeys"]], [CREDENTIALS VISITOR];
    post "/mfa/passkeys/options" "passkeyOptions" "What a browser needs to have a passkey made for the caller, who has logged in at most ten minutes ago, or logs in by `mfa_token`.",
        Caller::Visitor, [], Body::OptionalJson("NewPasskeyOptions"), [200 "Options for `navigator.credentials.create`." ["PasskeyCreationOptions"]], [CREDENTIALS VISITOR BAD_REQUEST];
    post "/mfa/passkeys" "addPasskey" "A passkey that was made for the caller. All other sessions end.",
        Caller::Visitor, [], Body::Json("NewPasskey"), [200 "With `mfa_token`: the session, and recovery codes." ["OpenedSession" "StartedSession"], 201 "The passkey." ["AddedPasskey"], 202 PENDING ["AddedPasskey" "RecoveryCodes"]], [CREDENTIALS VISITOR ACCOUNTS];
    delete "/mfa/passkeys/{id}" "removePasskey" "Takes a passkey of the caller's out. All other sessions end.",
        Caller::Visitor, [PasskeyId], Body::OptionalJson("PasswordOnceMore"), [200 "Done." ["Ended"], 202 PENDING ["Ended"]], [CREDENTIALS VISITOR ACCOUNTS];
    post "/magic-link" "askForMagicLink" "A link to log in, by mail, if there is an account with this address. The answer has a cookie. docs/account-mail.md.",
        Caller::Anybody, [], Body::Json("AskForMagicLink"), [202 "The answer, whether there is one or not." ["Accepted"]], [LINKS];
    post "/magic-link/confirm" "logInByMagicLink" "By such a link and the cookie of whoever has asked for it: cookies for a browser, tokens for a program.",
        Caller::Anybody, [], Body::Json("MagicLink"), [200 "Tokens, or the session of cookies." ["OpenedSession" "StartedSession"]], [ACCOUNTS];
    get "/account" "ownPage" "The page of whoever is logged in, where the policy has `accounts.pages`, and its forms (`do`): docs/accounts.md.",
        Caller::Visitor, [], Body::None, [200 "The page.", 303 "To log in, and back."], [CREDENTIALS VISITOR];
    post "/account" "useOwnPage" "What a form of this page does.",
        Caller::Visitor, [], Body::Form("OwnPageForm"), [303 "Back to the page."], [CREDENTIALS VISITOR ACCOUNTS];
    get "/login/{id}" "logIn" "To a provider, by a browser.",
        Caller::Anybody, [ProviderId ReturnTo Remember OtherAccount MaxAge AcrValues], Body::None, [303 "To the provider."], [LOGIN];
    get "/callback/{id}" "endLogin" "Back from a provider. The answer has the cookies of a session.",
        Caller::Anybody, [ProviderId], Body::None, [200 "A page that moves on, where the cookies are Strict.", 303 "Back to where the login began, or to the provider once more."], [LOGIN CALLBACK];
    post "/callback/{id}" "endLoginByForm" "The same where the provider answers by a form (`response_mode=form_post`).",
        Caller::Anybody, [ProviderId], Body::None, [303 "To the same path, as a navigation."], [LOGIN CALLBACK];
    post "/connect/{id}" "connectAccount" "To a provider, to connect an account to whoever is logged in: docs/grants.md.",
        Caller::Visitor, [ProviderId], Body::Form("ConnectForm"), [303 "To the provider."], [CREDENTIALS VISITOR LOGIN];
    post "/disconnect/{id}" "disconnectAccount" "Ends the caller's grants at a provider, or one.",
        Caller::Visitor, [ProviderId], Body::Form("DisconnectForm"), [303 "Back."], [CREDENTIALS VISITOR LOGIN];

    get "/logout" "askToLogOut" "Asks a person whether to log out, by a form. Only for a browser that waits for a page.",
        Caller::Anybody, [ReturnTo], Body::None, [200 "The form, a page."], [LOGIN];
    get "/logged-out" "returnFromLogout" "Back from a provider's logout.",
        Caller::Anybody, [LogoutState], Body::None, [200 "A page that says so.", 303 "To where the logout wanted, or the start page."], [LOGIN];
    post "/backchannel-logout/{id}" "endByProvider" "A provider ends a session, or all of a person's (OpenID Connect Back-Channel Logout 1.0).",
        Caller::Anybody, [ProviderId], Body::Form("LogoutByProvider"), [200 "Done."], [LOGIN BACKCHANNEL];

    get "/.well-known/jwks.json" "getPublicKeys" "The keys by which the gate signs.",
        Caller::Anybody, [], Body::None, [200 "A JWK set." ["PublicKeys"]], [STORES];
    get "/.well-known/oauth-authorization-server" "getMetadata" "What the gate is as an authorization server.",
        Caller::Anybody, [], Body::None, [200 "Its metadata." ["Metadata"]], [NO_SESSIONS];
};

const LOGIN: &[Code] =
    &[Code::NotFound, Code::InvalidRequest, Code::UpstreamError, Code::StoreUnavailable];

const ACCOUNTS: &[Code] = &[
    Code::InvalidRequest,
    Code::InvalidCredentials,
    Code::InvalidToken,
    Code::MfaRequired,
    Code::MfaSetupRequired,
    Code::TooManyAttempts,
    Code::CsrfRefused,
    Code::NotAllowed,
    Code::NotFound,
    Code::RateLimited,
    Code::StoreUnavailable,
    Code::KeysUnavailable,
];

const LINKS: &[Code] = &[
    Code::InvalidRequest,
    Code::TooManyAttempts,
    Code::CsrfRefused,
    Code::NotFound,
    Code::StoreUnavailable,
];
const PASSKEYS: &[Code] = &[Code::CsrfRefused, Code::NotFound, Code::StoreUnavailable];

const CALLBACK: &[Code] = &[
    Code::NotAllowed,
    Code::InvalidToken,
    Code::TooManyAttempts,
    Code::KeysUnavailable,
    Code::RateLimited,
];

const BACKCHANNEL: &[Code] = &[Code::KeysUnavailable];

const STORES: &[Code] = &[Code::StoreUnavailable, Code::KeysUnavailable];

const NO_ADMINISTRATOR: &[Code] = &[Code::NotFound];
const NO_SESSIONS: &[Code] = &[Code::NotFound];
