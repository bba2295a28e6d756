//! What happens to the passkeys of an account, as its writer of rows is asked. The signatures have been checked before.

use serde::{Deserialize, Serialize};

use super::{
    passkey::{Passkey, Seen},
    passkeys::Challenge,
    recovery::CodeHash,
    row::AccountState,
    second_step::SecondStep,
};

/// What happens.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum PasskeyStep {
    /// Shows all.
    List,
    /// Shows the one of this name, for a proof to be held against.
    Find(String),
    /// Adds one, by its owner.
    Add {
        /// The account, as it was when the owner has shown its password or a link, or had none to show.
        state: AccountState,
        /// As the authenticator made it.
        passkey: Passkey,
        /// The name that its owner gives it.
        label: String,
        /// What was signed.
        challenge: Challenge,
        /// Its recovery codes, if this is the first factor beside the password.
        codes: Vec<CodeHash>,
        /// The login that ends by it, of an account that has no second factor yet. `None`: its owner is logged in.
        #[serde(default)]
        login: Option<SecondStep>,
    },
    /// Somebody has proven to have the one of this name.
    Use {
        /// Its name.
        id: String,
        /// What the authenticator said.
        seen: Seen,
        /// What was signed.
        challenge: Challenge,
        /// The login that waits for it, after the right password. `None`: it is the whole login.
        login: Option<SecondStep>,
    },
    /// Takes the one of this name out, by who has shown the password that the account had then.
    Remove(String, AccountState),
}
