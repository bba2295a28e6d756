//! HTML that is built so that nothing gets into it unescaped.

use super::{look::Look, words::Word};

/// HTML under construction. [`Html::markup`] takes what this code says, [`Html::text`] everything else.
pub(super) struct Html<'l> {
    look: &'l Look,
    out: String,
    fields: u8,
}

impl<'l> Html<'l> {
    pub(super) const fn new(look: &'l Look) -> Self {
        Self { look, out: String::new(), fields: 0 }
    }

    /// Markup: known when this is compiled, so that nothing of a request can be in it.
    #[inline(never)]
    pub(super) fn markup(&mut self, markup: &'static str) {
        self.out.push_str(markup);
    }

    /// A script of this code. The page's policy has to name it.
    pub(super) fn script(&mut self, script: &'static str) {
        self.markup("<script>");
        self.markup(script);
        self.markup("</script>\n");
    }

    /// Text, or the value of an attribute in quotes.
    #[inline(never)]
    pub(super) fn text(&mut self, text: &str) {
        escape(text, &mut self.out);
    }

    /// An address as the value of an attribute in quotes.
    #[inline(never)]
    pub(super) fn href(&mut self, href: &str) {
        self.text(checked(href));
    }

    /// A link of this code that opens an authenticator.
    pub(super) fn otpauth(&mut self, uri: &str) {
        let is_one = uri.starts_with("otpauth://") && uri.bytes().all(|one| one.is_ascii_graphic());
        self.text(if is_one { uri } else { "/" });
    }

    /// A word of the page's language. What stands in for its `{}` is isolated, so that letters of another direction do not turn the
    /// rest of the line around.
    #[inline(never)]
    pub(super) fn word(&mut self, word: Word, values: &[&str]) {
        let mut values = values.iter();
        let mut pieces = self.look.word(word).split("{}");
        self.text(pieces.next().unwrap_or_default());
        for piece in pieces {
            self.markup("<bdi>");
            self.text(values.next().unwrap_or(&""));
            self.markup("</bdi>");
            self.text(piece);
        }
    }

    /// An English text, in the page's language if it is a word.
    pub(super) fn said(&mut self, text: &str) {
        match Word::ALL.iter().find(|word| word.slots() == 0 && word.english() == text) {
            Some(word) => self.word(*word, &[]),
            None => self.text(text),
        }
    }

    /// A number that no other field of the page has.
    pub(super) fn next_field(&mut self) -> u8 {
        self.fields = self.fields.saturating_add(1);
        self.fields
    }

    pub(super) fn finish(self) -> String {
        self.out
    }
}

/// Escapes a text for an element and for an attribute in either kind of quotes. Controls are left out: HTML has no way to write them.
#[inline(never)]
pub(super) fn escape(text: &str, out: &mut String) {
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\n' | '\t' => out.push(' '),
            _ if character.is_control() => {}
            _ => out.push(character),
        }
    }
}

/// An address that a browser may be sent to: a path of this origin, or a web address. Anything else, such as `javascript:`, is the start
/// page: it could only be a mistake, since those who give an address here have checked it.
#[inline(never)]
pub(super) fn checked(href: &str) -> &str {
    let is_plain = href.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    let is_path = href.starts_with('/') && !href.starts_with("//");
    let is_web = ["https://", "http://"].iter().any(|scheme| href.starts_with(scheme));
    if is_plain && (is_path || is_web) { href } else { "/" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_markup_is_made_of_is_escaped() {
        let mut out = String::new();
        escape("\"><script>'&amp;\u{0}\n\u{7f}é", &mut out);
        assert_eq!(out, "&quot;&gt;&lt;script&gt;&#39;&amp;amp; é");
    }

    #[test]
    fn only_paths_and_web_addresses_are_led_to() {
        for href in ["/", "/a?b=c&d=%20#e", "https://idp.example/logout", "http://localhost:80/"] {
            assert_eq!(checked(href), href);
        }
        for href in [
            "",
            "javascript:alert(1)",
            "JAVASCRIPT:alert(1)",
            " javascript:alert(1)",
            "data:text/html,x",
            "//evil.example",
            "/\\evil.example",
            "/a b",
            "/a\r\nSet-Cookie: a=b",
            "\t//evil.example",
            "https:evil",
            "relative",
            "/é",
        ] {
            assert_eq!(checked(href), "/", "{href:?}");
        }
    }
}
