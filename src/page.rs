//! The gate's own pages: what a person sees of a login, a logout, and of what went wrong.
//!
//! Each page is a function of its arguments and of the operator's [`Look`]. There is no script in them but for one line in those that links in mails
//! open, and for what asks browsers for passkeys; each works without its style. Nothing reaches a page unescaped: `html::Html` takes markup of this code, and escapes everything else.
//!
//! | file | is |
//! |---|---|
//! | `html` | text and addresses, escaped |
//! | `words` | every text that a page shows, in English; a policy may say it otherwise |
//! | `reason` | what may go wrong: status, what happened, what to do |
//! | `blocks` | headings, buttons, fields of forms |
//! | `look` | the operator's name, logo, colour, language and template |
//! | `frame` | a whole page: its style, its header fields |
//! | `account` | forms of accounts |
//! | `own_account` | the page of whoever is logged in |
//! | `template` | what is around a page's content |
//! | `color` | shades of the operator's colour that everybody can read |

pub mod account;
mod blocks;
mod color;
mod frame;
mod html;
mod look;
pub mod own_account;
mod reason;
mod template;
mod words;

pub use self::{
    blocks::{Field, Kind},
    look::{Look, LookFault},
    reason::Reason,
    template::{Template, TemplateFault},
    words::Word,
};
use self::{frame::Forms, html::Html};

/// A page, ready to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// The HTTP status.
    pub status: u16,
    /// Header fields, in the order in which they are set.
    pub fields: Vec<(&'static str, String)>,
    /// HTML.
    pub body: String,
}

/// A way to log in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Way<'a> {
    /// Whom a person knows it by: `Google`.
    pub title: &'a str,
    /// Where it begins, without a query: `/auth/login/google`.
    pub path: &'a str,
}

/// What the page that offers several ways to log in is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Chooser<'a> {
    /// The ways, in their order.
    pub ways: &'a [Way<'a>],
    /// Where the browser goes afterwards.
    pub return_to: Option<&'a str>,
    /// Whether a person may say that the login is to be remembered.
    pub may_remember: bool,
    /// Whether a provider is reached by http, which a policy allows for private hosts.
    pub over_http: bool,
}

/// What went wrong, and the ways out of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Failure<'a> {
    /// Why.
    pub reason: Reason,
    /// Whom a person knows the provider by.
    pub provider: Option<&'a str>,
    /// Where the button leads that tries it again.
    pub retry: Option<&'a str>,
    /// Where the button leads that goes on without it, to where the person came from.
    pub back: Option<&'a str>,
    /// Where the link leads that gives it up, such as the start page.
    pub leave: Option<&'a str>,
    /// What the operator finds in the log: the code of the error, or the name of the request.
    pub reference: Option<&'a str>,
}

impl<'a> Failure<'a> {
    /// A reason alone.
    #[must_use]
    pub const fn of(reason: Reason) -> Self {
        Self { reason, provider: None, retry: None, back: None, leave: None, reference: None }
    }

    /// The same, with a button that tries again.
    #[must_use]
    pub const fn retry_at(self, href: &'a str) -> Self {
        Self { retry: Some(href), ..self }
    }
}

/// Somebody is known, and a rule says no.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct NotAllowed<'a> {
    /// The account, as its owner knows it: an e-mail address.
    pub account: Option<&'a str>,
    /// Whom a person knows the provider by.
    pub provider: Option<&'a str>,
    /// Where another account can be chosen.
    pub other_account: Option<&'a str>,
    /// Where the button leads that goes on without it, to where the person came from.
    pub back: Option<&'a str>,
    /// What the operator finds in the log.
    pub reference: Option<&'a str>,
}

/// Several ways to log in.
#[must_use]
pub fn chooser(look: &Look, chooser: &Chooser<'_>) -> Page {
    let mut html = Html::new(look);
    html.heading(Word::LogIn, &[]);
    if chooser.may_remember {
        html.open_form("get", None);
        if let Some(target) = chooser.return_to {
            html.hidden("return_to", target);
        }
        html.checkbox("remember", "true", Word::Remember, false);
        for way in chooser.ways {
            html.submit_to(way.path, Word::ContinueWith, way.title);
        }
        html.close_form();
    } else {
        html.open_list();
        for way in chooser.ways {
            html.way(&way_href(way.path, chooser.return_to), way.title);
        }
        html.close_list();
    }
    let forms = match (chooser.may_remember, chooser.over_http) {
        (false, _) => Forms::None,
        (true, false) => Forms::Anywhere,
        (true, true) => Forms::AnywhereByHttp,
    };
    look.page(200, (Word::LogIn, &[]), html, forms)
}

