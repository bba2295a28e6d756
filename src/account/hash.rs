//! How passwords are kept: argon2id (RFC 9106), as PHC strings
//! (<https://github.com/P-H-C/phc-string-format/blob/master/phc-sf-spec.md>).
//!
//! ```text
//! $argon2id$v=19$m=19456,t=2,p=1,keyid=Aw$salt$hash
//! ```
//! `keyid` names the pepper: a secret of the policy that argon2 takes as its key, so that a copy of the rows alone is worth nothing. A hash whose
//! cost or pepper is not the one that the policy wants is made anew at the next login, when the password is there.

use core::{cell::Cell, fmt};

use argon2::{Algorithm, Argon2, Block, Params, Version};
use base64ct::{Base64Unpadded, Encoding as _};
use subtle::ConstantTimeEq as _;
use zeroize::{Zeroize as _, Zeroizing};

use crate::secret::Secret;

/// The bytes of a salt (RFC 9106 §3.1).
pub const SALT_BYTES: usize = 16;

pub(super) const OUTPUT_BYTES: usize = 32;

/// No hash that is read costs more memory than this: an isolate has 128 MB.
pub(super) const MAX_MEMORY_KIB: u32 = 64 * 1024;

/// No hash that is read costs more passes than this.
const MAX_PASSES: u32 = 10;

/// What a hash costs; always in one lane, since the Worker has one thread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cost {
    /// Memory, in KiB.
    pub memory_kib: u32,
    /// How often it is gone through.
    pub passes: u32,
}

/// The first choice of OWASP's cheat sheet that fits into an isolate:
/// <https://cheatsheetseries.owasp.org/cheatsheets/Password_Storage_Cheat_Sheet.html>.
pub const DEFAULT_COST: Cost = Cost { memory_kib: 19 * 1024, passes: 2 };

/// The last of its choices, for less memory.
pub const SMALL_COST: Cost = Cost { memory_kib: 7 * 1024, passes: 5 };

/// The peppers, each with its id.
pub struct Peppers(Vec<(u8, Secret)>);

impl Peppers {
    /// Takes them over; the highest id is used for new hashes.
    #[must_use]
    pub fn new(secrets: Vec<(u8, Secret)>) -> Self {
        Self(by_id(secrets))
    }

    fn newest(&self) -> Option<(u8, &Secret)> {
        self.0.last().map(|(id, secret)| (*id, secret))
    }

    fn by_id(&self, id: u8) -> Option<&Secret> {
        self.0.iter().find_map(|(known, secret)| (*known == id).then_some(secret))
    }
}

/// Secrets in the order of their ids. They are few: a sort of the standard library would be a page of code for each.
pub(super) fn by_id(secrets: Vec<(u8, Secret)>) -> Vec<(u8, Secret)> {
    let mut ordered: Vec<(u8, Secret)> = Vec::with_capacity(secrets.len());
    for (id, secret) in secrets {
        let at = ordered.partition_point(|(known, _)| *known <= id);
        ordered.insert(at, (id, secret));
    }
    ordered
}

/// A hash as it is kept.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash {
    cost: Cost,
    pepper: Option<u8>,
    salt: [u8; SALT_BYTES],
    output: [u8; OUTPUT_BYTES],
}

impl PasswordHash {
    /// Hashes a password. `None`: argon2 does not take this cost.
    #[must_use]
    pub fn new(
        password: &[u8],
        salt: [u8; SALT_BYTES],
        cost: Cost,
        peppers: &Peppers,
    ) -> Option<Self> {
        let pepper = peppers.newest();
        let output = argon2id(password, &salt, cost, pepper.map(|(_, secret)| secret))?;
        Some(Self { cost, pepper: pepper.map(|(id, _)| id), salt, output })
    }

    /// A hash that no password has, for a name that does not exist: to compare with it is the same work. Where argon2id reads its memory
    /// depends on the salt, so each name has one of its own, as those that exist have. (Hashes of earlier costs and of others have one for
    /// all: the password alone makes that another for each guess.)
    #[must_use]
    pub fn of_nobody(salt: [u8; SALT_BYTES], cost: Cost, peppers: &Peppers) -> Self {
        let pepper = peppers.newest().map(|(id, _)| id);
        Self { cost, pepper, salt, output: [0; OUTPUT_BYTES] }
    }

