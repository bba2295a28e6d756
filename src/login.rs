//! Login with others: a provider says who somebody is, and that is a way into a session ([`crate::session`]).
//!
//! The authorization code flow (RFC 6749 §4.1) with PKCE (RFC 7636), OpenID Connect Core 1.0 where the provider has it. Before the
//! callback nothing is stored: `state` carries what is needed, sealed, and one cookie ties it to the browser. So any number of logins can
//! be under way in one browser, and strangers cannot fill a store.
//!
//! Everything here is a function of its arguments. The edge has the clock, random bytes, AES-GCM and the network.
//!
//! | file | is |
//! |---|---|
//! | `binding` | the cookie that ties a login to the browser which began it; verifier and nonce |
//! | `state` | what `state` carries |
//! | `sealed` | how a sealed text is written |
//! | `form_post` | a callback that comes as a form |
//! | `return_path` | where a browser may be sent after it |
//! | `authorization` | the request to the provider, and its answer at the callback |
//! | `provider`, `profiles` | what differs between providers: data |
//! | `metadata` | what a provider says about itself |
//! | `exchange` | what the gate asks a provider for |
//! | `token_answer` | what the token endpoint answers |
//! | `signed_secret` | a client's secret that is signed each time |
//! | `id_token`, `logout_token` | rules for the two kinds of tokens that a provider signs |
//! | `person`, `access` | who it is; whether that person may come in, and with which scopes |

pub mod access;
pub mod authorization;
pub mod binding;
pub mod exchange;
pub mod form_post;
pub mod id_token;
pub mod logout_token;
pub mod metadata;
pub mod person;
pub mod profiles;
pub mod provider;
pub mod return_path;
mod sealed;
pub mod signed_secret;
pub mod state;
pub mod token_answer;

#[cfg(test)]
mod signed;
