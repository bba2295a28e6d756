//! The section `accounts` as its author writes it.

use super::super::{SecondFactor, secret_documents::SigningKeyDocument};
use crate::{
    account::hash::DEFAULT_COST,
    json::object::{described, words},
};

/// Who may make an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Registration {
    /// An administrator.
    #[default]
    Closed,
    /// Whoever an administrator has invited.
    Invitation,
    /// Whoever has an address.
    Open,
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
    "invitation" => Registration::Invitation,
    "open" => Registration::Open,
});

described! {
    /// Accounts with passwords: docs/accounts.md. They need `sessions`.
    #[derive(Debug)]
    pub(in crate::policy) struct AccountsDocument as Accounts, refused {
        /// The secrets of which peppers are made. The one with the highest id is for new passwords. The one with the lowest also names the
        /// rows: without it no account is found, so it stays for as long as there are accounts.
        #[facts(minItems = 1)]
        pub(super) secrets: Vec<SigningKeyDocument>,
        /// Who may make an account: `closed`, an administrator alone; `invitation`, also whoever was invited; `open`, whoever reads the mail of the
        /// address. The last two need `mail`.
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
        /// Whether people log in, register and set passwords at pages of the gate's own: docs/pages.md. They need `sessions.cookies`.
        pub(super) pages: bool = false,
        /// Which list new passwords may not be on, beside the one that comes along: `kv` is one in the key-value store, made by
        /// `npx edgegate passwords build`.
        pub(super) password_list: PasswordList = PasswordList::default(),
        /// Words that make a password easy to guess here, such as the name of the product and of the company: nobody's new password is one of them with
        /// fewer than four other characters. Each has 4 to 64 characters; large letters are small ones. At most 32.
        #[facts(maxItems = 32)]
        pub(super) password_words: Vec<String> = Vec::new(),
        /// What a hash of a password costs (argon2id).
        pub(super) hash: HashDocument = HashDocument::default(),
        /// What hashes cost before `hash` was changed. Each login computes one of each of them too, so that no time shows who has not logged in
        /// since. At most 2.
        #[facts(maxItems = 2)]
        pub(super) earlier_hashes: Vec<HashDocument> = Vec::new(),
        /// Whether people log in by a link that comes by mail, in place of the password: docs/account-mail.md. It needs `mail`.
        pub(super) magic_link: bool = false,
        /// Who sends mails: docs/account-mail.md. Without it nobody can ask for a link.
        pub(super) mail: Option<MailDocument> = None,
        /// Passkeys as a way in: docs/passkeys.md. `{}` is enough. Needs `origin` at the top of the policy.
        pub(super) passkeys: Option<PasskeysDocument> = None,
    }
}

/// How mails are handed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MailRouteKind {
    Webhook,
    Queue,
    Service,
    Function,
}

words!(MailRouteKind {
    "webhook" => Self::Webhook,
    "queue" => Self::Queue,
    "service" => Self::Service,
    "function" => Self::Function,
});

described! {
    /// Who sends mails for the gate. It needs `origin`, of which links are made.
    #[derive(Debug)]
    pub(super) struct MailDocument as AccountMail, refused {
        /// How they are handed over: `webhook`, a request that is signed as Standard Webhooks are; `queue`, a Queue of Cloudflare's; `service`,
        /// another Worker; `function`, the option `mail` of `createGate`, in the npm package alone.
        pub(super) kind: MailRouteKind,
        /// Where a webhook is: https, or http on loopback.
        pub(super) url: Option<String> = None,
        /// The name of the secret that signs a webhook.
        pub(super) secret: Option<String> = None,
        /// The name of the binding, for `queue` and `service`.
        #[facts(minLength = 1, maxLength = 64)]
        pub(super) binding: Option<String> = None,
        /// From whom mails are: the message says it as it stands here.
        #[facts(minLength = 1, maxLength = 320)]
        pub(super) from: Option<String> = None,
        /// The pages that links open, where they are none of the gate's own.
        pub(super) links: Option<LinksDocument> = None,
    }
}

described! {
    /// Pages that links in mails open: of `origin`, or of one of `sessions.origins`. Each gets its token behind `#token=`, where no log sees it.
    #[derive(Debug)]
    pub(super) struct LinksDocument as AccountLinks, refused {
        /// Where a new password is set, for `POST /reset/confirm`. By default `/reset/confirm` below the prefix.
        #[facts(maxLength = 500)]
        pub(super) reset: Option<String> = None,
        /// Where a registration is confirmed, for `POST /verify-email`. By default `/verify-email` below the prefix.
        #[facts(maxLength = 500)]
        pub(super) verify_email: Option<String> = None,
        /// Where who is invited sets a password, for `POST /register`. By default `/register` below the prefix.
        #[facts(maxLength = 500)]
        pub(super) invitation: Option<String> = None,
        /// Where somebody logs in, for `POST /magic-link/confirm`. By default `/magic-link/confirm` below the prefix.
        #[facts(maxLength = 500)]
        pub(super) magic_link: Option<String> = None,
    }
}

described! {
    /// Whose passkeys they are, as browsers show and bind them.
    #[derive(Debug)]
    pub(super) struct PasskeysDocument as Passkeys, refused {
        /// The domain: the host of `origin`, or one above it. Without it: that host. With another one nobody's passkey works any more.
        pub(super) rp_id: Option<String> = None,
        /// What authenticators call the service. Without it: the domain.
        #[facts(minLength = 1, maxLength = 64)]
        pub(super) rp_name: Option<String> = None,
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
