//! Hashes that others made, for accounts that move in. Each is checked as it is, and replaced by the gate's own at the first login.
//!
//! | text | made by |
//! |---|---|
//! | `$2a$`, `$2b$`, `$2y$` | bcrypt: Node, PHP's `password_hash`, Rails' `has_secure_password` |
//! | `$argon2id$`, `$argon2i$` | PHP's `password_hash`, node-argon2, libsodium |
//! | `$scrypt$ln=14,r=16,p=1$salt$hash` | `crypto.scrypt` of Node, put into this form |
//! | `$pbkdf2-sha256$i=600000,l=32$salt$hash`, `-sha512` | PBKDF2, put into this form |
//! | `pbkdf2_sha256$…`, `bcrypt_sha256$…`, `argon2$…`, `scrypt$…` | Django |
//!
//! Costs are bounded when a hash comes in, so that no row can keep an isolate busy or take all its memory.

use argon2::{Algorithm, Params};
use base64ct::{Base64, Base64Bcrypt, Base64Unpadded, Encoding as _};
use hmac::Hmac;
use sha2::{Digest as _, Sha256, Sha512};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use super::{
    hash::{Cost, MAX_MEMORY_KIB, OUTPUT_BYTES, SALT_BYTES, filled, number, parts},
    scrypt,
};

/// bcrypt's own bound is 31; each step doubles. 14 takes a second.
const BCRYPT_COSTS: core::ops::RangeInclusive<u32> = 4..=14;

/// Bytes that bcrypt reads.
const BCRYPT_BYTES: usize = 72;

const MAX_ITERATIONS: u32 = 2_000_000;

const MAX_PASSES: u32 = 10;

const MAX_LANES: u32 = 8;

/// Salt and hash have at most so many bytes, and a hash at least half of the lesser.
const MAX_BYTES: usize = 64;
const MIN_OUTPUT_BYTES: usize = 16;

/// A hash that was made elsewhere.
#[derive(Clone, PartialEq, Eq)]
pub struct ForeignHash {
    scheme: Scheme,
    salt: Vec<u8>,
    output: Vec<u8>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Scheme {
    /// `prehashed`: the password is SHA-256 in hexadecimal.
    Bcrypt {
        cost: u32,
        prehashed: bool,
    },
    Argon2 {
        algorithm: Algorithm,
        memory_kib: u32,
        passes: u32,
        lanes: u32,
    },
    Scrypt(scrypt::Cost),
    Pbkdf2 {
        sha512: bool,
        iterations: u32,
    },
}

impl ForeignHash {
    /// Reads a hash; `None`: it is of no known form, or costs more than the bounds.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (name, rest) = text.split_once('$')?;
        match name {
            "" => modular(text),
            "pbkdf2_sha256" => django_pbkdf2(rest),
            "bcrypt_sha256" => bcrypt(rest, true),
            "bcrypt" => bcrypt(rest, false),
            "argon2" => modular(&format!("${rest}")),
            "scrypt" => django_scrypt(rest),
            _ => None,
        }
        .filter(Self::is_bounded)
    }

    /// Whether a password has this hash.
    #[must_use]
    pub fn fits(&self, password: &[u8]) -> bool {
        let mut output = Zeroizing::new(vec![0; self.output.len()]);
        self.compute(password, &mut output).is_some() && bool::from(output.ct_eq(&self.output))
    }

    /// Whether to compute one is as much work as the other.
    #[must_use]
    pub fn is_like(&self, other: &Self) -> bool {
        self.scheme == other.scheme && self.output.len() == other.output.len()
    }

    /// A hash that no password has, to compute which is as much work as one of the gate's own at this cost.
    #[must_use]
    pub fn of_cost(cost: Cost) -> Self {
        let Cost { memory_kib, passes } = cost;
        let algorithm = Algorithm::Argon2id;
        Self {
            scheme: Scheme::Argon2 { algorithm, memory_kib, passes, lanes: 1 },
            salt: vec![0; SALT_BYTES],
            output: vec![0; OUTPUT_BYTES],
        }
    }