/// What went wrong, why, and what to do about it.
#[must_use]
pub fn failure(look: &Look, failure: &Failure<'_>) -> Page {
    let Failure { reason, provider, retry, back, leave, reference } = *failure;
    let provider = provider.unwrap_or_else(|| look.word(Word::TheProvider));
    let (title, happened, remedy) = reason.words();
    let mut html = Html::new(look);
    html.open_alert();
    html.heading(title, &[provider]);
    html.paragraph(happened, &[provider]);
    html.paragraph(remedy, &[provider]);
    html.close_alert();
    html.open_actions();
    if let Some(href) = retry {
        html.button_link(href, Word::TryAgain);
    }
    if let Some(href) = back {
        html.button_link(href, Word::Continue);
    }
    if let Some(href) = leave {
        html.quiet_link(href, Word::Leave);
    }
    html.close_actions();
    html.reference(reference);
    look.page(reason.status(), (title, &[provider]), html, Forms::None)
}

/// Known, but not allowed. It leads nowhere by itself, so that nobody goes round in circles.
#[must_use]
pub fn not_allowed(look: &Look, not_allowed: &NotAllowed<'_>) -> Page {
    let NotAllowed { account, provider, other_account, back, reference } = *not_allowed;
    let mut html = Html::new(look);
    html.open_alert();
    html.heading(Word::NotAllowed, &[]);
    match (account, provider) {
        (Some(account), Some(provider)) => {
            html.paragraph(Word::NotAllowedAccountAt, &[account, provider]);
        }
        (Some(account), None) => html.paragraph(Word::NotAllowedAccount, &[account]),
        (None, _) => html.paragraph(Word::NotAllowedSomebody, &[]),
    }
    html.paragraph(Word::NotAllowedRemedy, &[]);
    html.close_alert();
    html.open_actions();
    if let Some(href) = other_account {
        html.button_link(href, Word::OtherAccount);
    }
    if let Some(href) = back {
        html.button_link(href, Word::Continue);
    }
    html.close_actions();
    html.reference(reference);
    look.page(403, (Word::NotAllowed, &[]), html, Forms::None)
}

/// Asks whether to log out: a form that posts to `action`, with `return_to` if there is one. It offers to end the sessions on all devices
/// too (`everywhere=true`).
#[must_use]
pub fn confirm_logout(
    look: &Look,
    action: &str,
    (return_to, leave): (Option<&str>, Option<&str>),
) -> Page {
    let mut html = Html::new(look);
    html.heading(Word::LogOutAsked, &[]);
    html.open_form("post", Some(action));
    if let Some(target) = return_to {
        html.hidden("return_to", target);
    }
    html.checkbox("everywhere", "true", Word::Everywhere, false);
    html.submit(Word::LogOut);
    html.close_form();
    if let Some(href) = leave {
        html.open_actions();
        html.quiet_link(href, Word::StayLoggedIn);
        html.close_actions();
    }
    look.page(200, (Word::LogOutAsked, &[]), html, Forms::Own)
}

/// Logged out, with a way back in.
#[must_use]
pub fn logged_out(look: &Look, log_in: Option<&str>) -> Page {
    let mut html = Html::new(look);
    html.done();
    html.heading(Word::LoggedOut, &[]);
    html.paragraph(Word::LoggedOutHere, &[]);
    html.open_actions();
    if let Some(href) = log_in {
        html.button_link(href, Word::LogInAgain);
    }
    html.close_actions();
    look.page(200, (Word::LoggedOut, &[]), html, Forms::None)
}

/// Moves on to `href` at once: a navigation that this site begins, which a cookie with `SameSite=Strict` goes along with. A redirect
/// after the provider's page would still count as the provider's.
#[must_use]
pub fn move_on(look: &Look, href: &str) -> Page {
    let href = html::checked(href);
    let mut html = Html::new(look);
    html.done();
    html.heading(Word::MovingOn, &[]);
    html.open_actions();
    html.button_link(href, Word::Continue);
    html.close_actions();
    let mut page = look.page(200, (Word::MovingOn, &[]), html, Forms::None);
    page.fields.push(("Refresh", format!("0;url={href}")));
    page
}

