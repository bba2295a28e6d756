//! What answers tell browsers about pages of other origins (Fetch standard, "HTTP responses" of the CORS protocol).
//!
//! Refusals tell it too: without it a script sees a network error, and never that its token has expired.

use super::reply::Fields;
use crate::policy::Cors;

const ALLOW_ORIGIN: &str = "Access-Control-Allow-Origin";
const ALLOW_CREDENTIALS: &str = "Access-Control-Allow-Credentials";
const EXPOSE_HEADERS: &str = "Access-Control-Expose-Headers";
const ALLOW_METHODS: &str = "Access-Control-Allow-Methods";
const ALLOW_HEADERS: &str = "Access-Control-Allow-Headers";
const MAX_AGE: &str = "Access-Control-Max-Age";
const ALLOW_PRIVATE_NETWORK: &str = "Access-Control-Allow-Private-Network";

/// What the answer to a preflight says beside the origin.
const OF_PREFLIGHT: [&str; 4] = [ALLOW_METHODS, ALLOW_HEADERS, MAX_AGE, ALLOW_PRIVATE_NETWORK];

/// The longest `Access-Control-Request-Headers` that is answered: a page has a dozen such names.
const MAX_REQUESTED_LENGTH: usize = 2048;

/// The fields of an answer to a page of this origin. An origin that is not listed gets none.
#[must_use]
pub fn answer_fields(cors: Option<&Cors>, origin: Option<&str>) -> Fields {
    let Some(cors) = cors else { return Fields::new() };
    let Some(allowed) = cors.allowed(origin) else { return Fields::new() };
    let mut fields = origin_fields(cors, allowed);
    fields.push((EXPOSE_HEADERS, cors.exposed.clone()));
    fields
}

/// The same for a refusal, with what caches have to know. The gate answers with these alone.
#[must_use]
pub fn refusal_fields(cors: Option<&Cors>, origin: Option<&str>) -> Fields {
    let mut fields = answer_fields(cors, origin);
    if cors.is_some_and(Cors::varies) {
        fields.push(("Vary", "Origin".to_owned()));
    }
    fields
}

/// The fields of an answer of the service. Its own are taken out (they are empty here): which origins may read is said in
/// one place. To a preflight that the policy passes on, the service says which methods and headers it takes.
#[must_use]
pub fn amending_fields(cors: Option<&Cors>, origin: Option<&str>, preflight: bool) -> Fields {
    let Some(known) = cors else { return Fields::new() };
    let kept = preflight && known.allowed(origin).is_some();
    let of_preflight = OF_PREFLIGHT.into_iter().filter(|_| !kept);
    let own = [ALLOW_ORIGIN, ALLOW_CREDENTIALS, EXPOSE_HEADERS].into_iter().chain(of_preflight);
    let taken_out = own.map(|name| (name, String::new()));
    taken_out.chain(answer_fields(cors, origin)).collect()
}

/// The fields of the answer that the gate gives to a preflight itself, which asks for this method and these headers.
/// Any are allowed: what a request may do is decided when it comes.
#[must_use]
pub fn preflight_fields(
    cors: Option<&Cors>,
    origin: Option<&str>,
    method: Option<&str>,
    headers: Option<&str>,
) -> Fields {
    let Some(cors) = cors else { return Fields::new() };
    let asked = "Origin, Access-Control-Request-Method, Access-Control-Request-Headers";
    let vary = ("Vary", asked.to_owned());
    let Some(allowed) = cors.allowed(origin) else { return vec![vary] };
    let mut fields = origin_fields(cors, allowed);
    if let Some(method) = method.filter(|method| is_list_of_names(method)) {
        fields.push((ALLOW_METHODS, method.to_owned()));
    }
    if let Some(headers) = headers.filter(|headers| is_list_of_names(headers)) {
        fields.push((ALLOW_HEADERS, headers.to_owned()));
    }
    if let Some(secs) = cors.max_age_secs {
        fields.push((MAX_AGE, secs.to_string()));
    }
    fields.push(vary);
    fields
}

fn origin_fields(cors: &Cors, allowed: &str) -> Fields {
    let mut fields = vec![(ALLOW_ORIGIN, allowed.to_owned())];
    if cors.credentials {
        fields.push((ALLOW_CREDENTIALS, "true".to_owned()));
    }
    fields
}

/// Names with commas between them, and not too many: what else a caller writes is not written back.
fn is_list_of_names(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= MAX_REQUESTED_LENGTH
        && text.bytes().all(|byte| {
            byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b',' | b' ')
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_list_of_names_is_not_written_back() {
        for text in ["", "a\nb", "a;b", "<a>", "a\"", &"a".repeat(2049)] {
            assert!(!is_list_of_names(text), "{text}");
        }
        assert!(is_list_of_names("authorization, content-type,x_y"));
    }
}
