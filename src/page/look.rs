//! How the pages look and speak: what an operator may say about it.

use super::{
    color::Color,
    template::Template,
    words::{Word, slots},
};

/// The longest name, text of a word, or address of a logo.
const MAX_LENGTH: usize = 500;

/// The operator's name, logo, colour, language and template. The default is plain and English.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Look {
    pub(super) title: Option<String>,
    pub(super) logo: Option<String>,
    pub(super) accent: Option<Color>,
    pub(super) lang: String,
    words: Vec<(Word, String)>,
    pub(super) template: Option<Template>,
}

/// Why something cannot be a part of a [`Look`]: lower-case words that say what was expected.
pub type LookFault = &'static str;

impl Default for Look {
    fn default() -> Self {
        let (title, logo, accent, template) = (None, None, None, None);
        Self { title, logo, accent, lang: "en".to_owned(), words: Vec::new(), template }
    }
}

impl Look {
    /// With the name of the site or product.
    ///
    /// # Errors
    /// It is empty, or too long.
    pub fn titled(mut self, title: &str) -> Result<Self, LookFault> {
        if title.trim().is_empty() || title.len() > 100 {
            return Err("expected a name of 1 to 100 bytes");
        }
        self.title = Some(title.to_owned());
        Ok(self)
    }

    /// With a logo in place of the name: at a path of the gate's origin, or at an https URL.
    ///
    /// # Errors
    /// It is neither, or has no name that is read out in its place.
    pub fn with_logo(mut self, logo: &str) -> Result<Self, LookFault> {
        let is_plain = |byte: u8| {
            byte.is_ascii_graphic() && !matches!(byte, b'\\' | b'"' | b'\'' | b';' | b',')
        };
        let is_own = logo.starts_with('/') && !logo.starts_with("//");
        let is_elsewhere = logo
            .strip_prefix("https://")
            .is_some_and(|rest| !rest.is_empty() && !rest.starts_with('/'));
        if logo.len() > MAX_LENGTH || !logo.bytes().all(is_plain) || !(is_own || is_elsewhere) {
            return Err("expected a path like /logo.svg, or an https URL");
        }
        if self.title.is_none() {
            return Err("expected title beside it, which is read out in its place");
        }
        self.logo = Some(logo.to_owned());
        Ok(self)
    }

    /// With a colour for what can be pressed. Shades of it are chosen so that everybody can read them.
    ///
    /// # Errors
    /// It is not `#rrggbb`.
    pub fn with_accent(mut self, accent: &str) -> Result<Self, LookFault> {
        self.accent = Some(Color::parse(accent).ok_or("expected a colour like #0b6b5c")?);
        Ok(self)
    }

    /// In another language. Its words come by [`Look::with_word`].
    ///
    /// # Errors
    /// It is no language tag (BCP 47).
    pub fn in_language(mut self, lang: &str) -> Result<Self, LookFault> {
        let is_tag = lang.split('-').all(|part| {
            (1..=8).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_alphanumeric())
        });
        if !is_tag
            || lang.len() > 35
            || !lang.starts_with(|first: char| first.is_ascii_alphabetic())
        {
            return Err("expected a language tag like en or pt-BR");
        }
        self.lang = lang.to_owned();
        Ok(self)
    }

    /// With another text for a word.
    ///
    /// # Errors
    /// It is empty or too long, or has not as many `{}` as the English text.
    pub fn with_word(mut self, word: Word, text: &str) -> Result<Self, LookFault> {
        if text.trim().is_empty() || text.len() > MAX_LENGTH {
            return Err("expected a text of 1 to 500 bytes");
        }
        if slots(text) != word.slots() {
            return Err(match word.slots() {
                0 => "expected a text without {}",
                1 => "expected a text with one {}, which stands for a name",
                _ => "expected a text with two {}, which stand for names",
            });
        }
        self.words.push((word, text.to_owned()));
        Ok(self)
    }

    /// Within another template.
    #[must_use]
    pub fn within(mut self, template: Template) -> Self {
        self.template = Some(template);
        self
    }

    /// A word, with its `{}`.
    pub(super) fn word(&self, word: Word) -> &str {
        let own = self.words.iter().find(|(known, _)| *known == word);
        own.map_or(word.english(), |(_, text)| text)
    }
}
