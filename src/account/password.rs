//! Which passwords are taken (ASVS 5, V6.2): by length, and by what is known of how people choose them. No rule asks for digits or marks, none
//! asks for a new one after some time.

use zeroize::Zeroizing;

use super::{common_passwords::CommonPasswords, name::LoginName};

/// The fewest characters that a policy may ask for (ASVS 5, 6.2.1).
pub const LEAST_CHARACTERS: usize = 8;

/// The most bytes of a password. More would be work for nothing.
pub const MAX_BYTES: usize = 1024;

/// Words of the name and of the product that are shorter may be in a password.
const LEAST_CONTEXT: usize = 4;

/// A password as it is hashed. The edge brings it to Unicode's form NFKC first, so that each keyboard writes the same one.
pub struct Password(Zeroizing<String>);

/// It is no password: empty, longer than [`MAX_BYTES`], or with a character of number zero, which some hashes read as an end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoPassword;

/// What speaks against a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weakness {
    /// It has fewer characters than this.
    TooShort {
        /// So many are asked for.
        least: usize,
    },
    /// It is on the list of common passwords.
    Common,
    /// It is the address, a part of it, or a word of the product, with little else.
    OfContext,
    /// It is one character, or a row of neighbours, again and again.
    Uniform,
}

impl Weakness {
    /// For the field of a form.
    #[must_use]
    pub fn message(self) -> String {
        match self {
            Self::TooShort { least } => format!("Use at least {least} characters"),
            Self::Common => "This password is on lists that attackers try first".to_owned(),
            Self::OfContext => "Use a password that is not your address or our name".to_owned(),
            Self::Uniform => "Use more than one character or a row of neighbours".to_owned(),
        }
    }
}

/// What a password is held against.
#[derive(Debug, Clone, Copy)]
pub struct PasswordRules<'a> {
    /// The fewest characters.
    pub least: usize,
    /// Words of the product, in small letters.
    pub words: &'a [String],
    /// Lists of common passwords.
    pub common: &'a [CommonPasswords],
}

impl Password {
    /// Takes a text in form NFKC.
    ///
    /// # Errors
    /// [`NoPassword`].
    pub fn new(text: String) -> Result<Self, NoPassword> {
        let text = Zeroizing::new(text);
        let fits = (1..=MAX_BYTES).contains(&text.len()) && !text.contains('\0');
        if fits { Ok(Self(text)) } else { Err(NoPassword) }
    }

    /// The bytes that are hashed.
    #[must_use]
    pub fn expose_secret(&self) -> &[u8] {
        self.0.as_bytes()
    }

    /// Whether it is on a list.
    #[must_use]
    pub fn is_on(&self, list: &CommonPasswords) -> bool {
        list.contains(&self.0, &Zeroizing::new(self.0.to_lowercase()))
    }

    /// What speaks against it as a new password for this name, where it is known; `None`: nothing.
    #[must_use]
    pub fn weakness(&self, name: Option<&LoginName>, rules: PasswordRules<'_>) -> Option<Weakness> {
        let small = Zeroizing::new(self.0.to_lowercase());
        let least = rules.least.max(LEAST_CHARACTERS);
        if self.0.chars().count() < least {
            return Some(Weakness::TooShort { least });
        }
        if is_uniform(&small) {
            return Some(Weakness::Uniform);
        }
        let of_name = name.into_iter().flat_map(|name| {
            let parts = name.local().split(['.', '+', '-', '_']);
            parts.chain(name.as_str().split(['@', '.'])).chain([name.as_str(), name.local()])
        });
        let words = of_name.chain(rules.words.iter().map(String::as_str));
        if words.filter(|word| word.len() >= LEAST_CONTEXT).any(|word| is_little_more(&small, word))
        {
            return Some(Weakness::OfContext);
        }
        let is_common = rules.common.iter().any(|list| list.contains(&self.0, &small));
        is_common.then_some(Weakness::Common)
    }
}

/// Whether a password is a word and less than another [`LEAST_CONTEXT`] characters.
fn is_little_more(password: &str, word: &str) -> bool {
    password.find(word).is_some() && password.len().saturating_sub(word.len()) < LEAST_CONTEXT
}

/// Whether each character is the one before it, or each one above, or each one below.
fn is_uniform(text: &str) -> bool {
    let codes: Vec<i64> = text.chars().map(|one| i64::from(u32::from(one))).collect();
    let mut steps = codes.windows(2).map(|pair| match pair {
        [first, second] => second.saturating_sub(*first),
        _ => 0,
    });
    let Some(first) = steps.next() else { return true };
    first.abs() <= 1 && steps.all(|step| step == first)
}

/// Shows nothing.
impl core::fmt::Debug for Password {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Password(_)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::common_passwords::tests::list_of;

    fn weakness(text: &str) -> Option<Weakness> {
        let name = LoginName::parse("ada.lovelace@engines.example").unwrap();
        let common = [list_of(&["password1", "iloveyou", "correct horse"])];
        let words = ["acmecorp".to_owned()];
        let rules = PasswordRules { least: 8, words: &words, common: &common };
        Password::new(text.to_owned()).unwrap().weakness(Some(&name), rules)
    }

    #[test]
    fn length_decides_and_no_recipe() {
        assert_eq!(weakness("sevench"), Some(Weakness::TooShort { least: 8 }));
        // Characters, not bytes.
        assert_eq!(weakness("ééééé日本"), Some(Weakness::TooShort { least: 8 }));
        for good in
            ["quiet river", "zwölf boote", "日本語のパスワード", "x7rbfq2m", &"long ".repeat(200)]
        {
            assert_eq!(weakness(good), None, "{good}");
        }
    }

    #[test]
    fn what_attackers_try_first_is_refused() {
        for bad in ["password1", "PassWord1", "iloveyou", "Correct Horse"] {
            assert_eq!(weakness(bad), Some(Weakness::Common), "{bad}");
        }
        for bad in [
            "ada.lovelace@engines.example",
            "ada.lovelace",
            "lovelace1",
            "Lovelace99!",
            "engines12",
            "acmecorp",
            "AcmeCorp!1",
        ] {
            assert_eq!(weakness(bad), Some(Weakness::OfContext), "{bad}");
        }
        assert_eq!(weakness("lovelace and her engine"), None);
        for bad in ["aaaaaaaa", "abcdefgh", "87654321", "ЖЖЖЖЖЖЖЖ"] {
            assert_eq!(weakness(bad), Some(Weakness::Uniform), "{bad}");
        }
    }

    #[test]
    fn what_is_no_password_is_not_hashed() {
        assert!(Password::new(String::new()).is_err());
        assert!(Password::new("a\0b".to_owned()).is_err());
        assert!(Password::new("x".repeat(1025)).is_err());
        assert!(Password::new("x".repeat(1024)).is_ok());
        assert_eq!(format!("{:?}", Password::new("secret!!".to_owned()).unwrap()), "Password(_)");
    }
}
