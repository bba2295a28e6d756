//! What a token endpoint answers (RFC 6749 §5.1 and §5.2), in the forms that providers have.

use serde_json::{Map, Value};

use super::provider::TokenAnswerForm;
use crate::json;

/// The longest answer that is read. Tokens of Entra with many groups have some 10 KB.
pub const MAX_ANSWER_LENGTH: usize = 64 * 1024;

/// The longest token that is taken from an answer.
const MAX_TOKEN_LENGTH: usize = 32 * 1024;

/// Tokens that a provider has given.
#[derive(Clone, PartialEq, Eq)]
pub struct ProviderTokens {
    /// For calls of the provider's API.
    pub access_token: String,
    /// How long that lives from now on; `None`: the provider does not say, or it does not end.
    pub expires_in_secs: Option<u64>,
    /// For the next access token.
    pub refresh_token: Option<String>,
    /// Who has logged in.
    pub id_token: Option<String>,
    /// The scopes that were given; `None`: those that were asked for.
    pub scopes: Option<Vec<String>>,
    /// The whole answer without its tokens, for providers whose answer says who it is.
    pub members: Map<String, Value>,
}

/// Why there are no tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoTokens {
    /// `invalid_grant`: the code was used, or the refresh token is over. To ask again does not help.
    GrantEnded,
    /// `invalid_client` and its like: the client's name or secret is wrong.
    Client,
    /// The provider refused for another reason.
    Refused,
    /// The provider cannot answer now.
    Unavailable,
    /// It is no answer that could be read.
    Unreadable(&'static str),
}

/// Reads an answer with this status.
///
/// # Errors
/// [`NoTokens`].
pub fn read(status: u16, body: &[u8], form: TokenAnswerForm) -> Result<ProviderTokens, NoTokens> {
    if status == 429 || status >= 500 {
        return Err(NoTokens::Unavailable);
    }
    if body.len() > MAX_ANSWER_LENGTH {
        return Err(NoTokens::Unreadable("the answer is too long"));
    }
    let members = json::parse_object(body).map_err(|_| match status {
        400..=499 => NoTokens::Refused,
        _ => NoTokens::Unreadable("the answer is no JSON object"),
    })?;
    let is_success = (200..300).contains(&status)
        && match form {
            TokenAnswerForm::Standard | TokenAnswerForm::ErrorWith200 => {
                !members.contains_key("error")
            }
            TokenAnswerForm::Ok => {
                members.get("ok") == Some(&Value::Bool(true)) && !members.contains_key("error")
            }
        };
    if is_success { tokens(members) } else { Err(refusal(&members)) }
}

/// RFC 6749 §5.2, and the words of GitHub and Slack for the same.
fn refusal(members: &Map<String, Value>) -> NoTokens {
    match members.get("error").and_then(Value::as_str) {
        Some(
            "invalid_grant"
            | "bad_verification_code"
            | "bad_refresh_token"
            | "incorrect_client_credentials_or_code"
            | "invalid_code"
            | "code_already_used"
            | "invalid_refresh_token"
            | "token_revoked"
            | "token_expired",
        ) => NoTokens::GrantEnded,
        Some(
            "invalid_client"
            | "unauthorized_client"
            | "incorrect_client_credentials"
            | "bad_client_secret"
            | "invalid_client_id",
        ) => NoTokens::Client,
        Some(
            "temporarily_unavailable"
            | "server_error"
            | "ratelimited"
            | "internal_error"
            | "fatal_error",
        ) => NoTokens::Unavailable,
        _ => NoTokens::Refused,
    }
}

fn tokens(mut members: Map<String, Value>) -> Result<ProviderTokens, NoTokens> {
    let mut token = |name: &str| match members.remove(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) if is_token(&text) => Ok(Some(text)),
        Some(_) => Err(NoTokens::Unreadable("a token is no text of visible characters")),
    };
    let (access_token, refresh_token, id_token) =
        (token("access_token")?, token("refresh_token")?, token("id_token")?);
    // Slack puts the token of the person who installs into an object of its own. It is not kept: the bot's is what was asked for.
    if let Some(Value::Object(user)) = members.get_mut("authed_user") {
        user.remove("access_token");
        user.remove("refresh_token");
    }
    // OpenID Connect providers answer `Bearer`, Slack `bot`. Nothing else is a token that a header can carry by itself.
    let kind = members.get("token_type").and_then(Value::as_str).unwrap_or("bearer");
    if !["bearer", "bot", "user"].iter().any(|known| kind.eq_ignore_ascii_case(known)) {
        return Err(NoTokens::Unreadable("token_type is not Bearer"));
    }
    Ok(ProviderTokens {
        access_token: access_token.ok_or(NoTokens::Unreadable("there is no access_token"))?,
        expires_in_secs: seconds(members.get("expires_in")),
        refresh_token,
        id_token,
        scopes: members.get("scope").and_then(Value::as_str).map(scopes),
        members,
    })
}

