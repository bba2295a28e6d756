//! The pages of accounts: forms that ask for what somebody knows or has, and what is said once that is done.

use super::{
    Field, Look, Page, Way, Word,
    frame::Forms,
    html::Html,
    own_account::{Secret, close_section, open_section, secret},
    way_href,
};

/// Takes the token of a link into the form, and where a login leads on to. They stay in the address: who loads the page again has them still.
const TAKE_TOKEN: &str = "for(const name of['token','return_to']){const field=document.getElementById(name);if(field)field.value=new URLSearchParams(location.hash.slice(1)).get(name)||''}";

/// Asks the browser for a passkey, and posts it by the form. It stands in the page, so that the page's policy names its hash: `'self'` would let
/// in whatever else this origin has. It writes base64url itself: what extensions answer in the place of browsers often has no `toJSON`.
const PASSKEY: &str = include_str!("passkey.js");

/// A form by which a passkey is shown. It is there once the script knows that the browser has any.
#[derive(Debug, Clone, Copy)]
pub struct PasskeyForm<'a> {
    /// Where it is posted to.
    pub action: &'a str,
    /// Where the script asks for options.
    pub options: &'a str,
    /// The field that gets what the browser answers.
    pub field: &'static str,
    /// What it is for.
    pub purpose: PasskeyPurpose,
}

/// What a passkey is shown for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PasskeyPurpose {
    /// To log in: the browser offers passkeys in the field of the name, too.
    LogIn,
    /// As the second step of a login.
    SecondFactor,
    /// The same, where there is no code of an authenticator: so it comes first.
    SecondFactorFirst,
    /// A new one is made. The fields of the page are those of its form.
    New,
    /// The same by who logs in and has no second factor yet: an authenticator is the other way.
    SetUp,
}

/// A page that asks.
#[derive(Debug, Clone, Copy)]
pub struct Asking<'a> {
    /// The HTTP status.
    pub status: u16,
    /// The heading.
    pub title: Word,
    /// Why what was sent before cannot be taken, as a whole. An English text that is a [`Word`] is said in the page's language.
    pub problem: Option<&'a str>,
    /// What it is about.
    pub text: Option<Word>,
    /// The secret of an authenticator, whose first code is asked for.
    pub secret: Option<Secret<'a>>,
    /// Where the form is posted to.
    pub action: &'a str,
    /// What the form carries along.
    pub hidden: &'a [(&'static str, &'a str)],
    /// The field that gets what stands behind `#token=` in the page's address, which no server is told.
    pub token: Option<&'static str>,
    /// What stands over the form, where there is another way beside it.
    pub part: Option<(Word, Word)>,
    /// What is asked for.
    pub fields: &'a [Field<'a>],
    /// Whether a person may say that the login is to be remembered, and has.
    pub remember: Option<bool>,
    /// What the button says.
    pub submit: Word,
    /// Another button of the form: its name, and what it says. It sends the form as it is.
    pub other: Option<(&'static str, Word)>,
    /// A passkey in the place of what is asked for.
    pub passkey: Option<PasskeyForm<'a>>,
    /// Logins with others, which come below.
    pub ways: &'a [Way<'a>],
    /// Where the browser goes after those.
    pub return_to: Option<&'a str>,
    /// Where else somebody may want to go.
    pub links: &'a [(&'a str, Word)],
}

impl<'a> Asking<'a> {
    /// A form alone.
    #[must_use]
    pub const fn of(title: Word, action: &'a str, submit: Word) -> Self {
        Self {
            status: 200,
            title,
            problem: None,
            text: None,
            secret: None,
            action,
            hidden: &[],
            token: None,
            part: None,
            fields: &[],
            remember: None,
            submit,
            other: None,
            passkey: None,
            ways: &[],
            return_to: None,
            links: &[],
        }
    }
}

/// A page that asks.
#[must_use]
pub fn asking(look: &Look, asking: &Asking<'_>) -> Page {
    let title = asking.title;
    let mut html = Html::new(look);
    html.heading(title, &[]);
    if let Some(problem) = asking.problem {
        html.markup("<p class=\"error\" role=\"alert\">");
        html.said(problem);
        html.markup("</p>\n");
    }
    if let Some(text) = asking.text {
        html.paragraph(text, &[]);
    }
    if let Some(shown) = &asking.secret {
        secret(&mut html, shown);
    }
    let is_first = |passkey: &PasskeyForm<'_>| {
        matches!(passkey.purpose, PasskeyPurpose::SecondFactorFirst | PasskeyPurpose::SetUp)
    };
    let (first, second) = match asking.passkey {
        Some(passkey) if is_first(&passkey) => (Some(passkey), None),
        passkey => (None, passkey),
    };
    if let Some(passkey) = first {
        passkey_form(&mut html, asking, &passkey);
    }
    // A passkey may be all that is asked for.
    let is_all = |passkey: PasskeyForm<'_>| match passkey.purpose {
        PasskeyPurpose::New => true,
        PasskeyPurpose::SetUp => false,
        _ => asking.fields.is_empty(),
    };
    if !asking.passkey.is_some_and(is_all) {
        if let Some((title, text)) = asking.part {
            open_section(&mut html, title);
            html.paragraph(text, &[]);
        }
        form(&mut html, asking);
        if asking.part.is_some() {
            close_section(&mut html);
        }
    }
    if let Some(passkey) = second {
        passkey_form(&mut html, asking, &passkey);
    }
    if !asking.ways.is_empty() {
        html.open_list();
        for way in asking.ways {
            html.way(&way_href(way.path, asking.return_to), way.title);
        }
        html.close_list();
    }
    links(&mut html, asking.links);
    let forms = match (asking.token, asking.passkey) {
        (Some(_), _) => Forms::OwnByScript(TAKE_TOKEN),
        (None, Some(_)) => Forms::OwnByAsking(PASSKEY),
        (None, None) => Forms::Own,
    };
    if let Forms::OwnByScript(script) | Forms::OwnByAsking(script) = forms {
        html.script(script);
    }
    look.page(asking.status, (title, &[]), html, forms)
}