    /// The memory that it takes, in KiB.
    #[must_use]
    pub fn memory_kib(&self) -> u32 {
        match &self.scheme {
            Scheme::Argon2 { memory_kib, .. } => *memory_kib,
            Scheme::Scrypt(cost) => cost.memory_kib().unwrap_or(u32::MAX),
            Scheme::Bcrypt { .. } | Scheme::Pbkdf2 { .. } => 0,
        }
    }

    fn is_bounded(&self) -> bool {
        let costs = match &self.scheme {
            Scheme::Bcrypt { cost, .. } => BCRYPT_COSTS.contains(cost),
            Scheme::Argon2 { memory_kib, passes, lanes, .. } => {
                *memory_kib <= MAX_MEMORY_KIB
                    && (1..=MAX_PASSES).contains(passes)
                    && (1..=MAX_LANES).contains(lanes)
            }
            Scheme::Scrypt(cost) => {
                (1..=20).contains(&cost.log_n)
                    && (1..=32).contains(&cost.r)
                    && (1..=MAX_LANES).contains(&cost.p)
                    && cost.memory_kib().is_some_and(|kib| kib <= MAX_MEMORY_KIB)
            }
            Scheme::Pbkdf2 { iterations, .. } => (1..=MAX_ITERATIONS).contains(iterations),
        };
        costs
            && self.salt.len() <= MAX_BYTES
            && (MIN_OUTPUT_BYTES..=MAX_BYTES).contains(&self.output.len())
    }

    fn compute(&self, password: &[u8], output: &mut [u8]) -> Option<()> {
        match &self.scheme {
            Scheme::Bcrypt { cost, prehashed } => {
                let hexadecimal = Zeroizing::new(prehashed.then(|| hex(&Sha256::digest(password))));
                let password = hexadecimal.as_deref().map_or(password, str::as_bytes);
                // C's text: what it ends with counts, and what stands behind it does not.
                let mut read = Zeroizing::new(password.to_vec());
                read.push(0);
                read.truncate(BCRYPT_BYTES);
                let hash = ::bcrypt::bcrypt(*cost, self.salt.as_slice().try_into().ok()?, &read);
                output.copy_from_slice(hash.get(..output.len())?);
                Some(())
            }
            Scheme::Argon2 { algorithm, memory_kib, passes, lanes } => {
                let parameters =
                    Params::new(*memory_kib, *passes, *lanes, Some(output.len())).ok()?;
                filled(*algorithm, parameters, (password, &self.salt, None), output)
            }
            Scheme::Scrypt(cost) => scrypt::scrypt(password, &self.salt, *cost, output),
            Scheme::Pbkdf2 { sha512: false, iterations } => {
                pbkdf2::pbkdf2::<Hmac<Sha256>>(password, &self.salt, *iterations, output).ok()
            }
            Scheme::Pbkdf2 { sha512: true, iterations } => {
                pbkdf2::pbkdf2::<Hmac<Sha512>>(password, &self.salt, *iterations, output).ok()
            }
        }
    }
}

/// Shows how it was made, and neither salt nor hash.
impl core::fmt::Debug for ForeignHash {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_tuple("ForeignHash").field(&self.scheme).finish()
    }
}

/// `$name$…`.
fn modular(text: &str) -> Option<ForeignHash> {
    let (name, rest) = text.strip_prefix('$')?.split_once('$')?;
    match name {
        "2a" | "2b" | "2y" => bcrypt(text, false),
        "argon2id" => argon2(Algorithm::Argon2id, rest),
        "argon2i" => argon2(Algorithm::Argon2i, rest),
        "scrypt" => {
            let [parameters, salt, output] = parts(rest, '$')?;
            let [log_n, r, p] = named(parameters, ["ln", "r", "p"])?;
            let scheme = Scheme::Scrypt(scrypt::Cost { log_n: log_n.try_into().ok()?, r, p });
            Some(ForeignHash { scheme, salt: unpadded(salt)?, output: unpadded(output)? })
        }
        "pbkdf2-sha256" | "pbkdf2-sha512" => {
            let [parameters, salt, output] = parts(rest, '$')?;
            let [iterations, length] = named(parameters, ["i", "l"])?;
            let output = unpadded(output)?;
            let fits = usize::try_from(length).is_ok_and(|length| length == output.len());
            let scheme = Scheme::Pbkdf2 { sha512: name.ends_with("512"), iterations };
            fits.then_some(ForeignHash { scheme, salt: unpadded(salt)?, output })
        }
        _ => None,
    }
}

