//! The section `accounts` as its author writes it.

use super::super::{SecondFactor, document::SigningKeyDocument};
use crate::{
    account::hash::DEFAULT_COST,
    json::object::{described, words},
};

/// Who may make an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(in crate::policy) enum Registration {
    /// An administrator.
    #[default]
    Closed,
}

/// Where a further list of passwords is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(in crate::policy) enum PasswordList {
    /// Nowhere.
    #[default]
    Shipped,
    /// In the key-value store.
    Kv,
}

words!(PasswordList {
    "shipped" => PasswordList::Shipped,
    "kv" => PasswordList::Kv,
});

words!(Registration {
    "closed" => Registration::Closed,
});

described! {
    /// Accounts with passwords: docs/accounts.md. They need `sessions`.
    #[derive(Debug)]
    pub(in crate::policy) struct AccountsDocument as Accounts, refused {
        /// The secrets of which peppers are made. The one with the highest id is for new passwords. The one with the lowest also names the
        /// rows: without it no account is found, so it stays for as long as there are accounts.
        #[facts(minItems = 1)]
        pub(super) secrets: Vec<SigningKeyDocument>,
        /// Who may make an account: `closed`, an administrator alone.
        pub(super) registration: Registration = Registration::default(),
        /// How many wrong passwords are compared in a window, for each name and for each address.
        #[facts(minimum = 1, maximum = 25)]
        pub(super) attempts: u8 = 5,
        /// How long a window is.
        #[facts(minimum = 60, maximum = 86_400)]
        pub(super) window_secs: u32 = 900,
        /// The scopes of every account, beside its own.
        pub(super) scopes: Vec<String> = Vec::new(),
        /// The fewest characters of a password at login: fewer are refused before anybody is asked. New passwords have 8 at least, whatever
        /// this says; less is for accounts that were imported.
        #[facts(minimum = 1, maximum = 64)]
        pub(super) shortest_password: u8 = 8,
        /// Whether accounts have second factors: `optional`, who has set one up is asked for it; `required`, everybody sets one up at the next
        /// login; `off`, nobody can set one up, and who has one is still asked for it. docs/second-factors.md.
        pub(super) mfa: SecondFactor = SecondFactor::default(),
        /// A hash of each kind that accounts were imported with. Each login costs one hash of each of them, so that no time shows who was
        /// imported. At most 4.
        #[facts(maxItems = 4)]
        pub(super) imports: Vec<String> = Vec::new(),
        /// Which list new passwords may not be on, beside the one that comes along: `kv` is one in the key-value store, made by
        /// `npx edgegate passwords build`.
        pub(super) password_list: PasswordList = PasswordList::default(),
        /// What a hash of a password costs (argon2id).
        pub(super) hash: HashDocument = HashDocument::default(),
    }
}

described! {
    /// What a hash of a password costs. Less than `memory_kib · iterations = 35840` is refused.
    #[derive(Debug)]
    pub(super) struct HashDocument as PasswordHashCost, refused {
        /// Its memory. An isolate has 128 MiB.
        #[facts(minimum = 7168, maximum = 65_536)]
        pub(super) memory_kib: u32 = DEFAULT_COST.memory_kib,
        /// How often the memory is gone through.
        #[facts(minimum = 1, maximum = 10)]
        pub(super) iterations: u32 = DEFAULT_COST.passes,
    }
}

impl Default for HashDocument {
    fn default() -> Self {
        Self { memory_kib: DEFAULT_COST.memory_kib, iterations: DEFAULT_COST.passes }
    }
}