    /// Whether a password has this hash. One whose pepper is not there any more fits nobody, after the same work.
    #[must_use]
    pub fn fits(&self, password: &[u8], peppers: &Peppers) -> bool {
        let pepper = self.pepper.map(|id| peppers.by_id(id));
        let known = pepper.is_none_or(|pepper| pepper.is_some());
        let Some(output) = argon2id(password, &self.salt, self.cost, pepper.flatten()) else {
            return false;
        };
        let output = Zeroizing::new(output);
        let is_nobody = self.output == [0; OUTPUT_BYTES];
        bool::from(output.ct_eq(&self.output)) & known & !is_nobody
    }

    /// Whether it is to be made anew.
    #[must_use]
    pub fn is_outdated(&self, cost: Cost, peppers: &Peppers) -> bool {
        self.cost != cost || self.pepper != peppers.newest().map(|(id, _)| id)
    }

    /// What it costs.
    #[must_use]
    pub const fn cost(&self) -> Cost {
        self.cost
    }

    /// Whether it has a pepper: all that the gate makes have one.
    #[must_use]
    pub const fn is_peppered(&self) -> bool {
        self.pepper.is_some()
    }

    /// Reads what was kept.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let rest = text.strip_prefix("$argon2id$v=19$")?;
        let [parameters, salt, output] = parts(rest, '$')?;
        let (parameters, key_id) = match parameters.split_once(",keyid=") {
            Some((parameters, id)) => (parameters, Some(id)),
            None => (parameters, None),
        };
        let [memory, passes, lanes] = parts(parameters, ',')?;
        let cost = Cost {
            memory_kib: number(memory.strip_prefix("m=")?)?,
            passes: number(passes.strip_prefix("t=")?)?,
        };
        let is_bounded =
            cost.memory_kib <= MAX_MEMORY_KIB && (1..=MAX_PASSES).contains(&cost.passes);
        if lanes != "p=1" || !is_bounded {
            return None;
        }
        let pepper = match key_id {
            Some(id) => Some(bytes::<1>(id)?[0]),
            None => None,
        };
        Some(Self { cost, pepper, salt: bytes(salt)?, output: bytes(output)? })
    }
}

impl fmt::Display for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Cost { memory_kib, passes } = self.cost;
        write!(f, "$argon2id$v=19$m={memory_kib},t={passes},p=1")?;
        if let Some(id) = self.pepper {
            write!(f, ",keyid={}", Base64Unpadded::encode_string(&[id]))?;
        }
        let (salt, output) = (
            Base64Unpadded::encode_string(&self.salt),
            Base64Unpadded::encode_string(&self.output),
        );
        write!(f, "${salt}${output}")
    }
}

/// Shows what it costs, and neither salt nor hash.
impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PasswordHash")
            .field("cost", &self.cost)
            .field("pepper", &self.pepper)
            .finish_non_exhaustive()
    }
}

/// Shows the ids.
impl fmt::Debug for Peppers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(id, _)| id)).finish()
    }
}

fn argon2id(
    password: &[u8],
    salt: &[u8],
    cost: Cost,
    pepper: Option<&Secret>,
) -> Option<[u8; OUTPUT_BYTES]> {
    let parameters = Params::new(cost.memory_kib, cost.passes, 1, Some(OUTPUT_BYTES)).ok()?;
    let mut output = [0; OUTPUT_BYTES];
    filled(Algorithm::Argon2id, parameters, (password, salt, pepper), &mut output)?;
    Some(output)
}

/// Computes a hash in memory that is wiped afterwards.
pub(super) fn filled(
    algorithm: Algorithm,
    parameters: Params,
    (password, salt, pepper): (&[u8], &[u8], Option<&Secret>),
    output: &mut [u8],
) -> Option<()> {
    #[cfg(test)]
    computed::note((parameters.m_cost(), parameters.t_cost()));
    let count = parameters.block_count();
    let context = match pepper {
        Some(pepper) => {
            let secret = pepper.expose_secret();
            Argon2::new_with_secret(secret, algorithm, Version::V0x13, parameters).ok()?
        }
        None => Argon2::new(algorithm, Version::V0x13, parameters),
    };
    with_blocks(count, |memory| {
        context.hash_password_into_with_memory(password, salt, output, memory).ok()
    })?
}

/// Blocks are kept by a module of wasm, and by tests.
const KEEPS_BLOCKS: bool = cfg!(any(target_arch = "wasm32", test));