/// `$2b$12$` and 53 letters: 22 for the salt, 31 for the hash.
fn bcrypt(text: &str, prehashed: bool) -> Option<ForeignHash> {
    let [empty, version, cost, letters] = parts(text, '$')?;
    if !empty.is_empty() || !["2a", "2b", "2y"].contains(&version) || cost.len() != 2 {
        return None;
    }
    let cost = cost.trim_start_matches('0').parse().ok()?;
    let (salt, output) = letters.split_at_checked(22)?;
    let read = |text: &str| Base64Bcrypt::decode_vec(text).ok();
    let (salt, output) = (read(salt)?, read(output)?);
    let fits = salt.len() == 16 && output.len() == 23;
    fits.then_some(ForeignHash { scheme: Scheme::Bcrypt { cost, prehashed }, salt, output })
}

/// `v=19$m=65536,t=4,p=1$salt$hash`.
fn argon2(algorithm: Algorithm, rest: &str) -> Option<ForeignHash> {
    let [version, parameters, salt, output] = parts(rest, '$')?;
    if version != "v=19" {
        return None;
    }
    let [memory_kib, passes, lanes] = named(parameters, ["m", "t", "p"])?;
    let scheme = Scheme::Argon2 { algorithm, memory_kib, passes, lanes };
    Some(ForeignHash { scheme, salt: unpadded(salt)?, output: unpadded(output)? })
}

/// `iterations$salt$hash`: the salt is text, the hash padded base64.
fn django_pbkdf2(rest: &str) -> Option<ForeignHash> {
    let [iterations, salt, output] = parts(rest, '$')?;
    let scheme = Scheme::Pbkdf2 { sha512: false, iterations: number(iterations)? };
    Some(ForeignHash { scheme, salt: salt.into(), output: Base64::decode_vec(output).ok()? })
}

/// `N$salt$r$p$hash`.
fn django_scrypt(rest: &str) -> Option<ForeignHash> {
    let [n, salt, r, p, output] = parts(rest, '$')?;
    let n = number(n).filter(|n| n.is_power_of_two())?;
    let log_n = n.ilog2().try_into().ok()?;
    let scheme = Scheme::Scrypt(scrypt::Cost { log_n, r: number(r)?, p: number(p)? });
    Some(ForeignHash { scheme, salt: salt.into(), output: Base64::decode_vec(output).ok()? })
}

/// `m=65536,t=4,p=1`, by these names in this order.
fn named<const N: usize>(parameters: &str, names: [&str; N]) -> Option<[u32; N]> {
    let given = parts::<N>(parameters, ',')?;
    let mut numbers = [0; N];
    for ((place, name), text) in numbers.iter_mut().zip(names).zip(given) {
        *place = number(text.strip_prefix(name)?.strip_prefix('=')?)?;
    }
    Some(numbers)
}

