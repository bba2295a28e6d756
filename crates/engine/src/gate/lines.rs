//! Texts as lines: how a request comes from the shell, and how an admission goes back. On both sides that is read and
//! written in a fraction of the time that JSON takes. `pkg/lib/lines.js` is the other end.
//!
//! Each text is a line. Within a text `\n` stands for a line break, and `\\` for a backslash.

use core::ops::Range;

use edgegate::error::Error;

/// Lines that are being written.
#[derive(Debug)]
pub(super) struct Lines(String);

impl Lines {
    pub(super) fn new() -> Self {
        Self(String::with_capacity(USUAL_BYTES))
    }

    pub(super) fn push(&mut self, text: &str) {
        if text.bytes().any(|byte| matches!(byte, b'\n' | b'\\')) {
            for character in text.chars() {
                match character {
                    '\n' => self.0.push_str("\\n"),
                    '\\' => self.0.push_str("\\\\"),
                    other => self.0.push(other),
                }
            }
        } else {
            self.0.push_str(text);
        }
        self.0.push('\n');
    }

    /// Names, none of which is empty, and values by turns; then an empty line.
    pub(super) fn pairs<'p>(&mut self, pairs: impl Iterator<Item = (&'p str, &'p str)>) {
        for (name, value) in pairs {
            self.push(name);
            self.push(value);
        }
        self.push("");
    }

    pub(super) fn into_text(self) -> String {
        self.0
    }
}

/// Lines that have been read.
#[derive(Debug)]
pub(super) struct Texts {
    lines: String,
    places: Vec<Range<usize>>,
}

impl Texts {
    /// # Errors
    /// [`Error::Config`] for a backslash that escapes nothing.
    pub(super) fn parse(lines: &str) -> Result<Self, Error> {
        let mut places = Vec::with_capacity(USUAL_LINES);
        let (mut start, mut has_escapes) = (0, false);
        for (at, byte) in lines.bytes().enumerate() {
            match byte {
                b'\n' => {
                    places.push(start..at);
                    start = at.saturating_add(1);
                }
                b'\\' => has_escapes = true,
                _ => {}
            }
        }
        places.push(start..lines.len());
        let texts = Self { lines: lines.to_owned(), places };
        if has_escapes { texts.unescaped() } else { Ok(texts) }
    }

    fn unescaped(&self) -> Result<Self, Error> {
        let mut all = String::with_capacity(self.lines.len());
        let mut places = Vec::with_capacity(self.places.len());
        for place in &self.places {
            let start = all.len();
            let line = self.lines.get(place.clone()).unwrap_or_default();
            unescape(line, &mut all).ok_or_else(unreadable)?;
            places.push(start..all.len());
        }
        Ok(Self { lines: all, places })
    }

    pub(super) fn len(&self) -> usize {
        self.places.len()
    }

    /// The text of a line, unless it is empty.
    pub(super) fn get(&self, line: usize) -> Option<&str> {
        let place = self.places.get(line)?.clone();
        self.lines.get(place).filter(|text| !text.is_empty())
    }
}

/// As many as a request has.
const USUAL_LINES: usize = 16;
/// As many as an admission has.
const USUAL_BYTES: usize = 512;

fn unescape(line: &str, to: &mut String) -> Option<()> {
    let mut characters = line.chars();
    while let Some(character) = characters.next() {
        to.push(match character {
            '\\' => match characters.next()? {
                'n' => '\n',
                '\\' => '\\',
                _ => return None,
            },
            other => other,
        });
    }
    Some(())
}

pub(super) fn unreadable() -> Error {
    Error::config("", "a request of another form than expected")
}
