//! What browsers send of passkeys, as `PublicKeyCredential.toJSON()` writes it
//! (Web Authentication Level 3, §5.1.8), and what they are sent.
#![expect(non_snake_case, reason = "the standard's names")]

use serde_json::{Value, json};

use super::Faults;
use crate::{
    account::{
        challenge::LIFETIME_SECS,
        passkey::{self, Made, Proof, RelyingParty},
        passkeys::{MAX_LABEL, OwnPasskey},
        row::AccountId,
    },
    base64url,
    error::Error,
    json::object::described,
    policy::PasskeyPolicy,
};

described! {
    /// For whom a passkey is made.
    pub(super) struct OptionsBody as NewPasskeyOptions, refused {
        /// What `MFA_SETUP_REQUIRED` has given, by who is not logged in yet.
        pub(super) mfa_token: Option<String> = None,
        /// What the authenticator calls the account: an address, say. Nobody else reads it. Without it: the name of the service.
        #[facts(minLength = 1, maxLength = 64)]
        pub(super) name: Option<String> = None,
    }
}

described! {
    /// A passkey that was made.
    pub(super) struct AddBody as NewPasskey, refused {
        /// What `MFA_SETUP_REQUIRED` has given, by who is not logged in yet.
        pub(super) mfa_token: Option<String> = None,
        /// What the browser has answered.
        pub(super) credential: Option<MadeBody> = None,
        /// Its name for its owner.
        #[facts(minLength = 1, maxLength = 64)]
        pub(super) label: Option<String> = None,
        /// The password of the account, if it has one. With `mfa_token` it was shown before.
        pub(super) password: Option<String> = None,
    }
}

described! {
    /// `toJSON()` of what `navigator.credentials.create` gives.
    pub(super) struct MadeBody as MadeCredential, ignored {
        /// What the authenticator says.
        response: MadeResponse,
    }
}

described! {
    /// What an authenticator says when it has made a passkey, in base64url.
    struct MadeResponse as MadeCredentialResponse, ignored {
        /// What the browser says.
        clientDataJSON: String,
        /// What the authenticator says.
        attestationObject: String,
    }
}

described! {
    /// Who logs in by a passkey.
    pub(super) struct LogInBody as LogInByPasskey, refused {
        /// What the browser has answered.
        pub(super) credential: ProofBody,
        /// Whether the session outlasts the browser.
        pub(super) remember: bool = false,
    }
}

described! {
    /// `toJSON()` of what `navigator.credentials.get` gives.
    pub(super) struct ProofBody as ProvenCredential, ignored {
        /// The name of the passkey.
        id: String,
        /// What the authenticator says.
        response: ProofResponse,
    }
}

described! {
    /// What an authenticator says to prove that it has a passkey, in base64url.
    struct ProofResponse as ProvenCredentialResponse, ignored {
        /// What the browser says.
        clientDataJSON: String,
        /// What the authenticator says.
        authenticatorData: String,
        /// The signature over both.
        signature: String,
        /// The name of the account.
        userHandle: Option<String> = None,
    }
}

#[cfg(feature = "describe")]
pub(super) fn describe(known: &mut crate::json::describe::Definitions) {
    known.add::<OptionsBody>();
    known.add::<AddBody>();
    known.add::<LogInBody>();
}

/// A new passkey as it came.
pub(super) struct Sent {
    client_data: Vec<u8>,
    attestation: Vec<u8>,
    pub(super) challenge: [u8; passkey::CHALLENGE_BYTES],
}

impl Sent {
    pub(super) fn made(&self) -> Made<'_> {
        Made { client_data: &self.client_data, attestation: &self.attestation }
    }
}

impl AddBody {
    /// The passkey, and its name for its owner.
    pub(super) fn read(
        credential: Option<MadeBody>,
        given: Option<String>,
    ) -> Result<(Sent, String), Error> {
        let label = label("label", given)?.unwrap_or_else(|| "Passkey".to_owned());
        let credential = credential.ok_or_else(|| at_fault("credential", "Required"))?;
        Ok((credential.read()?, label))
    }
}

impl MadeBody {
    fn read(self) -> Result<Sent, Error> {
        let MadeResponse { clientDataJSON, attestationObject } = self.response;
        let client_data = bytes("clientDataJSON", &clientDataJSON)?;
        let attestation = bytes("attestationObject", &attestationObject)?;
        let challenge = challenge_in(&client_data)?;
        Ok(Sent { client_data, attestation, challenge })
    }
}

