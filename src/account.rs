//! Accounts: a password, a passkey or a link by mail as a way into a session ([`crate::session`]), for products that have no identity
//! provider.
//!
//! Everything here is a function of its arguments. The edge has the clock, random bytes, mail and the host's checks of signatures; who keeps
//! the rows asks these rules what to do with them.
//!
//! | file | is |
//! |---|---|
//! | `name` | the address that somebody logs in with |
//! | `attempts` | how often may be guessed: reserved before a guess, given back by a right one |
//! | `password`, `common_passwords` | which passwords are taken; a list of those that attackers try first |
//! | `hash`, `foreign_hash`, `scrypt` | how they are kept; hashes that others made; one kind of those |
//! | `one_time`, `asker` | tokens of links in mails; the cookie of a browser that has asked for one |
//! | `mail`, `mailbox` | what is told by mail, and what waits to be sent |
//! | `totp`, `base32`, `authenticator`, `recovery` | codes of an authenticator, and those for the day it is lost |
//! | `second_step` | a login that waits for its second factor |
//! | `row` | all that is kept of a login name, and what happens to it |
//! | `secrets`, `device` | what rows are found by, peppers; the cookie of a browser that is known |
//! | `step`, `link_step`, `shard` | what one writer of rows is asked, and how it answers |
//! | `cbor`, `passkey` | what an authenticator of WebAuthn says |
//! | `passkeys`, `challenge` | those of an account; what is given out to be signed |
//! | `passkey_step` | what happens to them |

pub mod asker;
pub mod attempts;
pub mod authenticator;
pub mod base32;
pub mod cbor;
pub mod challenge;
pub mod common_passwords;
pub mod device;
pub mod foreign_hash;
pub mod hash;
pub mod link_step;
pub mod mail;
pub mod mailbox;
pub mod name;
pub mod one_time;
pub mod passkey;
pub mod passkey_step;
pub mod passkeys;
pub mod password;
pub mod recovery;
pub mod row;
mod scrypt;
pub mod second_step;
pub mod secrets;
pub mod shard;
pub mod step;
pub mod totp;
