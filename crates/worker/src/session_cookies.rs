//! The cookies of sessions, as fields of an answer.

use edgegate::http::reply::Fields;

/// Each of these cookies in a field of its own, for proxies that pass one `Set-Cookie` of forward-auth on.
pub(super) fn numbered(fields: &Fields) -> Fields {
    let cookies = fields.iter().filter(|(name, _)| *name == "Set-Cookie");
    let names = ["X-Auth-Set-Cookie-1", "X-Auth-Set-Cookie-2"].into_iter();
    names.zip(cookies).map(|(name, (_, value))| (name, value.clone())).collect()
}

/// The fields that set these cookies, or take them out. Nobody stores the answer.
pub(super) fn fields(values: &[String]) -> Fields {
    let cookies = values.iter().map(|value| ("Set-Cookie", value.clone()));
    let not_stored =
        (!values.is_empty()).then(|| ("Cache-Control", "private, no-store".to_owned()));
    cookies.chain(not_stored).collect()
}
