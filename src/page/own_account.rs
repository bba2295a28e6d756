//! The page of whoever is logged in: how they log in, and where they are logged in.

use super::{Look, Page, Word, frame::Forms, html::Html};

/// What the page of somebody shows.
#[derive(Debug, Clone, Copy)]
pub struct OwnAccount<'a> {
    /// The path of the page, where its forms are posted to.
    pub path: &'a str,
    /// How they log in. `None`: by a login with others.
    pub account: Option<OwnFactors<'a>>,
    /// Where they are logged in.
    pub sessions: &'a [OwnSession<'a>],
    /// The page that asks whether to log out. `None`: a form does it.
    pub log_out: Option<&'a str>,
}

/// How somebody logs in.
#[derive(Debug, Clone, Copy)]
pub struct OwnFactors<'a> {
    /// Whether there is an authenticator.
    pub totp: bool,
    /// Whether one may be set up.
    pub may_set_up: bool,
    /// How many recovery codes are left. `None`: nothing asks for one.
    pub codes_left: Option<usize>,
    /// The passkeys. `None`: the policy has none.
    pub passkeys: Option<&'a [OwnKey<'a>]>,
}

/// A passkey.
#[derive(Debug, Clone, Copy)]
pub struct OwnKey<'a> {
    /// What the authenticator calls it.
    pub id: &'a str,
    /// What its owner calls it.
    pub label: &'a str,
    /// When it was used last.
    pub used: &'a str,
}

/// A session.
#[derive(Debug, Clone, Copy)]
pub struct OwnSession<'a> {
    /// Its name.
    pub id: &'a str,
    /// What somebody knows it by.
    pub title: &'a str,
    /// From where it was opened.
    pub place: &'a str,
    /// When it was used last.
    pub used: &'a str,
    /// Whether it is the one that asks.
    pub is_current: bool,
}

/// What the forms and the links of the page do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// A new password.
    Password,
    /// An authenticator.
    SetUp,
    /// None any more.
    DropTotp,
    /// Other recovery codes.
    Codes,
    /// Another passkey.
    AddPasskey,
    /// One less.
    RemovePasskey,
    /// A session ends.
    End,
    /// All others end.
    EndOthers,
    /// This one ends.
    LogOut,
}

impl Act {
    const ALL: [Self; 9] = [
        Self::Password,
        Self::SetUp,
        Self::DropTotp,
        Self::Codes,
        Self::AddPasskey,
        Self::RemovePasskey,
        Self::End,
        Self::EndOthers,
        Self::LogOut,
    ];

    /// Its name in addresses and forms.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Password => "password",
            Self::SetUp => "totp",
            Self::DropTotp => "drop-totp",
            Self::Codes => "recovery-codes",
            Self::AddPasskey => "passkey",
            Self::RemovePasskey => "remove-passkey",
            Self::End => "end",
            Self::EndOthers => "end-others",
            Self::LogOut => "log-out",
        }
    }

    /// The act of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|act| act.name() == name)
    }
}

/// The page.
#[must_use]
pub fn own_account(look: &Look, own: &OwnAccount<'_>) -> Page {
    let mut html = Html::new(look);
    html.heading(Word::YourAccount, &[]);
    if let Some(account) = &own.account {
        factors(&mut html, own.path, account);
    }
    sessions(&mut html, own);
    look.page(200, (Word::YourAccount, &[]), html, Forms::Own)
}

fn factors(html: &mut Html<'_>, path: &str, own: &OwnFactors<'_>) {
    open_section(html, Word::Password);
    act_link(html, path, (Act::Password, Word::ChangePassword));
    close_section(html);
    if let Some(keys) = own.passkeys {
        open_section(html, Word::Passkeys);
        html.markup("<ul class=\"list\">\n");
        for key in keys {
            let number = open_item(html, key.label, &[]);
            html.markup("<p class=\"hint\">");
            html.word(Word::LastUsed, &[key.used]);
            html.markup("</p>\n</div>\n<a class=\"button way\" href=\"");
            html.href(path);
            html.markup("?do=");
            html.markup(Act::RemovePasskey.name());
            html.markup("&amp;id=");
            html.text(key.id);
            described_by(html, &number);
            html.word(Word::Remove, &[]);
            html.markup("</a></li>\n");
        }
        html.markup("</ul>\n");
        act_link(html, path, (Act::AddPasskey, Word::AddPasskey));
        close_section(html);
    }
    if own.totp || own.may_set_up {
        open_section(html, Word::Authenticator);
        html.paragraph(if own.totp { Word::AuthenticatorOn } else { Word::AuthenticatorOff }, &[]);
        if own.may_set_up {
            let word = if own.totp { Word::SetUpAnother } else { Word::SetUp };
            act_link(html, path, (Act::SetUp, word));
        }
        if own.totp {
            act_link(html, path, (Act::DropTotp, Word::Remove));
        }
        close_section(html);
    }
    if let Some(left) = own.codes_left {
        open_section(html, Word::RecoveryCodes);
        html.paragraph(Word::CodesLeft, &[&left.to_string()]);
        act_link(html, path, (Act::Codes, Word::NewCodes));
        close_section(html);
    }
}

