//! How a policy names secrets.

use crate::json::object::described;

described! {
    /// A secret with a number, so that it can be changed: the highest number is in use, the others are still known.
    #[derive(Debug)]
    pub(super) struct SigningKeyDocument as NumberedSecret, refused {
        /// Its number.
        pub(super) id: u8,
        /// The name of the secret.
        pub(super) secret: String,
    }
}

described! {
    /// A section that is a secret by name.
    #[derive(Debug)]
    pub(super) struct SecretDocument as NamedSecret, refused {
        /// The name of the secret.
        pub(super) secret: String,
    }
}
