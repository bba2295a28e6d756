//! The providers that need no more than a name in the policy. Each value says where the provider documents it.

use super::{
    person::{Places, Verified},
    provider::{
        ClientAuthentication, Endpoints, Further, Identity, IssuerSpelling, Offline, Place,
        Profile, ProviderLogout, Revocation, TokenAnswerForm,
    },
};

/// The claims of OpenID Connect Core 1.0 §5.1.
const STANDARD_CLAIMS: Places = Places {
    id: &["sub"],
    name: &["name", "preferred_username"],
    email: "email",
    verified: Verified::If("email_verified"),
    tenant: "",
    groups: &["groups"],
};

/// Any issuer of OpenID Connect.
pub const OIDC: Profile = Profile {
    name: "oidc",
    title: "single sign-on",
    place: Place::Given,
    identity: Identity::IdToken,
    places: STANDARD_CLAIMS,
    scopes: &["openid", "profile", "email"],
    separator: ' ',
    authentication: ClientAuthentication::Basic,
    issuer: IssuerSpelling::Exact,
    form_post: false,
    offline: Offline::Scope,
    answer: TokenAnswerForm::Standard,
    // OpenID Connect Core 1.0 §3.1.2.1. `select_account` need not be known.
    other_account: Some("login"),
    logout: ProviderLogout::Standard,
    revocation: Revocation::Standard,
    further: Further::Nothing,
};

/// <https://developers.google.com/identity/openid-connect/openid-connect>
const GOOGLE: Profile = Profile {
    name: "google",
    title: "Google",
    place: Place::Issuer("https://accounts.google.com"),
    // `hd` is the hosted domain; without it an address of that domain may be a consumer's account.
    places: Places { tenant: "hd", groups: &[], ..STANDARD_CLAIMS },
    authentication: ClientAuthentication::Post,
    // "Always https://accounts.google.com or accounts.google.com".
    issuer: IssuerSpelling::Also("accounts.google.com"),
    // <https://developers.google.com/identity/protocols/oauth2/web-server>: a refresh token comes with the first consent alone.
    offline: Offline::AccessType,
    // Google takes no `login`.
    other_account: Some("select_account"),
    logout: ProviderLogout::None,
    ..OIDC
};

/// <https://docs.github.com/en/apps/oauth-apps/building-oauth-apps/authorizing-oauth-apps>
const GITHUB: Profile = Profile {
    name: "github",
    title: "GitHub",
    place: Place::Known(Endpoints {
        authorization: "https://github.com/login/oauth/authorize",
        token: "https://github.com/login/oauth/access_token",
        userinfo: Some("https://api.github.com/user"),
        revocation: Some("https://api.github.com/applications/{client_id}/grant"),
    }),
    identity: Identity::Userinfo,
    // `login` can be changed and given to somebody else; `id` cannot. Addresses come from `/user/emails`, which says what is verified.
    places: Places {
        id: &["id"],
        name: &["name", "login"],
        email: "",
        verified: Verified::Never,
        tenant: "",
        groups: &[],
    },
    scopes: &["read:user", "user:email"],
    authentication: ClientAuthentication::Post,
    offline: Offline::Nothing,
    answer: TokenAnswerForm::ErrorWith200,
    other_account: Some("select_account"),
    logout: ProviderLogout::None,
    // <https://docs.github.com/en/rest/apps/oauth-applications#delete-an-app-authorization>
    revocation: Revocation::DeleteGrant,
    further: Further::GitHub,
    ..OIDC
};

/// <https://docs.slack.dev/authentication/sign-in-with-slack/>
const SLACK: Profile = Profile {
    name: "slack",
    title: "Slack",
    place: Place::Issuer("https://slack.com"),
    // A user's id is unique within a workspace.
    places: Places {
        id: &["https://slack.com/team_id", "https://slack.com/user_id"],
        tenant: "https://slack.com/team_id",
        groups: &[],
        ..STANDARD_CLAIMS
    },
    authentication: ClientAuthentication::Post,
    offline: Offline::Nothing,
    answer: TokenAnswerForm::Ok,
    other_account: None,
    logout: ProviderLogout::None,
    revocation: Revocation::Bearer,
    ..OIDC
};

/// <https://docs.slack.dev/authentication/installing-with-oauth>: a bot in a workspace. Its token is a grant; nobody is logged in by it.
const SLACK_BOT: Profile = Profile {
    name: "slack-bot",
    title: "Slack",
    place: Place::Known(Endpoints {
        authorization: "https://slack.com/oauth/v2/authorize",
        token: "https://slack.com/api/oauth.v2.access",
        userinfo: None,
        revocation: None,
    }),
    identity: Identity::TokenAnswer,
    places: Places {
        id: &["team.id", "bot_user_id"],
        name: &["team.name"],
        email: "",
        verified: Verified::Never,
        tenant: "team.id",
        groups: &[],
    },
    scopes: &["chat:write"],
    separator: ',',
    authentication: ClientAuthentication::Post,
    offline: Offline::Nothing,
    answer: TokenAnswerForm::Ok,
    other_account: None,
    logout: ProviderLogout::None,
    // The token is the workspace's, and not of the one who installed the app: to revoke it would take the bot from everybody there, and out of
    // its channels. <https://docs.slack.dev/reference/methods/auth.revoke/>
    revocation: Revocation::None,
    ..OIDC
};