thread_local! {
    /// The blocks of the last hash, wiped. One has 1 KiB.
    static BLOCKS: Cell<Vec<Block>> = const { Cell::new(Vec::new()) };

    /// How many blocks the dearest hash of the policy takes; 0: nobody has said so.
    static EXPECTED: Cell<usize> = const { Cell::new(0) };
}

/// Says how much memory the dearest hash of the policy takes, in KiB: the first one of all takes as much.
pub(super) fn announce_dearest(memory_kib: u32) {
    EXPECTED.set(usize::try_from(memory_kib).unwrap_or(0));
}

/// How many blocks are taken for a hash that needs so many. Each time that there are more, the room of those before is lost. So the dearest of
/// the policy are taken at once, and for a hash of which the policy does not know, as many as the dearest of all needs.
fn to_take(count: usize) -> usize {
    match EXPECTED.get() {
        expected if !KEEPS_BLOCKS || expected == 0 => count,
        expected if count <= expected => expected,
        _ => usize::try_from(MAX_MEMORY_KIB).unwrap_or(0).max(count),
    }
}

/// Lends blocks to a hash, and wipes them.
///
/// The memory of a wasm module never shrinks. If the blocks were given back, something small would soon lie among them, the next hash would
/// find no room there, and the module would grow to twice as much: with 64 MiB that is more than an isolate has. So a module keeps them.
pub(super) fn with_blocks<T>(count: usize, compute: impl FnOnce(&mut [Block]) -> T) -> Option<T> {
    let mut blocks = BLOCKS.take();
    if blocks.len() < count {
        // Otherwise the module would have both for a moment, and keep the room for it.
        drop(blocks);
        blocks = vec![Block::default(); to_take(count)];
    }
    let lent = blocks.get_mut(..count)?;
    let done = compute(lent);
    for block in lent {
        block.zeroize();
    }
    if KEEPS_BLOCKS {
        BLOCKS.set(blocks);
    }
    Some(done)
}

/// Which hashes were computed in this thread: tests compare the work for one name with that for another.
#[cfg(test)]
pub(super) mod computed {
    use std::cell::RefCell;

    thread_local! {
        static COSTS: RefCell<Vec<(u32, u32)>> = const { RefCell::new(Vec::new()) };
    }

    pub(super) fn note(cost: (u32, u32)) {
        COSTS.with_borrow_mut(|costs| costs.push(cost));
    }

    /// Memory and passes of each since the last call, in the order of their cost.
    pub(in crate::account) fn take() -> Vec<(u32, u32)> {
        let mut costs = COSTS.take();
        costs.sort_unstable();
        costs
    }
}

/// Exactly so many parts.
pub(super) fn parts<const N: usize>(text: &str, separator: char) -> Option<[&str; N]> {
    let parts: Vec<&str> = text.split(separator).collect();
    parts.try_into().ok()
}

/// A number as it is printed: no sign, no zeros before it.
pub(super) fn number(text: &str) -> Option<u32> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit()) && !text.starts_with('0');
    is_plain.then(|| text.parse().ok()).flatten()
}

