//! RSA keys of the faulty generator in Infineon's chips, which can be factored (ROCA, CVE-2017-15361).
//!
//! Its primes are `k·M + (65537^a mod M)`, where `M` is a product of small primes. So such a modulus is a
//! power of 65537 modulo each of them, and this is how its discoverers recognise one ("The Return of
//! Coppersmith's Attack", Nemec et al., CCS 2017, §2.2). No factoring, no table of keys.

/// The primes below 168 modulo which not every number is a power of 65537; the others tell nothing.
/// An honest modulus is a power modulo all of them once in 2^27.8 keys: make another key then.
const PRIMES: [u32; 17] =
    [11, 13, 17, 19, 37, 53, 61, 71, 73, 79, 97, 103, 107, 109, 127, 151, 157];

/// Whether a big-endian modulus has the generator's fingerprint.
pub(super) fn has_fingerprint(modulus: &[u8]) -> bool {
    PRIMES.iter().all(|prime| {
        let remainder = modulus.iter().fold(0, |remainder: u32, byte| {
            ((remainder << 8) | u32::from(*byte)).checked_rem(*prime).unwrap_or_default()
        });
        powers(*prime).any(|power| power == remainder)
    })
}

/// The powers of 65537 modulo a prime; some of them several times.
fn powers(prime: u32) -> impl Iterator<Item = u32> {
    let next = move |power: &u32| power.wrapping_mul(65537).checked_rem(prime);
    core::iter::successors(Some(1), next).zip(1..prime).map(|(power, _)| power)
}

#[cfg(test)]
#[expect(clippy::cast_possible_truncation, reason = "the lowest eight bits are wanted")]
mod tests {
    use super::*;

    /// What is left of `exponent` powers of 65537 modulo the product of the first primes.
    fn power(exponent: u32) -> Vec<u8> {
        let product: u128 = PRIMES.iter().take(14).map(|prime| u128::from(*prime)).product();
        let power = (0..exponent).fold(1, |power, _| power * 65537 % product);
        power.to_be_bytes().to_vec()
    }

    #[test]
    fn each_prime_tells_something() {
        for prime in PRIMES {
            let powers: std::collections::BTreeSet<u32> = powers(prime).collect();
            assert!(u32::try_from(powers.len()).unwrap() < prime - 1, "{prime}");
            assert!(!powers.contains(&0), "{prime}");
        }
    }

    #[test]
    fn a_power_of_65537_has_the_fingerprint_and_its_neighbours_have_not() {
        assert!(has_fingerprint(&[1]));
        assert!(has_fingerprint(&[1, 0, 1]));
        assert!(has_fingerprint(&[1, 0, 2, 0, 1]));
        for number in [&[][..], &[0], &[2], &[3], &[1, 0, 2], &[1, 0, 3]] {
            assert!(!has_fingerprint(number), "{number:?}");
        }
        // Modulo 14 of the 17 primes only: not enough.
        assert!(!has_fingerprint(&power(100_003)));
    }

    #[test]
    fn a_key_with_the_fingerprint_is_refused() {
        // 65537 to the power of 128 has 2049 bits.
        let modulus = (0..128).fold(vec![1_u8], |power, _| {
            let mut carry = 0;
            let shifted = power.iter().rev().chain(&[0, 0]);
            let mut sum: Vec<u8> = [0, 0]
                .iter()
                .chain(power.iter().rev())
                .zip(shifted)
                .map(|(a, b)| {
                    let sum = u16::from(*a) + u16::from(*b) + carry;
                    carry = sum >> 8;
                    (sum & 0xff) as u8
                })
                .collect();
            sum.push(carry as u8);
            sum.reverse();
            sum
        });
        let key = |n: &[u8]| {
            let n = crate::base64url::encode(n);
            crate::jose::keys::Key::from_jwk(&format!(r#"{{"kty":"RSA","n":"{n}","e":"AQAB"}}"#))
        };
        assert_eq!(
            key(&modulus).unwrap_err().to_string(),
            "RSA modulus can be factored (ROCA, CVE-2017-15361)"
        );
        let mut other = modulus;
        *other.last_mut().unwrap() ^= 2;
        assert!(key(&other).is_ok());
    }
}