fn form(html: &mut Html<'_>, asking: &Asking<'_>) {
    html.open_form("post", Some(asking.action));
    for (name, value) in asking.hidden {
        html.hidden(name, value);
    }
    if let Some(name) = asking.token {
        html.markup("<input type=\"hidden\" id=\"token\" name=\"");
        html.markup(name);
        html.markup("\">\n");
        if asking.remember.is_some() {
            html.markup("<input type=\"hidden\" id=\"return_to\" name=\"return_to\">\n");
        }
        html.markup("<noscript><p class=\"error\">");
        html.word(Word::NeedsScript, &[]);
        html.markup("</p></noscript>\n");
    }
    for field in asking.fields {
        html.field(field);
    }
    if let Some(checked) = asking.remember {
        html.checkbox("remember", "true", Word::Remember, checked);
    }
    html.submit(asking.submit);
    if let Some((name, word)) = asking.other {
        html.markup("<button class=\"button way\" value=\"true\" formnovalidate name=\"");
        html.markup(name);
        html.markup("\">");
        html.word(word, &[]);
        html.markup("</button>\n");
    }
    html.close_form();
}

fn passkey_form(html: &mut Html<'_>, asking: &Asking<'_>, passkey: &PasskeyForm<'_>) {
    let (submit, class) = match passkey.purpose {
        PasskeyPurpose::LogIn => (Word::LogInByPasskey, "button way"),
        PasskeyPurpose::SecondFactor => (Word::ContinueByPasskey, "button way"),
        PasskeyPurpose::SecondFactorFirst => (Word::ContinueByPasskey, "button"),
        PasskeyPurpose::New | PasskeyPurpose::SetUp => (Word::AddPasskey, "button"),
    };
    let is_login = passkey.purpose == PasskeyPurpose::LogIn;
    let is_new = matches!(passkey.purpose, PasskeyPurpose::New | PasskeyPurpose::SetUp);
    if matches!(passkey.purpose, PasskeyPurpose::New | PasskeyPurpose::SecondFactorFirst) {
        html.markup("<p class=\"error\" id=\"unsupported\">");
        html.word(Word::PasskeyUnsupported, &[]);
        html.markup("</p>\n");
    }
    html.markup("<form id=\"passkey\" hidden method=\"post\" action=\"");
    html.href(passkey.action);
    html.markup("\" data-options=\"");
    html.href(passkey.options);
    // Where one was refused, the browser is not asked again by itself.
    html.markup(if is_login && asking.problem.is_none() { "\" data-autofill=\"1" } else { "" });
    html.markup(if is_new { "\" data-make=\"1" } else { "" });
    html.markup("\">\n<input type=\"hidden\" id=\"proof\" name=\"");
    html.markup(passkey.field);
    html.markup("\">\n");
    if is_login {
        html.markup(
            "<input type=\"hidden\" id=\"remember\" name=\"remember\" value=\"true\" disabled>\n",
        );
    }
    for (name, value) in asking.hidden {
        // As an app calls the account, so does a device.
        html.hidden(if *name == "label" { "name" } else { name }, value);
    }
    if is_new {
        for field in asking.fields {
            html.field(field);
        }
    }
    // By the names that browsers give them.
    let cancelled = if is_new { Word::PasskeyNotMade } else { Word::PasskeyCancelled };
    for (name, word) in [
        ("NotAllowedError", cancelled),
        ("InvalidStateError", Word::PasskeyKnown),
        ("Error", Word::PasskeyFailed),
    ] {
        html.markup("<p class=\"error\" role=\"alert\" hidden id=\"");
        html.markup(name);
        html.markup("\">");
        html.word(word, &[]);
        html.markup("</p>\n");
    }
    html.markup("<button class=\"");
    html.markup(class);
    html.markup("\">");
    html.word(submit, &[]);
    html.markup("</button>\n");
    html.close_form();
}

/// It is done: what, what comes next, and the way on.
#[must_use]
pub fn done(look: &Look, title: Word, text: Option<Word>, next: Option<(&str, Word)>) -> Page {
    let mut html = Html::new(look);
    html.done();
    html.heading(title, &[]);
    if let Some(text) = text {
        html.paragraph(text, &[]);
    }
    if let Some((href, word)) = next {
        html.open_actions();
        html.button_link(href, word);
        html.close_actions();
    }
    look.page(200, (title, &[]), html, Forms::None)
}

/// It cannot be done: why, and the way on.
#[must_use]
pub fn refused(
    look: &Look,
    (status, title): (u16, Word),
    problem: &str,
    next: Option<(&str, Word)>,
) -> Page {
    let mut html = Html::new(look);
    html.open_alert();
    html.heading(title, &[]);
    html.markup("<p>");
    html.said(problem);
    html.markup("</p>\n");
    html.close_alert();
    if let Some((href, word)) = next {
        html.open_actions();
        html.button_link(href, word);
        html.close_actions();
    }
    look.page(status, (title, &[]), html, Forms::None)
}

fn links(html: &mut Html<'_>, links: &[(&str, Word)]) {
    if links.is_empty() {
        return;
    }
    html.open_actions();
    for (href, word) in links {
        html.quiet_link(href, *word);
    }
    html.close_actions();
}
