//! The section `pages`: how the gate's own pages look and speak.

use serde_json::Value;

use super::document::{Document, PagesDocument};
use crate::{
    error::Error,
    json::{fault::DocumentFault, object::meant},
    page::{Look, LookFault, Template, Word},
};

/// Reads the section. Without it the pages are plain and English.
pub(super) fn pages(document: &Document) -> Result<Look, Error> {
    document.pages.as_ref().map_or_else(|| Ok(Look::default()), of_section)
}

#[inline(never)]
fn of_section(document: &PagesDocument) -> Result<Look, Error> {
    let look = Look::default();
    let look = with(look, "title", document.title.as_deref(), Look::titled)?;
    let look = with(look, "logo", document.logo.as_deref(), Look::with_logo)?;
    let look = with(look, "accent", document.accent.as_deref(), Look::with_accent)?;
    let look = with(look, "lang", document.lang.as_deref(), Look::in_language)?;
    let look = document.words.0.iter().try_fold(look, with_word)?;
    let Some(text) = &document.template else { return Ok(look) };
    let template = Template::parse(text).map_err(|fault| {
        Error::config("pages.template", format!("line {}: {}", fault.line, fault.problem))
    })?;
    Ok(look.within(template))
}

/// One copy for all fields.
#[inline(never)]
fn with(
    look: Look,
    name: &str,
    given: Option<&str>,
    take: fn(Look, &str) -> Result<Look, LookFault>,
) -> Result<Look, Error> {
    let Some(given) = given else { return Ok(look) };
    take(look, given).map_err(|problem| Error::config(format!("pages.{name}"), problem))
}

fn with_word(look: Look, (name, text): (&String, &Value)) -> Result<Look, Error> {
    let shown = if name.len() > 40 { "?" } else { name };
    let path = format!("pages.words.{shown}");
    let Some(word) = Word::named(name) else {
        let names: Vec<&'static str> = Word::ALL.iter().map(|word| word.name()).collect();
        let expected = meant(name, &names).unwrap_or("one of those in docs/pages.md");
        let problem = format!("is not a known word, expected {expected}");
        return Err(Error::config(path, problem));
    };
    let Value::String(text) = text else {
        return Err(Error::config(path, DocumentFault::expected("a string", text).problem));
    };
    look.with_word(word, text).map_err(|problem| Error::config(path, problem))
}

#[cfg(test)]
mod tests {
    use crate::{
        page::{self, Failure, Reason},
        policy::{Policy, Secrets},
        secret::Secret,
    };

    struct NoSecrets;
    impl Secrets for NoSecrets {
        fn secret(&self, _: &str) -> Option<Secret> {
            None
        }
    }

    fn read(pages: &str) -> Result<Policy, String> {
        Policy::from_json(&format!(r#"{{"pages": {pages}}}"#), &NoSecrets)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn pages_look_and_speak_as_the_policy_says() {
        let policy = read(
            r##"{"title": "Beispiel", "logo": "/logo.svg", "accent": "#123456", "lang": "de",
                "words": {"try_again": "Noch einmal"},
                "template": "<title>{{title}}</title>{{style}}<h2>Mein</h2>{{brand}}{{content}}"}"##,
        );
        let failure = Failure::of(Reason::TookTooLong).retry_at("/auth/login");
        let html = page::failure(&policy.unwrap().pages, &failure).body;
        for expected in
            ["– Beispiel</title>", "src=\"/logo.svg\"", "#123456", "Noch einmal", "<h2>Mein</h2>"]
        {
            assert!(html.contains(expected), "{expected}: {html}");
        }
    }

    #[test]
    fn what_is_wrong_is_named_by_its_place() {
        for (pages, fault) in [
            (
                r#"{"logo": "/logo.svg"}"#,
                "pages.logo: expected title beside it, which is read out in its place",
            ),
            (r#"{"accent": "red"}"#, "pages.accent: expected a colour like #0b6b5c"),
            (r#"{"lang": "de_DE"}"#, "pages.lang: expected a language tag like en or pt-BR"),
            (r#"{"title": ""}"#, "pages.title: expected a name of 1 to 100 bytes"),
            (
                r#"{"colour": "red"}"#,
                "pages.colour: is not a known field, expected one of title, logo, accent, lang, words, template",
            ),
            (
                r#"{"words": {"tryAgain": "x"}}"#,
                "pages.words.tryAgain: is not a known word, expected try_again",
            ),
            (
                r#"{"words": {"x": "x"}}"#,
                "pages.words.x: is not a known word, expected one of those in docs/pages.md",
            ),
            (
                r#"{"words": {"try_again": 1}}"#,
                "pages.words.try_again: expected a string, found a whole number",
            ),
            (
                r#"{"words": {"try_again": "{}"}}"#,
                "pages.words.try_again: expected a text without {}",
            ),
            (
                r#"{"template": "<title>{{title}}</title>\n{{contents}}"}"#,
                "pages.template: line 2: expected one of lang, dir, title, style, brand, content between {{ and }}",
            ),
        ] {
            assert_eq!(read(pages).err().as_deref(), Some(fault));
        }
    }
}
