//! Prints the gate's own pages as JSON, each in several looks, for the test that looks at them in a browser.

use edgegate::page::{
    self, Chooser, Failure, Field, Kind, Look, NotAllowed, Page, Reason, Template, Way, Word,
    account::{self, Asking},
    own_account::{OwnAccount, OwnFactors, OwnKey, OwnSession, own_account, recovery_codes},
};
use serde_json::{Value, json};

const TEMPLATE: &str = "<!doctype html>\n<html lang=\"{{lang}}\" dir=\"{{dir}}\">\n<head>\n<meta charset=\"utf-8\">\n\
    <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>{{title}}</title>\n{{style}}\n\
    <style>header { padding: 1rem; background: #222; color: #fff } main { border-radius: 0 }</style>\n</head>\n\
    <body>\n<header>Own header</header>\n<div class=\"page\">{{content}}</div>\n</body>\n</html>\n";

/// Some of the words in German, which has long ones.
const GERMAN: [(Word, &str); 8] = [
    (Word::LogIn, "Anmelden"),
    (Word::ContinueWith, "Weiter mit {}"),
    (Word::Remember, "Auf diesem Gerät angemeldet bleiben"),
    (Word::LogOutAsked, "Abmelden?"),
    (Word::LogOut, "Abmelden"),
    (Word::Everywhere, "Auf allen meinen Geräten"),
    (Word::StayLoggedIn, "Angemeldet bleiben"),
    (Word::ProviderDown, "{} antwortet nicht"),
];

const HEBREW: [(Word, &str); 4] = [
    (Word::LogIn, "כניסה"),
    (Word::ContinueWith, "להמשיך עם {}"),
    (Word::Remember, "לזכור אותי במכשיר הזה"),
    (Word::TryAgain, "לנסות שוב"),
];

fn main() {
    let mut all = Vec::new();
    for (name, look) in looks() {
        for (page_name, page) in pages(&look) {
            all.push(described(name, &page_name, &page));
        }
    }
    #[expect(clippy::print_stdout, reason = "what it is for")]
    {
        println!("{}", Value::Array(all));
    }
}

fn described(look: &str, name: &str, page: &Page) -> Value {
    let fields: Vec<Value> = page.fields.iter().map(|(name, value)| json!([name, value])).collect();
    json!({"look": look, "page": name, "status": page.status, "fields": fields, "body": page.body})
}

fn looks() -> Vec<(&'static str, Look)> {
    let speaking = |look: Result<Look, _>, words: &[(Word, &str)]| {
        words
            .iter()
            .fold(look, |look, (word, text)| look.and_then(|look| look.with_word(*word, text)))
    };
    let branded = Look::default().titled("Example").and_then(|look| look.with_logo("/logo.svg"));
    let yellow = branded.clone().and_then(|look| look.with_accent("#ffd400"));
    let navy = branded.clone().and_then(|look| look.with_accent("#001177"));
    let german = speaking(branded.clone().and_then(|look| look.in_language("de")), &GERMAN);
    let hebrew = speaking(branded.and_then(|look| look.in_language("he")), &HEBREW);
    let own = Template::parse(TEMPLATE).map(|template| Look::default().within(template)).ok();
    [
        ("default", Some(Look::default())),
        ("yellow", yellow.ok()),
        ("navy", navy.ok()),
        ("german", german.ok()),
        ("hebrew", hebrew.ok()),
        ("template", own),
    ]
    .into_iter()
    .filter_map(|(name, look)| look.map(|look| (name, look)))
    .collect()
}

fn pages(look: &Look) -> Vec<(String, Page)> {
    let way = |title, path| Way { title, path };
    let ways = [
        way("Google", "/auth/login/google"),
        way("GitHub", "/auth/login/github"),
        way(
            "Example Corporation Single Sign-On for Employees and Contractors",
            "/auth/login/corporation",
        ),
    ];
    let choice = Chooser {
        ways: &ways,
        return_to: Some("/v1/posts?page=2"),
        may_remember: false,
        over_http: false,
    };
    let not_allowed = NotAllowed {
        account: Some("alice.with.a.very.long.address@department.example.com"),
        provider: Some("Google"),
        other_account: Some("/auth/login/google"),
        back: None,
        reference: Some("NOT_ALLOWED 7f3a91c2"),
    };
    let mut pages = vec![
        ("chooser".to_owned(), page::chooser(look, &choice)),
        (
            "chooser-remember".to_owned(),
            page::chooser(look, &Chooser { may_remember: true, ..choice }),
        ),
        ("not-allowed".to_owned(), page::not_allowed(look, &not_allowed)),
        ("not-allowed-nameless".to_owned(), page::not_allowed(look, &NotAllowed::default())),
        (
            "confirm-logout".to_owned(),
            page::confirm_logout(look, "/auth/logout", (None, Some("/"))),
        ),
        ("logged-out".to_owned(), page::logged_out(look, Some("/auth/login"))),
        ("move-on".to_owned(), page::move_on(look, "/moved-on")),
    ];
    pages.extend(of_accounts(look, &ways));
    pages.extend(of_whoever_is_logged_in(look));
    pages.extend(Reason::ALL.iter().map(|reason| {
        let failure = Failure {
            reason: *reason,
            provider: Some("Google"),
            retry: Some("/auth/login/google"),
            back: None,
            leave: Some("/"),
            reference: Some("8f2b7c41d09e"),
        };
        (format!("{reason:?}"), page::failure(look, &failure))
    }));
    pages
}

