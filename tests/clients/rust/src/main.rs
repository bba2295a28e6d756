//! What the crate `oauth2` does with the gate: a machine's token, the session of a user, introspection, revocation.
//! Arguments: the gate's origin, a client, its secret, and the refresh token of one of its sessions.

use std::error::Error;
use std::io::Read;

use oauth2::basic::{BasicClient, BasicErrorResponseType, BasicRequestTokenError};
use oauth2::http::{Response, StatusCode};
use oauth2::{
    AuthType, ClientId, ClientSecret, HttpRequest, HttpResponse, IntrospectionUrl, RefreshToken,
    RevocationUrl, Scope, StandardRevocableToken, TokenIntrospectionResponse, TokenResponse,
    TokenUrl,
};

type Outcome<T> = Result<T, Box<dyn Error>>;

fn main() -> Outcome<()> {
    // The first is the name of the program.
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [origin, id, secret, refresh_token] = arguments.as_slice() else {
        return Err("expected an origin, a client, its secret and a refresh token".into());
    };
    for method in [AuthType::BasicAuth, AuthType::RequestBody] {
        machine(origin, id, secret, method)?;
    }
    session(origin, id, secret, refresh_token)
}

macro_rules! client {
    ($origin:expr, $id:expr, $secret:expr) => {
        BasicClient::new(ClientId::new($id.to_owned()))
            .set_client_secret(ClientSecret::new($secret.to_owned()))
            .set_token_uri(TokenUrl::new(format!("{}/auth/token", $origin))?)
            .set_introspection_url(IntrospectionUrl::new(format!("{}/auth/introspect", $origin))?)
            // The crate sends tokens to https only; see `send`.
            .set_revocation_url(RevocationUrl::new(
                format!("{}/auth/revoke", $origin).replace("http:", "https:"),
            )?)
    };
}

fn machine(origin: &str, id: &str, secret: &str, method: AuthType) -> Outcome<()> {
    let client = client!(origin, id, secret).set_auth_type(method);
    let scope = Scope::new("read:posts".to_owned());
    let token =
        client.exchange_client_credentials().add_scope(scope.clone()).request(&send)?;
    assert_eq!(token.scopes(), Some(&vec![scope]));
    assert_eq!(token.expires_in().map(|left| left.as_secs()), Some(900));
    let access = token.access_token();
    assert_eq!(call(origin, access.secret())?, StatusCode::OK);
    let told = client.introspect(access).request(&send)?;
    assert!(told.active());
    assert_eq!(told.sub(), Some(format!("client|{id}").as_str()));
    let token = StandardRevocableToken::AccessToken(access.clone());
    client.revoke_token(token)?.request(&send)?;
    assert!(!client.introspect(access).request(&send)?.active());
    assert_eq!(call(origin, access.secret())?, StatusCode::UNAUTHORIZED);
    let beyond = client.exchange_client_credentials().add_scope(Scope::new("admin".to_owned()));
    refused(beyond.request(&send), BasicErrorResponseType::InvalidScope);
    Ok(())
}

fn session(origin: &str, id: &str, secret: &str, refresh_token: &str) -> Outcome<()> {
    let client = client!(origin, id, secret);
    let first = RefreshToken::new(refresh_token.to_owned());
    let tokens = client.exchange_refresh_token(&first).request(&send)?;
    let next = tokens.refresh_token().ok_or("no refresh token")?;
    assert_ne!(next.secret(), first.secret());
    assert_eq!(call(origin, tokens.access_token().secret())?, StatusCode::OK);
    client.revoke_token(StandardRevocableToken::RefreshToken(next.clone()))?.request(&send)?;
    let ended = client.exchange_refresh_token(next).request(&send);
    refused(ended, BasicErrorResponseType::InvalidGrant);
    let stranger = client!(origin, id, "wrong").exchange_client_credentials().request(&send);
    refused(stranger, BasicErrorResponseType::InvalidClient);
    Ok(())
}

#[track_caller]
fn refused<T>(
    answer: Result<T, BasicRequestTokenError<Box<ureq::Error>>>,
    word: BasicErrorResponseType,
) {
    let Err(BasicRequestTokenError::ServerResponse(refusal)) = answer else {
        panic!("expected {word:?}")
    };
    assert_eq!(refusal.error(), &word);
}

/// A request of the crate, over HTTP: the gate is on loopback, where TLS would end before it.
fn send(request: HttpRequest) -> Result<HttpResponse, Box<ureq::Error>> {
    let url = request.uri().to_string().replace("https:", "http:");
    let mut wanted = ureq::request(request.method().as_str(), &url);
    for (name, value) in request.headers() {
        wanted = wanted.set(name.as_str(), value.to_str().unwrap_or_default());
    }
    let answer = match wanted.send_bytes(request.body()) {
        Ok(answer) | Err(ureq::Error::Status(_, answer)) => answer,
        Err(fault) => return Err(Box::new(fault)),
    };
    let mut built = Response::builder().status(answer.status());
    if let Some(kind) = answer.header("Content-Type") {
        built = built.header("Content-Type", kind);
    }
    let mut body = Vec::new();
    answer.into_reader().read_to_end(&mut body).map_err(|fault| Box::new(fault.into()))?;
    Ok(built.body(body).expect("of an answer"))
}

fn call(origin: &str, token: &str) -> Outcome<StatusCode> {
    let asked = ureq::get(&format!("{origin}/v1/posts"));
    let status = match asked.set("Authorization", &format!("Bearer {token}")).call() {
        Ok(answer) | Err(ureq::Error::Status(_, answer)) => answer.status(),
        Err(fault) => return Err(fault.into()),
    };
    Ok(StatusCode::from_u16(status)?)
}
