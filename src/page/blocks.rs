//! What pages are made of. Each element has a class, which a template's own style may go by.

use super::{html::Html, words::Word};

/// A field of a form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field<'a> {
    /// Its name in the form.
    pub name: &'a str,
    /// Its label.
    pub label: Word,
    /// What is entered.
    pub kind: Kind,
    /// What stands in it already. Never a secret.
    pub value: &'a str,
    /// What helps to fill it in.
    pub hint: Option<Word>,
    /// Why what was sent cannot be taken. An English text that is a [`Word`] is said in the page's language.
    pub error: Option<&'a str>,
}

/// What is entered into a field. It decides keyboard, checks, and what a password manager fills in (`autocomplete`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The name of an account: an e-mail address.
    Email,
    /// The same, where browsers offer passkeys too.
    EmailOrPasskey,
    /// The password that an account has.
    Password,
    /// A password that it gets.
    NewPassword,
    /// A code of a second factor.
    Code,
    /// A code that was written down.
    RecoveryCode,
    /// A name that somebody gives something.
    Name,
}

impl Kind {
    /// The attributes of the input.
    const fn attributes(self) -> &'static str {
        match self {
            Self::Email => {
                "type=\"email\" autocomplete=\"username\" autocapitalize=\"none\" spellcheck=\"false\""
            }
            Self::EmailOrPasskey => {
                "type=\"email\" autocomplete=\"username webauthn\" autocapitalize=\"none\" spellcheck=\"false\""
            }
            Self::Password => "type=\"password\" autocomplete=\"current-password\"",
            Self::NewPassword => "type=\"password\" autocomplete=\"new-password\"",
            Self::Code => {
                "type=\"text\" inputmode=\"numeric\" autocomplete=\"one-time-code\" spellcheck=\"false\""
            }
            Self::Name => "type=\"text\" autocomplete=\"off\" maxlength=\"64\"",
            Self::RecoveryCode => {
                "type=\"text\" autocomplete=\"off\" autocapitalize=\"characters\" spellcheck=\"false\""
            }
        }
    }
}

impl Html<'_> {
    pub(super) fn heading(&mut self, word: Word, values: &[&str]) {
        self.markup("<h1>");
        self.word(word, values);
        self.markup("</h1>\n");
    }

    pub(super) fn paragraph(&mut self, word: Word, values: &[&str]) {
        self.markup("<p>");
        self.word(word, values);
        self.markup("</p>\n");
    }

    /// What a screen reader says at once. The sign says nothing that the words do not.
    pub(super) fn open_alert(&mut self) {
        self.markup(
            "<div class=\"bad\" role=\"alert\">\n<p class=\"sign\" aria-hidden=\"true\">!</p>\n",
        );
    }

    pub(super) fn close_alert(&mut self) {
        self.markup("</div>\n");
    }

    /// The sign of something that is done.
    pub(super) fn done(&mut self) {
        self.markup("<p class=\"sign\" aria-hidden=\"true\">✓</p>\n");
    }

    pub(super) fn open_list(&mut self) {
        self.markup("<ul class=\"ways\">\n");
    }

    pub(super) fn close_list(&mut self) {
        self.markup("</ul>\n");
    }

    /// A way to log in, in the list.
    pub(super) fn way(&mut self, href: &str, title: &str) {
        self.markup("<li><a class=\"button way\" href=\"");
        self.href(href);
        self.markup("\">");
        self.word(Word::ContinueWith, &[title]);
        self.markup("</a></li>\n");
    }

    pub(super) fn open_actions(&mut self) {
        self.markup("<div class=\"actions\">\n");
    }

    pub(super) fn close_actions(&mut self) {
        self.markup("</div>\n");
    }

    pub(super) fn button_link(&mut self, href: &str, word: Word) {
        self.markup("<a class=\"button\" href=\"");
        self.href(href);
        self.markup("\">");
        self.word(word, &[]);
        self.markup("</a>\n");
    }

    pub(super) fn quiet_link(&mut self, href: &str, word: Word) {
        self.markup("<a class=\"quiet\" href=\"");
        self.href(href);
        self.markup("\">");
        self.word(word, &[]);
        self.markup("</a>\n");
    }

    /// A form. Without an action of its own, each of its buttons has one.
    pub(super) fn open_form(&mut self, method: &'static str, action: Option<&str>) {
        self.markup("<form method=\"");
        self.markup(method);
        if let Some(action) = action {
            self.markup("\" action=\"");
            self.href(action);
        }
        self.markup("\">\n");
    }

    pub(super) fn close_form(&mut self) {
        self.markup("</form>\n");
    }

    pub(super) fn hidden(&mut self, name: &'static str, value: &str) {
        self.markup("<input type=\"hidden\" name=\"");
        self.markup(name);
        self.markup("\" value=\"");
        self.text(value);
        self.markup("\">\n");
    }

    pub(super) fn checkbox(
        &mut self,
        name: &'static str,
        value: &'static str,
        label: Word,
        checked: bool,
    ) {
        self.markup("<label class=\"check\"><input type=\"checkbox\" name=\"");
        self.markup(name);
        self.markup("\" value=\"");
        self.markup(value);
        self.markup(if checked { "\" checked> " } else { "\"> " });
        self.word(label, &[]);
        self.markup("</label>\n");
    }

    pub(super) fn submit(&mut self, word: Word) {
        self.markup("<button class=\"button\">");
        self.word(word, &[]);
        self.markup("</button>\n");
    }

    pub(super) fn submit_to(&mut self, action: &str, word: Word, value: &str) {
        self.markup("<button class=\"button way\" formaction=\"");
        self.href(action);
        self.markup("\">");
        self.word(word, &[value]);
        self.markup("</button>\n");
    }

    /// A field with its label. Hint and error are tied to it, so that they are read out with it; the first that is wrong gets the focus.
    pub(super) fn field(&mut self, field: &Field<'_>) {
        let number = self.next_field().to_string();
        self.markup("<div class=\"field\">\n<label for=\"f");
        self.text(&number);
        self.markup("\">");
        self.word(field.label, &[]);
        self.markup("</label>\n<input id=\"f");
        self.text(&number);
        self.markup("\" name=\"");
        self.text(field.name);
        self.markup("\" value=\"");
        self.text(field.value);
        self.markup("\" required ");
        self.markup(field.kind.attributes());
        if field.error.is_some() {
            self.markup(" aria-invalid=\"true\"");
        }
        if field.error.is_some() || field.hint.is_some() {
            self.markup(" aria-describedby=\"d");
            self.text(&number);
            self.markup("\"");
        }
        self.markup(">\n");
        if field.error.is_some() || field.hint.is_some() {
            self.markup("<div id=\"d");
            self.text(&number);
            self.markup("\">");
            if let Some(error) = field.error {
                self.markup("<p class=\"error\">");
                self.said(error);
                self.markup("</p>");
            }
            if let Some(hint) = field.hint {
                self.markup("<p class=\"hint\">");
                self.word(hint, &[]);
                self.markup("</p>");
            }
            self.markup("</div>\n");
        }
        self.markup("</div>\n");
    }

    /// What a person tells whoever helps.
    pub(super) fn reference(&mut self, reference: Option<&str>) {
        if let Some(reference) = reference {
            self.markup("<p class=\"reference\">");
            self.word(Word::Reference, &[reference]);
            self.markup("</p>\n");
        }
    }
}