/// <https://learn.microsoft.com/en-us/entra/identity-platform/v2-protocols-oidc>
const MICROSOFT: Profile = Profile {
    name: "microsoft",
    title: "Microsoft",
    place: Place::Template { field: "tenant", issuer: "https://login.microsoftonline.com/{}/v2.0" },
    // `oid` is the account in its tenant. Addresses are not verified:
    // <https://learn.microsoft.com/en-us/entra/identity-platform/migrate-off-email-claim-authorization>
    places: Places {
        id: &["tid", "oid"],
        verified: Verified::If("xms_edov"),
        tenant: "tid",
        groups: &["groups", "roles"],
        ..STANDARD_CLAIMS
    },
    authentication: ClientAuthentication::Post,
    other_account: Some("select_account"),
    issuer: IssuerSpelling::Tenant,
    revocation: Revocation::None,
    ..OIDC
};

/// <https://developer.apple.com/documentation/signinwithapplerestapi>
const APPLE: Profile = Profile {
    name: "apple",
    title: "Apple",
    place: Place::Issuer("https://appleid.apple.com"),
    places: Places { name: &[], groups: &[], ..STANDARD_CLAIMS },
    scopes: &["openid", "name", "email"],
    authentication: ClientAuthentication::SignedSecret,
    // Wanted as soon as a scope is asked for.
    form_post: true,
    offline: Offline::Nothing,
    other_account: None,
    logout: ProviderLogout::None,
    ..OIDC
};

/// <https://docs.gitlab.com/integration/openid_connect_provider/>
const GITLAB: Profile = Profile {
    name: "gitlab",
    title: "GitLab",
    place: Place::Issuer("https://gitlab.com"),
    // The ID token has `groups_direct` alone. `groups`, of userinfo, has those too that one belongs to through others.
    places: Places { name: &["name", "nickname"], ..STANDARD_CLAIMS },
    offline: Offline::Nothing,
    logout: ProviderLogout::None,
    ..OIDC
};

/// <https://discord.com/developers/docs/topics/oauth2>
const DISCORD: Profile = Profile {
    name: "discord",
    title: "Discord",
    place: Place::Known(Endpoints {
        authorization: "https://discord.com/oauth2/authorize",
        token: "https://discord.com/api/oauth2/token",
        userinfo: Some("https://discord.com/api/users/@me"),
        revocation: Some("https://discord.com/api/oauth2/token/revoke"),
    }),
    identity: Identity::Userinfo,
    // <https://discord.com/developers/docs/resources/user#user-object>
    places: Places {
        id: &["id"],
        name: &["global_name", "username"],
        verified: Verified::If("verified"),
        groups: &[],
        ..STANDARD_CLAIMS
    },
    scopes: &["identify", "email"],
    offline: Offline::Nothing,
    other_account: None,
    logout: ProviderLogout::None,
    further: Further::Discord,
    ..OIDC
};

/// <https://auth0.com/docs/get-started/applications/configure-applications-with-oidc-discovery>
const AUTH0: Profile = Profile {
    name: "auth0",
    title: "single sign-on",
    // With a slash at its end.
    place: Place::Template { field: "domain", issuer: "https://{}/" },
    authentication: ClientAuthentication::Post,
    places: Places { tenant: "org_id", ..STANDARD_CLAIMS },
    ..OIDC
};

/// <https://developer.okta.com/docs/concepts/auth-servers/>: `domain` is that of the organisation, or goes on with `/oauth2/default`.
const OKTA: Profile = Profile {
    name: "okta",
    title: "Okta",
    place: Place::Template { field: "domain", issuer: "https://{}" },
    ..OIDC
};

/// <https://www.keycloak.org/securing-apps/oidc-layers>
const KEYCLOAK: Profile = Profile {
    name: "keycloak",
    title: "single sign-on",
    place: Place::Given,
    places: Places { groups: &["groups", "realm_access.roles"], ..STANDARD_CLAIMS },
    ..OIDC
};

/// <https://docs.aws.amazon.com/cognito/latest/developerguide/cognito-userpools-server-contract-reference.html>
const COGNITO: Profile = Profile {
    name: "cognito",
    title: "single sign-on",
    place: Place::Given,
    places: Places {
        name: &["name", "cognito:username"],
        groups: &["cognito:groups"],
        ..STANDARD_CLAIMS
    },
    offline: Offline::Nothing,
    // <https://docs.aws.amazon.com/cognito/latest/developerguide/logout-endpoint.html>
    logout: ProviderLogout::ClientAndUri,
    ..OIDC
};

/// All of them.
pub static ALL: [&Profile; 13] = [
    &GOOGLE, &GITHUB, &SLACK, &SLACK_BOT, &MICROSOFT, &APPLE, &GITLAB, &DISCORD, &AUTH0, &OKTA,
    &KEYCLOAK, &COGNITO, &OIDC,
];

/// The profile of this name.
#[must_use]
pub fn named(name: &str) -> Option<&'static Profile> {
    ALL.into_iter().find(|profile| profile.name == name)
}