/// PHC's base64, with or without the padding that some write.
fn unpadded(text: &str) -> Option<Vec<u8>> {
    Base64Unpadded::decode_vec(text.trim_end_matches('=')).ok()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWORD: &[u8] = b"correct horse battery staple";

    /// Made by Python's hashlib, argon2-cffi, bcrypt and Django 5, at costs that a test can wait for.
    const HASHES: [&str; 12] = [
        "$2b$04$K8DvZ4Jv3mreOVR6uvr03.yrbmSjHqmGe9J/d.WTwUzS4wvmKzeQW",
        "$argon2id$v=19$m=64,t=2,p=2$c29tZXNhbHQxMjM0NTY3OA$xlfAYOhPIAawVaSsXIlNPpwdDLphKW7Fp3R4WTHSYg4",
        "$argon2i$v=19$m=64,t=2,p=1$c29tZXNhbHQxMjM0NTY3OA$5tYGc6oSUkstUq10c9EQ0xtD8WdsePZgLxV/mVp7znU",
        "$scrypt$ln=4,r=8,p=1$c2FsdHNhbHRzYWx0$PS4C2ithVilAcKBGNT/61y4yRLjBUqNwIUb8f3BUYoQ",
        "$pbkdf2-sha256$i=1000,l=32$c2FsdHNhbHRzYWx0$KQDle8SXZRa7sBUZQfkYQI6NXnZxupxhxtm+aXnClyg",
        "$pbkdf2-sha512$i=1000,l=64$c2FsdHNhbHRzYWx0$DdePUyRocgAl03UAD52hWr3T5PJAJ+XmaWPWayKeQfYfS/2o+F8xzxS6BET2RDqVLCKstA5cpv8TtN0w9Up80w",
        "pbkdf2_sha256$1000$pWhvpDqIb1oK6b6K1WcaF9$+NFE4ldj5Awc86jxOuWnAI+VwJHCicNc9obar0Hq3S0=",
        "argon2$argon2id$v=19$m=64,t=1,p=2$bVppNjY2eU1ZdTBzOXFCZkNtRHNaSQ$zf2vpqGlkao40LlQXccwM0XTry5aY7Qef2giKz/ltfU",
        "bcrypt_sha256$$2b$04$mYMrWNi8JGZLoKuDGStqR.D.OPZmpSDdWPqpj2TigagML74euyllm",
        "scrypt$16$CRal0uurzqK419tkZ215Yq$8$5$+GPzP0fKunv4TdsXbYhnUVGUp1B65wethyFSK/Cs11vT5DINwWoiuMnZ9BhV+H64tTUrLurxFJ3+WlNKYKjF8Q==",
        "bcrypt$$2b$04$8H81oSWp9erPv.X92hhwZ.PoxIdUxAiwuUK756W7xKjMejG.wAOZO",
        "$2y$04$K8DvZ4Jv3mreOVR6uvr03.yrbmSjHqmGe9J/d.WTwUzS4wvmKzeQW",
    ];

    #[test]
    fn hashes_of_others_are_checked_as_they_are() {
        for text in HASHES {
            let hash = ForeignHash::parse(text).expect(text);
            assert!(hash.fits(PASSWORD), "{text}");
            for wrong in [&PASSWORD[..27], b"correct horse battery staplf", b""] {
                assert!(!hash.fits(wrong), "{text}");
            }
        }
    }

    #[test]
    fn bcrypt_reads_72_bytes() {
        let hash =
            ForeignHash::parse("$2b$04$PYo.aR.kbJcKt03jW0fr1uz35gOIMZ/tb/sVbERf/U9jWePaXEvxm")
                .unwrap();
        assert!(hash.fits(&[b'x'; 72]));
        assert!(hash.fits(&[b'x'; 100]));
        assert!(!hash.fits(&[b'x'; 71]));
    }

    #[test]
    fn a_hash_that_costs_too_much_does_not_come_in() {
        for (hash, from, to) in [
            (0, "$04$", "$15$"),
            (0, "$04$", "$03$"),
            (0, "$04$", "$4$"),
            (1, "m=64", "m=1048576"),
            (1, "t=2", "t=11"),
            (1, "t=2", "t=0"),
            (1, "p=2", "p=9"),
            (3, "ln=4", "ln=17"),
            (3, "ln=4", "ln=63"),
            (3, "ln=4", "ln=0"),
            (3, "r=8", "r=4294967295"),
            (4, "i=1000", "i=2000001"),
            (4, "l=32", "l=31"),
            (9, "$16$", "$1048576$"),
            (9, "$16$", "$17$"),
        ] {
            let text = HASHES[hash].replacen(from, to, 1);
            assert_ne!(text, HASHES[hash]);
            assert_eq!(ForeignHash::parse(&text), None, "{text}");
        }
        for text in [
            "",
            "$",
            "$$$",
            "plain",
            "$1$salt$hash",
            "md5$salt$hash",
            "$pbkdf2-sha256$i=1,l=2$c2E$AAA",
            &"$".repeat(100),
        ] {
            assert_eq!(ForeignHash::parse(text), None, "{text}");
        }
    }
}