fn sessions(html: &mut Html<'_>, own: &OwnAccount<'_>) {
    open_section(html, Word::Sessions);
    html.markup("<ul class=\"list\">\n");
    for session in own.sessions {
        let this = if session.is_current { &[Word::ThisDevice][..] } else { &[] };
        let number = open_item(html, session.title, this);
        html.markup("<p class=\"hint\">");
        html.text(session.place);
        html.markup("<br>");
        html.word(Word::LastUsed, &[session.used]);
        html.markup("</p>\n</div>\n");
        if !session.is_current {
            open_act(html, own.path, Act::End);
            html.hidden("id", session.id);
            html.markup("<button class=\"button way");
            described_by(html, &number);
            html.word(Word::LogOut, &[]);
            html.markup("</button>\n</form>\n");
        }
        html.markup("</li>\n");
    }
    html.markup("</ul>\n<div class=\"actions\">\n");
    if own.sessions.len() > 1 {
        open_act(html, own.path, Act::EndOthers);
        plain_button(html, Word::EndOthers);
    }
    if let Some(href) = own.log_out {
        html.markup("<a class=\"button way\" href=\"");
        html.href(href);
        html.markup("\">");
        html.word(Word::LogOut, &[]);
        html.markup("</a>\n");
    } else {
        open_act(html, own.path, Act::LogOut);
        plain_button(html, Word::LogOut);
    }
    html.close_actions();
    close_section(html);
}

fn plain_button(html: &mut Html<'_>, word: Word) {
    html.markup("<button class=\"button way\">");
    html.word(word, &[]);
    html.markup("</button>\n</form>\n");
}

fn open_act(html: &mut Html<'_>, path: &str, act: Act) {
    html.open_form("post", Some(path));
    html.hidden("do", act.name());
}

pub(super) fn open_section(html: &mut Html<'_>, word: Word) {
    html.markup("<section>\n<h2>");
    html.word(word, &[]);
    html.markup("</h2>\n");
}

pub(super) fn close_section(html: &mut Html<'_>) {
    html.markup("</section>\n");
}

/// An item of a list, with a name that what is done to it is described by.
fn open_item(html: &mut Html<'_>, title: &str, marks: &[Word]) -> String {
    let number = html.next_field().to_string();
    html.markup("<li><div>\n<strong id=\"i");
    html.text(&number);
    html.markup("\">");
    html.text(title);
    html.markup("</strong>\n");
    for mark in marks {
        html.markup("<span class=\"mark\">");
        html.word(*mark, &[]);
        html.markup("</span>\n");
    }
    number
}

fn described_by(html: &mut Html<'_>, number: &str) {
    html.markup("\" aria-describedby=\"i");
    html.text(number);
    html.markup("\">");
}

fn act_link(html: &mut Html<'_>, path: &str, (act, word): (Act, Word)) {
    html.markup("<a class=\"button way\" href=\"");
    html.href(path);
    html.markup("?do=");
    html.markup(act.name());
    html.markup("\">");
    html.word(word, &[]);
    html.markup("</a>\n");
}

/// The secret of an authenticator, and the form for its first code.
#[derive(Debug, Clone, Copy)]
pub struct Secret<'a> {
    /// As it is typed into the app.
    pub secret: &'a str,
    /// The same, which opens the app.
    pub uri: &'a str,
}

pub(super) fn secret(html: &mut Html<'_>, Secret { secret, uri }: &Secret<'_>) {
    html.paragraph(Word::EnterKey, &[]);
    html.markup("<p class=\"key\"><code>");
    for (place, letter) in secret.chars().enumerate() {
        if place > 0 && place % 4 == 0 {
            html.markup(" ");
        }
        html.text(letter.encode_utf8(&mut [0; 4]));
    }
    html.markup("</code></p>\n<div class=\"actions\"><a class=\"button way\" href=\"");
    html.otpauth(uri);
    html.markup("\">");
    html.word(Word::OpenApp, &[]);
    html.markup("</a></div>\n");
}

/// Recovery codes, which are shown once, and the way on.
#[must_use]
pub fn recovery_codes(look: &Look, codes: &[&str], next: &str) -> Page {
    let mut html = Html::new(look);
    html.done();
    html.heading(Word::KeepCodes, &[]);
    html.paragraph(Word::KeepCodesText, &[]);
    html.markup("<ol class=\"codes\">\n");
    for code in codes {
        html.markup("<li><code>");
        html.text(code);
        html.markup("</code></li>\n");
    }
    html.markup("</ol>\n");
    html.open_actions();
    html.button_link(next, Word::CodesKept);
    html.close_actions();
    look.page(200, (Word::KeepCodes, &[]), html, Forms::None)
}