/// Exactly so many bytes in base64 without padding.
fn bytes<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    let read = Base64Unpadded::decode(text, &mut bytes).ok()?.len();
    (read == N).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHEAP: Cost = Cost { memory_kib: 64, passes: 1 };

    fn peppers(ids: &[u8]) -> Peppers {
        Peppers::new(ids.iter().map(|id| (*id, Secret::new(vec![*id; 32]))).collect())
    }

    /// By argon2-cffi, which is the reference implementation.
    #[test]
    fn it_is_argon2id() {
        let kept = PasswordHash::new(
            b"password",
            *b"somesalt12345678",
            Cost { memory_kib: 64, passes: 2 },
            &peppers(&[]),
        )
        .unwrap();
        assert_eq!(kept.to_string(), PHC);
        assert_eq!(PasswordHash::parse(PHC), Some(kept));
    }

    #[test]
    fn blocks_are_kept_wiped_and_taken_again() {
        announce_dearest(0);
        BLOCKS.set(Vec::new());
        let held = |cost| {
            PasswordHash::new(b"password", [7; 16], cost, &peppers(&[])).unwrap();
            let blocks = BLOCKS.take();
            assert!(blocks.iter().all(|block| block.as_ref().iter().all(|word| *word == 0)));
            let about = (blocks.as_ptr(), blocks.len());
            BLOCKS.set(blocks);
            about
        };
        let (first, count) = held(Cost { memory_kib: 256, passes: 1 });
        assert_eq!(count, 256);
        assert_eq!(held(CHEAP), (first, 256), "a lesser hash takes the same");
        assert_eq!(held(Cost { memory_kib: 512, passes: 1 }).1, 512);
        // What others have left there is in no hash.
        it_is_argon2id();
    }

    #[test]
    fn the_dearest_hash_of_the_policy_is_room_for_all_from_the_first_one_on() {
        let count_after = |memory_kib| {
            PasswordHash::new(b"password", [7; 16], Cost { memory_kib, passes: 1 }, &peppers(&[]))
                .unwrap();
            let blocks = BLOCKS.take();
            let count = blocks.len();
            BLOCKS.set(blocks);
            count
        };
        announce_dearest(512);
        assert_eq!((count_after(64), count_after(512)), (512, 512));
        // Of those that the policy does not know, the first one takes what each may need.
        assert_eq!((count_after(516), count_after(600)), (65_536, 65_536));
    }

    const PHC: &str = "$argon2id$v=19$m=64,t=2,p=1$c29tZXNhbHQxMjM0NTY3OA$0d2fS/oVpAjBrlU/TISqg9c6/NuUo7W1l+jrIBSJuWs";

    #[test]
    fn a_password_fits_its_own_hash_alone() {
        let kept = PasswordHash::new(b"correct horse", [7; 16], CHEAP, &peppers(&[3])).unwrap();
        let text = kept.to_string();
        assert!(text.starts_with("$argon2id$v=19$m=64,t=1,p=1,keyid=Aw$"), "{text}");
        let read = PasswordHash::parse(&text).unwrap();
        assert!(read.fits(b"correct horse", &peppers(&[3, 4])));
        assert!(!read.fits(b"correct horsf", &peppers(&[3])));
        assert!(!read.fits(b"", &peppers(&[3])));
        // Without its pepper, or with another one under its id, nothing fits.
        assert!(!read.fits(b"correct horse", &peppers(&[4])));
        assert!(!read.fits(b"correct horse", &Peppers::new(vec![(3, Secret::new(vec![9; 32]))])));
        assert!(!read.fits(b"correct horse", &peppers(&[])));
    }

    #[test]
    fn it_is_outdated_by_cost_and_by_pepper() {
        let kept = PasswordHash::new(b"p", [7; 16], CHEAP, &peppers(&[3])).unwrap();
        assert!(!kept.is_outdated(CHEAP, &peppers(&[3])));
        assert!(kept.is_outdated(CHEAP, &peppers(&[3, 4])));
        assert!(kept.is_outdated(CHEAP, &peppers(&[])));
        assert!(kept.is_outdated(DEFAULT_COST, &peppers(&[3])));
    }

    #[test]
    fn nobody_has_no_password() {
        let nobody = PasswordHash::of_nobody([7; 16], CHEAP, &peppers(&[3]));
        assert!(!nobody.fits(b"", &peppers(&[3])));
        assert_eq!(
            nobody.to_string().len(),
            PasswordHash::new(b"p", [7; 16], CHEAP, &peppers(&[3])).unwrap().to_string().len()
        );
    }

    #[test]
    fn a_hash_has_one_text_and_bounds() {
        let good = PasswordHash::new(b"p", [7; 16], CHEAP, &peppers(&[3])).unwrap().to_string();
        for (from, to) in [
            ("argon2id", "argon2i"),
            ("v=19", "v=16"),
            ("m=64", "m=064"),
            ("m=64", "m=+64"),
            ("m=64", "m=65537"),
            ("t=1", "t=0"),
            ("t=1", "t=11"),
            ("p=1", "p=2"),
            ("keyid=Aw", "keyid=Ax"),
            ("keyid=Aw", "keyid="),
            ("keyid=Aw", "keyid=AwAw"),
            ("$v", " $v"),
        ] {
            assert_eq!(PasswordHash::parse(&good.replace(from, to)), None, "{to}");
        }
        assert_eq!(PasswordHash::parse(&format!("{good}$")), None);
        assert_eq!(PasswordHash::parse(&format!("{good}=")), None);
        assert_eq!(PasswordHash::parse(""), None);
    }
}
