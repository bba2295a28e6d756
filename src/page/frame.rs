//! A whole page around its content: the template, the style in the operator's colour, and the header fields that keep it to itself.

use super::{
    Page,
    color::{BLACK, Color},
    html::{Html, escape},
    look::Look,
    template::{Filling, Template, source},
    words::Word,
};

/// The style of all pages.
const STYLE: &str = include_str!("style.css");

/// The grounds on which the operator's colour has to be read: the darker of the light ones, the lighter of the dark ones.
const LIGHT_GROUND: &str = "#f6f5f1";
const DARK_GROUND: &str = "#191d20";

/// Languages that are written from right to left.
const RIGHT_TO_LEFT: [&str; 9] = ["ar", "ckb", "dv", "fa", "he", "ps", "sd", "ur", "yi"];

/// Where the forms of a page lead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Forms {
    /// It has none.
    None,
    /// To this origin.
    Own,
    /// To this origin, and this script fills them in.
    OwnByScript(&'static str),
    /// The same, by a script that asks this origin.
    OwnByAsking(&'static str),
    /// To this origin, and from there to a provider: browsers hold redirects after a form against the policy of its page, and where the
    /// provider's page is may be known only then.
    Anywhere,
    /// The same, where a provider is reached by http.
    AnywhereByHttp,
}

impl Look {
    /// A page of this content.
    pub(super) fn page(
        &self,
        status: u16,
        title: (Word, &[&str]),
        content: Html<'_>,
        forms: Forms,
    ) -> Page {
        let style = self.style();
        let content = content.finish();
        let body = Template::filled(
            self.template.as_ref(),
            &Filling {
                lang: &self.lang,
                dir: self.direction(),
                title: &self.title(title),
                style: &format!("<style>{style}</style>"),
                brand: &self.brand(),
                content: &format!("<main>\n{content}</main>"),
            },
        );
        Page { status, fields: self.fields(&style, forms), body }
    }

    fn title(&self, (word, values): (Word, &[&str])) -> String {
        let mut values = values.iter();
        let mut pieces = self.word(word).split("{}");
        let mut title = pieces.next().unwrap_or_default().to_owned();
        for piece in pieces {
            title.push_str(values.next().unwrap_or(&""));
            title.push_str(piece);
        }
        if let Some(name) = &self.title {
            title.push_str(" – ");
            title.push_str(name);
        }
        let mut escaped = String::new();
        escape(&title, &mut escaped);
        escaped
    }

    fn brand(&self) -> String {
        let Some(title) = &self.title else { return String::new() };
        let mut html = Html::new(self);
        html.markup("<header class=\"brand\">");
        if let Some(logo) = &self.logo {
            html.markup("<img src=\"");
            html.text(logo);
            html.markup("\" alt=\"");
            html.text(title);
            html.markup("\">");
        } else {
            html.text(title);
        }
        html.markup("</header>");
        html.finish()
    }

    fn direction(&self) -> &'static str {
        let language = self.lang.split('-').next().unwrap_or_default();
        let is_from_right = RIGHT_TO_LEFT.iter().any(|known| known.eq_ignore_ascii_case(language));
        if is_from_right { "rtl" } else { "ltr" }
    }

    fn style(&self) -> String {
        let mut style = STYLE.to_owned();
        if let Some(accent) = self.accent {
            let shades = |ground: &str| {
                let ink = accent.on(Color::parse(ground).unwrap_or(BLACK));
                format!(
                    ":root{{--accent:{};--on:{};--ink:{}}}",
                    accent.written(),
                    accent.text_on().written(),
                    ink.written()
                )
            };
            style.push_str(&shades(LIGHT_GROUND));
            style.push_str("@media(prefers-color-scheme:dark){");
            style.push_str(&shades(DARK_GROUND));
            style.push('}');
        }
        style
    }

    /// Nobody keeps a page, frames it, or runs a script in it that is not its own, and no link tells where it was.
    fn fields(&self, style: &str, forms: Forms) -> Vec<(&'static str, String)> {
        // A browser that may send no referrer sends `Origin: null` with a form, which the rule against forged requests refuses. The
        // origin alone gives nothing away.
        let posts = matches!(forms, Forms::Own | Forms::OwnByScript(_) | Forms::OwnByAsking(_));
        let referrer = if posts { "strict-origin" } else { "no-referrer" };
        let fields = [
            ("Content-Type", "text/html; charset=utf-8"),
            ("Cache-Control", "no-store"),
            ("X-Content-Type-Options", "nosniff"),
            ("X-Frame-Options", "DENY"),
            ("Referrer-Policy", referrer),
            ("X-Robots-Tag", "noindex"),
        ];
        let mut fields: Vec<_> = fields.map(|(name, value)| (name, value.to_owned())).into();
        fields.push(("Content-Security-Policy", self.content_policy(style, forms)));
        fields
    }

    fn content_policy(&self, style: &str, forms: Forms) -> String {
        let mut styles = source(style);
        for own in self.template.iter().flat_map(Template::styles) {
            styles.push(' ');
            styles.push_str(&source(own));
        }
        // The origin of a logo elsewhere. A path of this origin needs no more than its own icon does.
        let elsewhere = self.logo.as_deref().filter(|logo| logo.starts_with("https://"));
        let logo = elsewhere.and_then(|logo| logo.split(['?', '#']).next()).unwrap_or_default();
        let script = match forms {
            Forms::OwnByScript(script) => format!("script-src {}; ", source(script)),
            Forms::OwnByAsking(script) => {
                format!("script-src {}; connect-src 'self'; ", source(script))
            }
            _ => String::new(),
        };
        let forms = match forms {
            Forms::None => "'none'",
            Forms::Own | Forms::OwnByScript(_) | Forms::OwnByAsking(_) => "'self'",
            Forms::Anywhere => "'self' https: http://localhost:* http://127.0.0.1:*",
            Forms::AnywhereByHttp => "'self' https: http:",
        };
        format!(
            "default-src 'none'; {script}style-src {styles}; img-src 'self'{}{logo}; form-action {forms}; frame-ancestors 'none'; base-uri 'none'",
            if logo.is_empty() { "" } else { " " },
        )
    }
}