fn way_href(path: &str, return_to: Option<&str>) -> String {
    return_to.map_or_else(
        || path.to_owned(),
        |target| format!("{path}?return_to={}", crate::login::authorization::encoded(target)),
    )
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use sha2::{Digest as _, Sha256};

    use super::{
        account::{Asking, PasskeyForm, PasskeyPurpose},
        own_account::{OwnAccount, OwnFactors, OwnKey, OwnSession, Secret},
        *,
    };

    /// What breaks out of text, of attributes in either quotes, of a place, and of a line of a header.
    const HOSTILE: &str = "\"'><script>alert(1)</script><img src=x onerror=a>{{content}}{}\r\nX: y";

    /// All pages, each with this text wherever a text may come from elsewhere.
    fn pages(look: &Look, text: &str) -> Vec<Page> {
        let some = Some(text);
        let ways =
            [Way { title: text, path: text }, Way { title: "Google", path: "/auth/login/google" }];
        let choice =
            Chooser { ways: &ways, return_to: some, may_remember: false, over_http: false };
        let account = NotAllowed {
            account: some,
            provider: some,
            other_account: some,
            back: some,
            reference: some,
        };
        let field = |kind| Field {
            name: "n",
            label: Word::LogIn,
            kind,
            value: text,
            hint: Some(Word::Leave),
            error: Some(text),
        };
        let fields = [
            Kind::Name,
            Kind::EmailOrPasskey,
            Kind::Email,
            Kind::Password,
            Kind::NewPassword,
            Kind::Code,
            Kind::RecoveryCode,
        ]
        .map(field);
        let passkey =
            |purpose| PasskeyForm { action: text, options: text, field: "passkey", purpose };
        let keys = [OwnKey { id: text, label: text, used: text }];
        let session =
            OwnSession { id: text, title: text, place: text, used: text, is_current: true };
        let sessions = [session, OwnSession { is_current: false, ..session }];
        let own = OwnAccount {
            path: text,
            account: Some(OwnFactors {
                totp: true,
                may_set_up: true,
                codes_left: Some(1),
                passkeys: Some(&keys),
            }),
            sessions: &sessions,
            log_out: some,
        };
        let mut pages = vec![
            chooser(look, &choice),
            chooser(look, &Chooser { may_remember: true, ..choice }),
            not_allowed(look, &account),
            not_allowed(look, &NotAllowed { provider: None, ..account }),
            confirm_logout(look, text, (some, some)),
            logged_out(look, some),
            move_on(look, text),
            account::asking(
                look,
                &Asking {
                    problem: some,
                    text: Some(Word::Leave),
                    hidden: &[("h", text)],
                    passkey: Some(passkey(PasskeyPurpose::LogIn)),
                    other: Some(("o", Word::Leave)),
                    fields: &fields,
                    remember: Some(true),
                    ways: &ways,
                    return_to: some,
                    links: &[(text, Word::Leave)],
                    ..Asking::of(Word::LogIn, text, Word::LogIn)
                },
            ),
            account::asking(
                look,
                &Asking {
                    passkey: Some(passkey(PasskeyPurpose::SecondFactorFirst)),
                    ..Asking::of(Word::LogIn, text, Word::LogIn)
                },
            ),
            account::asking(
                look,
                &Asking { token: Some("token"), ..Asking::of(Word::LogIn, text, Word::LogIn) },
            ),
            account::asking(
                look,
                &Asking {
                    secret: Some(Secret { secret: text, uri: text }),
                    fields: &fields,
                    passkey: Some(passkey(PasskeyPurpose::New)),
                    ..Asking::of(Word::LogIn, text, Word::LogIn)
                },
            ),
            account::asking(
                look,
                &Asking {
                    hidden: &[("label", text)],
                    part: Some((Word::Authenticator, Word::AuthenticatorText)),
                    passkey: Some(passkey(PasskeyPurpose::SetUp)),
                    ..Asking::of(Word::FactorNeeded, text, Word::Continue)
                },
            ),
            own_account::own_account(look, &own),
            own_account::own_account(look, &OwnAccount { account: None, log_out: None, ..own }),
            own_account::recovery_codes(look, &[text], text),
            account::done(look, Word::LogIn, Some(Word::Leave), Some((text, Word::Leave))),
            account::refused(look, (400, Word::LogIn), text, Some((text, Word::Leave))),
        ];
        pages.extend(Reason::ALL.map(|reason| {
            let whole = Failure {
                reason,
                provider: some,
                retry: some,
                back: some,
                leave: some,
                reference: some,
            };
            failure(look, &whole)
        }));
        pages
    }

    fn field<'p>(page: &'p Page, name: &str) -> &'p str {
        let found: Vec<_> = page.fields.iter().filter(|(known, _)| *known == name).collect();
        assert_eq!(found.len(), 1, "{name}");
        &found[0].1
    }

    fn dressed() -> Look {
        let look =
            Look::default().titled(HOSTILE).unwrap().with_logo("https://cdn.example/logo.svg?v=1");
        let look = look.unwrap().with_accent("#ffd400").unwrap().in_language("he").unwrap();
        Word::ALL.iter().fold(look, |look, word| {
            let text = HOSTILE.replace("{}", "") + &"{}".repeat(word.slots());
            look.with_word(*word, &text).unwrap()
        })
    }

    #[test]
    fn no_text_becomes_markup_or_a_line_of_a_header() {
        for (look, plain) in [(Look::default(), Look::default()), (dressed(), dressed())] {
            for (page, usual) in pages(&look, HOSTILE).iter().zip(pages(&plain, "Example")) {
                let tags = |page: &Page| page.body.matches('<').count();
                assert_eq!(tags(page), tags(&usual), "{}", page.body);
                assert_eq!(
                    page.body.matches("<script").count(),
                    usual.body.matches("<script").count()
                );
                assert!(!page.body.contains("<img src=x"));
                assert!(page.fields.iter().all(|(_, value)| !value.contains(['\r', '\n'])));
            }
        }
    }

    #[test]
    fn addresses_lead_nowhere_but_to_paths_and_web_addresses() {
        for page in pages(&Look::default(), "javascript:alert(1)") {
            for attribute in ["href=\"", "action=\"", "formaction=\""] {
                // Before the first one there is no value.
                for value in page.body.split(attribute).skip(1) {
                    assert!(value.starts_with('/'), "{value}");
                }
            }
        }
        assert_eq!(field(&move_on(&Look::default(), "data:text/html,x"), "Refresh"), "0;url=/");
        let target = "https://app.example.com/a?b=c";
        assert_eq!(field(&move_on(&Look::default(), target), "Refresh"), format!("0;url={target}"));
    }

    #[test]
    fn the_policy_of_each_page_allows_its_own_styles_and_its_own_script() {
        let template = "<title>{{title}}</title>{{style}}<style>b{}</style>{{brand}}{{content}}";
        let own = dressed().within(Template::parse(template).unwrap());
        for look in [Look::default(), dressed(), own] {
            for page in pages(&look, "Example") {
                let policy = field(&page, "Content-Security-Policy");
                // Before the first one there is no style.
                let mut styles = page
                    .body
                    .split("<style>")
                    .skip(1)
                    .map(|rest| rest.split_once("</style>").unwrap().0);
                let hashes: BTreeSet<String> = styles.by_ref().map(template::source).collect();
                let script = page.body.split_once("<script>").map(|(_, rest)| rest);
                let script = script.and_then(|rest| rest.split_once("</script>"));
                let own =
                    script.map(|(script, _)| format!("script-src {}; ", template::source(script)));
                assert_eq!(policy.contains("script-src"), own.is_some());
                assert!(policy.contains(&own.unwrap_or_default()));
                let (_, sources) = policy.split_once("style-src ").unwrap();
                let allowed: BTreeSet<String> =
                    sources.split_once(';').unwrap().0.split(' ').map(str::to_owned).collect();
                assert_eq!(allowed, hashes);
                assert!(policy.starts_with("default-src 'none'; "));
                assert!(policy.ends_with("; frame-ancestors 'none'; base-uri 'none'"));
                assert!(!policy.contains("unsafe"));
                assert!(!page.body.contains(" style=\""));
            }
        }
    }

    /// Written another way than the code does it.
    #[test]
    fn a_source_is_the_hash_of_the_style() {
        use base64ct::{Base64, Encoding as _};
        let hash = Base64::decode_vec(
            template::source("a{}").trim_matches('\'').strip_prefix("sha256-").unwrap(),
        );
        assert_eq!(hash.unwrap(), Sha256::digest(b"a{}").to_vec());
    }

    #[test]
    fn nobody_keeps_or_frames_a_page() {
        for page in pages(&Look::default(), "Example") {
            assert_eq!(field(&page, "Content-Type"), "text/html; charset=utf-8");
            assert_eq!(field(&page, "Cache-Control"), "no-store");
            assert_eq!(field(&page, "X-Content-Type-Options"), "nosniff");
            assert_eq!(field(&page, "X-Frame-Options"), "DENY");
            assert_eq!(field(&page, "X-Robots-Tag"), "noindex");
            // Otherwise the browser says `Origin: null`, and the form is refused.
            let posts = page.body.contains("method=\"post\"");
            let referrer = if posts { "strict-origin" } else { "no-referrer" };
            assert_eq!(field(&page, "Referrer-Policy"), referrer);
        }
    }

    #[test]
    fn a_way_knows_where_the_browser_goes_afterwards() {
        let ways = [Way { title: "Google", path: "/auth/login/google" }];
        let choice = Chooser {
            ways: &ways,
            return_to: Some("/a?b=c&d"),
            may_remember: false,
            over_http: false,
        };
        let links = chooser(&Look::default(), &choice).body;
        assert!(
            links.contains("href=\"/auth/login/google?return_to=%2Fa%3Fb%3Dc%26d\""),
            "{links}"
        );
        let buttons = chooser(&Look::default(), &Chooser { may_remember: true, ..choice }).body;
        assert!(buttons.contains("name=\"return_to\" value=\"/a?b=c&amp;d\""), "{buttons}");
    }

    #[test]
    fn a_form_leads_to_a_provider_by_http_only_where_one_is_reached_so() {
        let choice = Chooser { ways: &[], return_to: None, may_remember: true, over_http: false };
        let leads_to = |choice| {
            let policy =
                field(&chooser(&Look::default(), &choice), "Content-Security-Policy").to_owned();
            let part = policy.split("; ").find_map(|part| part.strip_prefix("form-action "));
            part.unwrap().to_owned()
        };
        assert_eq!(leads_to(choice), "'self' https: http://localhost:* http://127.0.0.1:*");
        assert_eq!(leads_to(Chooser { over_http: true, ..choice }), "'self' https: http:");
        let links = Chooser { may_remember: false, over_http: true, ..choice };
        assert_eq!(leads_to(links), "'none'");
    }

    #[test]
    fn words_colour_and_language_are_the_operators() {
        let look = Look::default().titled("Beispiel").unwrap().in_language("de-CH").unwrap();
        let look =
            look.with_word(Word::TryAgain, "Nochmals").unwrap().with_accent("#FFD400").unwrap();
        let page =
            failure(&look, &Failure::of(Reason::ProviderDown).retry_at("/auth/login/google"));
        assert_eq!(page.status, 503);
        for expected in [
            "<html lang=\"de-CH\" dir=\"ltr\">",
            "<title>the login provider does not answer – Beispiel</title>",
            "<header class=\"brand\">Beispiel</header>",
            "<a class=\"button\" href=\"/auth/login/google\">Nochmals</a>",
            ":root{--accent:#ffd400;--on:#000000;--ink:#",
        ] {
            assert!(page.body.contains(expected), "{expected}\n{}", page.body);
        }
        assert!(not_allowed(&dressed(), &NotAllowed::default()).body.contains(" dir=\"rtl\""));
    }

    #[test]
    fn what_an_operator_says_is_checked() {
        let look = Look::default;
        assert_eq!(look().titled(" "), Err("expected a name of 1 to 100 bytes"));
        for logo in [
            "logo.svg",
            "//a/b",
            "http://a/b",
            "https:///b",
            "/a b",
            "/a;b",
            "/a,b",
            "/\"",
            "data:image/png,",
        ] {
            assert_eq!(
                look().with_logo(logo),
                Err("expected a path like /logo.svg, or an https URL"),
                "{logo}"
            );
        }
        let nameless = "expected title beside it, which is read out in its place";
        assert_eq!(look().with_logo("/logo.svg"), Err(nameless));
        assert_eq!(look().with_accent("red"), Err("expected a colour like #0b6b5c"));
        for lang in ["", "-", "de_CH", "1a", "en-", "en\"", "toolonglang"] {
            assert_eq!(
                look().in_language(lang),
                Err("expected a language tag like en or pt-BR"),
                "{lang}"
            );
        }
        assert_eq!(look().with_word(Word::LogIn, ""), Err("expected a text of 1 to 500 bytes"));
        assert_eq!(look().with_word(Word::LogIn, "{}"), Err("expected a text without {}"));
        let one = "expected a text with one {}, which stands for a name";
        assert_eq!(look().with_word(Word::ContinueWith, "Weiter"), Err(one));
        let two = "expected a text with two {}, which stand for names";
        assert_eq!(look().with_word(Word::NotAllowedAccountAt, "{}"), Err(two));
    }

    #[test]
    fn each_page_has_one_heading_and_says_its_language() {
        for page in pages(&Look::default(), "Example") {
            for once in ["<h1>", "<main>", "<title>", "<html lang=\"en\" dir=\"ltr\">"] {
                assert_eq!(page.body.matches(once).count(), 1, "{once}");
            }
        }
    }
}