fn of_accounts(look: &Look, ways: &[Way<'_>]) -> Vec<(String, Page)> {
    let field =
        |name, label, kind, error| Field { name, label, kind, value: "", hint: None, error };
    let email = field("email", Word::Email, Kind::Email, None);
    let password = field("password", Word::Password, Kind::Password, None);
    let new_password = Field {
        hint: Some(Word::AtLeastEight),
        error: Some(Word::PasswordCommon.english()),
        ..field("new_password", Word::NewPassword, Kind::NewPassword, None)
    };
    let login = Asking {
        fields: &[email, password],
        remember: Some(false),
        ways,
        links: &[("/auth/reset", Word::ForgotPassword), ("/auth/register", Word::Register)],
        ..Asking::of(Word::LogIn, "/auth/login", Word::LogIn)
    };
    let wrong =
        Asking { status: 401, problem: Some(Word::WrongPassword.english()), ways: &[], ..login };
    let reset = Asking {
        status: 400,
        token: Some("token"),
        fields: &[new_password],
        ..Asking::of(Word::ChoosePassword, "/auth/reset/confirm", Word::SavePassword)
    };
    let code = Asking {
        fields: &[field("code", Word::Code, Kind::Code, None)],
        hidden: &[("mfa_token", "a-token")],
        other: Some(("recovery", Word::UseRecoveryCode)),
        ..Asking::of(Word::SecondFactor, "/auth/mfa", Word::Continue)
    };
    let recovery = Asking {
        fields: &[field(
            "recovery_code",
            Word::RecoveryCode,
            Kind::RecoveryCode,
            Some(Word::WrongCode.english()),
        )],
        ..code
    };
    let changed = account::done(
        look,
        Word::PasswordChanged,
        Some(Word::PasswordChangedText),
        Some(("/auth/login", Word::LogIn)),
    );
    let over = account::refused(
        look,
        (400, Word::LinkOver),
        Word::LinkOverText.english(),
        Some(("/auth/reset", Word::ResetPassword)),
    );
    [
        ("account-login", account::asking(look, &login)),
        ("account-wrong", account::asking(look, &wrong)),
        ("account-reset", account::asking(look, &reset)),
        ("account-code", account::asking(look, &code)),
        ("account-recovery", account::asking(look, &recovery)),
        ("account-changed", changed),
        ("account-link-over", over),
    ]
    .map(|(name, page)| (name.to_owned(), page))
    .into()
}

/// `/auth/account`: with all that somebody may have, and of somebody who came by a login with others.
fn of_whoever_is_logged_in(look: &Look) -> Vec<(String, Page)> {
    let session = |id, title, place, is_current| OwnSession {
        id,
        title,
        place,
        used: "2026-11-29 09:41 UTC",
        is_current,
    };
    let sessions = [
        session("c2Vzc2lvbi1vbmU", "Firefox · Linux", "198.51.100.7, DE", true),
        session("c2Vzc2lvbi10d28", "Safari · iPhone", "2001:db8:85a3:8d3::/64, GB", false),
        session(
            "c2Vzc2lvbi10aHJlZQ",
            "AnApplicationWithALongNameAndNoSpaces/3.14159265358979323846",
            "203.0.113.254",
            false,
        ),
    ];
    let key = |id, label| OwnKey { id, label, used: "2026-11-28 17:03 UTC" };
    let keys = [
        key("a2V5LW9uZQ", "Phone"),
        key("a2V5LXR3bw", "A key with a name as long as it may be, on a ring"),
    ];
    let all = OwnAccount {
        path: "/auth/account",
        account: Some(OwnFactors {
            totp: true,
            may_set_up: true,
            codes_left: Some(7),
            passkeys: Some(&keys),
        }),
        sessions: &sessions,
        log_out: None,
    };
    let fresh = OwnFactors { totp: false, may_set_up: true, codes_left: None, passkeys: Some(&[]) };
    let [current, ..] = sessions;
    let new = OwnAccount { account: Some(fresh), sessions: &[current], ..all };
    let of_others = OwnAccount { account: None, log_out: Some("/auth/logout"), ..all };
    let codes = ["0123-4567-89AB-CDEF-GHJK-MNPQ"; 10];
    [
        ("own-account", own_account(look, &all)),
        ("own-account-new", own_account(look, &new)),
        ("own-account-of-others", own_account(look, &of_others)),
        ("own-account-codes", recovery_codes(look, &codes, "/auth/account")),
    ]
    .map(|(name, page)| (name.to_owned(), page))
    .into()
}