/// A proof as it came.
pub(super) struct SentProof {
    /// The name of the passkey.
    pub(super) id: String,
    /// The account that the authenticator says.
    pub(super) account: AccountId,
    client_data: Vec<u8>,
    authenticator_data: Vec<u8>,
    signature: Vec<u8>,
    pub(super) challenge: [u8; passkey::CHALLENGE_BYTES],
}

impl SentProof {
    pub(super) fn proof(&self) -> Proof<'_> {
        Proof {
            client_data: &self.client_data,
            authenticator_data: &self.authenticator_data,
            signature: &self.signature,
        }
    }
}

impl ProofBody {
    pub(super) fn read(self) -> Result<SentProof, Error> {
        let Self { id, response } = self;
        let ProofResponse { clientDataJSON, authenticatorData, signature, userHandle } = response;
        let client_data = bytes("clientDataJSON", &clientDataJSON)?;
        let authenticator_data = bytes("authenticatorData", &authenticatorData)?;
        let signature = bytes("signature", &signature)?;
        let account = userHandle.as_deref().and_then(AccountId::parse);
        let account = account.ok_or_else(|| at_fault("userHandle", "is none of this gate's"))?;
        let challenge = challenge_in(&client_data)?;
        Ok(SentProof { id, account, client_data, authenticator_data, signature, challenge })
    }
}

/// The text that a name is for its owner, or for an authenticator; `None`: none was given.
pub(super) fn label(field: &str, given: Option<String>) -> Result<Option<String>, Error> {
    let Some(given) = given else { return Ok(None) };
    let mut faults = Faults::default();
    let read = faults.take(field, Some(given), |text| {
        let text = text.trim();
        let is_plain = !text.is_empty() && !text.chars().any(char::is_control);
        if is_plain && text.chars().count() <= MAX_LABEL {
            Ok(text.to_owned())
        } else {
            Err(format!("Expected 1 to {MAX_LABEL} characters"))
        }
    });
    read.map(Some).ok_or_else(|| faults.into_error())
}

pub(super) fn at_fault(field: &str, message: &str) -> Error {
    let mut faults = Faults::default();
    let _: Option<()> = faults.take(field, Some(String::new()), |_| Err(message.to_owned()));
    faults.into_error()
}

fn bytes(field: &str, text: &str) -> Result<Vec<u8>, Error> {
    base64url::decode(text).ok_or_else(|| at_fault(field, "expected base64url"))
}

fn challenge_in(client_data: &[u8]) -> Result<[u8; passkey::CHALLENGE_BYTES], Error> {
    passkey::challenge_in(client_data)
        .ok_or_else(|| at_fault("clientDataJSON", "has no challenge of this gate"))
}

/// `PublicKeyCredentialCreationOptionsJSON` (§5.4). The authenticator is to know the account by itself, so that nobody types a name.
pub(super) fn creation_options(
    policy: &PasskeyPolicy,
    (account, name): (&AccountId, &str),
    challenge: &[u8],
    known: &[OwnPasskey],
) -> Value {
    let algorithms =
        passkey::ALGORITHMS.map(|(number, _)| json!({ "type": "public-key", "alg": number }));
    let known: Vec<Value> =
        known.iter().map(|one| json!({ "type": "public-key", "id": one.passkey.id })).collect();
    json!({
        "rp": { "id": policy.rp_id, "name": policy.rp_name },
        "user": { "id": account.to_string(), "name": name, "displayName": name },
        "challenge": base64url::encode(challenge),
        "pubKeyCredParams": algorithms,
        "timeout": LIFETIME_SECS.saturating_mul(1000),
        "excludeCredentials": known,
        "authenticatorSelection": {
            "residentKey": "required",
            "requireResidentKey": true,
            "userVerification": "required",
        },
        "attestation": "none",
    })
}

/// `PublicKeyCredentialRequestOptionsJSON` (§5.5), without a name.
pub(super) fn request_options(party: RelyingParty<'_>, challenge: &[u8]) -> Value {
    json!({
        "challenge": base64url::encode(challenge),
        "timeout": LIFETIME_SECS.saturating_mul(1000),
        "rpId": party.id,
        "allowCredentials": [],
        "userVerification": "required",
    })
}

/// The passkeys of an account, as its owner sees them.
pub(super) fn listed(all: &[OwnPasskey]) -> Vec<Value> {
    let shown = |one: &OwnPasskey| {
        json!({
            "id": one.passkey.id,
            "label": one.label,
            "created_at": one.created_at,
            "last_used_at": one.last_used_at,
            "backed_up": one.passkey.backed_up,
        })
    };
    all.iter().map(shown).collect()
}
