//! Sessions: tokens issued, renewed and ended, without a race.
//!
//! Whoever has proven who somebody is hands that to the gate, and the gate opens a *session*: a short access token and a refresh
//! token. All sessions of a subject are one [`state::SubjectState`], kept by one writer: a Durable Object, a process, or a store
//! that can compare and swap. What happens to it is a [`step::Step`], a function of the state, the step and the time alone, with an
//! [`step::Outcome`]. So the same rules hold wherever the state is kept, and a simulator can drive them.
//!
//! | file | is |
//! |---|---|
//! | `id` | names of fixed size: of a session, of a subject's object |
//! | `secrets` | keys derived from `sessions.secrets`, one for each use |
//! | `token` | the texts of refresh tokens and tickets; forged ones are refused without I/O |
//! | `record`, `state` | what is stored, and a subject's whole |
//! | `step`, `refresh`, `same_browser` | what happens to it: open, refresh, confirm, end, … |
//! | `access`, `identity_token` | claims of the tokens that the gate signs |
//! | `key_ring` | the keys that it signs by, and when they change |
//! | `cookie`, `csrf`, `renewal` | browsers |
//! | `client`, `oauth`, `introspection`, `metadata`, `scopes` | OAuth |

pub mod access;
pub mod client;
pub mod cookie;
pub mod csrf;
mod id;
pub mod identity_token;
pub mod introspection;
pub mod key_ring;
pub mod metadata;
pub mod oauth;
pub mod record;
pub mod refresh;
pub mod renewal;
mod same_browser;
pub mod scopes;
pub mod secrets;
pub mod state;
pub mod step;
pub mod token;

pub use self::id::{
    BrowserName, ObjectName, Opaque, Place, ProviderSession, Salt, SessionId, TicketHash,
};
