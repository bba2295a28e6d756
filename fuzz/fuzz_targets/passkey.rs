//! Any bytes as what an authenticator says: CBOR has one way to be written, a passkey that is taken is of the domain that asked and of a kind
//! that was asked for, and a proof is held against the passkey's own key.
#![no_main]

use edgegate::account::{
    cbor::Cbor,
    passkey::{self, CHALLENGE_BYTES, Made, Passkey, Proof, RelyingParty},
};
use edgegate::base64url;
use libfuzzer_sys::fuzz_target;

const CHALLENGE: [u8; CHALLENGE_BYTES] = [7; CHALLENGE_BYTES];
const ALGORITHMS: [&str; 3] = ["ES256", "EdDSA", "RS256"];

fn said(kind: &str) -> Vec<u8> {
    let challenge = base64url::encode(&CHALLENGE);
    format!(r#"{{"type":"{kind}","challenge":"{challenge}","origin":"https://example.org"}}"#)
        .into()
}

fuzz_target!(|data: &[u8]| {
    if let Some((value, rest)) = Cbor::parse_first(data) {
        let mut written = Vec::new();
        write(&value, &mut written);
        assert_eq!([&written, rest].concat(), data);
        assert_eq!(Cbor::parse(data).is_some(), rest.is_empty());
    }
    let origins = ["https://example.org".to_owned()];
    let party = RelyingParty { id: "example.org", origins: &origins, verifies_user: false };
    let client_data = said("webauthn.create");
    let made = Made { client_data: &client_data, attestation: data };
    if let Ok((taken, own)) = passkey::register(party, &CHALLENGE, made) {
        let id = base64url::decode(&taken.id).unwrap();
        assert!((1..=1023).contains(&id.len()));
        assert!(ALGORITHMS.contains(&taken.key["alg"].as_str().unwrap()));
        assert!(["d", "p", "q", "k"].iter().all(|member| taken.key.get(member).is_none()));
        assert!(taken.backup_eligible || !taken.backed_up);
        if let Some(task) = own {
            assert!(task.message.len() > 37);
        }
        let other = RelyingParty { id: "example.com", ..party };
        assert!(passkey::register(other, &CHALLENGE, made).is_err());
        assert!(passkey::register(party, &[8; CHALLENGE_BYTES], made).is_err());
        prove(&taken, party, data);
    }
    prove(&Passkey::of_nobody(), party, data);
    // What the browser says.
    let _ = passkey::challenge_in(data);
    let made = Made { client_data: data, attestation: &[] };
    assert!(passkey::register(party, &CHALLENGE, made).is_err());
});

fn prove(passkey: &Passkey, party: RelyingParty<'_>, data: &[u8]) {
    let (authenticator_data, signature) = data.split_at(data.len().min(37));
    let client_data = said("webauthn.get");
    let proof = Proof { client_data: &client_data, authenticator_data, signature };
    let Ok((task, seen)) = passkey.prove(party, &CHALLENGE, proof) else { return };
    assert!(task.message.starts_with(authenticator_data));
    assert_eq!(authenticator_data[32] & 1, 1, "somebody was there");
    let mut next = passkey.clone();
    if next.advance(seen).is_ok() {
        assert!(next.sign_count > passkey.sign_count || next.sign_count == 0);
        // What counts does not take the same twice.
        assert_eq!(next.sign_count == 0, next.clone().advance(seen).is_ok());
    } else {
        assert_eq!(next, *passkey);
    }
}

/// Writes a value in the one way.
fn write(value: &Cbor<'_>, to: &mut Vec<u8>) {
    match value {
        Cbor::Integer(number @ 0..) => head(0, u64::try_from(*number).unwrap(), to),
        Cbor::Integer(number) => head(1, u64::try_from(!number).unwrap(), to),
        Cbor::Bytes(bytes) => {
            head(2, u64::try_from(bytes.len()).unwrap(), to);
            to.extend_from_slice(bytes);
        }
        Cbor::Text(text) => {
            head(3, u64::try_from(text.len()).unwrap(), to);
            to.extend_from_slice(text.as_bytes());
        }
        Cbor::List(list) => {
            head(4, u64::try_from(list.len()).unwrap(), to);
            list.iter().for_each(|one| write(one, to));
        }
        Cbor::Map(members) => {
            head(5, u64::try_from(members.len()).unwrap(), to);
            for (key, value) in members {
                write(key, to);
                write(value, to);
            }
        }
        Cbor::Bool(is) => to.push(if *is { 0xf5 } else { 0xf4 }),
        Cbor::Null => to.push(0xf6),
    }
}

fn head(major: u8, number: u64, to: &mut Vec<u8>) {
    let major = major << 5;
    let bytes = number.to_be_bytes();
    match number {
        0..24 => to.push(major | bytes[7]),
        24..0x100 => to.extend([major | 24, bytes[7]]),
        0x100..0x1_0000 => to.extend([&[major | 25], &bytes[6..]].concat()),
        0x1_0000..0x1_0000_0000 => to.extend([&[major | 26], &bytes[4..]].concat()),
        _ => to.extend([&[major | 27], &bytes[..]].concat()),
    }
}
