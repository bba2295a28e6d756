//! Grants: what a login leaves behind can be used, but not seen.
//!
//! A *grant* is what a provider has given for an account of somebody: an access token, often a refresh token. All grants of an owner are one
//! [`state::OwnerGrants`], kept by one writer: a Durable Object, a process, or a store that can compare and swap. What happens to them is a
//! [`step::GrantStep`], a function of the state, the step and the time alone. So exactly one of any number of requests refreshes a token, and the others
//! get its answer, wherever the state is kept; and a simulator can drive it.
//!
//! Tokens are sealed before they come here. No step sees one.
//!
//! | file | is |
//! |---|---|
//! | `seal` | what a sealed token is bound to |
//! | `record`, `state` | what is stored, and an owner's whole |
//! | `ends` | what is remembered of grants that were ended |
//! | `step` | what may happen to it, and what comes of that |
//! | `apply` | the rules |

mod apply;
pub mod ends;
pub mod record;
pub mod seal;
pub mod state;
pub mod step;
