//! What is around the content of each page: the gate's own, or the operator's.
//!
//! A template is HTML with places, written `{{content}}`. What comes into a place is escaped, or made by this code. A template has no
//! script that would run: the policy of its content (CSP) has only its own `<style>` elements in it, by their hashes.

use base64ct::{Base64, Encoding as _};
use sha2::{Digest as _, Sha256};

/// The longest template, in bytes: it is a part of the policy.
const MAX_LENGTH: usize = 32_768;

/// What may stand in a place.
const PLACES: [&str; 6] = ["lang", "dir", "title", "style", "brand", "content"];

/// The gate's own.
const OWN: &str = include_str!("shell.html");

/// A template that has what it needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template(String);

/// Why a text is no template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemplateFault {
    /// The line in the text, from 1.
    pub line: usize,
    /// What is wrong there.
    pub problem: String,
}

/// What comes into the places. All of it is HTML.
pub(super) struct Filling<'a> {
    pub(super) lang: &'a str,
    pub(super) dir: &'static str,
    pub(super) title: &'a str,
    pub(super) style: &'a str,
    pub(super) brand: &'a str,
    pub(super) content: &'a str,
}

impl Template {
    /// Reads a template.
    ///
    /// # Errors
    /// It is too long, has an unknown place or none for title or content, or has what no browser would run: a script, or a `style` that
    /// does not end.
    pub fn parse(text: &str) -> Result<Self, TemplateFault> {
        let fault = |rest: &str, problem: String| {
            let before = text.len().saturating_sub(rest.len());
            let line = text.bytes().take(before).filter(|byte| *byte == b'\n').count();
            TemplateFault { line: line.saturating_add(1), problem }
        };
        if text.len() > MAX_LENGTH {
            return Err(fault(
                text,
                format!("has {} bytes, expected at most {MAX_LENGTH}", text.len()),
            ));
        }
        let mut found = Vec::new();
        let mut rest = text;
        while let Some((_, after)) = rest.split_once("{{") {
            let Some((name, next)) = after.split_once("}}") else {
                return Err(fault(after, "expected }} after {{".to_owned()));
            };
            if !PLACES.contains(&name) {
                let problem =
                    format!("expected one of {} between {{{{ and }}}}", PLACES.join(", "));
                return Err(fault(after, problem));
            }
            found.push(name);
            rest = next;
        }
        if let Some(missing) = ["title", "content"].iter().find(|place| !found.contains(place)) {
            return Err(fault(text, format!("expected {{{{{missing}}}}} in it")));
        }
        let lower = text.to_ascii_lowercase();
        if let Some((before, _)) = lower.split_once("<script") {
            let problem = "pages run no script, expected no <script".to_owned();
            return Err(fault(text.get(before.len()..).unwrap_or_default(), problem));
        }
        match styles(text).find(|style| style.is_none_or(|style| style.contains("{{"))) {
            None => Ok(Self(text.to_owned())),
            Some(None) => Err(fault(text, "expected </style> after <style>".to_owned())),
            Some(Some(style)) => {
                let begins = text.find(style).and_then(|at| text.get(at..)).unwrap_or_default();
                Err(fault(begins, "expected no {{ in a <style>, whose hash is sent".to_owned()))
            }
        }
    }

    /// The page.
    pub(super) fn filled(template: Option<&Self>, filling: &Filling<'_>) -> String {
        let mut rest = template.map_or(OWN, |template| template.0.as_str());
        let mut page = String::with_capacity(8192);
        while let Some((before, after)) = rest.split_once("{{") {
            page.push_str(before);
            let (name, next) = after.split_once("}}").unwrap_or_default();
            page.push_str(match name {
                "lang" => filling.lang,
                "dir" => filling.dir,
                "title" => filling.title,
                "style" => filling.style,
                "brand" => filling.brand,
                _ => filling.content,
            });
            rest = next;
        }
        page.push_str(rest);
        page
    }

    /// The styles of the template itself.
    pub(super) fn styles(&self) -> impl Iterator<Item = &str> {
        styles(&self.0).flatten()
    }
}

/// The content of each `<style>` element; `None`: one that does not end.
fn styles(text: &str) -> impl Iterator<Item = Option<&str>> {
    let lower = text.to_ascii_lowercase();
    let mut at = 0_usize;
    std::iter::from_fn(move || {
        let begins = at.saturating_add(lower.get(at..)?.find("<style")?);
        let opened = lower
            .get(begins..)?
            .find('>')
            .map(|length| begins.saturating_add(length).saturating_add(1));
        let style = opened.and_then(|opened| {
            let length = lower.get(opened..)?.find("</style")?;
            text.get(opened..opened.saturating_add(length))
        });
        let ends = opened.zip(style).map(|(opened, style)| opened.saturating_add(style.len()));
        at = ends.unwrap_or(text.len());
        Some(style)
    })
}

/// The hash of a style as the Content Security Policy has it.
pub(super) fn source(style: &str) -> String {
    format!("'sha256-{}'", Base64::encode_string(&Sha256::digest(style)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(text: &str) -> (usize, String) {
        let fault = Template::parse(text).unwrap_err();
        (fault.line, fault.problem)
    }

    #[test]
    fn a_fault_of_a_template_names_its_line() {
        let whole = "<title>{{title}}</title>\n{{content}}\n";
        assert!(Template::parse(whole).is_ok());
        let places = "expected one of lang, dir, title, style, brand, content between {{ and }}";
        for (text, line, expected) in [
            (format!("{whole}{{{{contents}}}}"), 3, places),
            (format!("{whole}\n{{{{ title }}}}"), 4, places),
            (format!("{whole}<p>{{{{title"), 3, "expected }} after {{"),
            ("<title>{{title}}</title>".to_owned(), 1, "expected {{content}} in it"),
            ("{{content}}".to_owned(), 1, "expected {{title}} in it"),
            (format!("{whole}\n<SCRIPT src=x>"), 4, "pages run no script, expected no <script"),
            (format!("{whole}<style>a{{}}"), 1, "expected </style> after <style>"),
            (
                format!("{whole}\n<style>\n{{{{lang}}}}</style>"),
                4,
                "expected no {{ in a <style>, whose hash is sent",
            ),
            (" ".repeat(MAX_LENGTH + 1), 1, "has 32769 bytes, expected at most 32768"),
        ] {
            assert_eq!(problem(&text), (line, expected.to_owned()), "{text}");
        }
    }

    #[test]
    fn the_styles_of_a_template_are_found_as_browsers_find_them() {
        let text = "{{title}}<style>a{}</style><STYLE media=\"print\">\nb{}</Style >{{content}}";
        let template = Template::parse(text).unwrap();
        assert_eq!(template.styles().collect::<Vec<_>>(), ["a{}", "\nb{}"]);
    }

    #[test]
    fn what_comes_into_a_place_is_not_read_again() {
        let template = Template::parse("{{title}}|{{content}}|{{lang}}").unwrap();
        let filling = Filling {
            lang: "en",
            dir: "ltr",
            title: "{{content}}",
            style: "",
            brand: "",
            content: "{{lang}}",
        };
        assert_eq!(Template::filled(Some(&template), &filling), "{{content}}|{{lang}}|en");
    }

    #[test]
    fn the_own_template_is_one() {
        assert!(Template::parse(OWN).is_ok());
    }
}