/// Visible ASCII (RFC 6749 appendix A.12): nothing else can stand in a header.
fn is_token(text: &str) -> bool {
    (1..=MAX_TOKEN_LENGTH).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// A number, or a number as a text, as some providers write it. 0 and less: it is over.
fn seconds(value: Option<&Value>) -> Option<u64> {
    match value? {
        Value::Number(number) => number.as_u64().or_else(|| number.as_i64().map(|_| 0)),
        Value::String(text) => text.parse().ok(),
        _ => None,
    }
}

/// With blanks or commas between, as the provider writes them.
fn scopes(list: &str) -> Vec<String> {
    let words = list.split([' ', ',']).filter(|word| !word.is_empty());
    words.map(str::to_owned).collect()
}

/// Shows no token.
impl core::fmt::Debug for ProviderTokens {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("ProviderTokens")
            .field("expires_in_secs", &self.expires_in_secs)
            .field("scopes", &self.scopes)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use TokenAnswerForm::{ErrorWith200, Ok as SlackOk, Standard};

    #[test]
    fn a_standard_answer() {
        let body = br#"{"access_token":"a","token_type":"bearer","expires_in":3600,"refresh_token":"r","id_token":"i","scope":"a b"}"#;
        let tokens = read(200, body, Standard).unwrap();
        assert_eq!(tokens.access_token, "a");
        assert_eq!(tokens.refresh_token.as_deref(), Some("r"));
        assert_eq!(tokens.id_token.as_deref(), Some("i"));
        assert_eq!(tokens.expires_in_secs, Some(3600));
        assert_eq!(tokens.scopes.unwrap(), ["a", "b"]);
        assert!(!tokens.members.contains_key("access_token"));
    }

    #[test]
    fn what_is_left_out_is_not_there() {
        let tokens = read(200, br#"{"access_token":"a","refresh_token":null}"#, Standard).unwrap();
        assert_eq!(
            (tokens.refresh_token, tokens.expires_in_secs, tokens.scopes),
            (None, None, None)
        );
        let tokens = read(200, br#"{"access_token":"a","expires_in":"60"}"#, Standard).unwrap();
        assert_eq!(tokens.expires_in_secs, Some(60));
        let tokens = read(200, br#"{"access_token":"a","expires_in":-1}"#, Standard).unwrap();
        assert_eq!(tokens.expires_in_secs, Some(0));
    }

    #[test]
    fn errors_in_each_form() {
        for (status, body, form, expected) in [
            (400, r#"{"error":"invalid_grant"}"#, Standard, NoTokens::GrantEnded),
            (401, r#"{"error":"invalid_client"}"#, Standard, NoTokens::Client),
            (400, r#"{"error":"invalid_scope"}"#, Standard, NoTokens::Refused),
            (400, "<html>", Standard, NoTokens::Refused),
            (503, r#"{"access_token":"a"}"#, Standard, NoTokens::Unavailable),
            (429, "{}", Standard, NoTokens::Unavailable),
            // GitHub.
            (
                200,
                r#"{"error":"bad_verification_code","error_description":"x"}"#,
                ErrorWith200,
                NoTokens::GrantEnded,
            ),
            (200, r#"{"error":"incorrect_client_credentials"}"#, ErrorWith200, NoTokens::Client),
            // Slack.
            (200, r#"{"ok":false,"error":"invalid_code"}"#, SlackOk, NoTokens::GrantEnded),
            (200, r#"{"ok":false,"error":"bad_client_secret"}"#, SlackOk, NoTokens::Client),
            (200, r#"{"ok":false,"error":"ratelimited"}"#, SlackOk, NoTokens::Unavailable),
            (200, r#"{"ok":"true","access_token":"a"}"#, SlackOk, NoTokens::Refused),
            (200, r#"{"access_token":"a"}"#, SlackOk, NoTokens::Refused),
            (
                200,
                r#"{"ok":true,"error":"invalid_code","access_token":"a"}"#,
                SlackOk,
                NoTokens::GrantEnded,
            ),
        ] {
            assert_eq!(read(status, body.as_bytes(), form), Err(expected), "{body}");
        }
    }

    #[test]
    fn an_answer_that_cannot_be_read_gives_nothing() {
        for body in [
            "",
            "[]",
            "access_token=a&scope=b",
            r#"{"token_type":"bearer"}"#,
            r#"{"access_token":""}"#,
            r#"{"access_token":1}"#,
            r#"{"access_token":"a b"}"#,
            r#"{"access_token":"a\r\nX: y"}"#,
            r#"{"access_token":"a","access_token":"b"}"#,
            r#"{"access_token":"a","token_type":"mac"}"#,
            r#"{"access_token":"a","token_type":"DPoP"}"#,
            r#"{"access_token":"a","refresh_token":7}"#,
        ] {
            let read = read(200, body.as_bytes(), Standard);
            assert!(matches!(read, Err(NoTokens::Unreadable(_))), "{body}: {read:?}");
        }
    }

    /// NVIDIA/nemoclaw-community#122: a bot's token at the top, the installer's beneath.
    #[test]
    fn the_answer_for_a_bot_of_slack() {
        let body = br#"{"ok":true,"app_id":"A1","token_type":"bot","access_token":"xoxb-1","scope":"chat:write,commands","bot_user_id":"U9",
            "team":{"id":"T1","name":"Acme"},"authed_user":{"id":"U1","access_token":"xoxp-1"}}"#;
        let tokens = read(200, body, SlackOk).unwrap();
        assert_eq!(tokens.access_token, "xoxb-1");
        assert_eq!(tokens.scopes.as_deref().unwrap(), ["chat:write", "commands"]);
        let shown = serde_json::to_string(&tokens.members).unwrap();
        assert!(shown.contains("U9") && !shown.contains("xox"), "{shown}");
        assert!(!format!("{tokens:?}").contains("xox"));
    }
}
